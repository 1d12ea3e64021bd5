package replica_test

import (
	"fmt"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
)

const minute = 60_000

func (w *world) sendAll(reqs ...zk.Request) {
	w.t.Helper()
	c := w.connect()
	for _, req := range reqs {
		if r := w.send(c, req); r.Err != zk.OK {
			w.t.Fatal(req.Path, r.Err)
		}
	}
	w.send(c, zk.Request{Op: zk.OpCloseSession})
}

func containerAt(path string) zk.Request {
	return zk.Request{Op: zk.OpCreateContainer, Path: path, Mode: zk.Container}
}

func ttlAt(path string, ms int64) zk.Request {
	return zk.Request{Op: zk.OpCreateTTL, Path: path, Mode: zk.PersistentTTL, TTLMS: ms}
}

// sweep has the server look for candidates, and gives it the time to delete them.
func (w *world) sweep(nowMS int64) {
	w.at(nowMS)
	w.at(nowMS + 100)
}

func TestContainersAndTTLZnodesAreSwept(t *testing.T) {
	w := newWorld(t)
	w.sendAll(containerAt("/used"), create("/used/a"), remove("/used/a"), containerAt("/fresh"), containerAt("/full"), create("/full/a"),
		ttlAt("/short", 30_000), ttlAt("/long", 2*minute), ttlAt("/parent", 1), create("/parent/a"), create("/plain"))
	c := w.watching(addWatch("/", zk.AddPersistentRecursive))
	w.at(minute - 1)
	w.expect(c, "closed: session_expired")
	c = w.watching(addWatch("/", zk.AddPersistentRecursive))
	w.sweep(minute)
	w.expect(c, "NodeDeleted /short", "NodeDeleted /used")
	w.at(2*minute - 1)
	c = w.watching(addWatch("/", zk.AddPersistentRecursive))
	w.sweep(2 * minute)
	w.expect(c) // exactly as old as it may become
	w.sendAll(remove("/parent/a"))
	w.sweep(3 * minute)
	if w.exists("/long") || w.exists("/parent") || !w.exists("/fresh") {
		t.Error("the wrong znodes are left")
	}
	w.sweep(6 * minute) // never used, and older than five minutes
	for path, want := range map[string]bool{"/fresh": false, "/full": true, "/plain": true} {
		if w.exists(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
	if w.noted(replica.ContainersExpired) != 3 || w.noted(replica.DigestMismatch) != 0 {
		t.Errorf("notes %+v", w.notes)
	}
}

func TestTheSweepKeepsItsPace(t *testing.T) {
	w := newWorld(t, func(c *replica.Config) { c.ContainerPerMinute = 6 })
	var reqs []zk.Request
	for i := range 5 {
		reqs = append(reqs, ttlAt(fmt.Sprint("/", i), 1))
	}
	w.sendAll(reqs...)
	left := func() (n int) {
		for i := range 5 {
			if w.exists(fmt.Sprint("/", i)) {
				n++
			}
		}
		return n
	}
	for _, s := range []struct {
		at   int64
		left int
	}{{minute, 4}, {minute + 9_500, 4}, {minute + 10_000, 3}, {minute + 35_000, 1}, {minute + 40_000, 0}} {
		if w.at(s.at); left() != s.left {
			t.Errorf("at %d: %d left, want %d", s.at, left(), s.left)
		}
	}
}

func TestTheSweepCanBeSwitchedOff(t *testing.T) {
	for name, off := range map[string]func(*replica.Config){
		"by its interval": func(c *replica.Config) { c.ContainerCheckMS = 0 }, "by its pace": func(c *replica.Config) { c.ContainerPerMinute = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, off)
			w.sendAll(ttlAt("/a", 1))
			for i := range int64(10) {
				w.at(i * minute)
			}
			if !w.exists("/a") {
				t.Error("it is swept all the same")
			}
		})
	}
}

// What the sweep has found may have changed before its turn: the request looks again whether the znode is empty.
func TestASweptZnodeThatIsInUseStays(t *testing.T) {
	w := newWorld(t, func(c *replica.Config) { c.ContainerPerMinute = 60 })
	w.sendAll(ttlAt("/a", 1), ttlAt("/b", 1), ttlAt("/c", 1))
	w.at(minute)
	w.sendAll(create("/b/child"), remove("/c"), zk.Request{Op: zk.OpCreate, Path: "/c", Mode: zk.Persistent}, create("/c/child"))
	w.at(minute + 10_000)
	if w.exists("/a") || !w.exists("/b") || !w.exists("/c") {
		t.Error("the wrong znodes are left")
	}
}

func TestSnapshotsAreDueBySize(t *testing.T) {
	w := newWorld(t, func(c *replica.Config) { c.SnapshotBytes = 10_000 })
	c := w.connect()
	bytes := 0
	for len(w.views) == 0 && bytes < 100_000 {
		w.send(c, zk.Request{Op: zk.OpSetData, Path: "/", Data: make([]byte, 500), Version: -1})
		bytes += 500
	}
	if bytes < 4500 || bytes > 10_000 || w.rolls != 1 {
		t.Errorf("after %d bytes, %d rolls", bytes, w.rolls)
	}
	if got, want := w.views[0].Zxid(), w.r.Tree().Zxid(); got != want {
		t.Errorf("the view is of %v, the tree at %v", got, want)
	}
}

func TestTheLogRollsWithoutASnapshot(t *testing.T) {
	w := newWorld(t, func(c *replica.Config) { c.LogFileBytes = 10_000 })
	c := w.connect()
	for range 100 {
		w.send(c, zk.Request{Op: zk.OpSetData, Path: "/", Data: make([]byte, 900), Version: -1})
	}
	if w.rolls < 8 || w.rolls > 10 || len(w.views) != 0 {
		t.Errorf("%d rolls, %d snapshots", w.rolls, len(w.views))
	}
}

func TestASnapshotCountsFromHalfToAll(t *testing.T) {
	seen := map[int]bool{}
	for seed := range uint64(30) {
		w := newWorld(t, func(c *replica.Config) { c.SnapshotTxns, c.Seed = 100, seed })
		c := w.connect()
		for len(w.views) == 0 {
			w.send(c, set("/"))
		}
		n := len(w.appended)
		if n < 50 || n > 101 {
			t.Errorf("seed %d: after %d txns", seed, n)
		}
		seen[n] = true
	}
	if len(seen) < 5 {
		t.Errorf("all servers take snapshots in step: %v", seen)
	}
}

// However many txns there were, what is written again of a large tree is bounded by what has been logged.
func TestASnapshotWaitsForALogThatIsWorthIt(t *testing.T) {
	for _, row := range []struct {
		percent  int64
		bytes    int64
		from, to int // txns of 1 kB until there is a snapshot of 108 kB
	}{{0, 0, 5, 11}, {80, 0, 40, 88}, {80, 200_000, 85, 190}, {0, 200_000, 85, 190}} {
		for seed := range uint64(10) {
			full := newWorld(t)
			c := full.connect()
			for i := range 100 {
				full.send(c, zk.Request{Op: zk.OpCreate, Path: fmt.Sprint("/", i), Data: make([]byte, 1000), ACL: zk.OpenACL})
			}
			w := worldOf(t, full.r.Tree(), func(c *replica.Config) {
				c.SnapshotTxns, c.SnapshotLogPercent, c.SnapshotLogBytes, c.Seed = 10, row.percent, row.bytes, seed
			})
			c, n := w.connect(), 0
			for ; len(w.views) == 0 && n < 200; n++ {
				w.send(c, zk.Request{Op: zk.OpSetData, Path: "/7", Data: make([]byte, 1000), Version: -1})
			}
			if n < row.from || n > row.to || w.rolls != 1 {
				t.Errorf("%d percent, %d bytes: after %d txns, %d rolls", row.percent, row.bytes, n, w.rolls)
			}
		}
	}
}

func TestAnOperatorTakesASnapshot(t *testing.T) {
	w := newWorld(t)
	now := replica.Event{Kind: replica.SnapshotNow}
	w.step(now)
	w.step(now)
	if len(w.views) != 1 || w.noted(replica.SnapshotSkipped) != 1 || w.rolls != 0 {
		t.Fatalf("%d snapshots, notes %+v, %d rolls", len(w.views), w.notes, w.rolls)
	}
	znodes := w.views[0].Znodes()
	w.sendAll(create("/a"))
	if w.views[0].Znodes() != znodes {
		t.Error("the view changes")
	}
	w.step(replica.Event{Kind: replica.SnapshotDone, View: w.views[0]})
	w.step(now)
	if len(w.views) != 2 || w.views[1].Znodes() != znodes+1 {
		t.Errorf("%d snapshots", len(w.views))
	}
}

// The tree is changed behind the server's back, as a fault in the memory would.
func TestATreeThatIsNotAsForetoldIsNoticed(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	w.send(c, create("/a"))
	z := w.r.Tree().Zxid()
	w.r.Tree().Apply(&txn.Header{Zxid: z}, &txn.Txn{Type: zk.OpSetData, Path: "/a", Data: []byte("flipped")}, nil)
	if w.noted(replica.DigestMismatch) != 0 {
		t.Fatal("noticed before there was anything")
	}
	if r := w.send(c, create("/b")); r.Err != zk.OK || w.noted(replica.DigestMismatch) != 1 || w.notes[len(w.notes)-1].Zxid != z+1 {
		t.Errorf("%v, notes %+v", r.Err, w.notes)
	}
}

func TestConnectionsTakeTokens(t *testing.T) {
	w := newWorld(t, func(c *replica.Config) {
		c.Throttle = replica.ThrottleConfig{Tokens: 3, FillMS: 100, FillCount: 2, FreezeMS: -1}
	})
	try := func(want string) {
		t.Helper()
		w.expect(w.ask(zk.ConnectRequest{TimeoutMS: 9000}), want)
	}
	const in, out = "connected 9000", "closed: throttled"
	for range 3 {
		try(in)
	}
	try(out)
	w.nowMS = 99
	try(out)
	w.nowMS = 150
	for range 3 {
		try(in)
	}
	try(out)
	if n := w.noted(replica.ClientThrottled); n != 3 {
		t.Errorf("%d notes", n)
	}
}
