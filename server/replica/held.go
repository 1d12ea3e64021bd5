package replica

import (
	"paddock/consensus"
	"paddock/internal/queue"
	"paddock/internal/txn"
	"paddock/internal/zk"
)

// held is something that the leader is asked while it may not propose, since its time is ending: it hands leadership over, has no
// place in the configuration, or no zxids left. If it goes on to lead after all, it takes these up in their order; otherwise who
// has asked loses its connection. What a client or a learner may have unanswered bounds how much there is.
type held struct {
	client  *client // who asks; nil for a learner
	connect *zk.ConnectRequest
	req     *zk.Request
	at      int64

	link    consensus.LinkID   // of the learner that asks
	message *consensus.Message // what it asks, or that it takes up a session: not before what came first from where that was
}

// holding tells whether nothing can be proposed now, or not before what is held.
func (r *Replica) holding() bool {
	return r.leads() && (!r.core.CanPropose() || r.held.Len() > 0)
}

// hold keeps what a client or a learner asks.
func (r *Replica) hold(h held) {
	if h.client != nil {
		h.client.held = true
	}
	r.held.Push(h)
}

// holds tells whether a client's request has to wait: it writes, or comes behind one that waits.
func (r *Replica) holds(c *client, req *zk.Request) bool {
	return c.held || r.holding() && !c.guest && req.Op.ClientWrites()
}

// resume takes up what was held, once this server may propose again.
func (r *Replica) resume(eff Effects) {
	if r.held.Len() == 0 || !r.core.CanPropose() {
		return
	}
	list := r.held
	r.held = queue.Queue[held]{}
	var all []held
	for ; list.Len() > 0; list.Pop() {
		h := *list.Front()
		if h.client != nil {
			h.client.held = false
		}
		all = append(all, h)
	}
	for _, h := range all {
		switch {
		case h.client == nil:
			r.fromLearner(h.link, h.message, eff)
		case h.client.gone:
		case h.connect != nil:
			r.connect(h.client, h.connect, eff)
		default:
			r.request(h.client, h.req, h.at, eff)
		}
	}
}

// forgetHeld drops what a learner has asked that is gone. Its clients will ask again.
func (r *Replica) forgetHeld(link consensus.LinkID) {
	var keep queue.Queue[held]
	for ; r.held.Len() > 0; r.held.Pop() {
		if h := r.held.Front(); h.client != nil || h.link != link {
			keep.Push(*h)
		}
	}
	r.held = keep
}

// transfer hands leadership to a server, or to the one that is furthest if it is 0. The txn that goes to it alone has no effect.
func (r *Replica) transfer(ev *Event, eff Effects) {
	if !r.leads() || !r.core.CanPropose() {
		return
	}
	rec := txn.Record{
		Header: txn.Header{Zxid: r.core.NextZxid(), TimeMS: r.wallMS, Type: zk.OpError},
		Txn:    txn.Txn{Type: zk.OpError},
	}
	r.core.Step(consensus.Event{Kind: consensus.TransferTo, NowMS: r.nowMS, Server: ev.Server, Payload: r.payload.encode(&rec)}, &r.actions)
	r.act(eff)
}
