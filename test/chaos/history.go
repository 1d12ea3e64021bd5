//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// deed is a request with when it was asked and what came of it.
type deed struct {
	client    int
	session   zk.SessionID
	kind      string // of the server that was asked
	call, ret int64  // nanoseconds since the history began
	req       *zk.Request
	reply     *zk.Reply // nil: in doubt, it may be done at any later time or never
	synced    bool      // a read behind a sync that was asked at call
}

func (d *deed) String() string {
	if d.reply == nil {
		return fmt.Sprintf("client %d session %v at %d µs: %v %s %q version %d: in doubt", d.client, d.session, d.call/1000, d.req.Op, d.req.Path, d.req.Data, d.req.Version)
	}
	return fmt.Sprintf("client %d session %v (%s) from %d to %d µs: %v %s %q version %d synced %t: %v zxid %v %q %+v %q", d.client, d.session, d.kind, d.call/1000, d.ret/1000,
		d.req.Op, d.req.Path, d.req.Data, d.req.Version, d.synced, d.reply.Err, d.reply.Zxid, d.reply.Data, d.reply.Stat, d.reply.Names)
}

// history is what some hands did at the same time, and what they found wrong at once.
type history struct {
	began time.Time
	java  bool // ZooKeeper's servers are members: its sync does not make sure that the leader still leads

	mu     sync.Mutex // guards all below
	deeds  []*deed
	wrongs []error
	events int           // watches that fired
	idle   time.Duration // the longest time between two acknowledged writes
	wrote  int64         // when the last write was acknowledged
}

func newHistory() *history { return &history{began: time.Now()} }

func (h *history) now() int64 { return int64(time.Since(h.began)) }

func (h *history) add(d *deed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deeds = append(h.deeds, d)
	if d.reply != nil && d.isWrite() {
		h.idle = max(h.idle, time.Duration(d.ret-h.wrote))
		h.wrote = d.ret
	}
}

// wrong notes what no server may do.
func (h *history) wrong(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrongs = append(h.wrongs, fmt.Errorf(format, args...))
}

func (d *deed) isWrite() bool {
	return d.req.Op.IsCreate() || d.req.Op == zk.OpSetData || d.req.Op == zk.OpDelete || d.req.Op == zk.OpMulti
}

const (
	handTimeout  = 6 * time.Second // of a hand's session
	replyTimeout = 3 * time.Second // then a hand tries another server
)

// errDoubt says that there was no answer.
var errDoubt = errors.New("no answer")

// hand is a client that does one thing at a time and goes on with its session, at another server, when one does not answer.
type hand struct {
	*history
	id      int
	servers []*process
	rng     *rand.Rand
	stop    <-chan struct{}

	conn     *client.Conn // nil while there is none
	at       *process
	session  zk.SessionID
	password []byte
	seen     zk.Zxid
	ended    func() // called when the session turns out to be over
}

// connect makes sure that there is a connection; false tells that the hand is to stop.
func (h *hand) connect() bool {
	for {
		select {
		case <-h.stop:
			return false
		default:
		}
		if h.conn != nil {
			return true
		}
		h.at = h.servers[h.rng.IntN(len(h.servers))]
		ctx, cancel := contextFor(replyTimeout)
		c, err := client.Dial(ctx, h.at.addr(), client.Options{Timeout: handTimeout, Session: h.session, Password: h.password, LastZxid: h.seen})
		cancel()
		switch {
		case errors.Is(err, client.ErrExpired) && h.session != 0:
			h.session, h.password = 0, nil
			if h.ended != nil {
				h.ended()
			}
		case err != nil:
			h.rest(100 * time.Millisecond)
		default:
			h.conn, h.session, h.password = c, c.Session(), c.Password()
		}
	}
}

// rest waits up to d.
func (h *hand) rest(d time.Duration) { <-time.After(time.Duration(h.rng.Int64N(int64(d)) + 1)) }

// leave ends the connection and keeps the session.
func (h *hand) leave() {
	if h.conn != nil {
		h.conn.Abandon()
		h.conn = nil
	}
}

// retire closes the session if there is a connection.
func (h *hand) retire() {
	if h.conn != nil {
		h.ask(&zk.Request{Op: zk.OpCloseSession}) //nolint:errcheck // the session expires otherwise
		h.leave()
	}
	h.session, h.password = 0, nil
}

// ask sends a request and waits for the answer, but not for ever.
func (h *hand) ask(req *zk.Request) (*zk.Reply, error) {
	type outcome struct {
		reply *zk.Reply
		err   error
	}
	ch := make(chan outcome, 1)
	h.conn.Send(req, func(r *zk.Reply, err error) { ch <- outcome{r, err} })
	select {
	case o := <-ch:
		return o.reply, o.err
	case <-time.After(replyTimeout):
		return nil, errDoubt
	}
}

// do asks for something and notes it. An error says that the outcome is in doubt and the connection is gone.
func (h *hand) do(req *zk.Request) (*zk.Reply, error) { return h.note(req, false) }

// syncThen does a read behind a sync.
func (h *hand) syncThen(req *zk.Request) (*zk.Reply, error) { return h.note(req, true) }

func (h *hand) note(req *zk.Request, synced bool) (*zk.Reply, error) {
	d := &deed{client: h.id, session: h.session, kind: h.at.kind, call: h.now(), req: req, synced: synced}
	if synced {
		r, err := h.ask(&zk.Request{Op: zk.OpSync, Path: req.Path})
		if err != nil || r.Err != zk.OK {
			h.leave()
			return nil, errDoubt
		}
		h.see(r)
	}
	r, err := h.ask(req)
	d.ret = h.now()
	if err == nil {
		switch r.Err {
		case zk.OK, zk.NoNode, zk.NodeExists, zk.BadVersion, zk.NotEmpty:
			d.reply = r
			h.see(r)
		default:
			err = fmt.Errorf("%w: %v", errDoubt, r.Err)
		}
	}
	h.add(d)
	if err != nil {
		h.leave()
		return nil, errDoubt
	}
	return r, nil
}

// see makes sure that a session never goes back.
func (h *hand) see(r *zk.Reply) {
	if r.Zxid < h.seen {
		h.wrong("client %d session %v at %s: a reply of zxid %v came after one of %v", h.id, h.session, h.at.addr(), r.Zxid, h.seen)
	}
	h.seen = max(h.seen, r.Zxid)
}

// drain takes the events that have come.
func (h *hand) drain() (list []zk.Event) {
	for {
		select {
		case e, ok := <-h.conn.Events():
			if !ok {
				return list
			}
			list = append(list, e)
		default:
			return list
		}
	}
}
