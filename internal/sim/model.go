package sim

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"sort"
	"strings"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// znode is a znode of the model. It is never changed once it is in the history.
type znode struct {
	data     []byte // nil for null
	acl      []zk.ACL
	stat     zk.StoredStat
	children int32
	digest   uint64 // what it adds to the digest of the tree
}

func (n *znode) wire() zk.Stat { return n.stat.Wire(int32(len(n.data)), n.children) }

// past is a value from a zxid on.
type past[T any] struct {
	z zk.Zxid
	v T
}

// at returns the value as of z, and its zero if there was none yet.
func at[T any](history []past[T], z zk.Zxid) (v T) {
	for i := len(history) - 1; i >= 0; i-- {
		if history[i].z <= z {
			return history[i].v
		}
	}
	return v
}

// change is what watches have to know of a txn.
type change struct {
	what zk.EventType
	path string
}

// judged is what the model knows of one zxid.
type judged struct {
	z       zk.Zxid
	digest  uint64 // of the whole tree afterwards
	changes []change
}

// model is what a server has at every zxid since it began, written from the rules of ZooKeeper's documentation and
// without any code of the server: requests are judged by it in the order of their zxids.
type model struct {
	nodes    map[string][]past[*znode] // nil where there is none
	sessions map[zk.SessionID][]past[int32]
	txns     []judged // in the order of their zxids, from an empty tree at 0 on
	digest   uint64   // after the last
	member   bool     // of a server that is a member of an ensemble
	local    bool     // sessions may be known to one server alone, and not to the model
}

func newModel() *model {
	m := &model{nodes: map[string][]past[*znode]{}, sessions: map[zk.SessionID][]past[int32]{}}
	d := draft{m: m}
	d.put("/", &znode{data: []byte{}, acl: zk.OpenACL, children: 1})
	d.put("/zookeeper", &znode{data: []byte{}, acl: zk.OpenACL, children: 2})
	d.put("/zookeeper/quota", &znode{data: []byte{}, acl: zk.OpenACL})
	d.put("/zookeeper/config", &znode{data: []byte{}, acl: zk.ReadOnlyACL, stat: zk.StoredStat{Aversion: -1}})
	d.commit()
	return m
}

// last is the newest zxid that was given out.
func (m *model) last() zk.Zxid { return m.txns[len(m.txns)-1].z }

// upTo is how many txns there are up to z.
func (m *model) upTo(z zk.Zxid) int {
	return sort.Search(len(m.txns), func(i int) bool { return m.txns[i].z > z })
}

// between are the txns after the first zxid, up to the second.
func (m *model) between(after, to zk.Zxid) []judged {
	return m.txns[m.upTo(after):max(m.upTo(to), m.upTo(after))]
}

// digestAt is the digest as of z.
func (m *model) digestAt(z zk.Zxid) uint64 { return m.txns[m.upTo(z)-1].digest }

func (m *model) newest(path string) *znode {
	h := m.nodes[path]
	if len(h) == 0 {
		return nil
	}
	return h[len(h)-1].v
}

// owned are the paths that a session owns in the newest state, sorted.
func (m *model) owned(s zk.SessionID) []string {
	var paths []string
	for path := range m.nodes {
		if n := m.newest(path); n != nil && n.stat.Owner == zk.Owner(s) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// forget drops everything behind z: a crash has taken it, and its zxids will be given out again.
func (m *model) forget(z zk.Zxid) {
	for path, h := range m.nodes {
		if h = until(h, z); len(h) == 0 {
			delete(m.nodes, path)
		} else {
			m.nodes[path] = h
		}
	}
	for s, h := range m.sessions {
		if h = until(h, z); len(h) == 0 {
			delete(m.sessions, s)
		} else {
			m.sessions[s] = h
		}
	}
	m.txns = m.txns[:m.upTo(z)]
	m.digest = m.digestAt(z)
}

func until[T any](history []past[T], z zk.Zxid) []past[T] {
	for len(history) > 0 && history[len(history)-1].z > z {
		history = history[:len(history)-1]
	}
	return history
}

// put is a znode that a draft sets.
type put struct {
	path string
	n    *znode
}

// draft is a txn being judged: it sees its own changes, and commit makes them the model's.
type draft struct {
	m       *model
	session zk.SessionID
	leader  quorum.ServerID // of an ensemble: who proposed it
	z       zk.Zxid
	timeMS  int64
	puts    []put
	changes []change
}

func (m *model) draft(s zk.SessionID, timeMS int64) *draft {
	return m.draftAt(m.last()+1, s, timeMS)
}

func (m *model) draftAt(z zk.Zxid, s zk.SessionID, timeMS int64) *draft {
	return &draft{m: m, session: s, z: z, timeMS: timeMS}
}

func (d *draft) find(path string) *znode {
	for i := len(d.puts) - 1; i >= 0; i-- {
		if d.puts[i].path == path {
			return d.puts[i].n
		}
	}
	return d.m.newest(path)
}

func (d *draft) put(path string, n *znode) { d.puts = append(d.puts, put{path, n}) }

// commit ends the txn.
func (d *draft) commit() {
	m := d.m
	for _, p := range d.puts {
		h := m.nodes[p.path]
		if len(h) > 0 {
			if before := h[len(h)-1]; before.v != nil {
				m.digest -= before.v.digest
			}
			if h[len(h)-1].z == d.z {
				h = h[:len(h)-1]
			}
		}
		if p.n != nil {
			p.n.digest = digestOf(p.path, p.n)
			m.digest += p.n.digest
		}
		m.nodes[p.path] = append(h, past[*znode]{d.z, p.n})
	}
	m.txns = append(m.txns, judged{z: d.z, digest: m.digest, changes: d.changes})
}

// judge carries out a request and returns the reply that its client must get, but for what the connection decides (xid).
func (d *draft) judge(req *zk.Request) zk.Reply {
	rep := zk.Reply{Op: req.Op, Zxid: d.z}
	switch req.Op {
	case zk.OpMulti:
		rep.Results = d.multi(req.Ops)
	case zk.OpCloseSession:
		d.closeSession()
	default:
		res := d.one(req)
		rep.Err, rep.Path, rep.Stat = res.Err, res.Path, res.Stat
	}
	d.commit()
	return rep
}

func (d *draft) multi(ops []zk.Request) []zk.Reply {
	results := make([]zk.Reply, len(ops))
	for i := range ops {
		if results[i] = d.one(&ops[i]); results[i].Err == zk.OK {
			if results[i].Op == zk.OpCreate2 {
				results[i].Op = zk.OpCreate // inside a multi they are the same
			}
			continue
		}
		d.puts, d.changes = nil, nil
		failed := results[i].Err
		for k := range results {
			results[k] = zk.Reply{Op: zk.OpError}
			if k > i {
				results[k].Err = zk.RuntimeInconsistency
			}
		}
		results[i].Err = failed
		break
	}
	return results
}

// one carries out what may be part of a multi, and setACL.
func (d *draft) one(req *zk.Request) (res zk.Reply) {
	res.Op = req.Op
	if req.Op.IsCreate() {
		return d.create(req)
	}
	n := d.find(req.Path)
	if n == nil {
		res.Err = zk.NoNode
		return res
	}
	version := n.stat.Version
	if req.Op == zk.OpSetACL {
		version = n.stat.Aversion
	}
	if req.Version != -1 && req.Version != version {
		res.Err = zk.BadVersion
		return res
	}
	switch fresh := *n; req.Op {
	case zk.OpSetData:
		fresh.data = req.Data
		fresh.stat.Version++
		fresh.stat.Mzxid, fresh.stat.MtimeMS = d.z, d.timeMS
		d.put(req.Path, &fresh)
		d.changes = append(d.changes, change{zk.NodeDataChanged, req.Path})
		res.Stat = fresh.wire()
	case zk.OpSetACL:
		fresh.acl = req.ACL
		fresh.stat.Aversion++
		d.put(req.Path, &fresh)
		d.changes = append(d.changes, change{zk.NodeACLChanged, req.Path})
		res.Stat = fresh.wire()
	case zk.OpDelete:
		if n.children > 0 {
			res.Err = zk.NotEmpty
			return res
		}
		d.remove(req.Path)
	case zk.OpCheck:
	default:
		panic(fmt.Sprintf("the model does not know %v", req.Op))
	}
	return res
}

func (d *draft) create(req *zk.Request) (res zk.Reply) {
	res.Op = req.Op
	if req.Mode.IsEphemeral() {
		if res.Err = d.noEphemeral(); res.Err != zk.OK {
			return res
		}
	}
	parentPath := parentOf(req.Path)
	parent := d.find(parentPath)
	if parent == nil {
		res.Err = zk.NoNode
		return res
	}
	path := req.Path
	if req.Mode.IsSequential() {
		path += fmt.Sprintf("%010d", parent.stat.Cversion)
	}
	if d.find(path) != nil {
		res.Err = zk.NodeExists
		return res
	}
	if _, ephemeral := parent.stat.Owner.Session(); ephemeral {
		res.Err = zk.NoChildrenForEphemerals
		return res
	}
	n := &znode{data: req.Data, acl: req.ACL, stat: zk.StoredStat{Czxid: d.z, Mzxid: d.z, Pzxid: d.z, CtimeMS: d.timeMS, MtimeMS: d.timeMS}}
	switch {
	case req.Op == zk.OpCreateContainer:
		n.stat.Owner = 1 << 63
	case req.Op == zk.OpCreateTTL:
		n.stat.Owner = 0xff<<56 | zk.Owner(req.TTLMS)
	case req.Mode.IsEphemeral():
		n.stat.Owner = zk.Owner(d.session)
	}
	above := *parent
	above.children++
	above.stat.Cversion++
	above.stat.Pzxid = d.z
	d.put(parentPath, &above)
	d.put(path, n)
	d.changes = append(d.changes, change{zk.NodeCreated, path})
	res.Path, res.Stat = path, n.wire()
	return res
}

// parentOf is the path of the parent; that of the root's children is the root.
func parentOf(path string) string {
	return path[:max(strings.LastIndexByte(path, '/'), 1)]
}

// remove takes a znode away that has no children.
func (d *draft) remove(path string) {
	parentPath := parentOf(path)
	above := *d.find(parentPath)
	above.children--
	above.stat.Pzxid = d.z
	d.put(parentPath, &above)
	d.put(path, nil)
	d.changes = append(d.changes, change{zk.NodeDeleted, path})
}

// closeSession ends the draft's session and what it owns.
func (d *draft) closeSession() {
	for _, path := range d.m.owned(d.session) {
		d.remove(path)
	}
	d.m.sessions[d.session] = append(d.m.sessions[d.session], past[int32]{d.z, 0})
}

func (d *draft) openSession(timeoutMS int32) {
	d.m.sessions[d.session] = append(d.m.sessions[d.session], past[int32]{d.z, timeoutMS})
	d.commit()
}

// digestOf is the digest of one znode, version 2: a CRC-32 of path, data and stored stat.
func digestOf(path string, n *znode) uint64 {
	if strings.HasPrefix(path, "/zookeeper/") {
		return 0
	}
	if path == "/" {
		path = ""
	}
	s := &n.stat
	var b [60]byte
	for i, v := range [...]uint64{uint64(s.Czxid), uint64(s.Mzxid), uint64(s.Pzxid), uint64(s.CtimeMS), uint64(s.MtimeMS)} {
		binary.BigEndian.PutUint64(b[8*i:], v)
	}
	for i, v := range [...]int32{s.Version, s.Cversion, s.Aversion} {
		binary.BigEndian.PutUint32(b[40+4*i:], uint32(v))
	}
	binary.BigEndian.PutUint64(b[52:], uint64(s.Owner))
	crc := crc32.ChecksumIEEE([]byte(path))
	crc = crc32.Update(crc, crc32.IEEETable, n.data)
	return uint64(crc32.Update(crc, crc32.IEEETable, b[:]))
}
