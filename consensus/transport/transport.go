package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"paddock/consensus"
	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// Transport is one server's connections to the others. Make it with New, then Run it. Its methods may be called from
// any goroutine, before Run and after it too (then nothing comes of them), and wait for nothing.
type Transport struct {
	opt     Options
	log     zerolog.Logger
	inbox   inbox
	links   links
	configs atomic.Pointer[configs]
	open    openConns
	listens atomic.Int64   // election ports that accept connections
	begun   atomic.Uint64  // attempts to reach a peer, and connections that were accepted
	wg      sync.WaitGroup // every goroutine but listeners; Run waits for them
	doors   sync.WaitGroup // listeners, which start others

	// What tests put in the place of the network.
	listen func(ctx context.Context, address string) (net.Listener, error)
	dialer func(ctx context.Context, address string) (net.Conn, error)
}

// configs are the configurations in force.
type configs struct {
	committed, lastSeen *quorum.Config
	own                 quorum.Server // this server's line; the last one there was if it is in neither
}

// server finds a member, in the committed configuration first.
func (c *configs) server(id quorum.ServerID) (quorum.Server, bool) {
	if s, ok := c.committed.Server(id); ok {
		return s, true
	}
	return c.lastSeen.Server(id)
}

// members are all ids of both, in order, without self.
func (c *configs) members(self quorum.ServerID) []quorum.ServerID {
	var ids []quorum.ServerID
	for i, q := range []*quorum.Config{c.committed, c.lastSeen} {
		if q == nil {
			continue
		}
		for _, s := range q.Servers {
			if _, twice := c.committed.Server(s.ID); s.ID != self && (i == 0 || !twice) {
				ids = append(ids, s.ID)
			}
		}
	}
	return ids
}

// New returns a Transport that does nothing until it is run.
func New(opt Options) (*Transport, error) {
	opt = opt.withDefaults()
	switch {
	case opt.Handler == nil:
		return nil, errors.New("a transport needs a handler")
	case opt.WriteTree == nil || opt.ReadTree == nil || opt.ReadLog == nil:
		return nil, errors.New("a transport needs functions for trees and logs")
	}
	t := &Transport{opt: opt, log: opt.Log}
	t.inbox.wake = make(chan struct{}, 1)
	t.configs.Store(&configs{committed: opt.Committed, lastSeen: opt.LastSeen})
	own, ok := t.configs.Load().server(opt.Self)
	if t.configs.Load().own = own; !ok {
		return nil, fmt.Errorf("server %d is not in the configuration, so it has no address to listen on", opt.Self)
	}
	control := func(_, _ string, c syscall.RawConn) error {
		impatient(c)
		return nil
	}
	keepAlive := time.Duration(-1)
	if opt.KeepAlive {
		keepAlive = 0 // the system's usual
	}
	t.listen = func(ctx context.Context, address string) (net.Listener, error) {
		return (&net.ListenConfig{KeepAlive: keepAlive}).Listen(ctx, "tcp", address)
	}
	t.dialer = func(ctx context.Context, address string) (net.Conn, error) {
		return (&net.Dialer{KeepAlive: keepAlive, Control: control}).DialContext(ctx, "tcp", address)
	}
	return t, nil
}

// Run listens and serves until ctx ends (then it returns nil) or a listener fails for good: a *ListenError. When it
// returns everything is closed and no goroutine is left.
func (t *Transport) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	d := newDesk(ctx, t)
	err := d.run()
	cancel()
	t.doors.Wait() // first, so that who is told of an end by its connection finds nobody listening any more
	t.open.closeAll()
	t.links.endAll()
	t.wg.Wait()
	return err
}

// Notify sends n to a server's election port. If there is no connection one is tried; of several notifications that
// wait only the newest is sent, and the last one is sent again on each new connection.
func (t *Transport) Notify(to quorum.ServerID, n *election.Notification) {
	t.inbox.notify(to, appendNotification(nil, n))
}

// ConnectAll tries to reach every member to which there is no election connection.
func (t *Transport) ConnectAll() { t.inbox.post(func(d *desk) { d.connectAll() }) }

// SetConfig tells the configurations in force. lastSeen may be nil. If this server's own addresses changed it listens
// there instead; if it is no member any more it stays where it is. Calls come one after the other.
func (t *Transport) SetConfig(committed, lastSeen *quorum.Config) {
	next := &configs{committed: committed, lastSeen: lastSeen}
	var ok bool
	if next.own, ok = next.server(t.opt.Self); !ok {
		next.own = t.configs.Load().own // others still reach it there, and have to be told where it is
	}
	t.configs.Store(next)
	t.inbox.post(func(d *desk) { d.configured() })
}

// Dial connects to the quorum port of a server: up to five tries. LinkUp or DialFailed answers.
func (t *Transport) Dial(server quorum.ServerID) {
	t.inbox.post(func(d *desk) { t.wg.Go(func() { t.dialLink(d.ctx, server, false) }) })
}

// DialMaster connects to the port that a server has for observers. LinkUp or DialFailed answers.
func (t *Transport) DialMaster(server quorum.ServerID) {
	t.inbox.post(func(d *desk) { t.wg.Go(func() { t.dialLink(d.ctx, server, true) }) })
}

// Send puts m at the end of a link's queue, which Flush has sent. A link that is gone, or whose queue has grown beyond its
// bound, takes nothing; LinkDown tells. Send, Flush, SendSnap, SendLog and Drop are for one goroutine.
func (t *Transport) Send(link consensus.LinkID, m *consensus.Message) { t.links.message(link, m) }

// Done gives back messages that Received has brought: nobody refers to them any more. What they refer to themselves stays as it is, and may be
// kept.
func (t *Transport) Done(link consensus.LinkID, messages []consensus.Message) {
	if l := t.links.get(link); l != nil {
		l.keepBatch(messages)
	}
}

// Flush has sent what Send has put into queues: at once, by its caller, what is little and a socket takes without waiting, so that a
// message wakes nobody on this side.
func (t *Transport) Flush() { t.links.flush() }

// SendSnap puts MsgSnap and the stream of v at the end of a link's queue. false: the link is gone and v is not kept.
// Otherwise ViewRead gives v back.
func (t *Transport) SendSnap(link consensus.LinkID, v *tree.View) bool {
	return t.links.put(link, item{view: v})
}

// SendLog puts at the end of a link's queue MsgProposal and MsgCommit of each txn in the log on disk newer than after and
// not newer than to. If they cannot be read the link ends.
func (t *Transport) SendLog(link consensus.LinkID, after, to zk.Zxid) {
	t.links.put(link, item{log: &logRange{after, to}})
}

// Drop ends a link once what was sent before has left, or Options.DropGrace later. Nothing more is received on it.
func (t *Transport) Drop(link consensus.LinkID, reason string) { t.links.drop(link, reason) }

// inbox is how others reach the goroutine that owns the desk. Notifications replace each other, so it stays as small
// as the ensemble.
type inbox struct {
	mu     sync.Mutex // guards what follows, but wake
	posted []func(*desk)
	frames map[quorum.ServerID][]byte
	order  []quorum.ServerID // of frames
	wake   chan struct{}
}

// post has f called by the owner of the desk.
func (b *inbox) post(f func(*desk)) {
	b.mu.Lock()
	b.posted = append(b.posted, f)
	b.mu.Unlock()
	b.ring()
}

func (b *inbox) notify(to quorum.ServerID, frame []byte) {
	b.mu.Lock()
	if b.frames == nil {
		b.frames = map[quorum.ServerID][]byte{}
	}
	if _, waits := b.frames[to]; !waits {
		b.order = append(b.order, to)
	}
	b.frames[to] = frame
	b.mu.Unlock()
	b.ring()
}

func (b *inbox) ring() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take empties the inbox.
func (b *inbox) take() (posted []func(*desk), order []quorum.ServerID, frames map[quorum.ServerID][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	posted, order, frames = b.posted, b.order, b.frames
	b.posted, b.order, b.frames = nil, nil, nil
	return posted, order, frames
}

// rawOf is what options of a connection are set on; false for one of tests that is none of TCP.
func rawOf(c net.Conn) (syscall.RawConn, bool) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, false
	}
	raw, err := tcp.SyscallConn()
	return raw, err == nil
}

// openConns are all connections, so that they can be closed at the end.
type openConns struct {
	mu     sync.Mutex // guards what follows
	closed bool
	conns  map[net.Conn]struct{}
}

// add takes c in; false if everything is closed already, and c with it.
func (o *openConns) add(c net.Conn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		c.Close()
		return false
	}
	if o.conns == nil {
		o.conns = map[net.Conn]struct{}{}
	}
	o.conns[c] = struct{}{}
	return true
}

// close closes c and forgets it.
func (o *openConns) close(c net.Conn) {
	o.mu.Lock()
	delete(o.conns, c)
	o.mu.Unlock()
	c.Close()
}

func (o *openConns) closeAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for c := range o.conns {
		c.Close()
	}
}
