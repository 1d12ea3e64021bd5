//go:build chaos

package chaos

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

const (
	mixerRoot    = "/mix"
	keepRoot     = "/keep"          // what every comparison must have
	mixerTimeout = 10 * time.Minute // sessions outlive the test
	bigBytes     = 900_000
	ttlMS        = 3_600_000
)

// mixer is a client that writes everything a data directory can hold, without a model: what became of it is compared
// between two servers. Several share the same znodes.
type mixer struct {
	name     string
	rng      *rand.Rand
	session  zk.SessionID
	password []byte
	answers  map[string]int // by operation and code
	big      int            // large values that may still be written
}

// connect opens the mixer's session or takes it up, and says who it is.
func (m *mixer) connect(addr string) (*client.Conn, error) {
	c, err := dial(addr, client.Options{Timeout: mixerTimeout, Session: m.session, Password: m.password, Outstanding: depth + 1})
	if err != nil {
		return nil, fmt.Errorf("%s takes up session %v: %w", m.name, m.session, err)
	}
	m.session, m.password = c.Session(), c.Password()
	r, err := c.Do(&zk.Request{Xid: zk.XidAuth, Op: zk.OpAuth, Path: "digest", Data: []byte(m.name + ":secret")})
	if err == nil && r.Err != zk.OK {
		err = fmt.Errorf("%s: credentials: %v", m.name, r.Err)
	}
	if err != nil {
		c.Abandon()
		return nil, err
	}
	return c, nil
}

// run writes until stop is closed or the server is gone.
func (m *mixer) run(addr string, stop <-chan struct{}, acks *atomic.Int64) error {
	m.big = 3
	c, err := m.connect(addr)
	if err != nil {
		return err
	}
	defer func() { c.Abandon() }()
	slots := make(chan struct{}, depth)
	for {
		select {
		case <-stop:
			return nil
		case <-c.Done():
			return nil
		default:
		}
		if m.rng.IntN(400) == 0 { // another session; the old one is closed, or left to itself
			if m.rng.IntN(2) == 0 {
				c.Abandon()
			} else if c.Close() != nil {
				return nil
			}
			m.session, m.password = 0, nil
			next, err := m.connect(addr)
			if err != nil {
				m.session, m.password = 0, nil // the server is gone; whether it opened a session shows in both servers
				return nil
			}
			c = next
			continue
		}
		slots <- struct{}{}
		req := m.generate()
		kind := fmt.Sprint(req.Op)
		result := make(chan string, 1)
		c.Send(&req, func(r *zk.Reply, err error) {
			if err == nil {
				acks.Add(1)
				result <- fmt.Sprint(kind, " ", r.Err)
			} else {
				result <- ""
			}
			<-slots
		})
		if len(slots) == depth || m.rng.IntN(4) == 0 { // keep count, and wait now and then
			if answer := <-result; answer != "" {
				m.answers[answer]++
			}
		}
	}
}

// path is one of a few, so that requests meet.
func (m *mixer) path() string {
	names := []string{"a", "b", "c", "ünïcödé", "名前", "with space", "d.e-f_g"}
	p := mixerRoot
	for range 1 + m.rng.IntN(3) {
		p += "/" + names[m.rng.IntN(len(names))]
	}
	return p
}

func (m *mixer) data() []byte {
	switch n := m.rng.IntN(100); {
	case n < 15:
		return nil
	case n < 25:
		return []byte{}
	case n < 27 && m.big > 0:
		m.big--
		b := make([]byte, bigBytes+m.rng.IntN(1000))
		for i := range b {
			b[i] = byte(m.rng.Uint32() >> 16 & 0x3f) // compressible, somewhat
		}
		return b
	default:
		return fmt.Appendf(nil, "%s %x", m.name, m.rng.Uint64())
	}
}

func (m *mixer) acl() []zk.ACL {
	switch m.rng.IntN(8) {
	case 0:
		return []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "auth"}}}
	case 1: // user "mixer1", password "x": the digest need not be right to be stored
		return []zk.ACL{{Perms: zk.PermRead | zk.PermWrite, ID: zk.ID{Scheme: "digest", ID: "mixer1:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY="}},
			{Perms: zk.PermAll, ID: zk.AnyoneID}}
	case 2:
		return []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "ip", ID: "127.0.0.1"}}, {Perms: zk.PermRead, ID: zk.AnyoneID}}
	default:
		return zk.OpenACL
	}
}

// generate makes any write. Many fail, which leaves records too.
func (m *mixer) generate() zk.Request {
	if m.rng.IntN(8) > 0 {
		return m.single(true)
	}
	r := zk.Request{Op: zk.OpMulti}
	for range 1 + m.rng.IntN(4) {
		r.Ops = append(r.Ops, m.single(false))
	}
	return r
}

func (m *mixer) single(alone bool) zk.Request {
	path, version := m.path(), int32(-1)
	if m.rng.IntN(10) == 0 {
		version = int32(m.rng.IntN(5))
	}
	n := m.rng.IntN(100)
	switch {
	case n < 40:
		return m.create(path)
	case n < 70:
		return zk.Request{Op: zk.OpSetData, Path: path, Data: m.data(), Version: version}
	case n < 90:
		return zk.Request{Op: zk.OpDelete, Path: path, Version: version}
	case n < 93 && alone: // limits of a quota
		limits := fmt.Sprintf("count=%d,bytes=%d", m.rng.IntN(100), m.rng.IntN(100_000))
		return zk.Request{Op: zk.OpSetData, Path: zk.QuotaPath + mixerRoot + "/zookeeper_limits", Data: []byte(limits), Version: -1}
	case n < 97 && alone:
		return zk.Request{Op: zk.OpSetACL, Path: path, ACL: m.acl(), Version: -1}
	default:
		return zk.Request{Op: zk.OpSetData, Path: mixerRoot, Data: m.data(), Version: -1}
	}
}

func (m *mixer) create(path string) zk.Request {
	r := zk.Request{Op: zk.OpCreate2, Path: path, Data: m.data(), ACL: m.acl(), TTLMS: -1}
	switch m.rng.IntN(12) {
	case 0:
		r.Mode = zk.Ephemeral
	case 1:
		r.Path, r.Mode = mixerRoot+"/seq/e-", zk.EphemeralSequential
	case 2:
		r.Path, r.Mode = mixerRoot+"/seq/p-", zk.PersistentSequential
	case 3:
		r.Op, r.Mode = zk.OpCreateContainer, zk.Container
	case 4:
		r.Op, r.Mode, r.TTLMS = zk.OpCreateTTL, zk.PersistentTTL, ttlMS
	case 5:
		r.Op, r.Path, r.Mode, r.TTLMS = zk.OpCreateTTL, mixerRoot+"/seq/t-", zk.PersistentSequentialTTL, ttlMS+m.rng.Int64N(1000)
	case 6:
		r.Op = zk.OpCreate
	}
	return r
}

// prepare makes what the mixers start from: their root, a znode for sequential ones, a quota on the root.
func prepare(addr string) error {
	c, err := dialSuper(addr)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing depends on it
	quota := zk.QuotaPath + mixerRoot
	for _, z := range []struct{ path, data string }{{keepRoot, ""}, {mixerRoot, ""}, {mixerRoot + "/seq", ""}, {quota, ""},
		{quota + "/zookeeper_limits", "count=50,bytes=5000"}, {quota + "/zookeeper_stats", "count=0,bytes=0"}} {
		r, err := c.Do(&zk.Request{Op: zk.OpCreate, Path: z.path, Data: []byte(z.data), ACL: zk.OpenACL, TTLMS: -1})
		if err != nil || r.Err != zk.OK {
			return fmt.Errorf("create %s: %v, %w", z.path, r, err)
		}
	}
	return nil
}
