//go:build bench

package bench

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"paddock/client"
)

const (
	doorCallers     = 64 // calls under way at once
	doorConnections = 8  // gRPC connections that share them
	doorKeys        = 10_000
	doorBytes       = 256 // of each value
)

// dialect is how one side says what both are asked. Messages are encoded here, field by field, so that asking costs the same
// whoever is asked, and no client library of either side takes part.
type dialect struct {
	getMethod, setMethod, fillMethod, watchMethod string
	pipes                                         bool // has pipelines

	get   func(key int) []byte
	set   func(key int, value []byte) []byte
	fill  func(key int, value []byte) []byte // makes it
	watch func(id int) []byte                // of key 0, from now on
	rest  func(host string, key int) []byte  // the whole HTTP request for a value
	raw   func(host string, key int) []byte  // the same for the value as it is; nil if there is no such door

	valueField protowire.Number // where in the answer to get the value is: of the answer, or of valueIn
	valueIn    protowire.Number // the message in the answer that has it; 0 if it is the answer
	eventField protowire.Number // of what a watch is told: there if it is an event
}

// fields builds a message.
type fields []byte

func (f fields) bytes(n protowire.Number, v []byte) fields {
	return protowire.AppendBytes(protowire.AppendTag(f, n, protowire.BytesType), v)
}
func (f fields) varint(n protowire.Number, v uint64) fields {
	return protowire.AppendVarint(protowire.AppendTag(f, n, protowire.VarintType), v)
}

// dialectOf is that of a kind of server.
func dialectOf(k kind) *dialect {
	if k == etcd {
		return &etcdDialect
	}
	return &paddockDialect
}

func doorKey(key int) []byte { return fmt.Appendf(nil, "/bench/k%06d", key) }

// paddockDialect speaks proto/paddock/v1.
var paddockDialect = dialect{
	getMethod: "/paddock.v1.ZnodeService/Get", setMethod: "/paddock.v1.ZnodeService/Set", fillMethod: "/paddock.v1.ZnodeService/Put",
	watchMethod: "/paddock.v1.WatchService/Watch", pipes: true,
	get: func(key int) []byte { return fields(nil).bytes(1, doorKey(key)) },
	set: func(key int, value []byte) []byte { return fields(nil).bytes(1, doorKey(key)).bytes(2, value) },
	fill: func(key int, value []byte) []byte {
		return fields(nil).bytes(1, doorKey(key)).bytes(2, value).varint(4, 1)
	},
	watch: func(id int) []byte {
		const persistent = 3
		return fields(nil).bytes(1, fields(nil).varint(1, uint64(id)).bytes(2, doorKey(0)).varint(3, persistent).varint(5, 1))
	},
	rest: func(host string, key int) []byte {
		return fmt.Appendf(nil, "GET /v1/znodes%s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n\r\n", doorKey(key), host)
	},
	raw: func(host string, key int) []byte {
		return fmt.Appendf(nil, "GET /v1/znodes%s HTTP/1.1\r\nHost: %s\r\n\r\n", doorKey(key), host)
	},
	valueField: 1, eventField: 3,
}

// etcdDialect speaks etcdserverpb of etcd 3.7. Reads are serializable: of what this member has, as Paddock's are by default.
var etcdDialect = dialect{
	getMethod: "/etcdserverpb.KV/Range", setMethod: "/etcdserverpb.KV/Put", fillMethod: "/etcdserverpb.KV/Put",
	watchMethod: "/etcdserverpb.Watch/Watch",
	get:         func(key int) []byte { return fields(nil).bytes(1, doorKey(key)).varint(7, 1) },
	set:         func(key int, value []byte) []byte { return fields(nil).bytes(1, doorKey(key)).bytes(2, value) },
	fill:        func(key int, value []byte) []byte { return fields(nil).bytes(1, doorKey(key)).bytes(2, value) },
	watch: func(id int) []byte {
		return fields(nil).bytes(1, fields(nil).bytes(1, doorKey(0)).varint(7, uint64(id)))
	},
	rest: func(host string, key int) []byte {
		body := fmt.Sprintf(`{"key":"%s","serializable":true}`, base64.StdEncoding.EncodeToString(doorKey(key)))
		return fmt.Appendf(nil, "POST /v3/kv/range HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			host, len(body), body)
	},
	valueIn: 2, valueField: 5, eventField: 11,
}

// field is the first field of that number in a message, if it has the type bytes; found tells of any type.
func field(msg []byte, want protowire.Number) (value []byte, found bool) {
	for len(msg) > 0 {
		n, typ, tag := protowire.ConsumeTag(msg)
		if tag < 0 {
			return nil, false
		}
		size := protowire.ConsumeFieldValue(n, typ, msg[tag:])
		if size < 0 {
			return nil, false
		}
		if n == want {
			if typ == protowire.BytesType {
				value, _ = protowire.ConsumeBytes(msg[tag:])
			}
			return value, true
		}
		msg = msg[tag+size:]
	}
	return nil, false
}

// value is the value in an answer to get.
func (d *dialect) value(msg []byte) []byte {
	if d.valueIn != 0 {
		msg, _ = field(msg, d.valueIn)
	}
	v, _ := field(msg, d.valueField)
	return v
}

// rawCodec passes encoded messages through.
type rawCodec struct{}

var _ encoding.CodecV2 = rawCodec{}

// Name is that of the codec whose place it takes.
func (rawCodec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

// Unmarshal implements encoding.CodecV2.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// dialDoor opens a gRPC connection.
func dialDoor(addr string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
}

// callDoors makes calls until ctx ends: doorCallers of them at a time. next says what the i-th caller asks, check what it makes
// of the answer. count is how many were answered.
func callDoors(ctx context.Context, addr, method string, count *atomic.Int64, next func(r *rand.Rand) []byte, check func([]byte) error) error {
	var conns []*grpc.ClientConn
	for range doorConnections {
		c, err := dialDoor(addr)
		if err != nil {
			return err
		}
		defer c.Close()
		conns = append(conns, c)
	}
	errs := make([]error, doorCallers)
	var all sync.WaitGroup
	for i := range doorCallers {
		all.Go(func() { // ends with ctx
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for ctx.Err() == nil {
				in, out := next(r), []byte(nil)
				err := conns[i%len(conns)].Invoke(context.WithoutCancel(ctx), method, &in, &out)
				if err == nil {
					err = check(out)
				}
				if err != nil {
					errs[i] = fmt.Errorf("%s: %w", method, err)
					return
				}
				count.Add(1)
			}
		})
	}
	all.Wait()
	return firstError(errs)
}

// pipeDoors is callDoors with a pipeline of Paddock's Go client on each connection, which its share of the callers use at once.
func pipeDoors(ctx context.Context, addr string, count *atomic.Int64, ask func(p *client.Pipeline, r *rand.Rand) *client.Pending, check func(client.Znode) error) error {
	errs := make([]error, doorConnections)
	var all sync.WaitGroup
	for i := range doorConnections {
		all.Go(func() { errs[i] = pipeDoor(ctx, addr, uint64(i), count, ask, check) }) // ends with ctx
	}
	all.Wait()
	return firstError(errs)
}

// pipeDoor is one connection of pipeDoors.
func pipeDoor(ctx context.Context, addr string, seed uint64, count *atomic.Int64, ask func(*client.Pipeline, *rand.Rand) *client.Pending, check func(client.Znode) error) error {
	c, err := client.Dial([]string{addr}, client.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	p, err := c.Pipeline(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	errs := make([]error, doorCallers/doorConnections)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { // ends with ctx
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for ctx.Err() == nil && errs[i] == nil {
				znode, err := ask(p, r).Wait(context.WithoutCancel(ctx))
				if err == nil {
					err = check(znode)
				}
				errs[i] = err
				count.Add(1)
			}
		})
	}
	all.Wait()
	return firstError(append(errs, p.Close()))
}

func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// fetchDoors gets values over HTTP until ctx ends: doorCallers connections that are kept, one request at a time on each.
func fetchDoors(ctx context.Context, addr string, count *atomic.Int64, request func(host string, key int) []byte) error {
	errs := make([]error, doorCallers)
	var all sync.WaitGroup
	for i := range doorCallers {
		all.Go(func() { errs[i] = fetchDoor(ctx, addr, uint64(i), count, request) }) // ends with ctx
	}
	all.Wait()
	return firstError(errs)
}

// fetchDoor is one connection of fetchDoors.
func fetchDoor(ctx context.Context, addr string, seed uint64, count *atomic.Int64, request func(string, int) []byte) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	in := bufio.NewReader(nc)
	r := rand.New(rand.NewPCG(2, seed))
	for ctx.Err() == nil {
		if _, err := nc.Write(request(addr, r.IntN(doorKeys))); err != nil {
			return err
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		switch {
		case err != nil:
			return err
		case res.StatusCode != http.StatusOK || n < doorBytes:
			return fmt.Errorf("GET over HTTP: %s and %d bytes", res.Status, n)
		}
		count.Add(1)
	}
	return nil
}

// tellDoors has one writer set a key again as soon as each of the watchers has been told of the last change, until ctx ends. The
// watchers share streams, and those the connections.
func tellDoors(ctx context.Context, addr string, d *dialect, watchers, streams int, count *atomic.Int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	made, told := make(chan error, watchers), make(chan error, watchers)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	conns := max(doorConnections, streams/20)
	perStream := watchers / streams
	for c := range conns {
		conn, err := dialDoor(addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		for s := c; s < streams; s += conns {
			stream, err := conn.NewStream(context.WithoutCancel(ctx), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, d.watchMethod)
			if err != nil {
				return err
			}
			for w := range perStream {
				ask := d.watch(w + 1)
				if err := stream.SendMsg(&ask); err != nil {
					return err
				}
			}
			all.Go(func() { hearDoor(ctx, stream, d, made, told) }) // ends with the connection
		}
	}
	if err := hearAll(ctx, made, perStream*streams, nil); err != nil {
		return err
	}
	writer, err := dialDoor(addr)
	if err != nil {
		return err
	}
	defer writer.Close()
	value := make([]byte, doorBytes)
	for ctx.Err() == nil {
		in, out := d.set(0, value), []byte(nil)
		if err := writer.Invoke(context.WithoutCancel(ctx), d.setMethod, &in, &out); err != nil {
			return err
		}
		if err := hearAll(ctx, told, perStream*streams, count); err != nil {
			return err
		}
	}
	return nil
}

// hearDoor passes on what one stream tells: that watches were made, and events.
func hearDoor(ctx context.Context, stream grpc.ClientStream, d *dialect, made, told chan<- error) {
	for {
		var msg []byte
		err := stream.RecvMsg(&msg)
		to := made
		if _, event := field(msg, d.eventField); event || err != nil {
			to = told
		}
		select {
		case to <- err:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// hearAll waits for n tokens, or the end of ctx.
func hearAll(ctx context.Context, from <-chan error, n int, count *atomic.Int64) error {
	for range n {
		select {
		case err := <-from:
			if err != nil {
				return err
			}
			if count != nil {
				count.Add(1)
			}
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
