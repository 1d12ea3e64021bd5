package grpcapi

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"

	"paddock/internal/queue"
	"paddock/internal/zk"
	"paddock/server/request"
)

// lineCallsMax is how many requests of one line may be unanswered; more are refused. It is as much as all calls of some
// connections may ask at once, since the door's own session is shared by all.
const lineCallsMax = 16384

// line is one client of the server that many calls share. What they ask meanwhile is submitted together, and since a client is
// answered in the order in which it asks, the first call that waits is the one that is answered.
type line struct {
	handler   request.Handler
	id        request.ClientID
	connected chan struct{}          // closed when the session is open, or the line has ended
	over      chan struct{}          // closed when the line has ended
	own       bool                   // its session is the door's, and no caller's
	prompt    bool                   // only what the server answers at once is asked
	event     func(*zk.Event)        // takes what watches tell, by the server's owner; nil if none are set
	zxid      atomic.Int64           // newest that was heard of
	held      atomic.Int64           // bytes of replies that pipelines have not sent yet
	holder    atomic.Pointer[holder] // of the last pipeline that asked by it; nil if there was none

	mu         sync.Mutex // guards the fields below
	queued     []zk.Request
	submitting bool
	waiting    queue.Queue[*exchange]
	xid        int32
	hello      zk.ConnectResponse // zero until connected
	why        request.CloseReason
	ended      bool

	// The server's owner's.
	heard []zk.Reply
	woken []*exchange
	bytes int // of heard
}

// exchange is a request and its reply.
type exchange struct {
	done   chan struct{} // holds a token once there is an answer
	reply  zk.Reply
	xid    int32
	why    request.CloseReason
	lost   bool    // the line ended before there was a reply; why tells
	left   bool    // nobody waits any more
	holder *holder // where the reply counts until release is told; nil if it is a call's
}

// exchanges are used again, for the sake of their channels.
var exchanges = sync.Pool{New: func() any { return &exchange{done: make(chan struct{}, 1)} }}

// newExchange is one for a request whose reply counts with h, nil for a call's. Who has taken the token of done frees it.
func newExchange(h *holder) *exchange {
	x := exchanges.Get().(*exchange)
	*x = exchange{done: x.done, holder: h}
	return x
}

// free lets it be used again. What it refers to is dropped.
func (x *exchange) free() {
	*x = exchange{done: x.done}
	exchanges.Put(x)
}

// openLine makes a client. hello is nil for a guest, which needs no session.
func openLine(h request.Handler, from request.Origin, hello *zk.ConnectRequest) *line {
	return new(line).open(h, from, hello)
}

// open is openLine for a line that has some fields set.
func (l *line) open(h request.Handler, from request.Origin, hello *zk.ConnectRequest) *line {
	l.handler, l.connected, l.over = h, make(chan struct{}), make(chan struct{})
	from.Guest = hello == nil
	// The sink may be told something before Open returns, but nothing that leads to the use of id: that needs mu.
	l.mu.Lock()
	defer l.mu.Unlock()
	l.id = h.Open(l, from)
	if hello != nil {
		h.Connect(l.id, hello)
	}
	return l
}

// ask sends a request and waits for the reply, which is the caller's to keep. Its xid is the line's to choose. An error is a
// gRPC status.
func (l *line) ask(ctx context.Context, req *zk.Request) (reply zk.Reply, err error) {
	x := newExchange(nil)
	if err := l.send(req, x); err != nil {
		return zk.Reply{}, err
	}
	if l.prompt {
		<-x.done
	} else if err := l.await(ctx, x, req.Op.IsWrite()); err != nil {
		return zk.Reply{}, err
	}
	reply = x.reply
	if x.lost {
		err = l.closed(x.why)
	}
	x.free()
	return reply, err
}

// await waits for the reply as long as ctx lasts.
func (l *line) await(ctx context.Context, x *exchange, write bool) error {
	select {
	case <-x.done:
	case <-ctx.Done():
		if l.leave(x) {
			if write {
				return doubtStatus(ctx)
			}
			return contextStatus(ctx)
		}
		<-x.done
	}
	return nil
}

// tell sends a request whose reply nobody waits for.
func (l *line) tell(req *zk.Request) error {
	return l.send(req, &exchange{done: make(chan struct{}, 1), left: true})
}

// send queues a request, and submits what is queued unless somebody does already.
func (l *line) send(req *zk.Request, x *exchange) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.admits(1); err != nil {
		return err
	}
	l.queue(req, x)
	l.submit()
	return nil
}

// sendAll is send for several requests, which stay together.
func (l *line) sendAll(reqs []zk.Request, exchanges []*exchange) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.admits(len(reqs)); err != nil {
		return err
	}
	for i := range reqs {
		l.queue(&reqs[i], exchanges[i])
	}
	l.submit()
	return nil
}

// admits tells why n more requests may not be sent. mu is held.
func (l *line) admits(n int) error {
	switch {
	case l.ended:
		return l.closed(l.why)
	case l.waiting.Len()+n > lineCallsMax:
		return fault(codes.ResourceExhausted, "THROTTLEDOP", "too many requests are unanswered; ask again later", retrySoon)
	default:
		return nil
	}
}

// queue adds a request to what is submitted next. mu is held.
func (l *line) queue(req *zk.Request, x *exchange) {
	l.xid = l.xid%(1<<31-1) + 1
	req.Xid = l.xid
	if req.Op == zk.OpPing {
		req.Xid = zk.XidPing
	}
	x.xid = req.Xid
	l.waiting.Push(x)
	l.queued = append(l.queued, *req)
}

// submit hands over what is queued, unless somebody does already. mu is held, but not meanwhile.
func (l *line) submit() {
	if l.submitting {
		return
	}
	l.submitting = true
	for len(l.queued) > 0 && !l.ended {
		batch := l.queued
		l.queued = nil
		l.mu.Unlock()
		l.handler.Submit(l.id, batch, nil)
		l.mu.Lock()
	}
	l.submitting = false
	if l.ended {
		l.handler.Close(l.id)
	}
}

// leave gives up waiting. false: the answer is there, or comes at once.
func (l *line) leave(x *exchange) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x.left {
		return false
	}
	x.left = true
	return true
}

// close ends the line from this side: who still waits is told why.
func (l *line) close(why request.CloseReason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(why)
}

// end fails what is unanswered. mu is held.
func (l *line) end(why request.CloseReason) {
	if l.ended {
		return
	}
	l.ended, l.why = true, why
	l.queued = nil
	for ; l.waiting.Len() > 0; l.waiting.Pop() {
		x := *l.waiting.Front()
		if !x.left {
			x.left, x.lost, x.why = true, true, why
			x.done <- struct{}{}
		}
	}
	close(l.over)
	if l.hello.Session == 0 {
		closeOnce(l.connected)
	}
	if !l.submitting {
		l.handler.Close(l.id)
	}
}

// closed is the status of what was asked of a line that has ended. What becomes of the door's own session is no caller's fault.
func (l *line) closed(why request.CloseReason) error {
	if l.own && why != request.CloseShutdown {
		why = request.CloseNotServing
	}
	return closedBy(why)
}

// gone tells whether the line has ended.
func (l *line) gone() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

// session waits until the line's session is open.
func (l *line) session(ctx context.Context) (zk.ConnectResponse, error) {
	select {
	case <-l.connected:
	case <-ctx.Done():
		return zk.ConnectResponse{}, contextStatus(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hello.Session == 0 {
		return zk.ConnectResponse{}, l.closed(l.why)
	}
	return l.hello, nil
}

// Connected implements request.Sink.
func (l *line) Connected(r *zk.ConnectResponse) {
	if r.Session == 0 {
		return // refused; Close follows
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.hello = *r
	closeOnce(l.connected)
}

// closeOnce closes a channel that is closed at most once at a time, unless it is closed.
func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

// Reply implements request.Sink.
func (l *line) Reply(r *zk.Reply) {
	l.heard = append(l.heard, keep(r))
	l.bytes += replyBytes(r)
}

// replyBytes is how much data and names a reply has.
func replyBytes(r *zk.Reply) int {
	n := len(r.Data) + dataBytes(r.Results)
	for _, name := range r.Names {
		n += len(name)
	}
	return n
}

// Event implements request.Sink.
func (l *line) Event(e *zk.Event) {
	if l.event != nil {
		l.event(e)
	}
}

// Flush implements request.Sink: it hands the replies to the calls.
func (l *line) Flush() {
	if len(l.heard) == 0 {
		return
	}
	over := l.unsent() > request.BacklogBytesMax
	l.mu.Lock()
	for i := range l.heard {
		if x := l.answered(l.heard[i].Xid); x != nil && !x.left {
			x.left = true
			x.reply = l.heard[i]
			if x.holder != nil {
				l.hold(x)
			}
			l.woken = append(l.woken, x)
		}
	}
	l.mu.Unlock()
	if z := l.heard[len(l.heard)-1].Zxid; int64(z) > l.zxid.Load() {
		l.zxid.Store(int64(z))
	}
	clear(l.heard)
	l.heard = l.heard[:0]
	for i, x := range l.woken {
		l.woken[i] = nil
		x.done <- struct{}{}
	}
	l.woken = l.woken[:0]
	l.bytes = 0
	if over && l.unsent() <= drainedBytes || l.unsent() == 0 && l.parked() {
		l.handler.Drained(l.id) // else release will tell
	}
}

// parked tells whether the line has been parked for a pipeline, and ends that.
func (l *line) parked() bool {
	h := l.holder.Load()
	return h != nil && h.replies.forget(l)
}

// drainedBytes is what may still wait when a line that held too much goes on.
const drainedBytes = request.BacklogBytesMax / 2

// hold counts the reply to a pipeline.
func (l *line) hold(x *exchange) {
	n := int64(replyBytes(&x.reply))
	l.held.Add(n)
	x.holder.conn.hold(x.holder.replies, n)
}

// release tells that n bytes of replies to a pipeline have been sent.
func (l *line) release(h *holder, n int) {
	h.conn.give(int64(n))
	after := int(l.held.Add(-int64(n)))
	if after <= drainedBytes && after+n > drainedBytes || after == 0 && l.parked() {
		l.handler.Drained(l.id)
	}
}

// answered takes the exchange that a reply belongs to off the queue; nil if there is none, as after the end. What is refused
// without being begun may be answered before what waits. mu is held.
func (l *line) answered(xid int32) *exchange {
	var before []*exchange
	for l.waiting.Len() > 0 {
		x := *l.waiting.Front()
		l.waiting.Pop()
		if x.xid == xid {
			l.putBack(before)
			return x
		}
		before = append(before, x)
	}
	l.putBack(before)
	return nil
}

// putBack puts exchanges before those that wait.
func (l *line) putBack(before []*exchange) {
	if len(before) == 0 {
		return
	}
	var q queue.Queue[*exchange]
	for _, x := range before {
		q.Push(x)
	}
	for ; l.waiting.Len() > 0; l.waiting.Pop() {
		q.Push(*l.waiting.Front())
	}
	l.waiting = q
}

// Close implements request.Sink.
func (l *line) Close(why request.CloseReason) {
	l.Flush()
	l.close(why)
}

// Backlog implements request.Sink. Replies to calls do not pile up here: they are handed over at the end of every round, and there are no
// more of them than calls wait. Those to pipelines wait until their clients take them, and while too much waits for all nothing is added, but
// to a line that has nothing: its client may read no other before.
func (l *line) Backlog() int {
	n := l.unsent()
	h := l.holder.Load()
	if h == nil || n == 0 || !h.replies.park(l, h.conn) {
		return n
	}
	if n = l.unsent(); n == 0 {
		return 0 // and release may not have seen that it is parked
	}
	return max(n, request.BacklogBytesMax+1)
}

// unsent is how many bytes wait. It is for the server's owner.
func (l *line) unsent() int { return l.bytes + int(l.held.Load()) }

// keep copies what a reply lends.
func keep(r *zk.Reply) zk.Reply {
	c := *r
	switch r.Op {
	case zk.OpMulti, zk.OpMultiRead, zk.OpTransact:
		if bytes := dataBytes(r.Results); bytes > answerBytesMax {
			return zk.Reply{Xid: r.Xid, Op: r.Op, Zxid: r.Zxid, Err: codeTooLarge}
		}
		c.Results = make([]zk.Reply, len(r.Results))
		for i := range r.Results {
			c.Results[i] = keep(&r.Results[i])
		}
	}
	if r.Data != nil {
		c.Data = append(make([]byte, 0, len(r.Data)), r.Data...)
	}
	c.Path = strings.Clone(r.Path)
	c.Names = keepNames(r.Names)
	c.ACL, c.IDs = slices.Clone(r.ACL), slices.Clone(r.IDs)
	return c
}

// answerBytesMax bounds the data and names in one answer; a client of grpc takes no more than 4 MiB unless told to.
const answerBytesMax = 3 << 20

// codeTooLarge is an answer that is left out for its size. No server sends it.
const codeTooLarge zk.Code = 1

// dataBytes is how much data and names results hold.
func dataBytes(results []zk.Reply) (n int) {
	for i := range results {
		n += len(results[i].Data)
		for _, name := range results[i].Names {
			n += len(name)
		}
	}
	return n
}

// keepNames copies strings into one block.
func keepNames(names []string) []string {
	if len(names) == 0 {
		return names
	}
	all := strings.Join(names, "")
	out := make([]string, len(names))
	for i, name := range names {
		out[i], all = all[:len(name)], all[len(name):]
	}
	return out
}
