package replica

import (
	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// Expect says what the next requests of a client are, tree.GuessMax at the most, so that their znodes are found quickly. Nothing else depends
// on it.
func (r *Replica) Expect(reqs []zk.Request) {
	if len(reqs) < 2 || !r.leads() && reqs[0].Op.ClientWrites() { // which the leader judges; most clients either write or read for a while
		return
	}
	var paths [tree.GuessMax]string
	var near [tree.GuessMax]tree.Ref
	for i := range reqs {
		paths[i] = reqs[i].Path
	}
	r.tree.Guess(paths[:len(reqs)], near[:len(reqs)])
	for i := range reqs {
		reqs[i].Near = uint32(near[i])
	}
}

// ExpectFrom is the same for what another server asks in the name of its clients.
func (r *Replica) ExpectFrom(messages []consensus.Message) {
	if len(messages) < 2 || !r.leads() {
		return
	}
	var paths [tree.GuessMax]string
	var near [tree.GuessMax]tree.Ref
	n := 0
	for i := range messages {
		if m := &messages[i]; m.Kind == consensus.MsgRequest && m.Request.Op.ClientWrites() && m.Request.Op != zk.OpMulti {
			r.dec.Reset(m.Request.Body)
			r.dec.String(&paths[n]) // all of them begin with it; what does not decode is refused later
			n++
		}
	}
	r.tree.Guess(paths[:n], near[:n])
}

// expectTxns is the same for the next txns that are applied, of those up to z.
func (r *Replica) expectTxns(z zk.Zxid) {
	var paths [tree.GuessMax]string
	var near [tree.GuessMax]tree.Ref
	n := 0
	for ; n < min(tree.GuessMax, r.flying.Len()) && r.flying.At(n).rec.Header.Zxid <= z; n++ {
		t := &r.flying.At(n).rec.Txn
		paths[n], near[n] = t.Path, tree.Ref(t.Near)
	}
	if n < 2 {
		return
	}
	r.tree.Guess(paths[:n], near[:n])
	for i := range n {
		r.flying.At(i).rec.Txn.Near = uint32(near[i])
	}
}
