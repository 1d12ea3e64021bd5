package replica_test

import (
	"fmt"
	"slices"
	"testing"

	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/prep"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
)

// world carries out the effects of one replica: the disk is durable when the test says so, clients are lists of
// what they were told.
type world struct {
	t        *testing.T
	r        *replica.Replica
	nowMS    int64
	lag      bool // the disk waits for sync
	appended []zk.Zxid
	durable  int
	rolls    int
	views    []*tree.View
	notes    []replica.Note
	told     map[request.ClientID][]string
	last     map[request.ClientID]zk.Reply
	sessions map[request.ClientID]zk.ConnectResponse
	next     request.ClientID

	installed *tree.View // the last of a leader's that was to be stored

	peer  func(*consensus.Action) // nil: there are no peers
	later []consensus.Event       // to be reported
}

func newWorld(t *testing.T, change ...func(*replica.Config)) *world {
	t.Helper()
	return worldOf(t, tree.New(1), change...)
}

// worldOf starts a server with a tree that was recovered.
func worldOf(t *testing.T, tr *tree.Tree, change ...func(*replica.Config)) *world {
	t.Helper()
	cfg := worldConfig(t, change...)
	w := newBareWorld(t)
	var err error
	if w.r, err = replica.New(cfg, tr, 0, wallStart); err != nil {
		t.Fatal(err)
	}
	w.r.Start(w)
	w.sync()
	return w
}

// newBareWorld is a world without a server.
func newBareWorld(t *testing.T) *world {
	return &world{t: t, told: map[request.ClientID][]string{}, last: map[request.ClientID]zk.Reply{}, sessions: map[request.ClientID]zk.ConnectResponse{}}
}

// worldConfig is the usual configuration, changed.
func worldConfig(t *testing.T, change ...func(*replica.Config)) replica.Config {
	t.Helper()
	a, err := auth.New(auth.Config{SuperDigest: "super:D/InIHSb7yEEbrWz8b9l71RjZJU="})
	if err != nil {
		t.Fatal(err)
	}
	cfg := replica.Config{
		ServerID: 1, Auth: a, Prep: prep.Config{ExtendedTypes: true}, TickMS: 1000, MinSessionMS: 2000, MaxSessionMS: 40_000,
		SnapshotTxns: 100_000, Seed: 1, ContainerCheckMS: 60_000, ContainerNeverUsedMS: 300_000, ContainerPerMinute: 10_000,
	}
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

const wallStart = 1_700_000_000_000

func (w *world) say(c request.ClientID, format string, args ...any) {
	w.told[c] = append(w.told[c], fmt.Sprintf(format, args...))
}

func (w *world) Connected(c request.ClientID, r *zk.ConnectResponse) {
	w.sessions[c] = *r
	w.say(c, "connected %d", r.TimeoutMS)
}

func (w *world) Reply(c request.ClientID, _ int64, r *zk.Reply) {
	w.last[c] = *r
	w.say(c, "%d %v", r.Xid, r.Err)
}

func (w *world) Event(c request.ClientID, e *zk.Event) { w.say(c, "%v %s", e.Type, e.Path) }

func (w *world) Close(c request.ClientID, why request.CloseReason) { w.say(c, "closed: %v", why) }

func (w *world) Append(z zk.Zxid, _ []byte) { w.appended = append(w.appended, z) }
func (w *world) Roll()                      { w.rolls++ }
func (w *world) Snapshot(v *tree.View)      { w.views = append(w.views, v) }
func (w *world) Applied(*replica.Applied)   {}
func (w *world) Note(n replica.Note)        { w.notes = append(w.notes, n) }

func (w *world) Peer(a *consensus.Action) {
	if w.peer == nil {
		panic("there are no peers")
	}
	w.peer(a)
}

func (w *world) SendSnap(consensus.LinkID, *tree.View) { panic("there are no peers") }
func (w *world) Truncate(zk.Zxid, bool)                { panic("there is no leader to follow") }
func (w *world) Install(v *tree.View)                  { w.installed = v }

func (w *world) step(ev replica.Event) {
	ev.NowMS, ev.WallMS = w.nowMS, wallStart+w.nowMS
	w.r.Step(&ev, w)
	if !w.lag {
		w.sync()
	}
}

// sync makes the disk catch up.
func (w *world) sync() {
	for w.durable < len(w.appended) {
		w.durable = len(w.appended)
		w.r.Step(&replica.Event{Kind: replica.Durable, Zxid: w.appended[w.durable-1], NowMS: w.nowMS, WallMS: wallStart + w.nowMS}, w)
	}
}

// open accepts a connection that has not asked for anything yet.
func (w *world) open() request.ClientID {
	w.next++
	w.step(replica.Event{Kind: replica.Opened, Client: w.next, Origin: request.Origin{IP: "127.0.0.1"}})
	return w.next
}

// connect opens a session.
func (w *world) connect() request.ClientID {
	c := w.open()
	w.step(replica.Event{Kind: replica.Connect, Client: c, Connect: &zk.ConnectRequest{TimeoutMS: 10_000}})
	return c
}

func (w *world) send(c request.ClientID, req zk.Request) zk.Reply {
	if req.ACL == nil && req.Op.IsCreate() {
		req.ACL = zk.OpenACL
	}
	if req.Op.IsCreate() && !req.Mode.IsTTL() {
		req.TTLMS = -1
	}
	w.last[c] = zk.Reply{}
	w.step(replica.Event{Kind: replica.Request, Client: c, Request: &req})
	return w.last[c]
}

func (w *world) create(c request.ClientID, path string, mode zk.CreateMode) zk.Reply {
	return w.send(c, zk.Request{Xid: 1, Op: zk.OpCreate, Path: path, Mode: mode})
}

// expect compares what a client was told since the last call.
func (w *world) expect(c request.ClientID, want ...string) {
	w.t.Helper()
	if got := w.told[c]; !slices.Equal(got, want) {
		w.t.Errorf("client %d was told\n %q, want\n %q", c, got, want)
	}
	w.told[c] = nil
}

// at moves the clock and lets the server see it, as it goes.
func (w *world) at(nowMS int64) {
	for w.nowMS < nowMS-tickOften {
		w.nowMS += tickOften
		w.step(replica.Event{Kind: replica.Tick})
	}
	w.nowMS = nowMS
	w.step(replica.Event{Kind: replica.Tick})
}

// tickOften is how often the server is ticked, in milliseconds: within what it takes for a standstill.
const tickOften = 500

func (w *world) gone(c request.ClientID) {
	w.step(replica.Event{Kind: replica.Disconnected, Client: c})
}

// ask sends a ConnectRequest on a new connection.
func (w *world) ask(req zk.ConnectRequest) request.ClientID {
	c := w.open()
	w.step(replica.Event{Kind: replica.Connect, Client: c, Connect: &req})
	return c
}

// again takes up the session of c on a new connection.
func (w *world) again(c request.ClientID) request.ClientID {
	s := w.sessions[c]
	return w.ask(zk.ConnectRequest{TimeoutMS: 10_000, Session: s.Session, Password: s.Password[:]})
}

// noted counts the notes of a kind.
func (w *world) noted(kind replica.NoteKind) (n int) {
	for _, note := range w.notes {
		if note.Kind == kind {
			n++
		}
	}
	return n
}

func (w *world) exists(path string) bool {
	_, ok := w.r.Tree().Find(path)
	return ok
}
