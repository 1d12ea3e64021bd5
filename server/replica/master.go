package replica

import (
	"paddock/consensus"
	"paddock/internal/zk"
)

// fromObserver takes what an observer asks that this follower serves in the leader's place. All of it goes on to the leader, for
// whom the observer's clients are this server's; the answers come back in the order of the questions, and txns by themselves.
func (r *Replica) fromObserver(link consensus.LinkID, m *consensus.Message, eff Effects) {
	switch m.Kind {
	case consensus.MsgRequest:
		if m.Request.Op == zk.OpSync {
			r.learner.syncs.Push(syncAsker{link: link})
		}
		r.tellLeader(m, eff)
	case consensus.MsgPing:
		for _, t := range m.Touched {
			r.learner.touched[t.Session] = t.TimeoutMS
		}
	case consensus.MsgRevalidate:
		r.learner.renewals.Push(renewal{m.Session, m.TimeoutMS, link})
		r.tellLeader(m, eff)
	}
}

// observerRevalidated passes the leader's word on a session on to the observer that has asked.
func (r *Replica) observerRevalidated(by renewal, m *consensus.Message, eff Effects) {
	if m.Valid {
		r.learner.touched[by.session] = by.timeoutMS
	}
	eff.Peer(&consensus.Action{Kind: consensus.Send, Link: by.link, Message: m})
}
