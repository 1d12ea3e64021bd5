package consensus

import "paddock/consensus/quorum"

// confirms are the questions whether this server still leads. Each is answered by a quorum of answers to pings that left
// after it was asked: whoever answers has not promised another leader's epoch before, so that none was established.
//
// One round of pings is under way at a time. What is asked meanwhile waits for the next.
type confirms struct {
	waiting []uint64 // tokens of the next round
	asked   []uint64 // tokens of the round under way
	need    []answer
}

// answer is how many pings the follower on a link must have answered.
type answer struct {
	link  LinkID
	count uint64
}

// confirm asks the followers whether this server still leads.
func (c *Core) confirm(token uint64, out *Actions) {
	switch {
	case c.alone:
		out.Do = append(out.Do, Action{Kind: Confirmed, Token: token})
	case c.leading != nil && c.leading.phase == serving:
		q := &c.leading.confirms
		q.waiting = append(q.waiting, token)
		c.checkConfirms(out)
	}
}

// checkConfirms answers the round under way if it has its quorum, and begins the next.
func (c *Core) checkConfirms(out *Actions) {
	q := &c.leading.confirms
	for {
		if len(q.asked) > 0 {
			if !c.met(c.hasAnswered) && c.cfg.bug != bugConfirmsAtOnce {
				return
			}
			for _, token := range q.asked {
				out.Do = append(out.Do, Action{Kind: Confirmed, Token: token})
			}
			q.asked = q.asked[:0]
		}
		if len(q.waiting) == 0 {
			return
		}
		q.asked, q.waiting = q.waiting, q.asked
		c.ping(out)
		q.need = q.need[:0]
		for _, l := range c.leading.learners {
			if l.upToDate {
				q.need = append(q.need, answer{l.link, l.pinged})
			}
		}
	}
}

// hasAnswered tells whether a server has answered the ping of the round under way.
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
	return false
}
