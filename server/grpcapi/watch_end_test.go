package grpcapi

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

// playedFeed is a feed whose server forgets, and loses its role, as the test wants.
type playedFeed struct {
	Feed
	begin  sync.Once
	oldest atomic.Int64  // what was before is gone, from memory and from the log
	lost   atomic.Bool   // the server has no role
	tenure atomic.Uint64 // roles it has lost and got again
}

func (f *playedFeed) Now() (request.FeedState, <-chan struct{}) {
	s, changed := f.Feed.Now()
	s.Oldest = max(s.Oldest, zk.Zxid(f.oldest.Load()))
	s.Serves = s.Serves && !f.lost.Load()
	s.Tenure += f.tenure.Load()
	return s, changed
}

func (f *playedFeed) Read(after zk.Zxid, most int, fn func([]request.Change)) (zk.Zxid, bool) {
	if after < zk.Zxid(f.oldest.Load()) {
		return after, false
	}
	return f.Feed.Read(after, most, fn)
}

func (f *playedFeed) ReadLog(context.Context, zk.Zxid, func(zk.EventType, string) bool, func([]request.Change) error) (zk.Zxid, error) {
	return 0, &request.HistoryGoneError{Oldest: zk.Zxid(f.oldest.Load())}
}

func playedRig(t *testing.T) (*rig, *playedFeed) {
	f := &playedFeed{}
	r := newRig(t, func(o *Options, _ *replica.Config) {
		inner := o.Feed
		o.Feed = func() Feed {
			f.begin.Do(func() { f.Feed = inner() })
			return f
		}
	})
	return r, f
}

// The refusal is the first thing that such a watch is told, so that it can be the answer of a door over HTTP.
func TestAWatchOfWhatIsGoneIsRefusedAtOnceAndOthersGoOn(t *testing.T) {
	r, f := playedRig(t)
	before := r.create("/a", "0").GetZxid()
	r.set("/a", "1")
	oldest := uint64(r.set("/a", "2"))
	f.oldest.Store(int64(oldest))
	r.set("/a", "3")
	w := r.watch(t.Context(), r.conn)
	w.send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: &paddockv1.CreateWatch{WatchId: 1, Path: "/a", Kind: persistent, StartAfterZxid: before}}})
	m := w.next()
	if c := m.GetCancelled(); m.GetWatchId() != 1 || c.GetReason() != paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_HISTORY_GONE || c.GetZxid() != oldest {
		t.Fatalf("told %v, want that history is gone before %d", m, oldest)
	}
	w.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/a", Kind: persistent, WithData: true, StartAfterZxid: oldest})
	w.expect(`1 =/a "3"`)
	r.set("/a", "4")
	w.expect(`1 =/a "4"`)
}

func TestStreamsEndWithTheRoleOfTheServer(t *testing.T) {
	for name, lose := range map[string]func(f *playedFeed){
		"the server has none":                func(f *playedFeed) { f.lost.Store(true) },
		"the server has got another already": func(f *playedFeed) { f.tenure.Add(1) },
	} {
		t.Run(name, func(t *testing.T) {
			r, f := playedRig(t)
			r.create("/a", "")
			live := r.watch(t.Context(), r.conn)
			from := live.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/a", Kind: persistent, WithData: true})
			idle := r.watch(t.Context(), r.dial()) // without any watch
			idle.send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Progress{Progress: &paddockv1.ProgressRequest{}}})
			idle.next()
			lose(f)
			r.set("/a", "1") // has the hub look
			for _, w := range []*watcher{live, idle} {
				var err error
				for err == nil {
					_, err = w.stream.Recv()
				}
				expect(t, err, codes.Unavailable, "CONNECTIONLOSS")
			}
			none := r.watch(t.Context(), r.conn)
			if f.lost.Load() {
				_, err := none.stream.Recv()
				expect(t, err, codes.Unavailable, "CONNECTIONLOSS")
				f.lost.Store(false)
				none = r.watch(t.Context(), r.conn)
			}
			none.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/a", Kind: persistent, WithData: true, StartAfterZxid: uint64(from)})
			none.expect(`1 =/a "1"`)
		})
	}
}

func TestAStreamHasSoManyWatchesAndNoMore(t *testing.T) {
	r := newRig(t)
	w := r.watch(t.Context(), r.conn)
	create := func(id int) {
		w.send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: &paddockv1.CreateWatch{WatchId: int64(id), Path: fmt.Sprint("/n", id), Kind: dataOnce}}})
	}
	const most = 10_000 // as docs/watches.md says
	for id := range most {
		create(id + 1)
		if m := w.next(); m.GetCreated() == nil {
			t.Fatalf("watch %d: %v", id+1, m)
		}
	}
	create(most + 1)
	w.expect(fmt.Sprintf("%d over: INVALID", most+1))
	w.send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Cancel{Cancel: &paddockv1.CancelWatch{WatchId: 7}}})
	w.expect("7 over: ASKED")
	create(most + 1)
	if m := w.next(); m.GetCreated() == nil || m.GetWatchId() != most+1 {
		t.Errorf("in the room of one that is over: %v", m)
	}
}

func TestFieldNumbersAreThoseOfTheContract(t *testing.T) {
	for _, c := range []struct {
		of    proto.Message
		field protoreflect.Name
		have  protoreflect.FieldNumber
	}{
		{&paddockv1.WatchResponse{}, "watch_id", fieldResponseWatch},
		{&paddockv1.WatchResponse{}, "events", fieldResponseEvents},
		{&paddockv1.WatchEvents{}, "changes", fieldEventsChanges},
		{&paddockv1.WatchEvents{}, "more", fieldEventsMore},
		{&paddockv1.Change{}, "type", fieldChangeType},
		{&paddockv1.Change{}, "path", fieldChangePath},
		{&paddockv1.Change{}, "zxid", fieldChangeZxid},
		{&paddockv1.Change{}, "data", fieldChangeData},
		{&paddockv1.Change{}, "previous_data", fieldChangePrevious},
		{&paddockv1.Change{}, "acl", fieldChangeACL},
		{&paddockv1.Change{}, "previous_acl", fieldChangeOldACL},
	} {
		d := c.of.ProtoReflect().Descriptor()
		if f := d.Fields().ByName(c.field); f == nil || f.Number() != c.have {
			t.Errorf("%s of %s is written as field %d; the contract has %v", c.field, d.Name(), c.have, f)
		}
	}
}
