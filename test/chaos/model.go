//go:build chaos

package chaos

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"paddock/internal/zk"
)

// znode is what the model knows of one. A zxid of 0 is not known: the request that set it is in doubt.
type znode struct {
	data                []byte
	version, creates    int32 // creates: sequential names are made of it, and the cversion
	owner               zk.SessionID
	czxid, mzxid, pzxid zk.Zxid
	kids                map[string]bool
}

// model is the state that one worker is responsible for: its subtree, its znodes below sharedPath, its session.
type model struct {
	nodes  map[string]*znode
	shared map[string]string // tag of an own znode there -> its path, "" if the request that created it is in doubt
	open   bool              // the session lives
}

// sharedPath is where all workers create sequential znodes, each with a tag as its data.
const sharedPath = "/shared"

func (m *model) clone() *model {
	out := &model{nodes: make(map[string]*znode, len(m.nodes)), shared: maps.Clone(m.shared), open: m.open}
	for path, n := range m.nodes {
		c := *n
		c.kids = maps.Clone(n.kids)
		out.nodes[path] = &c
	}
	return out
}

// op is a request with what the model says of it.
type op struct {
	req  zk.Request
	tag  string // of a create or delete below sharedPath
	code zk.Code
	bad  int      // index of the operation that makes a multi fail
	made []string // paths created, in order
}

// step does to the model what a server does with a request of the session, at the zxid (0: not known). It sets what
// the server will answer.
func (m *model) step(o *op, session zk.SessionID, zxid zk.Zxid) {
	o.code, o.bad, o.made = zk.OK, 0, nil
	switch {
	case o.req.Op == zk.OpCloseSession:
		for _, path := range slices.Sorted(maps.Keys(m.nodes)) {
			if m.nodes[path].owner == session {
				m.remove(path, zxid)
			}
		}
		m.open = false
	case o.tag != "" && o.req.Op == zk.OpDelete:
		delete(m.shared, o.tag)
	case o.tag != "":
		m.shared[o.tag] = ""
	case o.req.Op == zk.OpMulti:
		trial := m.clone()
		for i := range o.req.Ops {
			code, path := trial.one(&o.req.Ops[i], session, zxid)
			if code != zk.OK {
				o.code, o.bad, o.made = code, i, nil
				return
			}
			if path != "" {
				o.made = append(o.made, path)
			}
		}
		*m = *trial
	default:
		var path string
		if o.code, path = m.one(&o.req, session, zxid); path != "" {
			o.made = []string{path}
		}
	}
}

// one does a single operation. path is that of a created znode.
func (m *model) one(r *zk.Request, session zk.SessionID, zxid zk.Zxid) (code zk.Code, path string) {
	if r.Op.IsCreate() {
		return m.create(r, session, zxid)
	}
	n := m.nodes[r.Path]
	if n == nil {
		return zk.NoNode, ""
	}
	if r.Version != -1 && r.Version != n.version {
		return zk.BadVersion, ""
	}
	switch r.Op {
	case zk.OpSetData:
		n.data, n.version, n.mzxid = r.Data, n.version+1, zxid
	case zk.OpDelete:
		if len(n.kids) > 0 {
			return zk.NotEmpty, ""
		}
		m.remove(r.Path, zxid)
	}
	return zk.OK, "" // check, too
}

func (m *model) create(r *zk.Request, session zk.SessionID, zxid zk.Zxid) (zk.Code, string) {
	parent := m.nodes[zk.ParentPath(r.Path)]
	if parent == nil {
		return zk.NoNode, ""
	}
	path := r.Path
	if r.Mode.IsSequential() {
		path = fmt.Sprintf("%s%010d", path, parent.creates)
	}
	if m.nodes[path] != nil {
		return zk.NodeExists, ""
	}
	if parent.owner != 0 {
		return zk.NoChildrenForEphemerals, ""
	}
	n := &znode{data: r.Data, czxid: zxid, mzxid: zxid, pzxid: zxid, kids: map[string]bool{}}
	if r.Mode.IsEphemeral() {
		n.owner = session
	}
	parent.creates++
	parent.pzxid = zxid
	parent.kids[zk.BaseName(path)] = true
	m.nodes[path] = n
	return zk.OK, path
}

func (m *model) remove(path string, zxid zk.Zxid) {
	delete(m.nodes, path)
	if parent := m.nodes[zk.ParentPath(path)]; parent != nil {
		delete(parent.kids, zk.BaseName(path))
		parent.pzxid = zxid
	}
}

// compare says how a stat and data differ from the model's znode, "" if they do not. Zxids not known are not compared.
func (n *znode) compare(s *zk.Stat, data []byte) string {
	want := zk.Stat{Czxid: n.czxid, Mzxid: n.mzxid, Pzxid: n.pzxid, Version: n.version,
		Cversion: 2*n.creates - int32(len(n.kids)), EphemeralOwner: int64(n.owner), DataLength: int32(len(n.data)),
		NumChildren: int32(len(n.kids)), CtimeMS: s.CtimeMS, MtimeMS: s.MtimeMS}
	for _, z := range []struct {
		want *zk.Zxid
		got  zk.Zxid
	}{{&want.Czxid, s.Czxid}, {&want.Mzxid, s.Mzxid}, {&want.Pzxid, s.Pzxid}} {
		if *z.want == 0 {
			*z.want = z.got
		}
	}
	if *s != want {
		return fmt.Sprintf("stat %+v, want %+v", *s, want)
	}
	if !bytes.Equal(data, n.data) {
		return fmt.Sprintf("data %.40q (%d bytes), want %.40q (%d bytes)", data, len(data), n.data, len(n.data))
	}
	return ""
}

// view is what a restarted server shows of one worker's state.
type view struct {
	nodes  map[string]*entry
	shared map[string]string // tag -> path
	open   bool
}

// compare says how the view differs from the model, "" if it does not.
func (m *model) compare(v *view) string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if m.open != v.open {
		add("session open %t, want %t", v.open, m.open)
	}
	for _, path := range slices.Sorted(maps.Keys(m.nodes)) {
		if e := v.nodes[path]; e == nil {
			add("%s is missing", path)
		} else if diff := m.nodes[path].compare(&e.Stat, e.Data); diff != "" {
			add("%s: %s", path, diff)
		} else if want := slices.Sorted(maps.Keys(m.nodes[path].kids)); !slices.Equal(want, e.Children) {
			add("%s: children %q, want %q", path, e.Children, want)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(v.nodes)) {
		if m.nodes[path] == nil {
			add("%s is there, with data %.40q", path, v.nodes[path].Data)
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(m.shared)) {
		if path, ok := v.shared[tag]; !ok {
			add("shared znode %s (%s) is missing", tag, m.shared[tag])
		} else if m.shared[tag] != "" && m.shared[tag] != path {
			add("shared znode %s is %s, want %s", tag, path, m.shared[tag])
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(v.shared)) {
		if _, ok := m.shared[tag]; !ok {
			add("shared znode %s (%s) is there", tag, v.shared[tag])
		}
	}
	const most = 5
	if len(out) > most {
		out = append(out[:most], fmt.Sprintf("and %d more", len(out)-most))
	}
	return strings.Join(out, "\n    ")
}

// adopt learns from a view that agrees what was not known.
func (m *model) adopt(v *view) {
	for path, n := range m.nodes {
		s := &v.nodes[path].Stat
		n.czxid, n.mzxid, n.pzxid = s.Czxid, s.Mzxid, s.Pzxid
	}
	maps.Copy(m.shared, v.shared)
}
