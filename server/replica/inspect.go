package replica

import (
	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/request"
	"paddock/server/session"
	"paddock/server/watch"
	"paddock/storage/tree"
)

// Tree is the tree, for reading between two steps.
func (r *Replica) Tree() *tree.Tree { return r.tree }

// Serves tells whether this server has anything for clients beyond what a read-only one has.
func (r *Replica) Serves() bool { return r.serves() }

// Watches is the table of watches, for reading between two steps.
func (r *Replica) Watches() *watch.Table { return r.watches }

// Consensus is the consensus of this server, for reading between two steps.
func (r *Replica) Consensus() *consensus.Core { return r.core }

// SyncConfirms tells whether a read behind a sync that is asked now is linearizable: this server stands alone, or it leads, or
// its leader is of this make. Leaders of ZooKeeper answer a sync without making sure that they still lead.
func (r *Replica) SyncConfirms() bool {
	return r.serving && (r.leading || r.core.LeaderConfirms())
}

// Sessions is how many sessions are alive or being closed.
func (r *Replica) Sessions() int {
	if !r.leads() {
		return r.tree.SessionCount()
	}
	return r.sessions.Len()
}

// Counts is what a member of an ensemble has done since the start.
type Counts struct {
	Proposed int64 // txns, as the leader
	Decided  int64 // txns, as the leader
	Followed int64 // proposals that came from a leader
	Applied  int64 // txns that came from a leader and were committed
	// Fired is by zk.EventType, from NodeCreated to NodeChildrenChanged.
	Fired [zk.NodeChildrenChanged + 1]Fired
}

// Fired is how many changes watches have told of, and how many watches that were.
type Fired struct{ Changes, Watches int64 }

// fired counts the watches of one change.
func (c *Counts) fired(list []watch.Firing) {
	var watches [len(c.Fired)]int64
	for i := range list {
		watches[list[i].Type]++
	}
	for t, n := range watches {
		if n > 0 {
			c.Fired[t].Changes++
			c.Fired[t].Watches += n
		}
	}
}

// ProposalSizes are of the proposals of this server since it leads, in bytes of the payload; -1 before the first.
type ProposalSizes struct{ Last, Min, Max int64 }

// Counts is what has been done so far.
func (r *Replica) Counts() Counts { return r.counts }

// Proposals are the sizes of what this server has proposed since it leads, or ResetProposals.
func (r *Replica) Proposals() ProposalSizes { return r.sizes }

// ResetProposals forgets the sizes of proposals.
func (r *Replica) ResetProposals() { r.sizes = ProposalSizes{-1, -1, -1} }

// proposed counts a proposal of this server.
func (r *Replica) proposed(bytes int64) {
	r.counts.Proposed++
	s := &r.sizes
	if s.Last = bytes; s.Min < 0 || bytes < s.Min {
		s.Min = bytes
	}
	s.Max = max(s.Max, bytes)
}

// Expiries lists the sessions by the moment they expire unless they are heard of.
func (r *Replica) Expiries() []session.Bucket { return r.sessions.Buckets() }

// SessionOf is the session a client is served for; 0 if it has none.
func (r *Replica) SessionOf(c request.ClientID) zk.SessionID {
	if found := r.clients[c]; found != nil {
		return found.session
	}
	return 0
}

// TimeoutOf is the timeout of a session that this server knows of, in milliseconds.
func (r *Replica) TimeoutOf(s zk.SessionID) (ms int32, ok bool) {
	if ms, ok = r.localMS[s]; ok {
		return ms, true
	}
	return r.tree.Session(s)
}

// Since is what was committed after z and is applied, as far back as memory goes; see consensus.Core.Since.
func (r *Replica) Since(z zk.Zxid) ([]consensus.Entry, bool) { return r.core.Since(z) }

// Oldest is the zxid from which on Since answers.
func (r *Replica) Oldest() zk.Zxid { return r.core.Oldest() }

// DropProbability is the share of connections that the throttle refuses at random, 0 to 1.
func (r *Replica) DropProbability() float64 { return r.throttle.drop }
