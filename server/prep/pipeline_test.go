package prep

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

const (
	pipelineSeeds    = 60
	pipelineRequests = 400
)

// Requests judged while others are in flight have the same outcome as requests judged one after the other, each on a tree
// that has everything before it: the same txn, byte for byte, and so the same digest; and every digest is that of the
// tree once the txn is applied.
func TestJudgingAheadIsJudgingInTurn(t *testing.T) {
	seeds := uint64(pipelineSeeds)
	if testing.Short() {
		seeds /= 4
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			cfg := Config{ExtendedTypes: rnd.IntN(2) == 0, NoClosePaths: rnd.IntN(4) == 0, NoDigest: rnd.IntN(8) == 0}
			ahead, inTurn := newLeader(t, cfg), newLeader(t, cfg)
			g := &generator{rnd: rnd, closed: map[zk.SessionID]bool{}}
			most := 1 + rnd.IntN(40) // in flight
			for n := range pipelineRequests {
				by, req := g.next()
				got, want := ahead.judgeAs(by, &req), inTurn.judgeAs(by, &req)
				inTurn.land()
				if a, b := got.Append(nil), want.Append(nil); !bytes.Equal(a, b) {
					t.Fatalf("request %d (%v %s) with %d in flight became\n%+v, in turn\n%+v", n, req.Op, req.Path, len(ahead.flying), got, want)
				}
				for len(ahead.flying) > most || len(ahead.flying) > 0 && rnd.IntN(3) == 0 {
					ahead.apply(&ahead.flying[0])
					ahead.flying = ahead.flying[1:]
				}
				if t.Failed() {
					t.Fatalf("at request %d (%v %s)", n, req.Op, req.Path)
				}
			}
			ahead.land()
			if a, b := dump(ahead.tree), dump(inTurn.tree); a != b || ahead.tree.Digest() != inTurn.tree.Digest() {
				t.Errorf("the trees differ:\n%s\n%s", a, b)
			}
			if ahead.prep.over.digest != ahead.tree.Digest() {
				t.Error("with nothing in flight the digest is not the tree's")
			}
		})
	}
}

// The requests of the test above must reach what they are meant to reach.
func TestRandomRequestsHaveEveryOutcome(t *testing.T) {
	seen := map[zk.Code]int{}
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		l := newLeader(t, Config{ExtendedTypes: true})
		g := &generator{rnd: rnd, closed: map[zk.SessionID]bool{}}
		for range pipelineRequests {
			by, req := g.next()
			rec := l.judgeAs(by, &req)
			seen[codeOf(&rec)]++
			for i := range rec.Txn.Ops {
				if op := &rec.Txn.Ops[i]; op.Type == zk.OpError {
					seen[op.Err]++
				}
			}
			l.land()
		}
	}
	for _, c := range []zk.Code{zk.OK, zk.NoNode, zk.NodeExists, zk.NotEmpty, zk.BadVersion, zk.NoAuth, zk.NoChildrenForEphemerals,
		zk.InvalidACL, zk.BadArguments, zk.SessionExpired, zk.MarshallingError, zk.RuntimeInconsistency} {
		if seen[c] < 5 {
			t.Errorf("%v came %d times", c, seen[c])
		}
	}
}

// judgeAs judges for a given asker, whose zxid and time are the leader's.
func (l *leader) judgeAs(by Asker, req *zk.Request) txn.Record {
	l.t.Helper()
	l.by = by
	at := l.asker()
	var rec txn.Record
	switch req.Op {
	case zk.OpCloseSession:
		l.prep.CloseSession(at, &rec)
	case zk.OpCreateSession:
		l.prep.OpenSession(10_000, at, &rec)
	default:
		l.prep.Judge(req, at, &rec)
	}
	return l.fly(rec)
}

// dump is everything in a tree, one znode per line.
func dump(t *tree.Tree) string {
	var lines []string
	v := t.Freeze()
	defer t.Release(v)
	acls := map[int64]string{tree.OpenKey: fmt.Sprint(zk.OpenACL)}
	for _, a := range v.ACLs() {
		acls[a.Key] = fmt.Sprint(a.List)
	}
	v.Walk(func(path string, data []byte, key int64, s *zk.StoredStat) error {
		lines = append(lines, fmt.Sprintf("%s %q %v %s %+v", path, data, data == nil, acls[key], *s))
		return nil
	})
	slices.Sort(lines)
	return fmt.Sprint(lines, v.Sessions())
}

// generator makes requests that get in each other's way: few paths, few sessions, versions that are often right.
type generator struct {
	rnd    *rand.Rand
	closed map[zk.SessionID]bool
}

var (
	pipelinePaths    = []string{"/", "/a", "/a/b", "/a/b/c", "/a/e", "/d", "/d/e", "/a0000000001", "/d/0000000000", "/zookeeper", "/zookeeper/x", "/zookeeper/quota"}
	pipelineBadPaths = []string{"", "a", null, "/a/", "//", "/a/../d", "/a\x00", "/no/such"}
	pipelineSessions = []zk.SessionID{ann, bob, 0x100000000000003}
	pipelineACLs     = [][]zk.ACL{zk.OpenACL, zk.OpenACL, zk.OpenACL, zk.OpenACL, zk.ReadOnlyACL, {{Perms: 31, ID: zk.ID{Scheme: "auth"}}},
		{{Perms: 31, ID: annID}, {Perms: 1, ID: zk.AnyoneID}}, {{Perms: 20, ID: zk.AnyoneID}}, {}, {{Perms: 31, ID: nullID}}}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// next is a request and who makes it.
func (g *generator) next() (Asker, zk.Request) {
	by := Asker{Session: pick(g.rnd, pipelineSessions), IDs: anonymous}
	switch g.rnd.IntN(10) {
	case 0, 1, 2:
		by.IDs = annIDs
	case 3:
		by.IDs = []zk.ID{{Scheme: "super"}}
	}
	switch {
	case g.closed[by.Session] && g.rnd.IntN(3) > 0:
		delete(g.closed, by.Session)
		return by, zk.Request{Op: zk.OpCreateSession}
	case g.closed[by.Session]:
		by.State = zk.SessionExpired
	case g.rnd.IntN(25) == 0:
		g.closed[by.Session] = true
		return by, zk.Request{Op: zk.OpCloseSession}
	}
	if g.rnd.IntN(5) == 0 {
		m := zk.Request{Op: zk.OpMulti}
		for range g.rnd.IntN(7) {
			m.Ops = append(m.Ops, g.one())
		}
		return by, m
	}
	r := g.one()
	if r.Op == zk.OpCheck {
		r = multi(r) // it exists nowhere else
	}
	return by, r
}

func (g *generator) one() zk.Request {
	r := zk.Request{Path: pick(g.rnd, pipelinePaths), Version: int32(g.rnd.IntN(4)) - 1, TTLMS: -1, ACL: pick(g.rnd, pipelineACLs)}
	if g.rnd.IntN(30) == 0 {
		r.Path = pick(g.rnd, pipelineBadPaths)
	}
	if n := g.rnd.IntN(20); n > 0 {
		r.Data = make([]byte, n-1)
		r.Data = append(r.Data, byte(n))
	}
	switch n := g.rnd.IntN(20); {
	case n < 7:
		r.Op, r.Mode = pick(g.rnd, []zk.OpCode{zk.OpCreate, zk.OpCreate2}), zk.CreateMode(g.rnd.IntN(5))
	case n < 8:
		r.Op, r.Mode = zk.OpCreateContainer, zk.CreateMode(g.rnd.IntN(5))
	case n < 9:
		r.Op, r.Mode, r.TTLMS = zk.OpCreateTTL, zk.PersistentTTL+zk.CreateMode(g.rnd.IntN(2)), int64(g.rnd.IntN(3))
	case n < 13:
		r.Op = zk.OpDelete
	case n < 14:
		r.Op = zk.OpDeleteContainer
	case n < 17:
		r.Op = zk.OpSetData
	case n < 18:
		r.Op = zk.OpSetACL
	default:
		r.Op = zk.OpCheck
	}
	if r.Op == zk.OpCheck && g.rnd.IntN(3) > 0 {
		r.Op = zk.OpDelete
	}
	return r
}
