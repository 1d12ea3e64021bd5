//go:build chaos

package chaos

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"paddock/internal/client"
	"paddock/internal/zk"
	"paddock/storage/datadir"
	"paddock/storage/tree"
	"paddock/storage/vfs"
)

// disc is what a data directory holds, with what the protocol does not show: owners of containers and TTL znodes, and
// the timeouts of sessions.
type disc struct {
	znodes   map[string]*kept
	sessions map[zk.SessionID]int32
}

// kept is a znode as it is stored.
type kept struct {
	Stat zk.StoredStat
	Data []byte
	Null bool
	ACL  []zk.ACL
}

// stored reads a data directory that no server uses. A server takes a snapshot when it starts, so it is what that server
// understood.
func stored(t *testing.T, dir string) *disc {
	t.Helper()
	d, err := datadir.Open(datadir.Options{FS: vfs.OS{}, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // it is a copy
	r, err := d.Recover(datadir.RecoverOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.DigestMismatch != 0 {
		t.Errorf("%s: the digest logged with %v is not that of the tree", dir, r.DigestMismatch)
	}
	out := &disc{znodes: map[string]*kept{}, sessions: map[zk.SessionID]int32{}}
	for _, s := range r.Tree.Sessions() {
		out.sessions[s.ID] = s.TimeoutMS
	}
	root, _ := r.Tree.Find("/")
	out.add(r.Tree, root)
	return out
}

func (d *disc) add(t *tree.Tree, r tree.Ref) {
	data := t.Data(r)
	d.znodes[t.Path(r)] = &kept{Stat: t.Stored(r), Data: bytes.Clone(data), Null: data == nil, ACL: t.ACL(r)}
	for c := t.FirstChild(r); c != tree.None; c = t.NextSibling(c) {
		d.add(t, c)
	}
}

// differences lists how two directories differ, at most a few lines.
func (d *disc) differences(other *disc) []string {
	const most = 10
	var out []string
	paths := maps.Clone(d.znodes)
	maps.Copy(paths, other.znodes)
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		if x, y := d.znodes[p], other.znodes[p]; !reflect.DeepEqual(x, y) && len(out) < most {
			out = append(out, fmt.Sprintf("%s: first %+v, second %+v", p, x, y))
		}
	}
	if !maps.Equal(d.sessions, other.sessions) {
		out = append(out, fmt.Sprintf("sessions: first %v, second %v", d.sessions, other.sessions))
	}
	return out
}

// keepsakes makes one znode of each kind, which nobody touches again: each later comparison must have them.
func keepsakes(t *testing.T, addr string, hop int) {
	t.Helper()
	c, err := dial(addr, client.Options{Timeout: mixerTimeout})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Abandon() // its ephemeral znode stays
	root := fmt.Sprint(keepRoot, "/", hop)
	guarded := []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "digest", ID: "mixer1:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY="}}}
	for _, r := range []zk.Request{
		{Path: root, Data: []byte("root")},
		{Path: root + "/null"},
		{Path: root + "/empty", Data: []byte{}},
		{Path: root + "/big", Data: bytes.Repeat([]byte("0123456789"), bigBytes/10)},
		{Path: root + "/名前-ünïcödé"},
		{Path: root + "/guarded", Data: []byte("secret"), ACL: guarded},
		{Path: root + "/ephemeral", Mode: zk.Ephemeral},
		{Path: root + "/container", Op: zk.OpCreateContainer, Mode: zk.Container},
		{Path: root + "/container/child"},
		{Path: root + "/ttl", Op: zk.OpCreateTTL, Mode: zk.PersistentTTL, TTLMS: ttlMS},
	} {
		if r.Op == 0 {
			r.Op = zk.OpCreate2
		}
		if r.TTLMS == 0 {
			r.TTLMS = -1
		}
		if r.ACL == nil {
			r.ACL = zk.OpenACL
		}
		do(t, c, &r)
	}
}

// covered checks that what was compared has the keepsakes of every hop.
func covered(t *testing.T, img *image, d *disc, hops int) {
	t.Helper()
	for hop := 1; hop <= hops; hop++ {
		root := fmt.Sprint(keepRoot, "/", hop)
		for name, right := range map[string]func(*entry, *kept) bool{
			"/null":       func(e *entry, _ *kept) bool { return e.Null },
			"/empty":      func(e *entry, _ *kept) bool { return !e.Null && len(e.Data) == 0 },
			"/big":        func(e *entry, _ *kept) bool { return len(e.Data) == bigBytes },
			"/名前-ünïcödé": func(*entry, *kept) bool { return true },
			"/guarded":    func(e *entry, _ *kept) bool { return e.ACL[0].ID.Scheme == "digest" },
			"/container":  func(_ *entry, k *kept) bool { return k.Stat.Owner == zk.ContainerOwner },
			"/ttl":        func(_ *entry, k *kept) bool { return k.Stat.Owner == zk.TTLOwner(ttlMS) },
			"/ephemeral": func(e *entry, _ *kept) bool {
				owner := zk.SessionID(e.Stat.EphemeralOwner)
				return slices.Contains(img.Ephemerals[owner], root+"/ephemeral") && d.sessions[owner] == int32(mixerTimeout.Milliseconds())
			},
		} {
			e, k := img.Znodes[root+name], d.znodes[root+name]
			if e == nil || k == nil || !right(e, k) {
				t.Errorf("%s%s is %v, stored %+v", root, name, e, k)
			}
		}
	}
	if stats := img.Znodes[zk.QuotaPath+mixerRoot+"/zookeeper_stats"]; stats == nil || bytes.HasPrefix(stats.Data, []byte("count=0")) {
		t.Errorf("the quota counts nothing: %v", stats)
	}
}
