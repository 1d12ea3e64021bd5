package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
)

const (
	pipelineAhead      = 4096      // requests that may be unanswered
	pipelineOperations = 500       // in a message; the server takes 1,000
	pipelineBytes      = 256 << 10 // of paths and data in a message, unless one request has more
)

// Pipeline asks for much at once: its methods return before there is an answer, and its requests are done in order, each as if those before it
// had been waited for. It belongs to one server. When that is lost, or the session moves to another, it is over: what was not answered is in
// doubt, as a first part of it may have been done, in order, and none of it is repeated. Its methods may be called from any goroutine; those
// called one after the other are done in that order.
type Pipeline struct {
	read   *paddockv1.ReadOptions
	stream grpc.BidiStreamingClient[paddockv1.PipelineRequest, paddockv1.PipelineResponse]
	cancel context.CancelFunc
	ended  chan struct{} // closed when nothing is answered any more

	mu     sync.Mutex // guards all below
	room   sync.Cond  // there is room, or the pipeline is over
	queued []*paddockv1.PipelineOperation
	asked  []*Pending // unanswered, in order
	wake   chan struct{}
	closed bool
	err    error // why it is over; nil if it is not
	whole  bool  // it is over, and everything was answered
}

// Pending is a request of a Pipeline.
type Pending struct {
	done  chan struct{}
	path  string
	znode Znode
	err   error
}

// Done is closed when there is an answer, or will be none.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Wait returns the answer, as the method of Znodes of the same name does; what is not there is ErrNoNode for Exists too. If ctx ends before,
// the request is done all the same.
func (p *Pending) Wait(ctx context.Context) (Znode, error) {
	select {
	case <-p.done:
		return p.znode, p.err
	case <-ctx.Done():
		return Znode{}, ctx.Err()
	}
}

// Pipeline opens a pipeline on the server that is of use. It ends with ctx, with Close, and as its type tells. Reads are as fresh as those of z.
func (z *Znodes) Pipeline(ctx context.Context) (*Pipeline, error) {
	ctx, cancel := context.WithCancel(ctx)
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		stream, err := z.rpc.Pipeline(z.named(ctx))
		if err == nil {
			p := &Pipeline{read: z.read, stream: stream, cancel: cancel, ended: make(chan struct{}), wake: make(chan struct{}, 1)}
			p.room.L = &p.mu
			go p.send()    // ends with the stream
			go p.receive() // ends with the stream
			return p, nil
		}
		if !useless(err) || !pause(ctx, wait) {
			cancel()
			return nil, err
		}
	}
}

// Get reads a znode.
func (p *Pipeline) Get(path string) *Pending {
	return p.ask(path, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Get{Get: &paddockv1.GetRequest{Path: path, Read: p.read}}})
}

// Exists reads the stat of a znode.
func (p *Pipeline) Exists(path string) *Pending {
	return p.ask(path, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Exists{Exists: &paddockv1.ExistsRequest{Path: path, Read: p.read}}})
}

// Create makes a znode.
func (p *Pipeline) Create(path string, data []byte, o CreateOptions) *Pending {
	return p.ask(path, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Create{Create: createOf(path, data, o)}})
}

// Put creates a persistent znode or sets the data of the one that is there.
func (p *Pipeline) Put(path string, data []byte, o PutOptions) *Pending {
	return p.ask(path, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Put{Put: putOf(path, data, o)}})
}

// Set changes the data of a znode of the given version, or AnyVersion.
func (p *Pipeline) Set(path string, data []byte, version int32) *Pending {
	return p.ask(path, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Set{
		Set: &paddockv1.SetRequest{Path: path, Data: data, Version: versionOf(version)},
	}})
}

// Delete removes a znode of the given version, or AnyVersion.
func (p *Pipeline) Delete(path string, version int32) *Pending {
	return p.ask(path, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Delete{
		Delete: &paddockv1.DeleteRequest{Path: path, Version: versionOf(version)},
	}})
}

// ask queues a request. It waits while too many are unanswered.
func (p *Pipeline) ask(path string, op *paddockv1.PipelineOperation) *Pending {
	out := &Pending{done: make(chan struct{}), path: path}
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.asked) >= pipelineAhead && p.err == nil && !p.closed {
		p.room.Wait()
	}
	switch {
	case p.err != nil:
		out.err = p.err
	case p.closed:
		out.err = ErrClosed
	}
	if out.err != nil {
		close(out.done)
		return out
	}
	p.queued, p.asked = append(p.queued, op), append(p.asked, out)
	p.kick()
	return out
}

// kick has send look. mu is held.
func (p *Pipeline) kick() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// send sends what is queued, all that there is at a time in one message.
func (p *Pipeline) send() {
	for {
		batch, last := p.next()
		switch {
		case len(batch) > 0:
			if p.stream.Send(&paddockv1.PipelineRequest{Operations: batch}) != nil {
				return // and receive is told why
			}
		case last:
			p.stream.CloseSend() // receive is told if that fails
			return
		default:
			select {
			case <-p.wake:
			case <-p.ended:
				return
			}
		}
	}
}

// next takes a message off the queue; last tells that nothing comes after what is queued.
func (p *Pipeline) next() (batch []*paddockv1.PipelineOperation, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, bytes := 0, 0
	for n < len(p.queued) && n < pipelineOperations {
		bytes += proto.Size(p.queued[n])
		if n > 0 && bytes > pipelineBytes {
			break
		}
		n++
	}
	batch = p.queued[:n:n]
	if p.queued = p.queued[n:]; len(p.queued) == 0 {
		p.queued = nil
	}
	return batch, p.closed
}

// receive hands out answers until the stream ends.
func (p *Pipeline) receive() {
	defer close(p.ended)
	defer p.cancel()
	for {
		out, err := p.stream.Recv()
		if err != nil {
			p.end(err)
			return
		}
		if err := p.answered(out.GetResults()); err != nil {
			p.end(err)
			return
		}
	}
}

// answered hands out answers.
func (p *Pipeline) answered(results []*paddockv1.PipelineResult) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(results) > len(p.asked) {
		return &Error{Code: codes.Internal, Message: "the server has answered what it was not asked", Operation: -1}
	}
	for i, r := range results {
		a := p.asked[i]
		a.take(r)
		close(a.done)
		p.asked[i] = nil
	}
	p.asked = p.asked[len(results):]
	p.room.Broadcast()
	return nil
}

// end fails what is unanswered.
func (p *Pipeline) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if errors.Is(err, io.EOF) {
		if p.whole = p.closed && len(p.asked) == 0; p.whole {
			err = ErrClosed
		} else {
			err = &Error{Code: codes.Unavailable, Message: "the server has ended the pipeline", Operation: -1}
		}
	}
	p.err = err
	for _, a := range p.asked {
		a.err = err
		close(a.done)
	}
	p.asked, p.queued = nil, nil
	p.room.Broadcast()
}

// take makes the answer of a result.
func (p *Pending) take(r *paddockv1.PipelineResult) {
	p.znode.Path = p.path
	switch r := r.GetResult().(type) {
	case *paddockv1.PipelineResult_Get:
		p.znode = Znode{Path: p.path, Data: r.Get.GetData(), Stat: statOf(r.Get.GetStat()), Zxid: r.Get.GetZxid()}
	case *paddockv1.PipelineResult_Set:
		p.znode.Stat, p.znode.Zxid = statOf(r.Set.GetStat()), r.Set.GetZxid()
	case *paddockv1.PipelineResult_Exists:
		p.znode.Stat, p.znode.Zxid = statOf(r.Exists.GetStat()), r.Exists.GetZxid()
		if !r.Exists.GetExists() {
			p.err = &Error{Code: codes.NotFound, Reason: ErrNoNode, Message: p.path + ": there is no such znode", Path: p.path, Zxid: r.Exists.GetZxid(), Operation: -1}
		}
	case *paddockv1.PipelineResult_Create:
		p.znode.Path, p.znode.Stat, p.znode.Zxid = r.Create.GetPath(), statOf(r.Create.GetStat()), r.Create.GetZxid()
	case *paddockv1.PipelineResult_Put:
		p.znode.Stat, p.znode.Zxid = statOf(r.Put.GetStat()), r.Put.GetZxid()
	case *paddockv1.PipelineResult_Delete:
		p.znode.Zxid = r.Delete.GetZxid()
	case *paddockv1.PipelineResult_Error:
		e := &Error{Code: codes.Code(r.Error.GetCode()), Message: r.Error.GetMessage(), Operation: -1}
		e.about(r.Error.GetReason(), r.Error.GetMetadata())
		if ms := r.Error.GetRetryAfterMs(); ms > 0 {
			e.Retry, e.after = true, time.Duration(ms)*time.Millisecond
		}
		p.err = e
	default:
		p.err = &Error{Code: codes.Internal, Message: "the server has answered with what this client does not know", Operation: -1}
	}
	if p.err != nil {
		p.znode = Znode{}
	}
}

// Close waits until everything that was asked is answered, and ends the pipeline. An error tells that it was over before; what had no answer then is
// in doubt.
func (p *Pipeline) Close() error {
	p.mu.Lock()
	p.closed = true
	p.kick()
	p.room.Broadcast()
	p.mu.Unlock()
	<-p.ended
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.whole {
		return nil
	}
	return p.err
}
