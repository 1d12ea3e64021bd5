package sim

import (
	"fmt"
	"slices"

	"paddock/internal/zk"
)

// request makes up what the client asks next.
func (st *stage) request(c *caller) *zk.Request {
	c.xid++
	req := &zk.Request{Xid: c.xid}
	switch k := st.rng.IntN(100); {
	case k < 62:
		st.write(req)
	case k < 72:
		req.Op, req.Path, req.Watch = zk.OpGetData, st.path(), st.rng.IntN(2) == 0
	case k < 80:
		req.Op, req.Path, req.Watch = zk.OpExists, st.path(), st.rng.IntN(2) == 0
	case k < 87:
		req.Op, req.Path, req.Watch = zk.OpGetChildren2, st.path(), st.rng.IntN(2) == 0
	case k < 89:
		req.Op, req.Path = zk.OpGetACL, st.path()
	case k < 92:
		req.Op, req.Path, req.Arg = zk.OpAddWatch, st.path(), int32(st.rng.IntN(2))
	case k < 94:
		req.Op, req.Path = zk.OpSync, "/"
	case k < 97:
		req.Op, req.Xid = zk.OpPing, zk.XidPing
	case k < 98:
		paths := func() []string {
			list := make([]string, st.rng.IntN(4))
			for i := range list {
				list[i] = st.path()
			}
			return list
		}
		req.Op, req.Xid = zk.OpSetWatches2, zk.XidSetWatches
		req.Watches = &zk.Watches{RelativeZxid: c.away, Data: paths(), Exist: paths(), Child: paths(), Persistent: paths(), Recursive: paths()}
	default:
		req.Op, req.Path = zk.OpGetEphemerals, "/"
	}
	return req
}

// write makes up a request that changes something.
func (st *stage) write(req *zk.Request) {
	switch k := st.rng.IntN(100); {
	case k < 1:
		req.Op = zk.OpCloseSession
	case k < 10:
		req.Op = zk.OpMulti
		for range 1 + st.rng.IntN(4) {
			req.Ops = append(req.Ops, zk.Request{})
			if op := &req.Ops[len(req.Ops)-1]; st.rng.IntN(5) == 0 {
				op.Op, op.Path, op.Version = zk.OpCheck, st.path(), int32(st.rng.IntN(4)-1)
			} else {
				st.change(op)
			}
		}
	case k < 15:
		req.Op, req.Path, req.Version, req.ACL = zk.OpSetACL, st.path(), -1, openLists[st.rng.IntN(len(openLists))]
	default:
		st.change(req)
	}
}

// openLists are access lists that let everybody do everything, in different words.
var openLists = [][]zk.ACL{
	zk.OpenACL,
	{{Perms: zk.PermAll, ID: zk.AnyoneID}, {Perms: zk.PermRead, ID: zk.ID{Scheme: "ip", ID: "10.0.0.1"}}},
	{{Perms: zk.PermAll, ID: zk.ID{Scheme: "ip", ID: "127.0.0.1"}}, {Perms: zk.PermRead, ID: zk.AnyoneID}},
}

// change makes up a create, delete or setData, alone or in a multi.
func (st *stage) change(req *zk.Request) {
	req.TTLMS = -1
	switch k := st.rng.IntN(10); {
	case k < 5:
		req.Op, req.ACL, req.Data = zk.OpCreate, openLists[max(0, st.rng.IntN(6)-3)], st.data()
		req.Mode = zk.CreateMode(st.rng.IntN(4))
		req.Path = st.fresh()
		switch st.rng.IntN(12) {
		case 0, 1, 2:
			req.Op = zk.OpCreate2
		case 3:
			req.Op, req.Mode = zk.OpCreateContainer, zk.Container
		case 4:
			req.Op, req.Mode, req.TTLMS = zk.OpCreateTTL, zk.PersistentTTL, int64(500+st.rng.IntN(4000))
		}
	case k < 7:
		req.Op, req.Path, req.Version = zk.OpDelete, st.path(), -1
	default:
		req.Op, req.Path, req.Data, req.Version = zk.OpSetData, st.path(), st.data(), -1
		if st.rng.IntN(4) == 0 {
			req.Version = int32(st.rng.IntN(3))
		}
	}
}

// path is one that mostly exists.
func (st *stage) path() string {
	if st.rng.IntN(6) > 0 && len(st.recent) > 0 {
		return st.recent[st.rng.IntN(len(st.recent))]
	}
	return st.fresh()
}

// fresh is one of few paths, so that requests meet; it may exist.
func (st *stage) fresh() string {
	path := fmt.Sprintf("/%c", 'a'+st.rng.IntN(5))
	if st.rng.IntN(2) == 0 {
		path += fmt.Sprintf("/%c", 'k'+st.rng.IntN(4))
	}
	return path
}

// data makes up contents: of no, few or several sectors, and sometimes with long runs of zeros in it.
func (st *stage) data() []byte {
	n := 0
	switch st.rng.IntN(8) {
	case 0:
		return nil
	case 1:
		return []byte{}
	case 2, 3, 4:
		n = 1 + st.rng.IntN(60)
	case 5, 6:
		n = st.size(0, 400, 700)
	case 7:
		n = st.size(1, 1000, 4000)
	}
	b := make([]byte, n)
	if st.zeros && st.rng.IntN(3) > 0 {
		b[st.rng.IntN(n)] = 1
		return b
	}
	v := st.rng.Uint64()
	for i := range b {
		b[i] = byte(v>>(i%8*8)) | byte(i%7+1)
	}
	return b
}

// size draws the size of larger data. Where it is one of a few, a tree of it needs less memory.
func (st *stage) size(which, least, span int) int {
	if st.sizes == nil {
		return least + st.rng.IntN(span)
	}
	return st.sizes[which+2*st.rng.IntN(len(st.sizes)/2)]
}

// remember keeps the paths that were made last, for requests to come.
func (st *stage) remember(paths ...string) {
	st.recent = append(st.recent, paths...)
	if n := len(st.recent); n > recentPaths {
		st.recent = slices.Delete(st.recent, 0, n-recentPaths)
	}
}

// recentPaths is how many paths are used again and again.
const recentPaths = 24
