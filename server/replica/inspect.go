package replica

import (
	"paddock/internal/zk"
	"paddock/server/request"
	"paddock/server/session"
	"paddock/server/watch"
	"paddock/storage/tree"
)

// Tree is the tree, for reading between two steps.
func (r *Replica) Tree() *tree.Tree { return r.tree }

// Watches is the table of watches, for reading between two steps.
func (r *Replica) Watches() *watch.Table { return r.watches }

// Sessions is how many sessions are alive or being closed.
func (r *Replica) Sessions() int { return r.sessions.Len() }

// Expiries lists the sessions by the moment they expire unless they are heard of.
func (r *Replica) Expiries() []session.Bucket { return r.sessions.Buckets() }

// SessionOf is the session a client is served for; 0 if it has none.
func (r *Replica) SessionOf(c request.ClientID) zk.SessionID {
	if found := r.clients[c]; found != nil {
		return found.session
	}
	return 0
}

// DropProbability is the share of connections that the throttle refuses at random, 0 to 1.
func (r *Replica) DropProbability() float64 { return r.throttle.drop }
