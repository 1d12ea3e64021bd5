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
		switch {
		case m.Request.Op == zk.OpSync:
			r.learner.syncs.Push(syncAsker{link: link}) // each is answered, since observers count on the order of the answers
		case !r.belongs(link, m.Request):
			return // of a connection that its client has left
		}
		r.tellLeader(m, eff)
	case consensus.MsgPing:
		for _, t := range m.Touched {
			r.learner.touched[t.Session] = t.TimeoutMS
		}
	case consensus.MsgRevalidate:
		r.learner.through[m.Session] = link
		r.learner.renewals.Push(renewal{m.Session, m.TimeoutMS, link})
		r.tellLeader(m, eff)
	}
}

// belongs tells whether the session of a request is where the request comes from, as far as this server knows.
//
// ZooKeeper compatibility: its observer masters let the request through. What is left of a session's old connection then comes
// behind what was asked on the new one.
func (r *Replica) belongs(link consensus.LinkID, q *consensus.ForwardedRequest) bool {
	at, known := r.learner.through[q.Session]
	if q.Op == zk.OpCreateSession && !known {
		r.learner.through[q.Session] = link
		return true
	}
	return !known || at == link
}

// observerRevalidated passes the leader's word on a session on to the observer that has asked.
func (r *Replica) observerRevalidated(by renewal, m *consensus.Message, eff Effects) {
	if m.Valid {
		r.learner.touched[by.session] = by.timeoutMS
	}
	eff.Peer(&consensus.Action{Kind: consensus.Send, Link: by.link, Message: m})
}
