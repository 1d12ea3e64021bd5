package replica_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

// Many clients, reads and writes at random, a disk that lags at random: everybody is answered in the order of his requests,
// and reads see every earlier write of their client.
func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			w := newWorld(t)
			clients := []request.ClientID{w.connect(), w.connect(), w.connect()}
			want := map[request.ClientID][]string{}
			sets := map[request.ClientID]int{}
			for i, c := range clients {
				w.create(c, fmt.Sprint("/c", i), zk.Persistent)
				w.told[c] = nil
			}
			w.lag = true
			for xid := range int32(1000) { // more than a queue holds before it tidies up
				i := rnd.IntN(len(clients))
				c, path := clients[i], fmt.Sprint("/c", i)
				answer := zk.OK
				switch rnd.IntN(6) {
				case 0, 1:
					w.send(c, zk.Request{Xid: xid, Op: zk.OpSetData, Path: path, Version: int32(sets[c])})
					sets[c]++
				case 2:
					w.send(c, zk.Request{Xid: xid, Op: zk.OpSync, Path: path})
				case 3:
					w.send(c, zk.Request{Xid: xid, Op: zk.OpDelete, Path: "/no", Version: -1})
					answer = zk.NoNode
				default:
					w.send(c, zk.Request{Xid: xid, Op: zk.OpGetData, Path: path})
				}
				want[c] = append(want[c], fmt.Sprintf("%d %v", xid, answer))
				if rnd.IntN(200) == 0 {
					w.sync()
				}
			}
			w.sync()
			for i, c := range clients {
				w.expect(c, want[c]...)
				if r := w.send(c, zk.Request{Xid: 1, Op: zk.OpExists, Path: fmt.Sprint("/c", i)}); int(r.Stat.Version) != sets[c] {
					t.Errorf("version %d after %d writes", r.Stat.Version, sets[c])
				}
			}
		})
	}
}

func TestAReadBehindAWriteSeesIt(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	w.lag = true
	w.create(c, "/a", zk.Persistent)
	w.send(c, zk.Request{Xid: 2, Op: zk.OpSetData, Path: "/a", Data: []byte("new"), Version: -1})
	w.send(c, zk.Request{Xid: 3, Op: zk.OpGetData, Path: "/a"})
	w.send(c, zk.Request{Xid: 4, Op: zk.OpDelete, Path: "/a", Version: 1})
	w.send(c, zk.Request{Xid: 5, Op: zk.OpExists, Path: "/a"})
	w.told[c] = nil
	var seen []string
	got := &listener{world: w, reply: func(r *zk.Reply) { seen = append(seen, fmt.Sprintf("%d %v %q", r.Xid, r.Err, r.Data)) }}
	w.r.Step(&replica.Event{Kind: replica.Durable, Zxid: w.appended[len(w.appended)-1]}, got)
	want := []string{`1 OK ""`, `2 OK ""`, `3 OK "new"`, `4 OK ""`, `5 NoNode ""`}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("got %q", seen)
	}
}

// listener is a world whose replies somebody else looks at.
type listener struct {
	*world
	reply func(*zk.Reply)
}

func (l *listener) Reply(_ request.ClientID, _ int64, r *zk.Reply) { l.reply(r) }

func TestPartOfThePipelineIsAnsweredWhenPartIsDurable(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	w.told[c] = nil
	w.lag = true
	w.create(c, "/a", zk.Persistent)
	w.send(c, zk.Request{Xid: 2, Op: zk.OpExists, Path: "/b"})
	w.send(c, zk.Request{Xid: 3, Op: zk.OpSync, Path: "/"})
	w.send(c, zk.Request{Xid: 4, Op: zk.OpCreate, Path: "/b"})
	w.send(c, zk.Request{Xid: 5, Op: zk.OpSync, Path: "/"})
	w.send(c, zk.Request{Xid: 6, Op: zk.OpExists, Path: "/b"})
	first := w.appended[len(w.appended)-2]
	durable := func(z zk.Zxid) {
		w.step(replica.Event{Kind: replica.Durable, Zxid: z})
	}
	durable(first)
	w.expect(c, "1 OK", "2 NoNode", "3 OK")
	durable(first) // once more, as it may come after a restart of the log
	w.expect(c)
	durable(first + 1)
	w.expect(c, "4 OK", "5 OK", "6 OK")
}

func TestSyncWithNothingInFlightIsAnsweredAtOnce(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	w.told[c] = nil
	w.lag = true
	if r := w.send(c, zk.Request{Xid: 1, Op: zk.OpSync, Path: "/what/ever"}); r.Path != "/what/ever" {
		t.Errorf("%+v", r)
	}
	w.expect(c, "1 OK")
}

// A sync waits for what was proposed before it, not for what comes after.
func TestSyncDoesNotWaitForLaterWrites(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect(), w.connect()
	w.told[c] = nil
	w.lag = true
	w.create(other, "/a", zk.Persistent)
	w.send(c, zk.Request{Xid: 1, Op: zk.OpSync, Path: "/"})
	w.create(other, "/b", zk.Persistent)
	w.step(replica.Event{Kind: replica.Durable, Zxid: w.appended[len(w.appended)-2]})
	w.expect(c, "1 OK")
}

// One fsync covers another's write, a sync that waits for it, and a later write of the client that syncs.
func TestASyncIsAnsweredBeforeALaterWriteOfItsClient(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect(), w.connect()
	w.told[c] = nil
	w.lag = true
	w.create(other, "/a", zk.Persistent)
	w.send(c, zk.Request{Xid: 1, Op: zk.OpSync, Path: "/"})
	w.send(c, zk.Request{Xid: 2, Op: zk.OpExists, Path: "/a"})
	w.send(c, zk.Request{Xid: 3, Op: zk.OpCreate, Path: "/b"})
	w.send(c, zk.Request{Xid: 4, Op: zk.OpSync, Path: "/"})
	w.sync()
	w.expect(c, "1 OK", "2 OK", "3 OK", "4 OK")
}

func TestOneClientDoesNotWaitForAnother(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect(), w.connect()
	w.told[c], w.told[other] = nil, nil
	w.lag = true
	w.create(c, "/a", zk.Persistent)
	w.send(other, zk.Request{Xid: 1, Op: zk.OpGetChildren, Path: "/"})
	w.send(other, zk.Request{Xid: zk.XidPing, Op: zk.OpPing})
	w.expect(c)
	w.expect(other, "1 OK", "-2 OK")
}

func TestAPingWaitsItsTurn(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	w.told[c] = nil
	w.lag = true
	w.create(c, "/a", zk.Persistent)
	w.send(c, zk.Request{Xid: 77, Op: zk.OpPing})
	w.expect(c)
	w.sync()
	w.expect(c, "1 OK", "-2 OK")
}

func TestNothingIsAnsweredBehindTheEndOfAConnection(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	w.told[c] = nil
	w.lag = true
	w.create(c, "/a", zk.Persistent)
	w.send(c, zk.Request{Xid: 2, Op: 77})
	w.send(c, zk.Request{Xid: 3, Op: zk.OpExists, Path: "/a"})
	w.sync()
	w.expect(c, "1 OK", "2 Unimplemented", "closed: unknown_op")
}

func TestEventsOfOneTxnComeBeforeThoseOfTheNext(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect(), w.connect()
	w.send(c, zk.Request{Xid: 1, Op: zk.OpAddWatch, Path: "/", Arg: int32(zk.AddPersistentRecursive)})
	w.send(c, zk.Request{Xid: 1, Op: zk.OpAddWatch, Path: "/", Arg: int32(zk.AddPersistent)})
	w.told[c] = nil
	w.lag = true
	w.create(other, "/a", zk.Persistent)
	w.send(other, zk.Request{Xid: 2, Op: zk.OpSetData, Path: "/a", Version: 0})
	w.send(c, zk.Request{Xid: 5, Op: zk.OpSync, Path: "/"})
	w.send(other, zk.Request{Xid: 3, Op: zk.OpMulti, Ops: []zk.Request{
		{Op: zk.OpDelete, Path: "/a", Version: -1}, {Op: zk.OpCreate, Path: "/a", ACL: zk.OpenACL, TTLMS: -1}, {Op: zk.OpSetData, Path: "/a", Version: -1}}})
	w.expect(c)
	w.sync()
	w.expect(c, "NodeCreated /a", "NodeChildrenChanged /", "NodeDataChanged /a", "5 OK",
		"NodeDeleted /a", "NodeChildrenChanged /", "NodeCreated /a", "NodeChildrenChanged /", "NodeDataChanged /a")
}

func TestEventsHaveTheSameTextInEveryTrace(t *testing.T) {
	for want, ev := range map[string]replica.Event{
		"opened client=3": {Kind: replica.Opened, Client: 3}, "disconnected client=3": {Kind: replica.Disconnected, Client: 3},
		"connect client=3 session=0x5":     {Kind: replica.Connect, Client: 3, Connect: &zk.ConnectRequest{Session: 5}},
		"request client=3 xid=7 create /a": {Kind: replica.Request, Client: 3, Request: &zk.Request{Xid: 7, Op: zk.OpCreate, Path: "/a"}},
		"durable 0x10":                     {Kind: replica.Durable, Zxid: 16}, "tick": {Kind: replica.Tick}, "snapshot-now": {Kind: replica.SnapshotNow},
		"snapshot-done": {Kind: replica.SnapshotDone}, "expire-now 0x5": {Kind: replica.ExpireNow, Session: 5}, "event": {Kind: 99},
	} {
		if got := ev.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
