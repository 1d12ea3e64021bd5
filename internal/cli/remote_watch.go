package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	api "paddock/client"
	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/client"
	"paddock/internal/zk"
)

const (
	// settleMost is how long a reply waits for the events before it; later they come after it.
	settleMost = time.Second
	// toldMost is how many events are remembered, to tell one that several watches see once.
	toldMost = 4096
)

// watchKey is what a watch is: of one kind at one path there is one at most, as with ZooKeeper's clients.
type watchKey struct {
	path string
	kind paddockv1.WatchKind
}

// watched is a watch.
type watched struct {
	watchKey
	id    int64
	after uint64        // everything up to this zxid has been told
	begun chan struct{} // closed when the server has answered
	err   error         // why it has refused it; set before begun is closed
	known bool          // after was told by a server, and means what it says
}

// event is what is told once.
type event struct {
	zxid uint64
	kind zk.EventType
	path string
}

// watcher has the watches of a remote, on one stream. Its goroutine begins with the first, and ends with the remote.
type watcher struct {
	r   *remote
	rpc paddockv1.WatchServiceClient

	told map[event]int64 // which watch has; the reading goroutine's alone

	mu      sync.Mutex // guards all below, and sending
	watches map[watchKey]*watched
	last    int64         // id given
	running bool          // the goroutine
	stream  watchStream   // nil while there is none
	mark    zk.Zxid       // everything up to it has been told
	marked  chan struct{} // closed at the next mark, and then replaced
}

type watchStream = grpc.BidiStreamingClient[paddockv1.WatchRequest, paddockv1.WatchResponse]

func newWatcher(r *remote, rpc paddockv1.WatchServiceClient) *watcher {
	return &watcher{r: r, rpc: rpc, watches: map[watchKey]*watched{}, told: map[event]int64{}, marked: make(chan struct{})}
}

// once sets the watch that a read has asked for, from the moment of its reply on.
func (w *watcher) once(ctx context.Context, session *api.Session, req *zk.Request, reply *zk.Reply) error {
	kind := paddockv1.WatchKind_WATCH_KIND_DATA_ONCE
	switch {
	case reply.Err != zk.OK && (req.Op != zk.OpExists || reply.Err != zk.NoNode):
		return nil
	case req.Op == zk.OpGetChildren, req.Op == zk.OpGetChildren2:
		kind = paddockv1.WatchKind_WATCH_KIND_CHILDREN_ONCE
	}
	return w.set(ctx, session, watchKey{req.Path, kind}, reply.Zxid)
}

// set sets a watch, if there is none like it, and waits for the server's answer. It is told what is after a zxid; 0 for now.
func (w *watcher) set(ctx context.Context, session *api.Session, key watchKey, after zk.Zxid) error {
	w.mu.Lock()
	if w.watches[key] != nil {
		w.mu.Unlock()
		return nil
	}
	w.last++
	one := &watched{watchKey: key, id: w.last, after: uint64(after), begun: make(chan struct{})}
	w.watches[key] = one
	if w.stream != nil {
		_ = w.stream.Send(one.request()) // that it is broken shows where it is read
	}
	if !w.running {
		w.running = true
		w.r.loops.Go(func() { w.run(session) }) // ends with the context of the remote
	}
	w.mu.Unlock()
	select {
	case <-one.begun:
		return one.err
	case <-ctx.Done():
		return ctx.Err()
	case <-session.Done():
		return client.ErrExpired
	case <-w.r.ctx.Done():
		return client.ErrClosed
	}
}

// request asks for the watch.
func (o *watched) request() *paddockv1.WatchRequest {
	return &paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: &paddockv1.CreateWatch{
		WatchId: o.id, Path: o.path, Kind: o.kind, StartAfterZxid: o.after, FromStart: o.known,
	}}}
}

// remove ends the watches of a path that are of a type, and returns what tells of it.
func (w *watcher) remove(path string, t zk.WatcherType) (told []zk.EventType) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, row := range [...]struct {
		kind  paddockv1.WatchKind
		is    zk.WatcherType
		event zk.EventType
	}{
		{paddockv1.WatchKind_WATCH_KIND_CHILDREN_ONCE, zk.WatcherChildren, client.ChildWatchRemoved},
		{paddockv1.WatchKind_WATCH_KIND_DATA_ONCE, zk.WatcherData, client.DataWatchRemoved},
		{paddockv1.WatchKind_WATCH_KIND_PERSISTENT, zk.WatcherPersistent, client.PersistentWatchRemoved},
		{paddockv1.WatchKind_WATCH_KIND_RECURSIVE, zk.WatcherPersistentRecursive, client.PersistentWatchRemoved},
	} {
		one := w.watches[watchKey{path, row.kind}]
		if one == nil || t != zk.WatcherAny && t != row.is {
			continue
		}
		delete(w.watches, one.watchKey)
		if w.stream != nil {
			_ = w.stream.Send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Cancel{Cancel: &paddockv1.CancelWatch{WatchId: one.id}}})
		}
		if !slices.Contains(told, row.event) {
			told = append(told, row.event)
		}
	}
	return told
}

// settle waits until everything up to a zxid has been told.
func (w *watcher) settle(ctx context.Context, upTo zk.Zxid) {
	ctx, cancel := context.WithTimeout(ctx, settleMost)
	defer cancel()
	for {
		w.mu.Lock()
		if len(w.watches) == 0 || w.mark >= upTo && upTo > 0 {
			w.mu.Unlock()
			return
		}
		marked := w.marked
		if w.stream != nil {
			_ = w.stream.Send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Progress{Progress: &paddockv1.ProgressRequest{}}})
		}
		w.mu.Unlock()
		select {
		case <-marked:
		case <-ctx.Done():
			return
		}
		w.mu.Lock()
		done := w.mark >= upTo
		w.mu.Unlock()
		if done || !sleep(ctx, time.Millisecond) {
			return
		}
	}
}

// run reads the stream, and opens another after its end.
func (w *watcher) run(session *api.Session) {
	for wait := readsPause; ; wait = min(2*wait, time.Second) {
		began := time.Now()
		w.follow(session)
		if time.Since(began) > time.Second {
			wait = readsPause
		}
		if !sleep(w.r.ctx, wait) {
			return
		}
	}
}

// follow opens a stream with all watches and reads it to its end.
func (w *watcher) follow(session *api.Session) {
	ctx, cancel := context.WithCancel(w.r.ctx)
	defer cancel()
	stream, err := w.rpc.Watch(w.r.named(ctx, session))
	if err != nil {
		return
	}
	w.mu.Lock()
	w.stream = stream
	all := make([]*watched, 0, len(w.watches))
	for _, one := range w.watches {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *watched) int { return cmp.Compare(a.id, b.id) })
	for _, one := range all {
		_ = stream.Send(one.request()) // that it is broken shows below
	}
	w.mu.Unlock()
	for {
		m, err := stream.Recv()
		if err != nil {
			w.mu.Lock()
			w.stream = nil
			w.mu.Unlock()
			return
		}
		w.take(m)
	}
}

// take takes a message.
func (w *watcher) take(m *paddockv1.WatchResponse) {
	w.mu.Lock()
	var one *watched
	for _, x := range w.watches {
		if x.id == m.GetWatchId() {
			one = x
		}
	}
	w.mu.Unlock()
	switch {
	case m.GetWatchId() == 0 && m.GetProgress() != nil:
		w.passed(zk.Zxid(m.GetProgress().GetZxid()))
	case one == nil: // removed
	case m.GetCreated() != nil:
		w.mu.Lock()
		one.after, one.known = max(one.after, m.GetCreated().GetAfterZxid()), true
		w.mu.Unlock()
		one.begin(nil)
	case m.GetEvents() != nil:
		w.changes(one, m.GetEvents())
	case m.GetCancelled() != nil:
		w.mu.Lock()
		delete(w.watches, one.watchKey)
		w.mu.Unlock()
		if c := m.GetCancelled(); c.GetReason() != paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_FIRED {
			one.begin(failf("the watch of %s is over: %s", one.path, cmp.Or(c.GetMessage(), c.GetReason().String())))
		}
		one.begin(nil)
	}
}

// begin ends the wait for the server's answer.
func (o *watched) begin(err error) {
	select {
	case <-o.begun:
	default:
		o.err = err
		close(o.begun)
	}
}

// passed has the mark up to which everything has been told.
func (w *watcher) passed(z zk.Zxid) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mark = z
	for _, one := range w.watches {
		one.after = max(one.after, uint64(z))
	}
	close(w.marked)
	w.marked = make(chan struct{})
}

// changes tells of changes, in the form of ZooKeeper's events.
func (w *watcher) changes(one *watched, events *paddockv1.WatchEvents) {
	list := events.GetChanges()
	for _, c := range list {
		e := event{zxid: c.GetZxid(), kind: eventOf(c.GetType()), path: c.GetPath()}
		if one.kind != paddockv1.WatchKind_WATCH_KIND_RECURSIVE && e.path != one.path {
			e.kind, e.path = zk.NodeChildrenChanged, one.path
		}
		if by, told := w.told[e]; told && by != one.id {
			continue // ZooKeeper sends an event once, however many watches it concerns
		}
		if len(w.told) == toldMost {
			clear(w.told)
		}
		w.told[e] = one.id
		w.r.tell(client.Notice{Keeper: client.KeeperSyncConnected, Type: e.kind, Path: e.path, Zxid: zk.Zxid(e.zxid)})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(list); n > 0 {
		upTo := list[n-1].GetZxid()
		if events.GetMore() {
			upTo-- // of the last transaction more is to come
		}
		one.after = max(one.after, upTo)
	}
}

// eventOf is ZooKeeper's event of a change.
func eventOf(t paddockv1.ChangeType) zk.EventType {
	switch t {
	case paddockv1.ChangeType_CHANGE_TYPE_CREATED:
		return zk.NodeCreated
	case paddockv1.ChangeType_CHANGE_TYPE_DELETED:
		return zk.NodeDeleted
	default:
		return zk.NodeDataChanged
	}
}

// watching does the requests that are about watches alone.
func (r *remote) watching(ctx context.Context, session *api.Session, req *zk.Request) (*zk.Reply, error) {
	reply := &zk.Reply{Op: req.Op}
	if req.Op == zk.OpAddWatch {
		kind := paddockv1.WatchKind_WATCH_KIND_PERSISTENT
		if zk.AddWatchMode(req.Arg) == zk.AddPersistentRecursive {
			kind = paddockv1.WatchKind_WATCH_KIND_RECURSIVE
		}
		if err := r.watch.set(ctx, session, watchKey{req.Path, kind}, 0); err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
		return reply, nil
	}
	r.watch.settle(ctx, 0)
	removed := r.watch.remove(req.Path, zk.WatcherType(req.Arg))
	if len(removed) == 0 {
		reply.Err = zk.NoWatcher
	}
	for _, t := range removed {
		r.tell(client.Notice{Keeper: client.KeeperSyncConnected, Type: t, Path: req.Path, Zxid: -1})
	}
	return reply, nil
}
