package grpcapi

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"paddock/internal/quiet"
)

// How much of replies may wait for clients to take it, until further calls are refused. Those that have begun are answered: each may add one
// reply. What streams send waits with their senders, and is bounded elsewhere.
const (
	replyBytesMax     = 128 << 20 // of the door; then of connections that have their share
	replyBytesConnMax = 32 << 20  // of one connection
	replyBytesShare   = 64 << 10  // that a connection may have while the door has too much: who reads is not refused for those who do not
)

// replies are those that wait.
type replies struct {
	bytes   atomic.Int64
	max     int64 // replyBytesMax, or less in tests
	connMax int64 // replyBytesConnMax, or less in tests
	log     zerolog.Logger
	refused func(reason string)
	quiet   quiet.Lines

	mu     sync.Mutex            // guards parked
	parked map[*line]*connection // of pipelines, which go on when there is room
}

// Why a call is refused, as Options.Refused is told.
const (
	refusedReplies     = "replies"            // of the door wait
	refusedConnReplies = "connection_replies" // of one connection
)

// The refusals of full, made once: who is over a bound gets many of them, and they wait, too.
var (
	errReplies     = fault(codes.ResourceExhausted, "TOO_MANY", "so many replies wait for clients that those with some of them get no more: read them first, or ask another server", retrySoon)
	errConnReplies = fault(codes.ResourceExhausted, "TOO_MANY", "so many replies wait for this client that it gets no more: it must read them first", retrySoon)
)

// full is the refusal of a call while too much waits.
func (r *replies) full(c *connection) error {
	if !r.over(c) {
		return nil
	}
	reason, err := refusedReplies, errReplies
	if c.replyBytes.Load() > r.connMax {
		reason, err = refusedConnReplies, errConnReplies
	}
	if r.refused != nil {
		r.refused(reason)
	}
	if more, ok := r.quiet.Allow(reason, time.Now().UnixNano()); ok {
		r.log.Warn().Str("door", "grpc").Str("addr", c.addr).Str("reason", reason).Uint64("times", more).Int64("bytes", r.bytes.Load()).
			Str("remedy", "find clients that ask and do not read").Msg("calls refused: replies wait for clients")
	}
	return err
}

// over tells whether too much waits, of one connection or of all.
func (r *replies) over(c *connection) bool {
	mine := c.replyBytes.Load()
	return mine > r.connMax || mine > replyBytesShare && r.bytes.Load() > r.max
}

// park tells whether a line of a pipeline has to wait. It is told when it may go on (Handler.Drained).
func (r *replies) park(l *line, c *connection) bool {
	if !r.over(c) {
		return false
	}
	r.mu.Lock()
	if r.parked == nil {
		r.parked = map[*line]*connection{}
	}
	r.parked[l] = c
	r.mu.Unlock()
	return r.over(c) // else what made room may not have seen it
}

// forget drops a line, and tells whether it was parked.
func (r *replies) forget(l *line) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, was := r.parked[l]
	delete(r.parked, l)
	return was
}

// unpark lets go on who may, once there is room again.
func (r *replies) unpark() {
	r.mu.Lock()
	var free []*line
	for l, c := range r.parked {
		if !r.over(c) {
			free = append(free, l)
			delete(r.parked, l)
		}
	}
	r.mu.Unlock()
	for _, l := range free {
		l.handler.Drained(l.id)
	}
}

// less notes that bytes do not wait any more, some of a connection's. It tells whether somebody may go on.
func (r *replies) less(c *connection, bytes int64) bool {
	mine, all := c.replyBytes.Add(-bytes), r.bytes.Add(-bytes)
	fell := func(now, most int64) bool { return now <= most/2 && now+bytes > most/2 }
	return fell(mine, r.connMax) || fell(mine, replyBytesShare) || fell(all, r.max)
}

// owed is a reply, and the connection that it is for: the codec notes what it takes.
type owed struct {
	proto.Message
	to *connection
}

// bounded refuses calls while too much waits, and counts them. It is no interceptor, since those cost more.
func (r *replies) bounded(handle grpc.MethodHandler) grpc.MethodHandler {
	return func(service any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		c := connectionOf(ctx)
		if c == nil {
			return handle(service, ctx, decode, interceptor)
		}
		c.received.Add(1)
		c.running.Add(1)
		defer func() {
			c.running.Add(-1)
			c.sent.Add(1)
		}()
		if err := r.full(c); err != nil {
			return nil, err
		}
		out, err := handle(service, ctx, decode, interceptor)
		if m, ok := out.(proto.Message); ok && err == nil {
			return owed{m, c}, nil
		}
		return out, err
	}
}

// hold notes that a reply waits, until it is given back or the connection ends.
func (c *connection) hold(r *replies, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.replies = r
		c.replyBytes.Add(bytes)
		r.bytes.Add(bytes)
	}
}

// give notes that a reply was taken.
func (c *connection) give(bytes int64) {
	c.mu.Lock()
	r := c.replies
	free := !c.closed && r.less(c, bytes)
	c.mu.Unlock()
	if free {
		r.unpark()
	}
}

// buffers are those of replies and requests, of which each power of two has its own: those of gRPC are of 1 MiB for all that is above 32 KiB,
// and are cleared whole.
var buffers = func() mem.BufferPool {
	pool, err := mem.NewBinaryTieredBufferPool(11, 12, 13, 14, 15, 16, 17, 18, 19, 20)
	if err != nil {
		panic(err) // they are powers of two that memory can have
	}
	return pool
}()

// debt is to where the buffer of a reply goes back when it is written.
type debt struct {
	mem.BufferPool
	to *connection
}

// owe makes a message of a buffer, which is counted until it is written and given back to the pool.
func (r *replies) owe(c *connection, b *[]byte, pool mem.BufferPool) mem.BufferSlice {
	c.hold(r, int64(cap(*b)))
	return mem.BufferSlice{mem.NewBuffer(b, &debt{pool, c})}
}

// Put takes the buffer back.
func (d *debt) Put(b *[]byte) {
	d.to.give(int64(cap(*b)))
	d.BufferPool.Put(b)
}

// message makes a message of what is encoded in b, which is counted until it is written. It has b itself if that is large, and rest is what
// may be used again.
func (r *replies) message(c *connection, b []byte) (m encoded, rest []byte) {
	if cap(b) > 2*pipelineMessageBytes {
		return encoded(r.owe(c, &b, mem.NopBufferPool{})), nil
	}
	if mem.IsBelowBufferPoolingThreshold(len(b)) {
		return encoded{mem.SliceBuffer(slices.Clone(b))}, b[:0]
	}
	to := buffers.Get(len(b))
	copy(*to, b)
	return encoded(r.owe(c, to, buffers)), b[:0]
}

// counted counts the messages of streams.
func counted(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if c := connectionOf(stream.Context()); c != nil {
		stream = &countedStream{stream, c}
	}
	return handle(service, stream)
}

// countedStream counts its messages.
type countedStream struct {
	grpc.ServerStream
	conn *connection
}

// RecvMsg receives one.
func (s *countedStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		s.conn.received.Add(1)
	}
	return err
}

// SendMsg sends one.
func (s *countedStream) SendMsg(m any) error {
	err := s.ServerStream.SendMsg(m)
	if err == nil {
		s.conn.sent.Add(1)
	}
	return err
}
