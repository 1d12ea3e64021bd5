package grpcapi

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/server/admission"
	"paddock/server/replica"
)

// limitedRig is a rig behind a second listener, which is limited.
func limitedRig(t *testing.T, change func(*Options)) (r *rig, addr string) {
	t.Helper()
	r = newRig(t, func(o *Options, _ *replica.Config) { change(o) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(r.server.Limit(l, true)) }() // ends with stop
	t.Cleanup(func() {
		r.stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return r, l.Addr().String()
}

// knock makes a connection of its own and asks something through it.
func knock(t *testing.T, addr string) (*grpc.ClientConn, error) {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = paddockv1.NewZnodeServiceClient(conn).Get(ctx, &paddockv1.GetRequest{Path: "/"})
	return conn, err
}

func TestConnectionsBeyondALimitAreTurnedAway(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*Options)
		reason string
		word   string
	}{
		"of an address": {func(o *Options) { o.MaxClientCnxns = 2 }, admission.PerAddress, "maxClientCnxns is 2"},
		"of all":        {func(o *Options) { o.MaxClientCnxns, o.MaxCnxns = 5, 2 }, admission.InAll, "maxCnxns is 2"},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			told := map[string]int{}
			r, addr := limitedRig(t, func(o *Options) {
				row.change(o)
				o.Rejected = func(reason string, from netip.Addr) {
					mu.Lock()
					defer mu.Unlock()
					told[reason+" "+from.String()]++
				}
			})
			first, err := knock(t, addr)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := knock(t, addr); err != nil {
				t.Fatal(err)
			}
			if _, err = knock(t, addr); status.Code(err) != codes.Unavailable {
				t.Errorf("the third is told %v", err)
			}
			raw, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			// What is on the wire: settings, and GOAWAY with the reason, as RFC 9113 has them.
			frames := http2.NewFramer(raw, raw)
			if f, err := frames.ReadFrame(); err != nil || f.Header().Type != http2.FrameSettings {
				t.Errorf("first there is %v, %v", f, err)
			}
			if f, err := frames.ReadFrame(); err != nil {
				t.Error(err)
			} else if bye, ok := f.(*http2.GoAwayFrame); !ok || bye.ErrCode != http2.ErrCodeEnhanceYourCalm || !strings.Contains(string(bye.DebugData()), row.word) {
				t.Errorf("then there is %v", f)
			}
			mu.Lock()
			if told[row.reason+" 127.0.0.1"] == 0 || len(told) != 1 {
				t.Errorf("counted %v", told)
			}
			mu.Unlock()
			first.Close()
			r.eventually("one that has gone makes room", func() bool { _, err := knock(t, addr); return err == nil })
			if name == "of an address" {
				r.server.SetMaxClientCnxns(0)
				if _, err := knock(t, addr); err != nil {
					t.Errorf("without a limit: %v", err)
				}
			}
		})
	}
}
