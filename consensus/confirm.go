package consensus

import "paddock/consensus/quorum"

// confirms are the questions whether this server still leads. Each is answered by a quorum of answers to pings that left
// after it was asked: whoever answers has not promised another leader's epoch before, so that none was established.
//
// One round of pings is under way at a time. What is asked meanwhile waits for the next.
type confirms struct {
	begun, done uint64 // rounds; one is under way if they differ
	wanted      uint64 // the round that the newest question needs
	tokens      []tokenWait
	need        []answer
}

// tokenWait is a question of the replica's, and the round that answers it.
type tokenWait struct{ token, round uint64 }

// answer is how many pings the follower on a link must have answered.
type answer struct {
	link  LinkID
	count uint64
}

// LeaderConfirms tells whether the leader that this server learns from answers a SYNC only once a quorum has confirmed it,
// as every leader of this make does.
func (c *Core) LeaderConfirms() bool { return c.learning != nil && c.learning.cumulative }

// confirm asks the followers whether this server still leads.
func (c *Core) confirm(token uint64, out *Actions) {
	switch {
	case c.alone:
		out.Do = append(out.Do, Action{Kind: Confirmed, Token: token})
	case c.leading != nil && c.leading.phase == serving:
		q := &c.leading.confirms
		q.tokens = append(q.tokens, tokenWait{token, c.wantConfirm()})
		c.checkConfirms(out)
	}
}

// wantConfirm is the round that answers a question asked now; checkConfirms begins it.
func (c *Core) wantConfirm() uint64 {
	q := &c.leading.confirms
	q.wanted = q.begun + 1
	return q.wanted
}

// checkConfirms ends the round under way if it has its quorum, and begins the next if one is wanted.
func (c *Core) checkConfirms(out *Actions) {
	q := &c.leading.confirms
	for {
		if q.done < q.begun {
			if !c.met(c.hasAnswered) && c.cfg.bug != bugConfirmsAtOnce {
				return
			}
			q.done = q.begun
			n := 0
			for ; n < len(q.tokens) && q.tokens[n].round <= q.done; n++ {
				out.Do = append(out.Do, Action{Kind: Confirmed, Token: q.tokens[n].token})
			}
			q.tokens = append(q.tokens[:0], q.tokens[n:]...)
			c.answerSyncs(out)
		}
		if q.wanted <= q.begun {
			return
		}
		q.begun++
		c.ping(out)
		q.need = q.need[:0]
		for _, l := range c.leading.learners {
			if l.upToDate {
				q.need = append(q.need, answer{l.link, l.pinged})
			}
		}
	}
}

// hasAnswered tells whether a server has answered a ping of the round under way, or a later one.
func (c *Core) hasAnswered(id quorum.ServerID) bool {
	if id == c.self {
		return true
	}
	l := c.learnerOf(id)
	if l == nil {
		return false
	}
	for _, a := range c.leading.confirms.need {
		if a.link == l.link {
			return l.answered >= a.count
		}
	}
	return l.answered > 0 // it has come since the round began, and only pings since then are counted
}
