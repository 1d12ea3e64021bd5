package grpcapi

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/server/replica"
)

// unread is a connection whose other end stops reading.
type unread struct {
	net.Conn
	stop chan struct{} // closed when it reads no more
	over chan struct{} // closed with the connection
}

// Read reads until it is to stop.
func (d *unread) Read(b []byte) (int, error) {
	select {
	case <-d.stop:
		<-d.over
		return 0, io.EOF
	default:
		return d.Conn.Read(b[:min(len(b), 1024)])
	}
}

func TestClientsThatDoNotReadTheirRepliesAreRefusedMore(t *testing.T) {
	const (
		each   = 500 << 10
		buffer = 512 << 10 // that it takes, which is what counts
	)
	for name, row := range map[string]struct{ max, connMax int64 }{
		"one connection has a bound": {100 * buffer, 4 * buffer},
		"all together have one":      {4 * buffer, 100 * buffer},
	} {
		t.Run(name, func(t *testing.T) {
			refused := make(chan string, 1000)
			r := newRig(t, func(o *Options, _ *replica.Config) { o.Refused = func(reason string) { refused <- reason } })
			r.server.replies.max, r.server.replies.connMax = row.max, row.connMax
			r.create("/large", strings.Repeat("x", each))
			d := &unread{stop: make(chan struct{}), over: make(chan struct{})}
			conn, err := grpc.NewClient("passthrough:///"+r.addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithContextDialer(func(ctx context.Context, addr string) (nc net.Conn, err error) {
					d.Conn, err = new(net.Dialer).DialContext(ctx, "tcp", addr)
					if err == nil {
						err = d.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
					}
					return d, err
				}))
			if err != nil {
				t.Fatal(err)
			}
			calls := paddockv1.NewZnodeServiceClient(conn)
			if _, err := calls.Get(t.Context(), &paddockv1.GetRequest{Path: "/"}); err != nil {
				t.Fatal(err)
			}
			close(d.stop)
			ctx, cancel := context.WithCancel(t.Context())
			for range 20 {
				go func() { _, _ = calls.Get(ctx, &paddockv1.GetRequest{Path: "/large"}) }() // ends with ctx
				// One after the other, so that each finds what those before it have left.
				before := r.server.replies.bytes.Load()
				r.eventually("the call has come", func() bool { return r.server.replies.bytes.Load() != before || len(refused) > 0 })
			}
			if len(refused) == 0 {
				t.Fatalf("no call was refused with %d bytes waiting", r.server.replies.bytes.Load())
			}
			got, err := r.znodes.Get(t.Context(), &paddockv1.GetRequest{Path: "/large"})
			if err != nil || !bytes.Equal(got.GetData(), bytes.Repeat([]byte("x"), each)) {
				t.Errorf("others, who read, are told %d bytes, %v", len(got.GetData()), err)
			}
			if waiting := r.server.replies.bytes.Load(); waiting > min(row.max, row.connMax)+buffer {
				t.Errorf("%d bytes wait", waiting)
			}
			cancel()
			d.Conn.Close()
			close(d.over)
			conn.Close()
			r.eventually("nothing waits for who has gone", func() bool { return r.server.replies.bytes.Load() == 0 })
			if _, err := r.znodes.Get(t.Context(), &paddockv1.GetRequest{Path: "/large"}); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestRepliesThatAreReadAreGivenBack(t *testing.T) {
	r := newRig(t)
	r.create("/large", strings.Repeat("x", 900<<10))
	for range 50 {
		if _, err := r.znodes.Get(t.Context(), &paddockv1.GetRequest{Path: "/large"}); err != nil {
			t.Fatal(err)
		}
	}
	r.eventually("all is given back", func() bool { return r.server.replies.bytes.Load() == 0 })
}
