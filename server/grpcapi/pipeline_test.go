package grpcapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
)

func opGet(path string) *paddockv1.PipelineOperation {
	return &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Get{Get: &paddockv1.GetRequest{Path: path}}}
}

func opSet(path, data string) *paddockv1.PipelineOperation {
	return &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Set{Set: &paddockv1.SetRequest{Path: path, Data: []byte(data)}}}
}

func opCreate(in *paddockv1.CreateRequest) *paddockv1.PipelineOperation {
	return &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Create{Create: in}}
}

// anyOperation is one of all kinds, on one of few znodes.
func anyOperation(r *rand.Rand, session bool) *paddockv1.PipelineOperation {
	path := fmt.Sprintf("/%c", 'a'+rune(r.IntN(4)))
	if r.IntN(3) == 0 {
		path += fmt.Sprintf("/%c", 'a'+rune(r.IntN(4)))
	}
	data := fmt.Appendf(nil, "%d", r.IntN(1000))
	var version *int32
	if r.IntN(3) == 0 {
		version = proto.Int32(int32(r.IntN(3)))
	}
	var read *paddockv1.ReadOptions
	if r.IntN(8) == 0 {
		read = &paddockv1.ReadOptions{Level: paddockv1.ReadLevel(r.IntN(4)), MinZxid: uint64(r.IntN(3))}
	}
	var write *paddockv1.WriteOptions
	if session && r.IntN(8) == 0 {
		write = &paddockv1.WriteOptions{IdempotencyKey: uint64(1 + r.IntN(5))}
	}
	switch r.IntN(16) {
	case 0, 1, 2:
		return opGet(path)
	case 3, 4:
		return opSet(path, string(data))
	case 5:
		modes := []paddockv1.CreateMode{paddockv1.CreateMode_CREATE_MODE_PERSISTENT, paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL, paddockv1.CreateMode_CREATE_MODE_EPHEMERAL}
		return opCreate(&paddockv1.CreateRequest{Path: path, Data: data, Mode: modes[r.IntN(3)], Parents: r.IntN(4) == 0, IfAbsent: r.IntN(8) == 0, Options: write})
	case 6:
		return opCreate(&paddockv1.CreateRequest{Path: path, Data: data})
	case 7:
		return &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Put{Put: &paddockv1.PutRequest{Path: path, Data: data, Parents: r.IntN(2) == 0}}}
	case 8:
		return &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Get{Get: &paddockv1.GetRequest{Path: path, Read: read}}}
	case 9:
		return &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Exists{Exists: &paddockv1.ExistsRequest{Path: path, Read: read}}}
	case 10:
		return &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Set{Set: &paddockv1.SetRequest{Path: path, Data: data, Version: version, Options: write}}}
	case 11:
		return &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Delete{Delete: &paddockv1.DeleteRequest{Path: path, Version: version, Recursive: r.IntN(2) == 0}}}
	case 12:
		return &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_GetAcl{GetAcl: &paddockv1.GetAclRequest{Path: path, Read: read}}}
	case 13:
		acl := []*paddockv1.Acl{{Scheme: "world", Id: "anyone", Permissions: []paddockv1.Permission{1, 2, 3, 4, 5}}}
		return &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_SetAcl{SetAcl: &paddockv1.SetAclRequest{Path: path, Acl: acl[:r.IntN(2)], Version: version}}}
	case 14:
		return &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Transact{Transact: &paddockv1.TransactRequest{Then: []*paddockv1.Operation{
			{Operation: &paddockv1.Operation_Set{Set: &paddockv1.SetRequest{Path: path, Data: data}}},
			{Operation: &paddockv1.Operation_Create{Create: &paddockv1.CreateRequest{Path: path + "/t", Data: data}}},
		}}}}
	default:
		all := []*paddockv1.PipelineOperation{
			{Operation: &paddockv1.PipelineOperation_ListChildren{ListChildren: &paddockv1.ListChildrenRequest{Path: path, WithStat: true}}},
			{Operation: &paddockv1.PipelineOperation_ListTree{ListTree: &paddockv1.ListTreeRequest{Path: path, WithData: true}}},
			{Operation: &paddockv1.PipelineOperation_Count{Count: &paddockv1.CountRequest{Path: path}}},
			{Operation: &paddockv1.PipelineOperation_BatchRead{BatchRead: &paddockv1.BatchReadRequest{Reads: []*paddockv1.Read{{Read: &paddockv1.Read_Get{Get: path}}, {Read: &paddockv1.Read_Exists{Exists: "/a"}}}}}},
			{Operation: &paddockv1.PipelineOperation_Sync{Sync: &paddockv1.SyncRequest{}}},
			{Operation: &paddockv1.PipelineOperation_Get{Get: &paddockv1.GetRequest{Path: "no path"}}},
			{},
		}
		return all[r.IntN(len(all))]
	}
}

// timeless sets all times of a message to 0, and the owners of ephemerals to 1.
func timeless(m *paddockv1.PipelineResult) *paddockv1.PipelineResult {
	stats := []*paddockv1.Stat{
		m.GetCreate().GetStat(), m.GetPut().GetStat(), m.GetGet().GetStat(), m.GetExists().GetStat(), m.GetSet().GetStat(), m.GetGetAcl().GetStat(),
		m.GetSetAcl().GetStat(), m.GetListChildren().GetStat(),
	}
	for _, list := range [][]*paddockv1.Znode{m.GetListChildren().GetChildren(), m.GetListTree().GetZnodes()} {
		for _, z := range list {
			stats = append(stats, z.GetStat())
		}
	}
	for _, r := range m.GetTransact().GetResults() {
		stats = append(stats, r.GetStat())
	}
	for _, r := range m.GetBatchRead().GetResults() {
		stats = append(stats, r.GetStat())
	}
	for _, s := range stats {
		if s != nil {
			s.CtimeMs, s.MtimeMs, s.EphemeralOwner = 0, 0, min(s.EphemeralOwner, 1)
		}
	}
	return m
}

// Whatever is asked, without waiting and in messages of any size, is answered as by calls one after the other on another server.
func TestAPipelineAnswersAsCallsOneAfterTheOther(t *testing.T) {
	for _, session := range []bool{false, true} {
		t.Run(fmt.Sprintf("session %v", session), func(t *testing.T) {
			for seed := range uint64(3) {
				r := rand.New(rand.NewPCG(seed, 1))
				a, b := newRig(t), newRig(t)
				ctxA, ctxB := t.Context(), t.Context()
				if session {
					ctxA, _ = a.open(60_000)
					ctxB, _ = b.open(60_000)
				} else { // the doors' own sessions are there
					a.create("/x", "")
					b.create("/x", "")
				}
				ops := make([]*paddockv1.PipelineOperation, 800)
				for i := range ops {
					ops[i] = anyOperation(r, session)
				}
				stream, err := a.znodes.Pipeline(ctxA)
				if err != nil {
					t.Fatal(err)
				}
				go func() { // ends with the operations
					for rest := ops; len(rest) > 0; {
						n := min(len(rest), 1+r.IntN(200))
						if err := stream.Send(&paddockv1.PipelineRequest{Operations: rest[:n]}); err != nil {
							t.Error(err)
							return
						}
						rest = rest[n:]
					}
					if err := stream.CloseSend(); err != nil {
						t.Error(err)
					}
				}()
				var got []*paddockv1.PipelineResult
				for {
					out, err := stream.Recv()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, out.GetResults()...)
				}
				if len(got) != len(ops) {
					t.Fatalf("seed %d: %d results of %d operations", seed, len(got), len(ops))
				}
				for i, op := range ops {
					want, err := oneByOne(ctxB, b.znodes, op)
					if err != nil {
						want = &paddockv1.PipelineResult{Result: &paddockv1.PipelineResult_Error{Error: pipelineError(err)}}
					}
					if !proto.Equal(timeless(got[i]), timeless(want)) {
						t.Fatalf("seed %d, operation %d: %v is answered\n  %v\nby itself\n  %v", seed, i, op, got[i], want)
					}
				}
				a.stop()
				b.stop()
			}
		})
	}
}

// oneByOne makes the call of the same name.
func oneByOne(ctx context.Context, c paddockv1.ZnodeServiceClient, op *paddockv1.PipelineOperation) (*paddockv1.PipelineResult, error) {
	out := new(paddockv1.PipelineResult)
	var err error
	switch m := op.GetOperation().(type) {
	case *paddockv1.PipelineOperation_Create:
		r, e := c.Create(ctx, m.Create)
		out.Result, err = &paddockv1.PipelineResult_Create{Create: r}, e
	case *paddockv1.PipelineOperation_Put:
		r, e := c.Put(ctx, m.Put)
		out.Result, err = &paddockv1.PipelineResult_Put{Put: r}, e
	case *paddockv1.PipelineOperation_Get:
		r, e := c.Get(ctx, m.Get)
		out.Result, err = &paddockv1.PipelineResult_Get{Get: r}, e
	case *paddockv1.PipelineOperation_Exists:
		r, e := c.Exists(ctx, m.Exists)
		out.Result, err = &paddockv1.PipelineResult_Exists{Exists: r}, e
	case *paddockv1.PipelineOperation_Set:
		r, e := c.Set(ctx, m.Set)
		out.Result, err = &paddockv1.PipelineResult_Set{Set: r}, e
	case *paddockv1.PipelineOperation_Delete:
		r, e := c.Delete(ctx, m.Delete)
		out.Result, err = &paddockv1.PipelineResult_Delete{Delete: r}, e
	case *paddockv1.PipelineOperation_ListChildren:
		r, e := c.ListChildren(ctx, m.ListChildren)
		out.Result, err = &paddockv1.PipelineResult_ListChildren{ListChildren: r}, e
	case *paddockv1.PipelineOperation_ListTree:
		r, e := c.ListTree(ctx, m.ListTree)
		out.Result, err = &paddockv1.PipelineResult_ListTree{ListTree: r}, e
	case *paddockv1.PipelineOperation_Count:
		r, e := c.Count(ctx, m.Count)
		out.Result, err = &paddockv1.PipelineResult_Count{Count: r}, e
	case *paddockv1.PipelineOperation_GetAcl:
		r, e := c.GetAcl(ctx, m.GetAcl)
		out.Result, err = &paddockv1.PipelineResult_GetAcl{GetAcl: r}, e
	case *paddockv1.PipelineOperation_SetAcl:
		r, e := c.SetAcl(ctx, m.SetAcl)
		out.Result, err = &paddockv1.PipelineResult_SetAcl{SetAcl: r}, e
	case *paddockv1.PipelineOperation_Transact:
		r, e := c.Transact(ctx, m.Transact)
		out.Result, err = &paddockv1.PipelineResult_Transact{Transact: r}, e
	case *paddockv1.PipelineOperation_BatchRead:
		r, e := c.BatchRead(ctx, m.BatchRead)
		out.Result, err = &paddockv1.PipelineResult_BatchRead{BatchRead: r}, e
	case *paddockv1.PipelineOperation_Sync:
		r, e := c.Sync(ctx, m.Sync)
		out.Result, err = &paddockv1.PipelineResult_Sync{Sync: r}, e
	default:
		err = invalid("", "an operation says nothing of what to do")
	}
	return out, err
}

// Who asks for much and does not read is made to wait, and holds little. It gets everything once it reads.
func TestAPipelineThatIsNotReadHoldsLittle(t *testing.T) {
	const (
		bytes = 100 << 10
		gets  = 1000 // 100 MB
	)
	for _, session := range []bool{false, true} {
		t.Run(fmt.Sprintf("session %v", session), func(t *testing.T) {
			r := newRig(t)
			r.create("/big", string(make([]byte, bytes)))
			ctx := t.Context()
			if session {
				ctx, _ = r.open(60_000)
			}
			stream, err := paddockv1.NewZnodeServiceClient(r.dial()).Pipeline(ctx)
			if err != nil {
				t.Fatal(err)
			}
			one := &paddockv1.PipelineRequest{Operations: make([]*paddockv1.PipelineOperation, 100)}
			for i := range one.Operations {
				one.Operations[i] = opGet("/big")
			}
			before := heapBytes()
			asked := make(chan error, 1)
			go func() { // ends once everything is asked
				for range gets / len(one.Operations) {
					if err := stream.Send(one); err != nil {
						asked <- err
						return
					}
				}
				asked <- stream.CloseSend()
			}()
			for range 20 {
				time.Sleep(10 * time.Millisecond)
				if now := heapBytes(); now > before+16<<20 {
					t.Fatalf("%d MB are held", (now-before)>>20)
				}
			}
			if _, err := r.znodes.Get(t.Context(), &paddockv1.GetRequest{Path: "/big"}); err != nil {
				t.Errorf("another client is answered %v", err)
			}
			n := 0
			for {
				out, err := stream.Recv()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, got := range out.GetResults() {
					if len(got.GetGet().GetData()) != bytes {
						t.Fatalf("result %d is %v", n, got)
					}
					n++
				}
			}
			if err := <-asked; err != nil || n != gets {
				t.Errorf("%d results of %d, %v", n, gets, err)
			}
		})
	}
}

// Pipelines of a connection that holds too much wait, or are told so; each goes on once their client reads.
func TestPipelinesOfAConnectionThatHoldsTooMuch(t *testing.T) {
	r := newRig(t)
	r.server.replies.connMax = 1 << 20
	r.create("/big", string(make([]byte, 100<<10)))
	const pipelines, gets = 20, 50
	var streams []grpc.BidiStreamingClient[paddockv1.PipelineRequest, paddockv1.PipelineResponse]
	in := &paddockv1.PipelineRequest{Operations: make([]*paddockv1.PipelineOperation, gets)}
	for i := range in.Operations {
		in.Operations[i] = opGet("/big")
	}
	for range pipelines {
		s, err := r.znodes.Pipeline(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(in); err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
	}
	parked := func() int {
		r.server.replies.mu.Lock()
		defer r.server.replies.mu.Unlock()
		return len(r.server.replies.parked)
	}
	for end := time.Now().Add(10 * time.Second); parked() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no pipeline waits")
		}
	}
	answered, refused := 0, 0
	for _, s := range streams {
		for n := 0; n < gets; {
			out, err := s.Recv()
			if err != nil {
				t.Fatal(err)
			}
			n += len(out.GetResults())
			for _, one := range out.GetResults() {
				switch {
				case len(one.GetGet().GetData()) == 100<<10:
					answered++
				case one.GetError().GetReason() == "TOO_MANY":
					refused++
				default:
					t.Fatal(one)
				}
			}
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	t.Logf("%d answered, %d refused, %d still parked", answered, refused, parked())
	if answered+refused != pipelines*gets || answered == 0 || parked() > 0 {
		t.Errorf("%d answered, %d refused, %d parked", answered, refused, parked())
	}
}

// heapBytes is how much memory is in use.
func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What a pipeline cannot go on after is its end.
func TestHowPipelinesEnd(t *testing.T) {
	for name, c := range map[string]struct {
		do     func(t *testing.T, r *rig, ctx context.Context, stream grpc.BidiStreamingClient[paddockv1.PipelineRequest, paddockv1.PipelineResponse])
		code   codes.Code
		reason string
	}{
		"the session is closed": {func(t *testing.T, r *rig, ctx context.Context, _ grpc.BidiStreamingClient[paddockv1.PipelineRequest, paddockv1.PipelineResponse]) {
			if _, err := r.sess.CloseSession(ctx, &paddockv1.CloseSessionRequest{}); err != nil {
				t.Error(err)
			}
		}, codes.Unauthenticated, "SESSIONEXPIRED"},
		"the server stops": {func(_ *testing.T, r *rig, _ context.Context, _ grpc.BidiStreamingClient[paddockv1.PipelineRequest, paddockv1.PipelineResponse]) {
			r.server.Settle(r.t.Context())
		}, codes.Unavailable, "CONNECTIONLOSS"},
		"a message has too many operations": {func(t *testing.T, _ *rig, _ context.Context, s grpc.BidiStreamingClient[paddockv1.PipelineRequest, paddockv1.PipelineResponse]) {
			if err := s.Send(&paddockv1.PipelineRequest{Operations: make([]*paddockv1.PipelineOperation, pipelineOperationsMax+1)}); err != nil {
				t.Error(err)
			}
		}, codes.InvalidArgument, "BADARGUMENTS"},
		"a message is too large": {func(t *testing.T, _ *rig, _ context.Context, s grpc.BidiStreamingClient[paddockv1.PipelineRequest, paddockv1.PipelineResponse]) {
			one := opSet("/a", string(make([]byte, 900<<10)))
			if err := s.Send(&paddockv1.PipelineRequest{Operations: []*paddockv1.PipelineOperation{one, one}}); err != nil {
				t.Error(err)
			}
		}, codes.ResourceExhausted, "TOO_LARGE"},
		"the connection has too many others": {func(t *testing.T, r *rig, ctx context.Context, s grpc.BidiStreamingClient[paddockv1.PipelineRequest, paddockv1.PipelineResponse]) {
			for range pipelinesMax - 1 {
				one, err := r.znodes.Pipeline(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if err := one.Send(&paddockv1.PipelineRequest{Operations: []*paddockv1.PipelineOperation{opGet("/a")}}); err != nil {
					t.Fatal(err)
				}
				if _, err := one.Recv(); err != nil {
					t.Fatal(err)
				}
			}
			more, err := r.znodes.Pipeline(ctx)
			if err != nil {
				t.Fatal(err)
			}
			_, err = more.Recv()
			expect(t, err, codes.ResourceExhausted, "TOO_MANY")
			if err := s.Send(&paddockv1.PipelineRequest{Operations: make([]*paddockv1.PipelineOperation, pipelineOperationsMax+1)}); err != nil {
				t.Error(err)
			}
		}, codes.InvalidArgument, "BADARGUMENTS"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ctx, _ := r.open(60_000)
			r.create("/a", "x")
			stream, err := r.znodes.Pipeline(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Send(&paddockv1.PipelineRequest{Operations: []*paddockv1.PipelineOperation{opGet("/a")}}); err != nil {
				t.Fatal(err)
			}
			if out, err := stream.Recv(); err != nil || string(out.GetResults()[0].GetGet().GetData()) != "x" {
				t.Fatal(out, err)
			}
			c.do(t, r, ctx, stream)
			_, err = stream.Recv()
			expect(t, err, c.code, c.reason)
		})
	}
}

// A pipeline that names no session stops with the server too, once what it has asked is answered.
func TestAPipelineWithoutASessionStopsWithTheServer(t *testing.T) {
	r := newRig(t)
	r.create("/a", "x")
	stream, err := r.znodes.Pipeline(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&paddockv1.PipelineRequest{Operations: []*paddockv1.PipelineOperation{opSet("/a", "y"), opGet("/a")}}); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 2; {
		out, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		n += len(out.GetResults())
	}
	r.server.Settle(t.Context())
	_, err = stream.Recv()
	expect(t, err, codes.Unavailable, "CONNECTIONLOSS")
}

// bytesCodec sends bytes as they are.
type bytesCodec struct{ encoding.CodecV2 }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

// What is no message ends the stream, and nothing else.
func TestAPipelineRefusesWhatItCannotRead(t *testing.T) {
	r := newRig(t)
	r.create("/a", "x")
	for _, garbage := range [][]byte{{0xff}, {0x0a, 0x05, 0x1a}, {0x0a, 0x02, 0x1a, 0x7f}, {0x0a, 0x03, 0x1a, 0x01, 0xff}} {
		stream, err := r.conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, paddockv1.ZnodeService_Pipeline_FullMethodName,
			grpc.ForceCodecV2(bytesCodec{encoding.GetCodecV2(grpcproto.Name)}))
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.SendMsg(&garbage); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(new(paddockv1.PipelineResponse)); status.Code(err) != codes.Internal {
			t.Errorf("%x: %v", garbage, err)
		}
	}
	if _, err := r.znodes.Get(t.Context(), &paddockv1.GetRequest{Path: "/a"}); err != nil {
		t.Error(err)
	}
}

// A client that goes away while much is under way leaves nothing behind that keeps its session's line from going on.
func TestAPipelineThatIsGivenUpHoldsNothing(t *testing.T) {
	r := newRig(t)
	r.create("/big", string(make([]byte, 100<<10)))
	named, s := r.open(60_000)
	for range 20 {
		ctx, cancel := context.WithCancel(named)
		stream, err := r.znodes.Pipeline(ctx)
		if err != nil {
			t.Fatal(err)
		}
		in := &paddockv1.PipelineRequest{Operations: make([]*paddockv1.PipelineOperation, 100)}
		for i := range in.Operations {
			in.Operations[i] = opGet("/big")
		}
		if err := stream.Send(in); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	if _, err := r.znodes.Get(named, &paddockv1.GetRequest{Path: "/big"}); err != nil {
		t.Fatal(err)
	}
	l := r.server.door.attachedLine(t, s)
	for end := time.Now().Add(10 * time.Second); l.held.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are held for nobody", l.held.Load())
		}
	}
}

// attachedLine is the line of a session.
func (d *door) attachedLine(t *testing.T, s *paddockv1.OpenSessionResponse) *line {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, one := range d.sessions {
		if int64(id) == s.GetSessionId() {
			return one.line
		}
	}
	t.Fatal("the session is not attached")
	return nil
}

// What is read without reflection is what protobuf reads.
func FuzzReadOperations(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 20 {
		in := &paddockv1.PipelineRequest{}
		for range n {
			in.Operations = append(in.Operations, anyOperation(r, true))
		}
		raw, err := proto.Marshal(in)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var list []*operation
		all, err := readOperations(raw)
		for err == nil && !all.empty() {
			var op *operation
			if op, err = all.front(); op == nil {
				break
			}
			list = append(list, op)
			all.pop()
		}
		in := new(paddockv1.PipelineRequest)
		if wrong := proto.Unmarshal(raw, in); (err == nil) != (wrong == nil && len(in.GetOperations()) <= pipelineOperationsMax) {
			t.Fatalf("read with %v, by protobuf with %v", err, wrong)
		}
		if err != nil {
			return
		}
		if len(list) != len(in.GetOperations()) {
			t.Fatalf("%d operations, by protobuf %d", len(list), len(in.GetOperations()))
		}
		for i, op := range list {
			want := operation{message: in.GetOperations()[i]}
			want.simplify()
			if op.simple != want.simple || fmt.Sprint(op.err) != fmt.Sprint(want.err) || fmt.Sprintf("%+v", op.request) != fmt.Sprintf("%+v", want.request) {
				t.Fatalf("operation %d is %+v, by protobuf %+v", i, op, want)
			}
		}
	})
}
