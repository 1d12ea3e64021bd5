package election

import (
	"maps"
	"slices"

	"paddock/consensus/quorum"
)

// strangersMax bounds the servers outside the configurations that are answered within intervalMin.
const strangersMax = 256

// answer is what a server was told last, and upon what.
type answer struct {
	asked, told Notification // without configuration
	at          int64        // milliseconds
}

// answer tells a server that looks what it needs to know:
//   - an observer or a stranger, what this server votes or follows;
//   - a voter, if this server has a leader, which; if this server looks in a later round, what it votes there.
//
// A voter that had a leader when it was told this server's vote, and now looks in the same round, is told again: it
// knows nothing of the vote, and ZooKeeper's servers leave it waiting for the next repetition.
//
// ZooKeeper compatibility: its servers answer strangers that do not look as well, and observers answer voters whose
// round is behind. Neither answer is of use, and two servers that are strangers to each other, or an observer and a
// voter behind it, exchange such answers without end. Here nobody is told the same again on asking the same again
// within the interval, unless it connected anew; a Java server asks again only after that.
//
// ZooKeeper compatibility: its servers tell strangers the vote of their last election while they look; here it is the
// present one, since the last one names a leader that is lost.
func (e *Election) answer(to quorum.ServerID, n Notification, now int64, out *Actions) {
	if n.Role != Looking || e.bug == bugNoAnswer {
		return
	}
	v := e.Vote()
	switch stranger := !e.isVoter(to); {
	case stranger:
		v.Round = e.round
	case e.role != Looking:
	case e.looking.busy[to] && n.Vote.Round <= e.round:
		delete(e.looking.busy, to)
	case n.Vote.Round >= e.round || !e.isVoter(e.self) && e.bug != bugEndlessAnswers:
		return
	}
	told := answer{Notification{Role: n.Role, Vote: n.Vote}, Notification{Role: e.role, Vote: v}, now}
	if e.bug != bugEndlessAnswers && !e.admit(to, told) {
		return
	}
	if e.role == Looking && !e.isVoter(to) && len(e.looking.asked) < strangersMax {
		e.looking.asked[to] = true
	}
	e.send(to, v, out)
}

// tellStrangers tells the decision to observers and strangers that asked during the election, in which they could not
// see it coming. ZooKeeper's servers let them ask again, after up to a minute.
func (e *Election) tellStrangers(asked map[quorum.ServerID]bool, out *Actions) {
	v := e.current
	v.Round = e.round
	for _, id := range slices.Sorted(maps.Keys(asked)) {
		e.send(id, v, out)
	}
}

// admit tells whether an answer is to be given, and notes it.
func (e *Election) admit(to quorum.ServerID, a answer) bool {
	before, known := e.answered[to]
	if known && before.asked == a.asked && before.told == a.told && a.at < before.at+e.intervalMin {
		return false
	}
	if !known && len(e.answered) >= strangersMax+len(e.voters) {
		for id, old := range e.answered {
			if a.at >= old.at+e.intervalMin {
				delete(e.answered, id)
			}
		}
		if !e.isVoter(to) && len(e.answered) >= strangersMax {
			return false
		}
	}
	e.answered[to] = a
	return true
}
