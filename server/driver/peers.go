package driver

import (
	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/storage/tree"
)

// Peers carries what this server has to say to the others of its ensemble. None of its methods waits.
type Peers interface {
	// Do carries out a Send, SendLog, Drop, Dial, Notify or ConnectAll.
	Do(*consensus.Action)
	// Flush has what was given to Do leave; it is called at the end of a round.
	Flush()
	// Done gives back the memory of messages that came by Received.
	Done(link consensus.LinkID, messages []consensus.Message)
	// SendSnap sends a view on a link; Driver.SnapSent gives it back. false: the link is gone, and so is the need for the view.
	SendSnap(link consensus.LinkID, v *tree.View) bool
}

// Consensus tells the replica what has come from another server, or has become of a link. A MsgSnap comes with the tree that
// was sent. It waits while the owner has much to take of this kind.
func (d *Driver) Consensus(ev consensus.Event, t *tree.Tree) {
	d.box.post(letter{kind: fromPeer, weight: weighMessage(ev.Message), event: &replica.Event{Kind: replica.Consensus, Core: &ev, Tree: t}})
}

// Received tells it of messages that have come on a link, none of them a MsgSnap. It keeps them until Peers.Done, and waits as Consensus does.
func (d *Driver) Received(link consensus.LinkID, messages []consensus.Message, pass func()) (on bool) {
	weight := int64(0)
	for i := range messages {
		weight += weighMessage(&messages[i])
	}
	return d.put(letter{kind: fromPeer, weight: weight, link: link, messages: messages}, pass)
}

// fromPeer steps what has come from another server.
func (d *Driver) fromPeer(l *letter) {
	d.box.peerDone(l.weight)
	if l.event != nil {
		d.step(*l.event)
		return
	}
	for i := range l.messages {
		if i%tree.GuessMax == 0 {
			d.opt.Replica.ExpectFrom(l.messages[i:min(i+tree.GuessMax, len(l.messages))])
		}
		d.core = consensus.Event{Kind: consensus.Received, Link: l.link, Message: &l.messages[i]}
		d.step(replica.Event{Kind: replica.Consensus, Core: &d.core})
	}
	if d.opt.Peers != nil {
		d.opt.Peers.Done(l.link, l.messages)
	}
}

// SnapSent tells that nobody reads a view any more that was given to SendSnap. It never waits: the owner itself may call it.
func (d *Driver) SnapSent(v *tree.View) {
	d.box.post(letter{kind: fromPeer, event: &replica.Event{Kind: replica.SnapSent, View: v}})
}

// messageBytes is what a message weighs beyond its payload, roughly.
const messageBytes = 200

func weighMessage(m *consensus.Message) int64 {
	if m == nil {
		return messageBytes
	}
	n := messageBytes + len(m.Payload)
	if m.Request != nil {
		n += len(m.Request.Body)
	}
	return int64(n)
}

// Peer implements replica.Effects.
func (d effects) Peer(a *consensus.Action) {
	switch a.Kind {
	case consensus.SetAcceptedEpoch, consensus.SetCurrentEpoch:
		d.log.assign(task{kind: a.Kind, epoch: a.Epoch})
	case consensus.FindInLog:
		link, z, oldest := a.Link, a.Zxid, d.opt.Replica.Oldest()
		d.wg.Go(func() { // ends with the reading of the log
			found, ok := d.opt.FindInLog(z, oldest)
			d.Consensus(consensus.Event{Kind: consensus.LogFound, Link: link, Zxid: found, OK: ok}, nil)
		})
	case consensus.Configured, consensus.SeenConfig:
		if d.opt.Configured != nil {
			d.opt.Configured(a)
		}
	default:
		d.opt.Peers.Do(a)
	}
}

// SendSnap implements replica.Effects.
func (d effects) SendSnap(link consensus.LinkID, v *tree.View) {
	if !d.opt.Peers.SendSnap(link, v) {
		d.SnapSent(v)
	}
}

// Truncate implements replica.Effects.
func (d effects) Truncate(z zk.Zxid, reload bool) {
	if reload {
		d.feed.interrupt() // some of what was told of was never decided
	}
	d.log.assign(task{kind: consensus.Truncate, zxid: z, reload: reload})
}

// Install implements replica.Effects.
func (d effects) Install(v *tree.View) {
	d.feed.interrupt() // what the snapshot jumps over is not known
	d.log.assign(task{kind: consensus.Install, zxid: v.Zxid(), view: v})
}
