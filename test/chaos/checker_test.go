//go:build chaos

package chaos

import (
	"math/rand/v2"
	"strings"
	"testing"

	"paddock/internal/client"
	"paddock/internal/zk"
	"paddock/storage/datadir"
	"paddock/storage/vfs"
)

// lies are what a server could do wrong, each done behind the back of the workers; says is part of what must be found.
var lies = []struct {
	name string
	says string
	down func(t *testing.T, f *fleet) // while the server is down
	up   func(t *testing.T, f *fleet, behind *client.Conn)
}{
	{name: "an acknowledged write that never was", says: "/w0/q: stat",
		down: func(_ *testing.T, f *fleet) {
			w := f.workers[0]
			w.acked.step(&op{req: zk.Request{Op: zk.OpSetData, Path: "/w0/q", Version: -1}}, w.session, w.seen+1)
		}},
	{name: "the last record of the log is dropped", says: "w0", down: dropLastRecord},
	{name: "a write is done twice", says: "/w0/q: stat",
		up: func(t *testing.T, f *fleet, c *client.Conn) {
			data := f.workers[0].acked.nodes["/w0/q"].data
			do(t, c, &zk.Request{Op: zk.OpSetData, Path: "/w0/q", Version: -1, Data: data})
		}},
	{name: "a request that was refused is done all the same", says: "/w0/refused is there",
		up: func(t *testing.T, _ *fleet, c *client.Conn) {
			do(t, c, &zk.Request{Op: zk.OpCreate, Path: "/w0/refused", ACL: zk.OpenACL, TTLMS: -1})
		}},
	{name: "a sequential create is done twice", says: "was created twice",
		up: func(t *testing.T, f *fleet, c *client.Conn) {
			for _, w := range f.workers {
				for tag := range w.acked.shared {
					do(t, c, &zk.Request{Op: zk.OpCreate, Path: sharedPath + "/s-", Data: []byte(tag), ACL: zk.OpenACL, Mode: zk.PersistentSequential, TTLMS: -1})
					return
				}
			}
			t.Fatal("no worker has a shared znode")
		}},
	{name: "a sequence number is given and taken back", says: "counts",
		up: func(t *testing.T, _ *fleet, c *client.Conn) {
			r := do(t, c, &zk.Request{Op: zk.OpCreate, Path: sharedPath + "/s-", ACL: zk.OpenACL, Mode: zk.PersistentSequential, TTLMS: -1})
			do(t, c, &zk.Request{Op: zk.OpDelete, Path: r.Path, Version: -1})
		}},
	{name: "a closed session lives on", says: "session open true",
		down: func(_ *testing.T, f *fleet) {
			w := f.workers[1]
			w.acked.step(&op{req: zk.Request{Op: zk.OpCloseSession}}, w.session, w.seen+1)
		}},
	{name: "a session is lost", says: "session open false",
		up: func(t *testing.T, f *fleet, _ *client.Conn) {
			w := f.workers[1]
			c, err := dial(f.p.addr(), client.Options{Session: w.session, Password: w.password})
			if err == nil {
				err = c.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
	{name: "an ephemeral znode dies before its session", says: "/w1/e/here is missing",
		up: func(t *testing.T, _ *fleet, c *client.Conn) {
			do(t, c, &zk.Request{Op: zk.OpDelete, Path: "/w1/e/here", Version: -1})
		}},
	{name: "a multi in doubt is done by half", says: "neither what was acknowledged",
		down: func(_ *testing.T, f *fleet) {
			f.workers[2].pending = []*op{{req: zk.Request{Op: zk.OpMulti, Ops: []zk.Request{
				{Op: zk.OpSetData, Path: "/w2/q", Version: -1, Data: []byte("half")},
				{Op: zk.OpSetData, Path: "/w2/e", Version: -1, Data: []byte("half")}}}}}
		},
		up: func(t *testing.T, _ *fleet, c *client.Conn) {
			do(t, c, &zk.Request{Op: zk.OpSetData, Path: "/w2/q", Version: -1, Data: []byte("half")})
		}},
	{name: "of two requests in doubt only the second is done", says: "neither what was acknowledged",
		down: func(_ *testing.T, f *fleet) {
			for _, path := range []string{"/w2/q", "/w2/e"} {
				f.workers[2].pending = append(f.workers[2].pending, &op{req: zk.Request{Op: zk.OpSetData, Path: path, Version: -1}})
			}
		},
		up: func(t *testing.T, _ *fleet, c *client.Conn) {
			do(t, c, &zk.Request{Op: zk.OpSetData, Path: "/w2/e", Version: -1})
		}},
}

// do is a request that must succeed.
func do(t *testing.T, c *client.Conn, r *zk.Request) *zk.Reply {
	t.Helper()
	reply, err := c.Do(r)
	if err != nil || reply.Err != zk.OK {
		t.Fatalf("%v %s: %v, %v", r.Op, r.Path, reply, err)
	}
	return reply
}

// dropLastRecord takes from the log the record of a write that worker 0 was told is done.
func dropLastRecord(t *testing.T, f *fleet) {
	d, err := datadir.Open(datadir.Options{FS: vfs.OS{}, Dir: f.p.data})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // the server will open it
	r, err := d.Recover(datadir.RecoverOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Tree.Zxid() != f.workers[0].seen {
		t.Fatalf("the log ends at %v, the last write was %v", r.Tree.Zxid(), f.workers[0].seen)
	}
	if err := d.Truncate(r.Tree.Zxid() - 1); err != nil {
		t.Fatal(err)
	}
}

// TestCheckerFindsLies proves that the checks of TestKill fail when they should, and pass when nothing is wrong.
func TestCheckerFindsLies(t *testing.T) {
	s := seed(t)
	for _, lie := range lies {
		t.Run(lie.name, func(t *testing.T) {
			p := described(t, paddock, busy...)
			f := prepared(t, p, s)
			if lie.down != nil {
				lie.down(t, f)
			}
			running(t, p)
			if lie.up != nil {
				c, err := dialSuper(p.addr())
				if err != nil {
					t.Fatal(err)
				}
				lie.up(t, f, c)
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			}
			err := f.check()
			f.release()
			if err == nil || !strings.Contains(err.Error(), lie.says) {
				t.Errorf("found %v, want %q", err, lie.says)
			}
		})
	}
	t.Run("nothing is wrong", func(t *testing.T) {
		p := described(t, paddock, busy...)
		f := prepared(t, p, s)
		running(t, p)
		if err := f.check(); err != nil {
			t.Error(err)
		}
		f.release()
	})
}

// prepared is a fleet that has worked, has nothing in doubt, and whose server is down; the last record is a write of
// worker 0, and worker 1 has an ephemeral znode.
func prepared(t *testing.T, p *process, s uint64) *fleet {
	t.Helper()
	running(t, p)
	f, err := newFleet(p, s)
	if err != nil {
		t.Fatal(err)
	}
	l := f.begin(500 + rand.New(rand.NewPCG(s, 2)).Int64N(500))
	if err := l.await(p); err != nil {
		t.Fatal(err)
	}
	if err := l.end(); err != nil {
		t.Fatal(err)
	}
	for i := 2; i >= 0; i-- {
		w := f.workers[i]
		o := &op{req: zk.Request{Op: zk.OpSetData, Path: w.root + "/q", Version: -1, Data: []byte("last")}}
		if i == 1 {
			o.req = zk.Request{Op: zk.OpCreate, Path: "/w1/e/here", ACL: zk.OpenACL, Mode: zk.Ephemeral, TTLMS: -1}
		}
		if !w.acked.open {
			w.session, w.password = 0, nil // it closed its session; connect opens another
		}
		if err := w.connect(); err != nil {
			t.Fatal(err)
		}
		r := do(t, w.conn, &o.req)
		w.acked.step(o, w.session, r.Zxid)
		w.ahead, w.seen = w.acked.clone(), r.Zxid
		w.hangUp()
	}
	if err := p.kill(); err != nil {
		t.Fatal(err)
	}
	return f
}
