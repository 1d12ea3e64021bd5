package transport

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"paddock/consensus/election"
	"paddock/consensus/quorum"
)

// desk owns the election connections and the listeners. Only the goroutine of run touches it; others post to the inbox.
type desk struct {
	t       *Transport
	ctx     context.Context // of Run
	peers   map[quorum.ServerID]*peer
	doors   map[where]context.CancelFunc
	failed  error
	serial  uint64          // of peers, to find the oldest stranger
	private quorum.ServerID // the last id given to an anonymous observer
}

// peer is another server as the election port sees it.
type peer struct {
	id      quorum.ServerID
	serial  uint64
	conn    *peerConn // nil: none
	last    []byte    // the frame sent last, or to be sent
	dialing []*attempt
	// A connection that ended is dialled again, at once or, when that happens again and again, later: at retryAt. So is a server
	// that could not be reached, for as long as it is a member.
	retryAt time.Time
	retries int
	pokedAt time.Time // when this server, whose id is smaller, last asked to be dialled
	poked   int       // how often since there was a connection
}

// attempt is one try to reach a peer.
type attempt struct {
	cancel context.CancelFunc
	first  []quorum.HostPort
	begun  uint64 // serial
}

// attemptsMax bounds the attempts to reach one peer: it may be said to be in several places, by itself or by others.
const attemptsMax = 4

// giveUp ends all attempts.
func (p *peer) giveUp() {
	for _, a := range p.dialing {
		a.cancel()
	}
	p.dialing = nil
}

// Times of the election connections.
const (
	pokeWait     = 300 * time.Millisecond // how long to wait for a larger server to dial back
	retryMin     = 100 * time.Millisecond
	retryMax     = 5 * time.Second
	unreachedMax = time.Second // the same for a server that could not be reached: it may be back at any moment
	lastingAfter = time.Second // a connection that lived so long was a good one
)

// pokesMax is how often a larger server is asked in vain before that is told.
const pokesMax = 3

// errNotDialledBack is why a larger server is not connected whose port can be reached.
var errNotDialledBack = errors.New("its election port is reached but it does not connect back: see whether it can reach this server's")

// strangersMax bounds the servers in no configuration whose connections are kept.
const strangersMax = 64

func newDesk(ctx context.Context, t *Transport) *desk {
	return &desk{t: t, ctx: ctx, peers: map[quorum.ServerID]*peer{}, doors: map[where]context.CancelFunc{}}
}

// run serves until the context ends, or a listener fails.
func (d *desk) run() error {
	d.configured()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(d.untilRetry())
		select {
		case <-d.ctx.Done():
			return d.failed
		case <-timer.C:
			d.retry()
		case <-d.t.inbox.wake:
			posted, order, frames := d.t.inbox.take()
			for _, f := range posted {
				f(d)
			}
			for _, to := range order {
				d.notify(to, frames[to])
			}
		}
		if d.failed != nil {
			return d.failed
		}
	}
}

// configured opens the ports that the configuration names for this server, and closes the others.
func (d *desk) configured() {
	wanted := map[where]bool{}
	for _, w := range d.t.ownDoors() {
		wanted[w] = true
	}
	for w, cancel := range d.doors {
		if !wanted[w] {
			cancel()
			delete(d.doors, w)
		}
	}
	for w := range wanted {
		if d.doors[w] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(d.ctx)
		d.doors[w] = cancel
		d.t.doors.Go(func() { // ends with ctx
			if err := d.t.serve(ctx, w); err != nil {
				d.t.inbox.post(func(d *desk) { d.failed = err })
			}
		})
	}
}

// peer finds or makes the entry of a server. Of those in no configuration only the newest are kept.
func (d *desk) peer(id quorum.ServerID) *peer {
	if p := d.peers[id]; p != nil {
		return p
	}
	d.serial++
	p := &peer{id: id, serial: d.serial}
	d.peers[id] = p
	var oldest *peer
	strangers := 0
	for _, other := range d.peers {
		if !d.member(other.id) {
			strangers++
			if oldest == nil || other.serial < oldest.serial {
				oldest = other
			}
		}
	}
	if strangers > strangersMax && oldest != p {
		if oldest.conn != nil {
			oldest.conn.close()
		}
		oldest.giveUp()
		delete(d.peers, oldest.id)
	}
	return p
}

// notify sends a frame, or keeps it until there is a connection.
func (d *desk) notify(to quorum.ServerID, frame []byte) {
	if to == d.t.opt.Self {
		return
	}
	p := d.peer(to)
	p.last = frame
	if p.conn != nil {
		p.conn.send(frame)
		return
	}
	d.dial(p, nil)
}

// member tells whether a server is in a configuration.
func (d *desk) member(id quorum.ServerID) bool {
	_, ok := d.t.configs.Load().server(id)
	return ok
}

func (d *desk) connectAll() {
	for _, id := range d.t.configs.Load().members(d.t.opt.Self) {
		p := d.peer(id)
		if p.conn == nil {
			d.dial(p, nil)
		} else if d.t.opt.ReachabilityTimeout > 0 {
			d.probe(p)
		}
	}
}

// dial starts an attempt to reach p, unless one is under way, or p was asked to dial this server just now. learned are
// addresses that p gave itself, unless somebody else did in its name: they come before those in the configuration, and
// do not hinder attempts to reach others.
func (d *desk) dial(p *peer, learned []quorum.HostPort) {
	switch {
	case len(learned) == 0 && (len(p.dialing) > 0 || time.Since(p.pokedAt) < pokeWait),
		slices.ContainsFunc(p.dialing, func(a *attempt) bool { return sameAddresses(learned, a.first) }),
		len(p.dialing) >= attemptsMax:
		return
	}
	var targets [][]quorum.HostPort
	if len(learned) > 0 {
		targets = append(targets, learned)
	}
	if s, ok := d.t.configs.Load().server(p.id); ok {
		if known := electionAddresses(s); !sameAddresses(known, learned) {
			targets = append(targets, known)
		}
	}
	if len(targets) == 0 {
		d.t.log.Warn().Int64("peer", int64(p.id)).Msg("server has no known election address")
		return
	}
	p.retryAt = time.Time{}
	ctx, cancel := context.WithCancel(d.ctx)
	a := &attempt{cancel, targets[0], d.t.begun.Add(1)}
	p.dialing = append(p.dialing, a)
	d.t.wg.Go(func() { // ends with ctx
		c, at, err := d.t.reachPeer(ctx, targets)
		d.t.inbox.post(func(d *desk) { d.dialled(p, a, c, at, err) })
	})
}

// dialled takes the outcome of an attempt. The handshake has been sent.
func (d *desk) dialled(p *peer, a *attempt, c net.Conn, at quorum.HostPort, err error) {
	a.cancel()
	i := slices.Index(p.dialing, a)
	if i < 0 || d.peers[p.id] != p { // given up
		if err == nil {
			d.t.open.close(c)
		}
		return
	}
	p.dialing = slices.Delete(p.dialing, i, i+1)
	switch {
	case err == nil && p.id > d.t.opt.Self:
		// The larger id's connection survives: this one only asked p to dial back.
		d.t.open.close(c)
		p.pokedAt = time.Now()
		if p.poked++; p.poked >= pokesMax && p.conn == nil && d.t.opt.Unreached != nil {
			d.t.opt.Unreached(p.id, errNotDialledBack)
		}
		d.dialLater(p, pokeWait, retryMax) // unless it has come by then: it may have been about to end
	case err == nil:
		d.establish(p, c, at, a.begun)
	case d.ctx.Err() == nil:
		d.t.log.Debug().Err(err).Int64("peer", int64(p.id)).Msg("election port not reached")
		if p.conn == nil && len(p.dialing) == 0 {
			if d.t.opt.Unreached != nil {
				d.t.opt.Unreached(p.id, err)
			}
			d.t.opt.Handler.PeerDown(p.id)
			d.dialLater(p, 0, unreachedMax)
		}
	}
}

// establish makes c the connection to p, in the place of one that was begun before it. One that was begun later stays.
func (d *desk) establish(p *peer, c net.Conn, at quorum.HostPort, begun uint64) {
	before := p.conn
	if before != nil {
		if before.begun > begun {
			d.t.open.close(c)
			return
		}
		before.close()
	}
	p.retryAt, p.pokedAt, p.poked = time.Time{}, time.Time{}, 0
	p.conn = newPeerConn(d.t, p.id, c, at, begun)
	d.t.log.Debug().Int64("peer", int64(p.id)).Stringer("addr", c.RemoteAddr()).Msg("election connection")
	d.t.opt.Handler.PeerUp(p.id)
	if p.last != nil {
		p.conn.send(p.last)
	}
	pc := p.conn
	d.t.wg.Go(func() { // ends with the connection, which Run closes
		err := pc.serve(before)
		d.t.inbox.post(func(d *desk) { d.ended(p, pc, err) })
	})
}

// ended forgets a connection and sees whether the server is still there.
func (d *desk) ended(p *peer, pc *peerConn, err error) {
	if p.conn != pc || d.peers[p.id] != p || d.ctx.Err() != nil {
		return
	}
	p.conn = nil
	d.t.log.Debug().Err(err).Int64("peer", int64(p.id)).Msg("election connection ended")
	if !d.member(p.id) {
		d.t.opt.Handler.PeerDown(p.id)
		if p.last == nil {
			delete(d.peers, p.id)
		}
		return
	}
	if time.Since(pc.since) > lastingAfter {
		p.retries = 0
	}
	if p.retries == 0 {
		p.retries++
		d.dial(p, nil)
		return
	}
	d.dialLater(p, 0, retryMax)
}

// dialLater has a member dialled again if there is no connection by then: each time it waits longer, up to most.
func (d *desk) dialLater(p *peer, least, most time.Duration) {
	if !d.member(p.id) {
		return
	}
	p.retryAt = time.Now().Add(max(least, min(retryMin<<min(max(p.retries-2, 0), 10), most)))
	p.retries++
}

// untilRetry is when retry is due.
func (d *desk) untilRetry() time.Duration {
	wait := time.Hour
	for _, p := range d.peers {
		if !p.retryAt.IsZero() {
			wait = min(wait, max(time.Until(p.retryAt), 0))
		}
	}
	return wait
}

// retry dials the servers whose connections have ended and whose time has come.
func (d *desk) retry() {
	now := time.Now()
	for _, p := range d.peers {
		if !p.retryAt.IsZero() && !p.retryAt.After(now) {
			p.retryAt = time.Time{}
			if p.conn == nil && d.member(p.id) {
				d.dial(p, nil)
			}
		}
	}
}

// greeted takes the connection with this serial, whose other side has said who it is.
func (d *desk) greeted(h handshake, c net.Conn, serial uint64) {
	id, self := h.server, d.t.opt.Self
	switch {
	case id == anonymousObserver:
		d.private--
		d.establish(d.peer(d.private), c, quorum.HostPort{}, serial)
	case h.bare && id > bareIDMax && !d.member(id):
		d.t.log.Warn().Stringer("addr", c.RemoteAddr()).Msg("not a server on the election port")
		d.t.open.close(c)
	case id == self:
		d.t.log.Warn().Stringer("addr", c.RemoteAddr()).Msg("a server with the id of this one was turned away")
		d.t.open.close(c)
	case id < self:
		// The connection that counts is the one this server opens. What there is stays until that has come about.
		d.t.open.close(c)
		d.dial(d.peer(id), h.addresses)
	default:
		p := d.peer(id)
		p.giveUp()
		d.establish(p, c, d.guess(h, c), serial)
	}
}

// guess is which of its addresses a server called from.
func (d *desk) guess(h handshake, c net.Conn) quorum.HostPort {
	host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
	for _, a := range h.addresses {
		if a.Host == host {
			return a
		}
	}
	return quorum.HostPort{}
}

// probe closes the connection to a server with several addresses if the one it goes through cannot be reached any more.
func (d *desk) probe(p *peer) {
	s, _ := d.t.configs.Load().server(p.id)
	pc := p.conn
	if len(s.Addresses) < 2 || pc.at.Port == 0 {
		return
	}
	d.t.wg.Go(func() { // ends after ReachabilityTimeout
		ctx, cancel := context.WithTimeout(d.ctx, d.t.opt.ReachabilityTimeout)
		defer cancel()
		c, err := d.t.dialer(ctx, pc.at.String())
		if err == nil {
			c.Close()
		} else if d.ctx.Err() == nil {
			pc.close()
		}
	})
}

// decoded hands a frame to the handler. One that cannot be read is left out.
func (t *Transport) decoded(from quorum.ServerID, frame []byte) {
	n, err := decodeNotification(frame)
	if err != nil {
		t.log.Warn().Err(err).Int64("peer", int64(from)).Msg("notification left out")
		return
	}
	if n.Role < election.Looking || n.Role > election.Observing {
		t.log.Warn().Int32("role", int32(n.Role)).Int64("peer", int64(from)).Msg("notification left out")
		return
	}
	t.opt.Handler.Notified(from, &n)
}
