package grpcapi

import (
	"cmp"
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/queue"
	"paddock/internal/zk"
	"paddock/server/request"
)

// Bounds of a pipeline. What it asks beyond waits in its connection, and what it does not read in the server (request.BacklogBytesMax).
const (
	pipelinesMax          = 64       // of a connection
	pipelineOperationsMax = 1000     // of a message
	pipelineCallsMax      = 256      // operations whose results have not been sent
	pipelineBytesMax      = 1 << 20  // of data in them, unless there is one alone
	pipelineSubmitMax     = 64       // requests that are submitted together
	pipelineMessageBytes  = 64 << 10 // of a message of results, unless one result has more
)

// pipeline is one stream of ZnodeService.Pipeline. It belongs to the goroutine of its call.
//
// An operation that is one request of the server is simple: it is submitted while others before it are unanswered, if the server keeps them in
// order. That it does for the requests of one line: all those of a session. Without a session reads and writes have a line each, and wait for
// each other. What takes more than one request waits for all before it, and is done as the call by itself is.
type pipeline struct {
	server *znodeServer
	stream grpc.BidiStreamingServer[paddockv1.PipelineRequest, paddockv1.PipelineResponse]
	holder *holder
	asker  asker
	guest  *line // by which it reads without a session; nil before the first

	want    chan struct{} // holds a token while a message is wanted
	came    chan pipelined
	wanted  bool       // and has not come
	ended   bool       // the client sends no more
	stopped bool       // the door takes no more
	pending operations // of the message that is being done
	turns   queue.Queue[turn]
	bytes   int   // of data in turns
	current *line // which the unanswered of turns are asked of

	requests  []zk.Request // collected for one submission
	exchanges []*exchange
	answer    answerer
	out       []byte // results that are collected for one message
}

// holder is where the replies to a pipeline count that wait for its client.
type holder struct {
	conn    *connection
	replies *replies
}

// pipelined is a message of a pipeline as it came, or the end of its stream.
type pipelined struct {
	raw []byte
	err error
}

// turn is an operation that was begun.
type turn struct {
	op    zk.OpCode
	path  string
	bytes int // of data
	line  *line
	x     *exchange // nil if it has its result
	done  bool      // the token of x has been taken
	span  *requestSpan

	result *paddockv1.PipelineResult // without x
	err    error
}

// Pipeline answers operations in order.
func (s *znodeServer) Pipeline(stream grpc.BidiStreamingServer[paddockv1.PipelineRequest, paddockv1.PipelineResponse]) error {
	p := &pipeline{server: s, stream: stream, want: make(chan struct{}, 1), came: make(chan pipelined)}
	if err := p.identify(); err != nil {
		return err
	}
	p.holder = &holder{p.asker.conn, s.door.replies}
	open := &p.asker.conn.pipelines
	defer open.Add(-1)
	if open.Add(1) > pipelinesMax {
		return fault(codes.ResourceExhausted, "TOO_MANY", fmt.Sprintf("the connection has %d pipelines: use them for more, or another connection", pipelinesMax))
	}
	gone := make(chan struct{})
	defer close(gone)
	defer p.leave()
	go p.receive(gone) // ends with the stream, which ends with this call
	return p.run()
}

// identify tells who asks from now on: identities may be added to a session, and it may be attached anew.
func (p *pipeline) identify() (err error) {
	p.asker, err = p.server.door.asker(p.stream.Context())
	return err
}

// receive hands over what comes, a message whenever one is wanted, so that no more than one is there.
func (p *pipeline) receive(gone <-chan struct{}) {
	for {
		select {
		case <-p.want:
		case <-gone:
			return
		}
		var in pipelined
		in.err = p.stream.RecvMsg(&in)
		select {
		case p.came <- in:
		case <-gone:
			return
		}
		if in.err != nil {
			return
		}
	}
}

// run does what comes until the stream ends.
func (p *pipeline) run() error {
	ctx := p.stream.Context()
	for {
		if err := p.advance(ctx); err != nil {
			return err
		}
		var came <-chan pipelined
		var answered <-chan struct{}
		switch {
		case p.turns.Len() > 0:
			answered = p.turns.Front().x.done
		case p.stopped:
			return closedBy(request.CloseShutdown)
		case p.ended && p.pending.empty():
			return nil
		}
		if p.pending.empty() && !p.ended && !p.stopped {
			came = p.came
			if !p.wanted {
				p.wanted = true
				p.want <- struct{}{}
			}
		}
		var over, stopped <-chan struct{}
		if p.asker.session != nil && answered == nil { // else what is unanswered tells
			over = p.asker.session.line.over
		}
		if !p.stopped {
			stopped = p.server.door.stopped
		}
		select {
		case in := <-came:
			if err := p.take(in); err != nil {
				return err
			}
		case <-answered:
			p.turns.Front().done = true
		case <-over:
			return closedBy(p.asker.session.line.why)
		case <-stopped:
			p.stopped, p.pending = true, operations{}
		case <-ctx.Done():
			return contextStatus(ctx)
		}
	}
}

// take reads a message.
func (p *pipeline) take(in pipelined) error {
	p.wanted = false
	if in.err != nil {
		p.ended = true
		return streamEnd(in.err)
	}
	if n, most := len(in.raw), p.server.door.requestBytesMax()+messageExtraBytes; n > most {
		return fault(codes.ResourceExhausted, "TOO_LARGE", fmt.Sprintf("a message of the pipeline has %d bytes; there may be %d (jute.maxbuffer and %d): send operations in several", n, most, messageExtraBytes))
	}
	var err error
	if p.pending, err = readOperations(in.raw); err != nil {
		return err
	}
	return p.identify()
}

// advance sends what is answered, and begins what may be begun, until neither is left.
func (p *pipeline) advance(ctx context.Context) error {
	for {
		if err := p.begin(ctx); err != nil {
			return err
		}
		sent, err := p.collect()
		if !sent || err != nil {
			return err
		}
	}
}

// begin begins operations in order until one has to wait.
func (p *pipeline) begin(ctx context.Context) error {
	for {
		op, err := p.pending.front()
		if op == nil || err != nil || p.turns.Len() >= pipelineCallsMax {
			return cmp.Or(err, p.submit())
		}
		if op.err == nil {
			op.err = p.check(op)
		}
		switch {
		case op.err != nil:
			p.turns.Push(turn{err: op.err})
		case !op.simple:
			if p.turns.Len() > 0 {
				return p.submit()
			}
			result, err := p.server.call(ctx, op.message)
			p.turns.Push(turn{result: result, err: err})
		default:
			if begun, err := p.ask(ctx, op); !begun || err != nil {
				return cmp.Or(err, p.submit())
			}
		}
		p.pending.pop()
	}
}

// ask collects a simple operation for submission, unless it has to wait.
func (p *pipeline) ask(ctx context.Context, op *operation) (begun bool, err error) {
	l, err := p.lineFor(ctx, op)
	if err != nil {
		return false, err
	}
	size := len(op.request.Data)
	if p.turns.Len() > 0 && (l != p.current || p.bytes+size > pipelineBytesMax) {
		return false, nil
	}
	var h *holder // of what writes without a session nothing is held: it is answered in a few bytes
	if !l.own {
		h = p.holder
		if l.holder.Load() != h {
			l.holder.Store(h)
		}
	}
	x := newExchange(h)
	op.request.IDs = p.asker.ids
	span := p.asker.follow(ctx, &op.request)
	p.requests, p.exchanges = append(p.requests, op.request), append(p.exchanges, x)
	p.current = l
	p.bytes += size
	p.turns.Push(turn{op: op.request.Op, path: op.request.Path, bytes: size, line: l, x: x, span: span})
	if len(p.requests) == pipelineSubmitMax {
		err = p.submit()
	}
	return true, err
}

// check refuses what the server is not asked at all.
func (p *pipeline) check(op *operation) error {
	if err := p.holder.replies.full(p.holder.conn); err != nil {
		return err
	}
	if !op.simple {
		return nil
	}
	if op.request.Op.IsCreate() && op.request.Mode.IsEphemeral() && p.asker.session == nil {
		return refusal(zk.UnknownSession, op.request.Path, 0)
	}
	if !op.request.Op.IsWrite() {
		return nil
	}
	return fits(&op.request, p.server.door.requestBytesMax())
}

// lineFor is the line that a request goes by.
func (p *pipeline) lineFor(ctx context.Context, op *operation) (*line, error) {
	switch {
	case p.asker.session != nil:
		return p.asker.session.line, nil
	case op.request.Op.IsWrite():
		return p.server.door.own.writer(ctx, p.asker.handler)
	case p.guest == nil:
		p.guest = openLine(p.asker.handler, origin(p.asker.caller), nil)
	}
	return p.guest, nil
}

// submit hands over what was collected.
func (p *pipeline) submit() error {
	if len(p.requests) == 0 {
		return nil
	}
	err := p.current.sendAll(p.requests, p.exchanges)
	clear(p.requests)
	p.requests, p.exchanges = p.requests[:0], p.exchanges[:0]
	return err
}

// collect sends the results of those in front that have one, and tells whether there were any.
func (p *pipeline) collect() (any bool, err error) {
	var from *line
	held := 0
	for p.turns.Len() > 0 && err == nil {
		t := p.turns.Front()
		if !t.answered() {
			break
		}
		if t.x != nil {
			p.bytes -= t.bytes
			from = t.line // as all that are unanswered at a time
		}
		var n int
		p.out, n, err = p.answer.append(p.out, t)
		held += n
		p.turns.Pop()
		any = true
		if len(p.out) >= pipelineMessageBytes {
			break
		}
	}
	if len(p.out) > 0 {
		var m encoded
		m, p.out = p.holder.replies.message(p.holder.conn, p.out)
		err = cmp.Or(p.stream.SendMsg(m), err)
	}
	if held > 0 {
		from.release(p.holder, held)
	}
	return any, err
}

// answered tells whether a turn has its result.
func (t *turn) answered() bool {
	if t.x == nil || t.done {
		return true
	}
	select {
	case <-t.x.done:
		t.done = true
	default:
	}
	return t.done
}

// leave gives up what is not answered.
func (p *pipeline) leave() {
	for ; p.turns.Len() > 0; p.turns.Pop() {
		t := p.turns.Front()
		t.span.end(nil, context.Canceled)
		if t.x == nil || t.line.leave(t.x) {
			continue
		}
		if !t.done {
			<-t.x.done
		}
		if t.x.holder != nil && !t.x.lost {
			t.line.release(p.holder, replyBytes(&t.x.reply))
		}
	}
	if p.guest != nil {
		p.guest.close(request.CloseUnknown)
		p.holder.replies.forget(p.guest)
	}
}

// ends tells whether an error is the end of a pipeline: what comes after it could be done although that was not.
func ends(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.Unauthenticated, codes.Canceled, codes.DeadlineExceeded, codes.Internal, codes.Unknown:
		return true
	case codes.Aborted:
		return reasonIn(err) == reasonOf(zk.SessionMoved)
	default:
		return false
	}
}
