package grpcapi

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// watcher is a client's end of a stream of watches.
type watcher struct {
	t      testing.TB
	stream grpc.BidiStreamingClient[paddockv1.WatchRequest, paddockv1.WatchResponse]
	cancel context.CancelFunc
}

func (r *rig) watch(ctx context.Context, conn *grpc.ClientConn) *watcher {
	r.t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	r.t.Cleanup(cancel)
	stream, err := paddockv1.NewWatchServiceClient(conn).Watch(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	return &watcher{r.t, stream, cancel}
}

func (w *watcher) send(m *paddockv1.WatchRequest) {
	w.t.Helper()
	if err := w.stream.Send(m); err != nil {
		w.t.Fatal(err)
	}
}

// create asks for a watch and waits until it has begun.
func (w *watcher) create(c *paddockv1.CreateWatch) zk.Zxid {
	w.t.Helper()
	w.send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: c}})
	m := w.next()
	if m.GetCreated() == nil || m.GetWatchId() != c.GetWatchId() {
		w.t.Fatalf("a watch begins with %v", m)
	}
	return zk.Zxid(m.GetCreated().GetAfterZxid())
}

func (w *watcher) next() *paddockv1.WatchResponse {
	w.t.Helper()
	m, err := w.stream.Recv()
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// expect reads messages until all of want were told, and nothing else.
func (w *watcher) expect(want ...string) {
	w.t.Helper()
	for n := 0; n < len(want); {
		m := w.next()
		var got []string
		switch {
		case m.GetEvents() != nil:
			for _, c := range m.GetEvents().GetChanges() {
				got = append(got, fmt.Sprintf("%d %v", m.GetWatchId(), render(c)))
			}
		case m.GetCancelled() != nil:
			got = []string{fmt.Sprintf("%d over: %v", m.GetWatchId(), m.GetCancelled().GetReason().String()[len("WATCH_CANCEL_REASON_"):])}
		default:
			got = []string{fmt.Sprint(m)}
		}
		for _, g := range got {
			if n >= len(want) || g != want[n] {
				w.t.Fatalf("told %q, want %q", g, want[min(n, len(want)-1):])
			}
			n++
		}
	}
}

func render(c *paddockv1.Change) string {
	text := map[paddockv1.ChangeType]string{1: "+", 2: "-", 3: "=", 4: "!"}[c.GetType()] + c.GetPath()
	if c.Data != nil {
		text += fmt.Sprintf(" %q", c.GetData())
	}
	if c.PreviousData != nil {
		text += fmt.Sprintf(" was %q", c.GetPreviousData())
	}
	if c.Acl != nil {
		text += " list " + renderList(c.GetAcl().GetAcl())
	}
	if c.PreviousAcl != nil {
		text += " list was " + renderList(c.GetPreviousAcl().GetAcl())
	}
	return text
}

func (r *rig) set(path, data string) zk.Zxid {
	r.t.Helper()
	out, err := r.znodes.Set(r.t.Context(), &paddockv1.SetRequest{Path: path, Data: []byte(data)})
	if err != nil {
		r.t.Fatal(err)
	}
	return zk.Zxid(out.GetStat().GetMzxid())
}

func (r *rig) remove(path string) {
	r.t.Helper()
	if _, err := r.znodes.Delete(r.t.Context(), &paddockv1.DeleteRequest{Path: path}); err != nil {
		r.t.Fatal(err)
	}
}

const (
	dataOnce     = paddockv1.WatchKind_WATCH_KIND_DATA_ONCE
	childrenOnce = paddockv1.WatchKind_WATCH_KIND_CHILDREN_ONCE
	persistent   = paddockv1.WatchKind_WATCH_KIND_PERSISTENT
	recursive    = paddockv1.WatchKind_WATCH_KIND_RECURSIVE
)

func TestEachKindOfWatchIsToldItsOwn(t *testing.T) {
	changes := func(r *rig) {
		r.create("/a", "0")
		r.set("/a", "1")
		r.create("/a/b", "x")
		r.set("/a/b", "y")
		r.create("/a/b/c", "deep")
		r.create("/ab", "")
		r.remove("/a/b/c")
		r.remove("/a/b")
		r.remove("/a")
	}
	for name, c := range map[string]struct {
		watch *paddockv1.CreateWatch
		want  []string
	}{
		"once of data":                      {&paddockv1.CreateWatch{Path: "/a", Kind: dataOnce}, []string{"7 +/a", "7 over: FIRED"}},
		"once of children":                  {&paddockv1.CreateWatch{Path: "/a", Kind: childrenOnce}, []string{"7 +/a/b", "7 over: FIRED"}},
		"children of a znode without any":   {&paddockv1.CreateWatch{Path: "/a/b/c", Kind: childrenOnce}, []string{"7 -/a/b/c", "7 over: FIRED"}},
		"persistent, with data":             {&paddockv1.CreateWatch{Path: "/a", Kind: persistent, WithData: true}, []string{`7 +/a "0"`, `7 =/a "1"`, `7 +/a/b "x"`, "7 -/a/b", "7 -/a"}},
		"persistent, with what was":         {&paddockv1.CreateWatch{Path: "/a", Kind: persistent, WithPrevious: true}, []string{`7 +/a`, `7 =/a was "0"`, `7 +/a/b`, `7 -/a/b was "y"`, `7 -/a was "1"`}},
		"recursive, with all there is":      {&paddockv1.CreateWatch{Path: "/a/b", Kind: recursive, WithData: true, WithPrevious: true}, []string{`7 +/a/b "x"`, `7 =/a/b "y" was "x"`, `7 +/a/b/c "deep"`, `7 -/a/b/c was "deep"`, `7 -/a/b was "y"`}},
		"recursive of everything":           {&paddockv1.CreateWatch{Path: "/", Kind: recursive}, []string{"7 +/a", "7 =/a", "7 +/a/b", "7 =/a/b", "7 +/a/b/c", "7 +/ab", "7 -/a/b/c", "7 -/a/b", "7 -/a"}},
		"persistent of the root's children": {&paddockv1.CreateWatch{Path: "/", Kind: persistent}, []string{"7 +/a", "7 +/ab", "7 -/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			before := r.create("/before", "")
			w := r.watch(t.Context(), r.conn)
			c.watch.WatchId = 7
			w.create(c.watch)
			changes(r)
			w.expect(c.want...)
			again := r.watch(t.Context(), r.conn) // the same, from what was
			c.watch.StartAfterZxid = before.GetZxid()
			if got := again.create(c.watch); uint64(got) != before.GetZxid() {
				t.Errorf("resumed after %v", got)
			}
			again.expect(c.want...)
			r.create("/a", "again")
			if c.watch.Kind == persistent && c.watch.Path == "/a" && !c.watch.WithData {
				again.expect("7 +/a")
				w.expect("7 +/a")
			}
		})
	}
}

func TestAWatchIsToldOnlyWhatItsIdentitiesMayRead(t *testing.T) {
	r := newRig(t)
	closed := []*paddockv1.Acl{{Permissions: []paddockv1.Permission{paddockv1.Permission_PERMISSION_READ}, Scheme: "digest", Id: "b:x"}}
	r.create("/p", "")
	w := r.watch(t.Context(), r.conn)
	w.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/p", Kind: recursive, WithData: true})
	children := r.watch(t.Context(), r.conn)
	children.create(&paddockv1.CreateWatch{WatchId: 2, Path: "/p", Kind: persistent, WithData: true})
	once := r.watch(t.Context(), r.conn)
	once.create(&paddockv1.CreateWatch{WatchId: 3, Path: "/p/x", Kind: dataOnce})
	if _, err := r.znodes.Create(t.Context(), &paddockv1.CreateRequest{Path: "/p/x", Data: []byte("secret"), Acl: closed}); err != nil {
		t.Fatal(err)
	}
	r.create("/p/y", "open")
	r.remove("/p/x") // which only the parent judges
	r.create("/p/x", "open")
	w.expect(`1 +/p/y "open"`, `1 +/p/x "open"`)
	children.expect(`2 +/p/x`, `2 +/p/y "open"`, `2 -/p/x`, `2 +/p/x "open"`)
	once.expect("3 +/p/x", "3 over: FIRED")
}

func TestWatchesEndAndMark(t *testing.T) {
	r := newRig(t)
	z := r.create("/a", "").GetZxid()
	w := r.watch(t.Context(), r.conn)
	w.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/a", Kind: persistent})
	w.create(&paddockv1.CreateWatch{WatchId: 2, Path: "/a", Kind: persistent})
	w.send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Cancel{Cancel: &paddockv1.CancelWatch{WatchId: 1}}})
	w.expect("1 over: ASKED")
	r.set("/a", "1")
	w.expect("2 =/a")
	w.send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Progress{Progress: &paddockv1.ProgressRequest{}}})
	if m := w.next(); m.GetWatchId() != 0 || m.GetProgress().GetZxid() <= z {
		t.Errorf("%v", m)
	}
	w.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/none", Kind: dataOnce, ProgressMs: 100})
	at := uint64(r.set("/a", "2"))
	w.expect("2 =/a")
	for m := w.next(); m.GetProgress().GetZxid() < at || m.GetWatchId() != 1; m = w.next() {
		if m.GetProgress() == nil {
			t.Fatalf("%v", m)
		}
	}
	for name, c := range map[string]*paddockv1.CreateWatch{
		"a path that is none":          {Path: "a", Kind: dataOnce},
		"a kind that is none":          {Path: "/a", Kind: 99},
		"marks too often":              {Path: "/a", Kind: dataOnce, ProgressMs: 99},
		"a zxid that is none":          {Path: "/a", Kind: dataOnce, StartAfterZxid: 1 << 63},
		"a zxid that nobody has heard": {Path: "/a", Kind: dataOnce, StartAfterZxid: 1 << 60},
	} {
		bad := r.watch(t.Context(), r.conn)
		c.WatchId = 5
		bad.send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: c}})
		m := bad.next().GetCancelled()
		want := paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_INVALID
		if c.StartAfterZxid == 1<<60 {
			want = paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_ZXID_AHEAD
		}
		if m.GetReason() != want || m.GetMessage() == "" {
			t.Errorf("%s: %v", name, m)
		}
	}
	w.send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: &paddockv1.CreateWatch{WatchId: 2, Path: "/b", Kind: dataOnce}}})
	for {
		if _, err := w.stream.Recv(); err != nil {
			expect(t, err, codes.InvalidArgument, "BADARGUMENTS")
			break
		}
	}
}

func TestATransactionIsToldAsAWhole(t *testing.T) {
	r := newRig(t)
	r.create("/t", "")
	w := r.watch(t.Context(), r.conn)
	w.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/t", Kind: recursive, WithData: true})
	ctx, s := r.open(10_000)
	for i := range 5 {
		if _, err := r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: fmt.Sprint("/t/", i), Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL}); err != nil {
			t.Fatal(err)
		}
		w.expect(fmt.Sprintf(`1 +/t/%d ""`, i))
	}
	_ = s
	if _, err := r.sess.CloseSession(ctx, &paddockv1.CloseSessionRequest{}); err != nil {
		t.Fatal(err)
	}
	m := w.next().GetEvents()
	if len(m.GetChanges()) != 5 || m.GetMore() {
		t.Errorf("the end of a session is told as %v", m)
	}
}

// Who reads too slowly is cut, and can go on from where the error says.
func TestASlowReaderIsCutAndNobodyElse(t *testing.T) {
	r := newRig(t)
	r.create("/big", "")
	deaf := r.watch(t.Context(), r.dial())
	from := deaf.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/big", Kind: persistent, WithData: true})
	healthy := r.watch(t.Context(), r.dial())
	healthy.create(&paddockv1.CreateWatch{WatchId: 2, Path: "/big", Kind: persistent, WithData: true})
	data := string(make([]byte, 100<<10))
	var zxids []uint64
	for range 100 {
		z := r.set("/big", data)
		zxids = append(zxids, uint64(z))
		if got := healthy.next().GetEvents().GetChanges(); len(got) != 1 || got[0].GetZxid() != uint64(z) {
			t.Fatalf("%d changes, want that of %v", len(got), z)
		}
	}
	seen := uint64(from)
	var cut error
	for cut == nil {
		m, err := deaf.stream.Recv()
		for _, c := range m.GetEvents().GetChanges() {
			seen = c.GetZxid()
		}
		cut = err
	}
	info := expect(t, cut, codes.ResourceExhausted, "SLOW_READER")
	var resume uint64
	if _, err := fmt.Sscan(info.GetMetadata()["zxid"], &resume); err != nil {
		t.Fatal(err)
	}
	after := max(seen, resume)
	if h := r.server.door.hub; h.queued.Load() > watchQueueBytes {
		t.Errorf("%d bytes are still queued", h.queued.Load())
	}
	again := r.watch(t.Context(), r.conn)
	again.create(&paddockv1.CreateWatch{WatchId: 3, Path: "/big", Kind: persistent, StartAfterZxid: after})
	want := slices.DeleteFunc(zxids, func(z uint64) bool { return z <= after })
	for len(want) > 0 {
		for _, c := range again.next().GetEvents().GetChanges() {
			if len(want) == 0 || c.GetZxid() != want[0] {
				t.Fatalf("resumed after %d: told of %d, want %d", after, c.GetZxid(), want)
			}
			want = want[1:]
		}
	}
}

func TestWatchStreamsEndWithTheServer(t *testing.T) {
	r := newRig(t)
	w := r.watch(t.Context(), r.conn)
	w.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/a", Kind: persistent})
	ctx, _ := r.open(10_000)
	of := r.watch(ctx, r.conn)
	of.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/a", Kind: persistent})
	if _, err := r.sess.CloseSession(ctx, &paddockv1.CloseSessionRequest{}); err != nil {
		t.Fatal(err)
	}
	_, err := of.stream.Recv()
	expect(t, err, codes.Unauthenticated, "SESSIONEXPIRED")
	r.server.Settle(t.Context())
	_, err = w.stream.Recv()
	expect(t, err, codes.Unavailable, "CONNECTIONLOSS")
	hub := r.server.door.hub
	r.eventually("what was queued has been sent, or given up", func() bool { return hub.queued.Load() == 0 })
	if len(hub.streams) != 0 || hub.watches != 0 || hub.index.size != 0 || len(hub.index.at) != 0 {
		t.Errorf("left behind: %d streams, %d watches, %d in %d places", len(hub.streams), hub.watches, hub.index.size, len(hub.index.at))
	}
}
