package election

// ballot is a vote as it is counted, with what its sender was.
type ballot struct {
	Vote
	role    Role
	version int32
}

// agrees tells whether two votes count as the same. Of servers that look all of it must be equal. Those that follow or
// lead may have come to their leader in different rounds, when it told different zxids; they agree if they name the
// same leader in the same epoch, or just the same leader when one of them is too old to tell the epoch.
func (b ballot) agrees(o ballot) bool {
	if b.role == Looking || o.role == Looking {
		return b.Vote == o.Vote
	}
	return b.Leader == o.Leader && ((b.version > 0) != (o.version > 0) || b.Epoch == o.Epoch)
}

// better tells whether v is to be preferred to cur: it names a leader with a newer epoch, or a newer zxid in the same,
// or a greater id. Nobody votes for a server whose own vote weighs nothing.
//
// INVARIANT(newest-history-wins): a server gives up its vote only for a leader whose history is at least as new.
func (e *Election) better(v, cur Vote) bool {
	if e.weight(v.Leader) == 0 && e.bug != bugWeightless {
		return false
	}
	if e.bug == bugZxidFirst && v.Zxid != cur.Zxid {
		return v.Zxid > cur.Zxid
	}
	if v.Epoch != cur.Epoch {
		return v.Epoch > cur.Epoch
	}
	if v.Zxid != cur.Zxid {
		return v.Zxid > cur.Zxid
	}
	return v.Leader > cur.Leader
}

// bug is a mistake that the simulation must find.
type bug uint8

const (
	bugNone bug = iota
	bugZxidFirst
	bugDeafAtTheEnd
	bugOldRounds
	bugUninitialized
	bugUnknownIsDown
	bugLeaderUnheard
	bugRoundsCompared
	bugWeightless
	bugOneConfig
	bugNoRepeat
	bugNoBackOff
	bugNoAnswer
	bugEndlessAnswers
	bugEpochKept
	bugNewcomersUnheard
	bugs // how many there are
)
