//go:build doors

package suite

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"paddock/client"
	paddockv1 "paddock/gen/paddock/v1"
	"paddock/test/doors/rig"
)

// piped makes its calls of ZnodeService through a pipeline, each between two reads that are asked with it.
type piped struct {
	stubs
	life context.Context // of the stream

	mu     sync.Mutex
	cancel context.CancelFunc
	stream grpc.BidiStreamingClient[paddockv1.PipelineRequest, paddockv1.PipelineResponse]
	heard  []*paddockv1.PipelineResult
}

func pipelineOn(t *testing.T, s *rig.Server) *piped {
	t.Helper()
	return &piped{stubs: dialGRPC(t, s), life: t.Context()}
}

// ask does one operation, and fails with a status made of its error.
func (p *piped) ask(ctx context.Context, op *paddockv1.PipelineOperation) (*paddockv1.PipelineResult, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := p.exchange(ctx, op)
	if err != nil {
		if p.cancel != nil {
			p.cancel()
		}
		p.stream, p.heard = nil, nil
		return nil, err
	}
	e := out.GetError()
	if e == nil {
		return out, nil
	}
	details := []protoadapt.MessageV1{protoadapt.MessageV1Of(&errdetails.ErrorInfo{Reason: e.GetReason(), Domain: "paddock", Metadata: e.GetMetadata()})}
	if ms := e.GetRetryAfterMs(); ms > 0 {
		details = append(details, protoadapt.MessageV1Of(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Duration(ms) * time.Millisecond)}))
	}
	st, err := status.New(codes.Code(e.GetCode()), e.GetMessage()).WithDetails(details...)
	if err != nil {
		return nil, err
	}
	return nil, st.Err()
}

func (p *piped) exchange(ctx context.Context, op *paddockv1.PipelineOperation) (*paddockv1.PipelineResult, error) {
	if p.stream == nil {
		md, _ := metadata.FromOutgoingContext(ctx)
		life, cancel := context.WithCancel(metadata.NewOutgoingContext(p.life, md))
		stream, err := p.Pipeline(life)
		if err != nil {
			cancel()
			return nil, err
		}
		p.stream, p.cancel = stream, cancel
	}
	defer context.AfterFunc(ctx, p.cancel)()
	root := &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Exists{Exists: &paddockv1.ExistsRequest{Path: "/"}}}
	in := &paddockv1.PipelineRequest{Operations: []*paddockv1.PipelineOperation{root, op, root}}
	if err := p.stream.Send(in); err != nil {
		_, err = p.stream.Recv()
		return nil, err
	}
	for len(p.heard) < len(in.GetOperations()) {
		out, err := p.stream.Recv()
		if err != nil {
			return nil, err
		}
		p.heard = append(p.heard, out.GetResults()...)
	}
	before, mine, after := p.heard[0], p.heard[1], p.heard[2]
	if len(p.heard) > 3 || before.GetExists() == nil || after.GetExists() == nil {
		return nil, fmt.Errorf("asked for three things, the outer two Exists, and got %v", p.heard)
	}
	p.heard = nil
	return mine, nil
}

// through does an operation and takes the answer out of the result.
func through[T proto.Message](ctx context.Context, p *piped, op *paddockv1.PipelineOperation, of func(*paddockv1.PipelineResult) T) (T, error) {
	out, err := p.ask(ctx, op)
	if err != nil {
		var none T
		return none, err
	}
	answer := of(out)
	if !answer.ProtoReflect().IsValid() {
		return answer, fmt.Errorf("%v was answered by %v", op, out)
	}
	return answer, nil
}

func (p *piped) Create(ctx context.Context, in *paddockv1.CreateRequest, _ ...grpc.CallOption) (*paddockv1.CreateResponse, error) {
	return through(ctx, p, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Create{Create: in}}, (*paddockv1.PipelineResult).GetCreate)
}

func (p *piped) Get(ctx context.Context, in *paddockv1.GetRequest, _ ...grpc.CallOption) (*paddockv1.GetResponse, error) {
	return through(ctx, p, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Get{Get: in}}, (*paddockv1.PipelineResult).GetGet)
}

func (p *piped) Exists(ctx context.Context, in *paddockv1.ExistsRequest, _ ...grpc.CallOption) (*paddockv1.ExistsResponse, error) {
	return through(ctx, p, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Exists{Exists: in}}, (*paddockv1.PipelineResult).GetExists)
}

func (p *piped) Set(ctx context.Context, in *paddockv1.SetRequest, _ ...grpc.CallOption) (*paddockv1.SetResponse, error) {
	return through(ctx, p, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Set{Set: in}}, (*paddockv1.PipelineResult).GetSet)
}

func (p *piped) Delete(ctx context.Context, in *paddockv1.DeleteRequest, _ ...grpc.CallOption) (*paddockv1.DeleteResponse, error) {
	return through(ctx, p, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Delete{Delete: in}}, (*paddockv1.PipelineResult).GetDelete)
}

func (p *piped) ListChildren(ctx context.Context, in *paddockv1.ListChildrenRequest, _ ...grpc.CallOption) (*paddockv1.ListChildrenResponse, error) {
	return through(ctx, p, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_ListChildren{ListChildren: in}}, (*paddockv1.PipelineResult).GetListChildren)
}

func (p *piped) GetAcl(ctx context.Context, in *paddockv1.GetAclRequest, _ ...grpc.CallOption) (*paddockv1.GetAclResponse, error) {
	return through(ctx, p, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_GetAcl{GetAcl: in}}, (*paddockv1.PipelineResult).GetGetAcl)
}

func (p *piped) SetAcl(ctx context.Context, in *paddockv1.SetAclRequest, _ ...grpc.CallOption) (*paddockv1.SetAclResponse, error) {
	return through(ctx, p, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_SetAcl{SetAcl: in}}, (*paddockv1.PipelineResult).GetSetAcl)
}

func (p *piped) Transact(ctx context.Context, in *paddockv1.TransactRequest, _ ...grpc.CallOption) (*paddockv1.TransactResponse, error) {
	return through(ctx, p, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Transact{Transact: in}}, (*paddockv1.PipelineResult).GetTransact)
}

func (p *piped) BatchRead(ctx context.Context, in *paddockv1.BatchReadRequest, _ ...grpc.CallOption) (*paddockv1.BatchReadResponse, error) {
	return through(ctx, p, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_BatchRead{BatchRead: in}}, (*paddockv1.PipelineResult).GetBatchRead)
}

func (p *piped) Sync(ctx context.Context, in *paddockv1.SyncRequest, _ ...grpc.CallOption) (*paddockv1.SyncResponse, error) {
	return through(ctx, p, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Sync{Sync: in}}, (*paddockv1.PipelineResult).GetSync)
}

// While servers are killed under pipelines of the Go client, each does a first part of what it was asked, in order: what was
// acknowledged, and perhaps some of what was not.
func TestAPipelineThatIsCutHasDoneAFirstPart(t *testing.T) {
	servers := rig.Ensemble(t, 3)
	addrs := []string{servers[0].GRPC, servers[1].GRPC, servers[2].GRPC}
	c, err := client.Dial(addrs, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for round := range 4 {
		root := fmt.Sprintf("/round-%d", round)
		if _, err := c.Put(t.Context(), root, nil, client.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		var z interface {
			Pipeline(context.Context) (*client.Pipeline, error)
		} = c
		if round%2 == 1 {
			s, err := c.OpenSession(t.Context(), 30*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Abandon()
			z = s
		}
		p, err := z.Pipeline(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		enough := make(chan *client.Pending, 1)
		var all []*client.Pending
		over := make(chan struct{})
		go func() { // ends when the pipeline does
			defer close(over)
			for ctx := t.Context(); ctx.Err() == nil; {
				n := len(all)
				all = append(all, p.Create(root+"/n-", strconv.AppendInt(nil, int64(n), 10), client.CreateOptions{Mode: client.PersistentSequential}), p.Get(root))
				if n == 300 {
					enough <- all[n]
				}
				select {
				case <-all[len(all)-1].Done():
					if _, err := all[len(all)-1].Wait(ctx); err != nil {
						return
					}
				default:
				}
			}
		}()
		if _, err := (<-enough).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		killed := leaderOf(t, servers)
		for killed == nil {
			killed = leaderOf(t, servers)
		}
		killed.Kill()
		if err := p.Close(); err == nil {
			<-over // it was told after its server had gone on
		}
		<-over
		killed.Run(t)
		killed.Ready(t)
		last, children := -1, map[string]string{}
		var znode client.Znode
		for z, err := range c.At(client.Linearizable, 0).Children(t.Context(), root, client.ListOptions{Data: true}) {
			if err != nil {
				t.Fatal(err)
			}
			if n, err := strconv.Atoi(string(z.Data)); err != nil || n != last+2 && !(last == -1 && n == 0) {
				t.Fatalf("round %d: %s is of request %q, the one before of %d", round, z.Path, z.Data, last)
			} else {
				last = n
			}
			children[root+"/"+z.Path] = string(z.Data)
		}
		doubt := false
		for n, a := range all {
			z, err := a.Wait(t.Context())
			switch {
			case err != nil:
				doubt = true
			case doubt:
				t.Fatalf("round %d: request %d was answered after one that was not", round, n)
			case n%2 == 0 && children[z.Path] != strconv.Itoa(n):
				t.Fatalf("round %d: request %d was acknowledged with %s, which is of %q", round, n, z.Path, children[z.Path])
			case n%2 == 1 && n > 1 && z.Zxid < znode.Zxid:
				t.Fatalf("round %d: request %d read what was before the one before it", round, n)
			}
			if err == nil {
				znode = z
			}
		}
		t.Logf("round %d: %d requests, %d creations are there", round, len(all), len(children))
	}
}
