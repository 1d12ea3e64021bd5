package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/wal"
)

// link is one connection between two quorum ports: two directions that keep their order.
type link struct {
	ends [2]linkEnd // who dialled, who accepted
	dead bool       // nothing moves any more, and nobody is told
}

// linkEnd is one side's view of a link, and what it has sent that has not arrived.
type linkEnd struct {
	l      *link
	p      *process
	side   int
	id     consensus.LinkID
	up     bool // it was told of the link
	closed bool
	queue  []packet
	moving bool
	lateMS int64 // everything sent takes so much longer

	announced bool    // NEWLEADER was sent
	given     zk.Zxid // what was decided then
}

// packet is what is on its way: a message, a snapshot, a part of the log, or the end of the connection.
type packet struct {
	m         *consensus.Message
	view      *tree.View // of a MsgSnap, until it leaves
	stream    []byte     // of a MsgSnap
	isLog     bool
	after, to zk.Zxid
	end       bool
	atMS      int64
}

func (e *ensemble) cut(from, to quorum.ServerID) bool {
	return e.blocked[[2]quorum.ServerID{from, to}]
}

// dial tries to connect to another server's quorum port.
func (p *process) dial(to quorum.ServerID) {
	e := p.e
	failed := func(ms int64) {
		p.in(ms, func() { p.consensus(consensus.Event{Kind: consensus.LinkDown, Server: to, Dialled: true}, nil) })
	}
	m := e.member(to)
	if m != nil && (e.cut(p.m.id, to) || e.cut(to, p.m.id)) {
		failed(e.between(50, 500))
		return
	}
	if m == nil || m.p == nil {
		failed(e.between(1, 3))
		return
	}
	q := m.p
	p.lastLink++
	q.lastLink++
	l := &link{}
	l.ends = [2]linkEnd{{l: l, p: p, id: p.lastLink}, {l: l, p: q, side: 1, id: q.lastLink}}
	p.ends[p.lastLink], q.ends[q.lastLink] = &l.ends[0], &l.ends[1]
	if e.links = append(e.links, l); len(e.links)%32 == 0 {
		e.forgetLinks()
	}
	in := e.between(1, 3)
	e.in(in, func() {
		a := &l.ends[1]
		if a.up = true; !a.closed {
			q.post(func() { q.consensus(consensus.Event{Kind: consensus.LinkUp, Link: a.id}, nil) })
		}
	})
	e.in(in+e.between(0, 3), func() {
		a := &l.ends[0]
		if a.up = true; !a.closed {
			p.post(func() {
				p.consensus(consensus.Event{Kind: consensus.LinkUp, Link: a.id, Server: to, Dialled: true}, nil)
			})
		}
	})
}

// send puts a packet on a link. It is false if that is closed.
func (p *process) send(id consensus.LinkID, k packet) bool {
	a := p.ends[id]
	if a == nil || a.closed {
		return false
	}
	e := p.e
	k.atMS = e.nowMS + e.between(0, 4) + a.lateMS
	if e.faults && e.chance(40) {
		k.atMS += e.between(10, 200)
	}
	if k.m != nil {
		switch k.m.Kind {
		case consensus.MsgDiff:
			e.count("DIFF")
		case consensus.MsgTrunc:
			e.count("TRUNC")
		}
	}
	a.queue = append(a.queue, k)
	a.plantQueue()
	a.move()
	return true
}

// move brings the packets of one direction to the other side, in order.
func (a *linkEnd) move() {
	if a.moving || len(a.queue) == 0 || a.l.dead {
		return
	}
	e, other := a.p.e, &a.l.ends[1-a.side]
	a.moving = true
	wait := max(a.queue[0].atMS-e.nowMS, 0)
	if e.cut(a.p.m.id, other.p.m.id) {
		wait = 25
	}
	if !other.up {
		wait++
	}
	e.in(wait, func() {
		a.moving = false
		if len(a.queue) == 0 || a.l.dead {
			return
		}
		if k := a.queue[0]; k.atMS <= e.nowMS && other.up && !e.cut(a.p.m.id, other.p.m.id) {
			a.queue = a.queue[1:]
			a.deliver(other, k)
		}
		a.move()
	})
}

// deliver brings a packet to the other side. A snapshot or a part of the log is only read when its turn has come.
func (a *linkEnd) deliver(other *linkEnd, k packet) {
	switch {
	case k.view != nil:
		if !a.p.alive() {
			return
		}
		var b bytes.Buffer
		err := snapshot.WriteStream(context.Background(), &b, k.view)
		v := k.view
		a.p.in(0, func() { a.p.step(replica.Event{Kind: replica.SnapSent, View: v}) })
		if err != nil {
			a.p.e.fail("server %d: %w", a.p.m.id, err)
			return
		}
		k.view, k.stream = nil, b.Bytes()
		other.arrive(k)
	case k.isLog:
		if a.p.alive() {
			a.expand(k)
		}
	default:
		other.arrive(k)
	}
}

// expand reads a part of the log, and puts it in the place of the packet that asked for it.
func (a *linkEnd) expand(k packet) {
	list, err := a.p.readLog(k.after, k.to)
	if err != nil {
		a.p.m.note("log not sent: %v", err)
		if a.p.m.hits == 0 && !errors.Is(err, wal.ErrGap) {
			a.p.e.fail("server %d: send log: %w", a.p.m.id, err)
			return
		}
		a.p.e.count("log not sent")
		a.queue = nil // the connection ends here
		a.p.drop(a.id)
		return
	}
	for i := range list {
		list[i].atMS = k.atMS
	}
	a.queue = slices.Concat(list, a.queue)
}

// readLog is what the log on disk has after one zxid and up to another, as proposals and commits.
func (p *process) readLog(after, to zk.Zxid) (list []packet, err error) {
	r, err := wal.OpenRange(p.disk, p.dir.LogPath(), after, to)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, packet{m: &consensus.Message{Kind: consensus.MsgProposal, Zxid: rec.Zxid, Payload: slices.Clone(rec.Payload)}},
			packet{m: &consensus.Message{Kind: consensus.MsgCommit, Zxid: rec.Zxid}})
	}
}

// arrive hands a packet to the process at this end.
func (a *linkEnd) arrive(k packet) {
	a.p.post(func() {
		if a.closed {
			return
		}
		if k.end {
			a.close()
			return
		}
		var t *tree.Tree
		if k.m.Kind == consensus.MsgSnap {
			var err error
			if t, _, err = snapshot.ReadStream(bytes.NewReader(k.stream), k.m.Zxid, snapshot.StreamOptions{}); err != nil {
				a.p.e.fail("server %d: %w", a.p.m.id, err)
				return
			}
		}
		a.p.tenure().received(a.p, a.l.ends[1-a.side].p, k.m)
		a.p.consensus(consensus.Event{Kind: consensus.Received, Link: a.id, Message: k.m}, t)
		*k.m = consensus.Message{} // its memory is lent: who has kept it is found out
	})
}

// drop closes a link of a process.
func (p *process) drop(id consensus.LinkID) {
	if a := p.ends[id]; a != nil {
		a.close()
	}
}

// close ends a link at this end, and tells it and, behind what was sent, the other.
func (a *linkEnd) close() {
	if a.closed {
		return
	}
	a.closed = true
	event := consensus.Event{Kind: consensus.LinkDown, Link: a.id, Dialled: a.side == 0, Server: a.l.ends[1-a.side].p.m.id}
	if a.side == 1 {
		event.Server = 0
	}
	a.p.in(0, func() { a.p.consensus(event, nil) })
	delete(a.p.ends, a.id)
	a.queue = append(a.queue, packet{end: true, atMS: a.p.e.nowMS + a.p.e.between(1, 5)})
	a.move()
}

// reset breaks a link: of what is on its way, the end is lost in each direction.
func (l *link) reset(e *ensemble) {
	l.dead = false
	for i := range l.ends {
		a := &l.ends[i]
		if n := len(a.queue); n > 0 && !a.closed {
			a.lose(e.rng.IntN(n + 1))
		}
	}
	l.ends[0].close()
	l.ends[1].close()
}

// lose keeps only the first n packets that are on their way.
func (a *linkEnd) lose(n int) {
	for _, k := range a.queue[n:] {
		if v := k.view; v != nil {
			a.p.in(0, func() { a.p.step(replica.Event{Kind: replica.SnapSent, View: v}) })
		}
	}
	a.queue = a.queue[:n:n]
}

// leaveNetwork ends all connections of a process that has ended. Now and then the others do not hear of it.
func (p *process) leaveNetwork() {
	e := p.e
	silent := e.faults && e.chance(4)
	for _, l := range e.links {
		for i := range l.ends {
			a := &l.ends[i]
			if a.p != p {
				continue
			}
			unread := slices.IndexFunc(a.queue, func(k packet) bool { return k.view != nil || k.isLog })
			if unread >= 0 {
				a.queue = a.queue[:unread] // nobody is left to read that
			}
			if a.closed {
				if unread >= 0 {
					a.queue = append(a.queue, packet{end: true, atMS: e.nowMS + e.between(1, 30)})
					a.move()
				}
				continue
			}
			a.closed = true
			if l.dead = silent; silent {
				continue
			}
			a.queue = a.queue[:e.rng.IntN(len(a.queue)+1)]
			a.queue = append(a.queue, packet{end: true, atMS: e.nowMS + e.between(1, 30)})
			a.move()
		}
	}
	p.leaveElections()
}
