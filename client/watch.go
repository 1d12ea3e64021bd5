package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
)

// ChangeType is what has happened to a znode.
type ChangeType uint8

// The changes.
const (
	Created ChangeType = iota + 1
	Deleted
	DataChanged
	ACLChanged // told if access lists are asked for
)

var changeNames = [...]string{"", "created", "deleted", "changed", "access list changed"}

// String is a word for it.
func (t ChangeType) String() string {
	if int(t) < len(changeNames) {
		return changeNames[t]
	}
	return fmt.Sprintf("ChangeType(%d)", uint8(t))
}

// Change is one change of one znode.
type Change struct {
	Type ChangeType
	Path string
	Zxid uint64
	// Data is what it holds since, if asked for; Previous what it held before, if asked for and known. nil otherwise; empty data is not nil.
	// Data is not known of changes that a server has from its log, where that does not tell who might read the znode then.
	Data, Previous []byte
	// ACL is the access list that a znode was created with or has got, if asked for; PreviousACL the one before that, or of a deleted
	// znode, if what was before is asked for too. nil where the caller may not see the list, or the server does not know it any more; a
	// list that is empty is not nil.
	ACL, PreviousACL []ACL
}

// Event is what one transaction, or several, have changed of what a watch sees.
type Event struct {
	Changes []Change // in order
	Zxid    uint64   // everything up to it has been told: go on after it
}

// Scope is what a watch sees.
type Scope uint8

// The scopes.
const (
	Node      Scope = iota // the znode and which children it has
	Recursive              // the znode and everything below
)

// WatchOptions say what to watch.
type WatchOptions struct {
	Scope Scope
	After uint64 // tell what changed after this zxid; 0 for what changes from now on
	// FromStart has an After of 0 stand for all that has ever changed.
	FromStart bool
	// Data and Previous ask for what znodes hold after and before.
	Data, Previous bool
	// ACL asks for access lists, and to be told when one is set.
	ACL bool
	// Progress asks for an Event without changes at least so often; 0 for none.
	Progress time.Duration
}

// watchBuffer is how many events wait for a reader; a slower one has the server wait, which cuts the stream at last. It goes on where it was.
const watchBuffer = 16

// progressEvery keeps a watch that is told nothing from starting at what is long gone.
const progressEvery = 10 * time.Second

// aheadMax is how long servers may lack what another has told. Then it is lost: the ensemble began anew, or was restored from an old backup.
const aheadMax = 30 * time.Second

// Watch is told changes. It goes on by itself after a loss of the connection or the server: every change comes once, and in order.
type Watch struct {
	// C has the events. It is closed when the watch is over; Err tells why then.
	C <-chan Event
	// After is the zxid that the watch started after.
	After uint64

	z      *Znodes
	path   string
	o      WatchOptions
	out    chan Event
	cancel context.CancelFunc
	leave  context.CancelFunc // ends the stream before
	begun  bool               // a server has known w.at
	err    error              // set before out is closed
	at     uint64
}

// Watch begins to watch a path, which need not exist. It lasts until ctx ends, or Close. Errors, here or later by Err: ErrHistoryGone, with
// Error.Zxid to list at; ErrZxidAhead, later once no server has had for half a minute what was told.
func (z *Znodes) Watch(ctx context.Context, path string, o WatchOptions) (*Watch, error) {
	ctx, cancel := context.WithCancel(ctx)
	w := &Watch{z: z, path: path, o: o, out: make(chan Event, watchBuffer), cancel: cancel, leave: func() {}, at: o.After}
	w.C = w.out
	stream, err := w.open(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	w.After = w.at
	go w.run(ctx, stream) // ends with ctx
	return w, nil
}

// Close ends the watch; C is closed soon after.
func (w *Watch) Close() { w.cancel() }

// Err is why the watch is over, once C is closed: an error of the server, or that of the context.
func (w *Watch) Err() error { return w.err }

type watchStream = paddockv1.WatchService_WatchClient

// open opens a stream that tells what is after w.at, on whichever server does, as often as it takes. A zxid that a server has told may be
// ahead of another for a while.
func (w *Watch) open(ctx context.Context) (watchStream, error) {
	var behind lag
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		stream, err := w.tryOpen(ctx)
		if err == nil || !behind.passes(err, w.begun) {
			return stream, err
		}
		if !pause(ctx, wait) {
			return nil, ctx.Err()
		}
	}
}

// passing tells whether a stream that ended so can be opened again.
func passing(e *Error) bool {
	return e.Code == codes.Unavailable || e.Code == codes.ResourceExhausted || e.Code == codes.Aborted
}

// lag is since when servers lack what another has told; zero as long as none has said so.
type lag struct{ since time.Time }

// passes tells whether a stream can be opened again that could not be opened, or has ended; begun: where it goes on, a server has told.
func (l *lag) passes(err error, begun bool) bool {
	var e *Error
	switch {
	case !errors.As(err, &e):
		return false
	case !begun || e.Reason != ErrZxidAhead:
		l.since = time.Time{}
		return passing(e)
	case l.since.IsZero():
		l.since = time.Now()
	}
	return time.Since(l.since) < aheadMax
}

func (w *Watch) tryOpen(ctx context.Context) (watchStream, error) {
	progress := progressEvery
	if w.o.Progress != 0 {
		progress = w.o.Progress
	}
	kind := paddockv1.WatchKind_WATCH_KIND_PERSISTENT
	if w.o.Scope == Recursive {
		kind = paddockv1.WatchKind_WATCH_KIND_RECURSIVE
	}
	w.leave()
	ctx, w.leave = context.WithCancel(ctx)
	stream, err := paddockv1.NewWatchServiceClient(w.z.conn).Watch(w.z.named(ctx))
	if err != nil {
		return nil, err
	}
	// An error of Send shows at Recv.
	_ = stream.Send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: &paddockv1.CreateWatch{
		WatchId: 1, Path: w.path, Kind: kind, StartAfterZxid: w.at, FromStart: w.begun || w.o.FromStart, WithData: w.o.Data, WithPrevious: w.o.Previous, WithAcl: w.o.ACL,
		ProgressMs: int32Of(max(progress.Milliseconds(), 100)),
	}}})
	m, err := stream.Recv()
	switch {
	case err != nil:
		return nil, err
	case m.GetCancelled() != nil:
		return nil, cancelled(m.GetCancelled(), w.path)
	case w.at == 0:
		w.at = m.GetCreated().GetAfterZxid()
	}
	w.begun = true
	return stream, nil
}

// cancelled is why the server has ended a watch.
func cancelled(c *paddockv1.WatchCancelled, path string) error {
	e := &Error{Code: codes.FailedPrecondition, Message: c.GetMessage(), Path: path, Zxid: c.GetZxid()}
	switch c.GetReason() {
	case paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_HISTORY_GONE:
		e.Reason = ErrHistoryGone
	case paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_ZXID_AHEAD:
		e.Reason = ErrZxidAhead
	default:
		e.Code = codes.InvalidArgument
	}
	return e
}

// run tells what the streams tell.
func (w *Watch) run(ctx context.Context, stream watchStream) {
	defer close(w.out)
	defer w.cancel()
	for {
		err := w.follow(ctx, stream)
		if ctx.Err() != nil {
			w.err = ctx.Err()
			return
		}
		var e *Error
		if errors.As(err, &e) && !passing(e) {
			w.err = err
			return
		}
		if stream, err = w.open(ctx); err != nil {
			w.err = err
			return
		}
	}
}

// follow tells what one stream tells, until that ends.
func (w *Watch) follow(ctx context.Context, stream watchStream) error {
	var gathered []Change // of a transaction that comes in several messages
	for {
		m, err := stream.Recv()
		switch {
		case err != nil:
			return err
		case m.GetCancelled() != nil:
			return cancelled(m.GetCancelled(), w.path)
		case m.GetProgress() != nil:
			w.at = m.GetProgress().GetZxid()
			if w.o.Progress != 0 && !w.tell(ctx, Event{Zxid: w.at}) {
				return ctx.Err()
			}
		case m.GetEvents() != nil:
			for _, c := range m.GetEvents().GetChanges() {
				gathered = append(gathered, changeOf(c))
			}
			if m.GetEvents().GetMore() || len(gathered) == 0 {
				continue
			}
			e := Event{Changes: gathered, Zxid: gathered[len(gathered)-1].Zxid}
			gathered = nil
			if !w.tell(ctx, e) {
				return ctx.Err()
			}
			w.at = e.Zxid
		}
	}
}

func (w *Watch) tell(ctx context.Context, e Event) bool {
	select {
	case w.out <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

func changeOf(c *paddockv1.Change) Change {
	return Change{
		Type: ChangeType(c.GetType()), Path: c.GetPath(), Zxid: c.GetZxid(), Data: present(c.Data != nil, c.GetData()), Previous: present(c.PreviousData != nil, c.GetPreviousData()),
		ACL: list(c.GetAcl()), PreviousACL: list(c.GetPreviousAcl()),
	}
}

// list is an access list that is there, which an empty one is too.
func list(l *paddockv1.AccessList) []ACL {
	if l == nil {
		return nil
	}
	return append([]ACL{}, aclOf(l.GetAcl())...)
}

// present is data that is there, which empty data is too.
func present(is bool, b []byte) []byte {
	if is && b == nil {
		return []byte{}
	}
	return b
}
