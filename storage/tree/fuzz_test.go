package tree

import (
	"math/rand/v2"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2)) }

// FuzzApply: whatever decodes can be applied, twice, with a view alive or not, and leaves a tree whose books are right.
// The input is a list of payloads, each after its length in two bytes.
func FuzzApply(f *testing.F) {
	for seed := range uint64(4) {
		g := &history{Rand: newRand(seed)}
		var in []byte
		for range 20 {
			h, b := g.next()
			r := txn.Record{Header: h, Txn: b}
			if p := r.Append(nil); len(p) < 300 {
				in = append(append(in, byte(len(p)>>8), byte(len(p))), p...)
			}
		}
		f.Add(in)
	}
	for _, path := range []string{"", "/", "//", "a", "/a/", "/zookeeper", "/zookeeper/quota/zookeeper_limits", "/zookeeper/quota//zookeeper_stats"} {
		var in []byte
		for _, op := range []zk.OpCode{zk.OpCreate, zk.OpCreateTTL, zk.OpSetData, zk.OpSetACL, zk.OpCheck, zk.OpDelete} {
			r := txn.Record{Header: txn.Header{Session: -1 << 63, Zxid: -1, Type: zk.OpMulti},
				Txn: txn.Txn{Type: zk.OpMulti, Ops: []txn.Txn{{Type: op, Path: path, Ephemeral: true, TTLMS: -1, ParentCversion: -1}}}}
			p := r.Append(nil)
			in = append(append(in, byte(len(p)>>8), byte(len(p))), p...)
		}
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		tr := New(1)
		var out Outcome
		for len(in) > 2 {
			n := min(int(in[0])<<8|int(in[1]), len(in)-2)
			var r txn.Record
			if err := r.Decode(in[2 : 2+n]); err == nil {
				v := tr.Freeze()
				tr.Apply(&r.Header, &r.Txn, &out)
				tr.Release(v)
				tr.Apply(&r.Header, &r.Txn, &out)
			}
			in = in[2+n:]
		}
		checkTree(t, tr)
		tr.RemoveOrphans()
		tr.Expirable(1<<62, 1, 100)
		checkTree(t, tr)
	})
}
