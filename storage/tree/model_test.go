package tree

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

// model is the tree as the rules describe it, one map and no cleverness.
type model struct {
	nodes    map[string]*modelNode
	sessions map[zk.SessionID]int32
	quotas   map[string]bool
	zxid     zk.Zxid
}

type modelNode struct {
	data []byte
	acl  []zk.ACL
	stat zk.StoredStat
}

func newModel() *model {
	m := &model{nodes: map[string]*modelNode{}, sessions: map[zk.SessionID]int32{}, quotas: map[string]bool{}}
	for _, p := range []string{"", zk.SystemPath, zk.QuotaPath, zk.ConfigPath} {
		m.nodes[p] = &modelNode{data: []byte{}, acl: zk.OpenACL}
	}
	m.nodes[zk.ConfigPath].acl = zk.ReadOnlyACL
	m.nodes[zk.ConfigPath].stat.Aversion = -1
	return m
}

func (m *model) clone() *model {
	c := &model{
		nodes: map[string]*modelNode{}, sessions: maps.Clone(m.sessions), quotas: maps.Clone(m.quotas), zxid: m.zxid,
	}
	for p, n := range m.nodes {
		own := *n
		c.nodes[p] = &own
	}
	return c
}

// below are the paths under path, deepest first.
func (m *model) below(path string) []string {
	var list []string
	for p := range m.nodes {
		if strings.HasPrefix(p, path+"/") {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	return list
}

func (m *model) children(path string) (names []string) {
	for p := range m.nodes {
		if p != "" && zk.ParentPath(p) == path {
			names = append(names, zk.BaseName(p))
		}
	}
	slices.Sort(names)
	return names
}

func (m *model) digest() (sum uint64) {
	for p, n := range m.nodes {
		sum += NodeDigest(p, n.data, &n.stat)
	}
	return sum
}

func (m *model) count(path string, znodes, bytes int) {
	for at := path; at != ""; at = zk.ParentPath(at) {
		if !m.quotas[at] {
			continue
		}
		if s := m.nodes[zk.QuotaPath+at+"/zookeeper_stats"]; s != nil {
			var c, b int
			if _, err := fmt.Sscanf(string(s.data), "count=%d,bytes=%d", &c, &b); err == nil {
				s.data = fmt.Appendf(nil, "count=%d,bytes=%d", c+znodes, b+bytes)
			}
		}
		return
	}
}

func (m *model) raise(n *modelNode, cversion int32, z zk.Zxid) {
	if cversion == -1 {
		cversion = n.stat.Cversion + 1
	}
	if cversion > n.stat.Cversion {
		n.stat.Cversion, n.stat.Pzxid = cversion, z
	}
}

func (m *model) create(h *txn.Header, b *txn.Txn, owner zk.Owner) {
	parent := m.nodes[zk.ParentPath(b.Path)]
	if parent == nil {
		return
	}
	acl := b.ACL
	if acl == nil {
		acl = zk.OpenACL
	}
	if n := m.nodes[b.Path]; n != nil {
		n.acl = acl
		if b.Type == zk.OpCreate {
			m.raise(parent, b.ParentCversion, h.Zxid)
		}
		return
	}
	m.raise(parent, b.ParentCversion, h.Zxid)
	m.nodes[b.Path] = &modelNode{data: b.Data, acl: acl, stat: zk.StoredStat{
		Czxid: h.Zxid, Mzxid: h.Zxid, Pzxid: h.Zxid, CtimeMS: h.TimeMS, MtimeMS: h.TimeMS, Owner: owner,
	}}
	of, isQuota := strings.CutPrefix(b.Path, zk.QuotaPath)
	if of, ok := strings.CutSuffix(of, "/zookeeper_limits"); ok && isQuota {
		m.quotas[of] = true
	}
	if of, ok := strings.CutSuffix(of, "/zookeeper_stats"); ok && isQuota {
		count, bytes := 0, 0
		for p, n := range m.nodes {
			if p == of || strings.HasPrefix(p, of+"/") {
				count, bytes = count+1, bytes+len(n.data)
			}
		}
		m.nodes[b.Path].data = fmt.Appendf(nil, "count=%d,bytes=%d", count, bytes)
	}
	m.count(b.Path, 1, len(b.Data))
}

func (m *model) remove(path string, z zk.Zxid) {
	parent := m.nodes[zk.ParentPath(path)]
	if parent == nil {
		return
	}
	parent.stat.Pzxid = max(parent.stat.Pzxid, z)
	if m.nodes[path] == nil {
		return
	}
	for _, p := range append(m.below(path), path) {
		length := len(m.nodes[p].data)
		delete(m.nodes, p)
		if of, ok := strings.CutPrefix(p, zk.QuotaPath); ok {
			if of, ok := strings.CutSuffix(of, "/zookeeper_limits"); ok {
				delete(m.quotas, of)
			}
		}
		m.count(p, -1, -length)
	}
}

func (m *model) apply(h *txn.Header, b *txn.Txn) {
	switch b.Type {
	case zk.OpCreate, zk.OpCreate2:
		owner := zk.Owner(0)
		if b.Ephemeral {
			owner = zk.Owner(h.Session)
		}
		m.create(h, b, owner)
	case zk.OpCreateContainer:
		m.create(h, b, zk.ContainerOwner)
	case zk.OpCreateTTL:
		m.create(h, b, zk.TTLOwner(b.TTLMS))
	case zk.OpDelete, zk.OpDeleteContainer:
		m.remove(b.Path, h.Zxid)
	case zk.OpSetData:
		if n := m.nodes[b.Path]; n != nil {
			before := len(n.data)
			n.data, n.stat.Mzxid, n.stat.MtimeMS, n.stat.Version = b.Data, h.Zxid, h.TimeMS, b.Version
			m.count(b.Path, 0, len(b.Data)-before)
		}
	case zk.OpSetACL:
		if n := m.nodes[b.Path]; n != nil {
			n.acl, n.stat.Aversion = b.ACL, b.Version
		}
	case zk.OpMulti:
		for i := range b.Ops {
			if !b.Failed() {
				m.apply(h, &b.Ops[i])
			}
		}
	case zk.OpCreateSession:
		m.sessions[h.Session] = b.TimeoutMS
	case zk.OpCloseSession:
		for _, p := range append(slices.Clone(b.Paths), m.ephemerals(h.Session)...) {
			m.remove(p, h.Zxid)
		}
		delete(m.sessions, h.Session)
	}
	m.zxid = max(m.zxid, h.Zxid)
}

func (m *model) ephemerals(id zk.SessionID) (list []string) {
	for p, n := range m.nodes {
		if s, ok := n.stat.Owner.Session(); ok && s == id {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return list
}

// matchTree compares a tree with the model, znode by znode.
func (m *model) matchTree(t *testing.T, tr *Tree) {
	t.Helper()
	if tr.Znodes() != len(m.nodes) || tr.Digest() != m.digest() || tr.Zxid() != m.zxid || tr.SessionCount() != len(m.sessions) {
		t.Fatalf("%d znodes, digest %#x, zxid %v; want %d, %#x, %v", tr.Znodes(), tr.Digest(), tr.Zxid(), len(m.nodes),
			m.digest(), m.zxid)
	}
	m.matchReads(t, tr)
	for path := range m.nodes {
		if tr.Descendants(path) != len(m.below(path)) {
			t.Fatalf("%q: %d descendants, want %d", path, tr.Descendants(path), len(m.below(path)))
		}
	}
	for id := range zk.SessionID(4) {
		timeout, ok := tr.Session(id)
		want, wantOK := m.sessions[id]
		if ok != wantOK || timeout != want || !slices.Equal(tr.Ephemerals(id), m.ephemerals(id)) {
			t.Fatalf("session %v: %d %v, ephemerals %v", id, timeout, ok, tr.Ephemerals(id))
		}
	}
}

// readable is what a Tree and a View have in common.
type readable interface {
	Find(path string) (Ref, bool)
	Stored(Ref) zk.StoredStat
	Stat(Ref) zk.Stat
	Data(Ref) []byte
	ACL(Ref) []zk.ACL
	Path(Ref) string
	Children(Ref) int
	AppendChildNames([]string, Ref) []string
	FirstChild(Ref) Ref
	NextSibling(Ref) Ref
	Name(Ref) string
}

// matchReads compares what can be read of each znode.
func (m *model) matchReads(t *testing.T, tr readable) {
	t.Helper()
	for path, want := range m.nodes {
		r, ok := tr.Find(path)
		if !ok || tr.Stored(r) != want.stat || !reflect.DeepEqual(tr.ACL(r), want.acl) {
			t.Fatalf("%q: %v %+v, want %+v", path, ok, tr.Stored(r), want)
		}
		if got := tr.Data(r); string(got) != string(want.data) || (got == nil) != (want.data == nil) {
			t.Fatalf("%q: data %.50q, want %.50q", path, got, want.data)
		}
		names, walked := tr.AppendChildNames(nil, r), []string(nil)
		for c := tr.FirstChild(r); c != None; c = tr.NextSibling(c) {
			walked = append(walked, tr.Name(c))
		}
		slices.Sort(names)
		slices.Sort(walked)
		if !slices.Equal(names, m.children(path)) || len(names) != tr.Children(r) || !slices.Equal(names, walked) {
			t.Fatalf("%q: children %v and %v, want %v", path, names, walked, m.children(path))
		}
		if got := tr.Stat(r); got != want.stat.Wire(int32(len(want.data)), int32(len(names))) || tr.Path(r) != cmp.Or(path, zk.RootPath) {
			t.Fatalf("%q: stat %+v of %q", path, got, tr.Path(r))
		}
	}
}

// matchView compares a view with what the model was when it was frozen.
func (m *model) matchView(t *testing.T, v *View) {
	t.Helper()
	acls := map[int64][]zk.ACL{OpenKey: zk.OpenACL}
	for _, a := range v.ACLs() {
		acls[a.Key] = a.List
	}
	seen := map[string]bool{}
	err := v.Walk(func(path string, data []byte, key int64, stat *zk.StoredStat) error {
		want := m.nodes[path]
		if want == nil || *stat != want.stat || string(data) != string(want.data) || (data == nil) != (want.data == nil) ||
			!reflect.DeepEqual(acls[key], want.acl) {
			return fmt.Errorf("%q: %.50q %+v, want %+v", path, data, stat, want)
		}
		if path != "" && !seen[zk.ParentPath(path)] {
			return fmt.Errorf("%q before its parent", path)
		}
		seen[strings.Clone(path)] = true
		return nil
	})
	if err != nil || len(seen) != len(m.nodes) || v.Znodes() != len(m.nodes) || v.Zxid() != m.zxid || v.Digest() != m.digest() {
		t.Fatalf("%d znodes, want %d, at %v: %v", len(seen), len(m.nodes), v.Zxid(), err)
	}
	m.matchReads(t, v)
	for _, path := range []string{"a", "a/b", "/a/", "//", "/a//b", "/no/such", "/a/no"} {
		if r, ok := v.Find(path); ok || r != None {
			t.Fatalf("there is a %q", path)
		}
	}
	for _, s := range v.Sessions() {
		if m.sessions[s.ID] != s.TimeoutMS {
			t.Fatalf("session %+v", s)
		}
	}
}

// history makes txns over few paths, so that they meet.
type history struct {
	*rand.Rand
	zxid zk.Zxid
}

func (g *history) path() string {
	names := []string{"a", "b", "node-with-a-longer-name", "ü", strings.Repeat("n", 90)}
	roots := []string{"", "", "", zk.QuotaPath}
	p := roots[g.IntN(len(roots))]
	for range 1 + g.IntN(3) {
		p += "/" + names[min(g.IntN(len(names)), g.IntN(len(names)))]
	}
	if strings.HasPrefix(p, zk.QuotaPath) {
		p += []string{"", "/zookeeper_limits", "/zookeeper_stats"}[g.IntN(3)]
	}
	return p
}

func (g *history) data() []byte {
	switch g.IntN(12) {
	case 0:
		return nil
	case 1:
		return make([]byte, g.IntN(40_000))
	case 2:
		return []byte("count=5,bytes=9")
	default:
		b := make([]byte, g.IntN(200))
		for i := range b {
			b[i] = byte(g.Uint32())
		}
		return b
	}
}

func (g *history) acl() []zk.ACL {
	lists := [][]zk.ACL{nil, zk.OpenACL, zk.ReadOnlyACL, {}, {{Perms: 9, ID: zk.ID{Scheme: "digest", ID: "a:b"}}, {Perms: 31, ID: zk.AnyoneID}}}
	return lists[g.IntN(len(lists))]
}

func (g *history) op() txn.Txn {
	types := []zk.OpCode{zk.OpCreate, zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer, zk.OpCreateTTL, zk.OpDelete, zk.OpDeleteContainer,
		zk.OpSetData, zk.OpSetData, zk.OpSetACL, zk.OpCheck}
	b := txn.Txn{
		Type: types[g.IntN(len(types))], Path: g.path(), Data: g.data(), ACL: g.acl(), Ephemeral: g.IntN(3) == 0,
		ParentCversion: int32(g.IntN(12)) - 1, TTLMS: 1 + g.Int64N(1000), Version: int32(g.IntN(9)),
	}
	if b.Type == zk.OpSetACL && b.ACL == nil {
		b.ACL = zk.OpenACL
	}
	return b
}

func (g *history) next() (h txn.Header, b txn.Txn) {
	switch g.IntN(20) {
	case 0:
		b = txn.Txn{Type: zk.OpMulti}
		for range g.IntN(6) {
			b.Ops = append(b.Ops, g.op())
		}
		if g.IntN(3) == 0 {
			b.Ops = append(b.Ops, txn.Txn{Type: zk.OpError, Err: zk.NoNode})
		}
	case 1:
		b = txn.Txn{Type: zk.OpCreateSession, TimeoutMS: int32(g.IntN(50_000))}
	case 2:
		b = txn.Txn{Type: zk.OpCloseSession}
		for range g.IntN(3) {
			b.Paths = append(b.Paths, g.path())
		}
	case 3:
		b = txn.Txn{Type: zk.OpError, Err: zk.NoAuth}
	default:
		b = g.op()
	}
	g.zxid++
	h = txn.Header{Session: zk.SessionID(1 + g.IntN(3)), Zxid: g.zxid, TimeMS: g.Int64N(1e6), Type: b.Type}
	if g.IntN(10) == 0 {
		h.Zxid = 1 + zk.Zxid(g.Int64N(int64(g.zxid))) // as in a replay
	}
	return h, b
}

func TestTheTreeIsWhatTheRulesDescribe(t *testing.T) {
	runs, steps := 30, 400
	if testing.Short() {
		runs = 6
	}
	for seed := range uint64(runs) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			g := &history{Rand: rand.New(rand.NewPCG(seed, 1))}
			tr, m := New(seed), newModel()
			type frozen struct {
				view *View
				was  *model
			}
			var views []frozen
			for step := range steps {
				h, b := g.next()
				tr.Apply(&h, &b, nil)
				m.apply(&h, &b)
				if step%20 == 0 {
					m.matchTree(t, tr)
					checkTree(t, tr)
				}
				switch g.IntN(25) {
				case 0:
					views = append(views, frozen{tr.Freeze(), m.clone()})
				case 1:
					if len(views) > 0 {
						i := g.IntN(len(views))
						views[i].was.matchView(t, views[i].view)
						tr.Release(views[i].view)
						views = slices.Delete(views, i, i+1)
					}
				}
			}
			for _, f := range views {
				f.was.matchView(t, f.view)
				tr.Release(f.view)
			}
			m.matchTree(t, tr)
			checkTree(t, tr)
			reload(t, tr, m)
		})
	}
}

// reload saves the tree into a Loader; what comes out must be the same tree, quota counters counted afresh.
func reload(t *testing.T, tr *Tree, m *model) {
	t.Helper()
	v := tr.Freeze()
	defer tr.Release(v)
	l := NewLoader(99)
	for _, s := range v.Sessions() {
		l.Session(s.ID, s.TimeoutMS)
	}
	for _, a := range v.ACLs() {
		l.ACL(a.Key, a.List)
	}
	if err := v.Walk(l.Node); err != nil {
		t.Fatal(err)
	}
	again, err := l.Finish(v.Zxid())
	if err != nil {
		t.Fatal(err)
	}
	checkTree(t, again)
	for path, n := range m.nodes {
		if r, ok := again.Find(path); ok && strings.HasSuffix(path, statsSuffix) {
			n.data = slices.Clone(again.Data(r))
		}
	}
	m.matchTree(t, again)
	if !reflect.DeepEqual(again.EphemeralsBySession(), tr.EphemeralsBySession()) ||
		!reflect.DeepEqual(again.Expirable(1e9, 1, 1e6), tr.Expirable(1e9, 1, 1e6)) {
		t.Fatal("ephemerals, containers or TTL znodes differ")
	}
}
