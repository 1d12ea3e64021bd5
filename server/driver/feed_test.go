package driver

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
)

var (
	listA = []zk.ACL{{Perms: zk.PermRead, ID: zk.AnyoneID}}
	listB = []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "digest", ID: "b:x"}}}
)

// applied is txn z of these tests, with what is to be told of it.
func applied(z zk.Zxid) (*replica.Applied, []request.Change) {
	a := &replica.Applied{After: z - 1, Zxid: z, Session: zk.SessionID(z * 3)}
	var want []request.Change
	for i := range int(z) % 4 {
		path, data := fmt.Sprint("/n", z, "/", i), []byte(fmt.Sprint("data of ", z))
		switch (int(z) + i) % 4 {
		case 0:
			a.Changes = append(a.Changes, tree.Change{Kind: tree.Created, Path: path, Zxid: z, ACL: listA, ParentACL: listB, Data: data})
			want = append(want, request.Change{Kind: zk.NodeCreated, Path: path, Zxid: z, Session: a.Session, ACL: listA, ParentACL: listB, Data: data})
		case 1:
			a.Changes = append(a.Changes, tree.Change{Kind: tree.DataChanged, Path: path, Zxid: z, ACL: listB, Data: nil, Previous: data})
			want = append(want, request.Change{Kind: zk.NodeDataChanged, Path: path, Zxid: z, Session: a.Session, ACL: listB, Previous: data, PreviousKnown: true})
		case 2:
			a.Changes = append(a.Changes, tree.Change{Kind: tree.ACLChanged, Path: path, Zxid: z, ACL: listB, OldACL: listA})
			want = append(want, request.Change{Kind: zk.NodeACLChanged, Path: path, Zxid: z, Session: a.Session, ACL: listB, PreviousACL: listA, PreviousKnown: true})
		default:
			a.Changes = append(a.Changes, tree.Change{Kind: tree.Deleted, Path: path, Zxid: z, ParentACL: listA, Previous: []byte{}})
			want = append(want, request.Change{Kind: zk.NodeDeleted, Path: path, Zxid: z, Session: a.Session, ParentACL: listA, Previous: []byte{}, PreviousKnown: true})
		}
	}
	return a, want
}

// follow reads the feed to its end, a few txns at a time.
func (f *feed) follow(after zk.Zxid, most int) (got []request.Change, upTo zk.Zxid, ok bool) {
	for {
		next, ok := f.read(after, most, func(list []request.Change) { got = append(got, list...) })
		if !ok || next == after {
			return got, after, ok
		}
		after = next
	}
}

func TestTheFeedTellsEveryChangeOnceAndInOrder(t *testing.T) {
	f := newFeed(32<<10, time.Hour)
	if _, _, ok := f.follow(0, 1); ok {
		t.Error("a feed that knows nothing answers")
	}
	wants := map[zk.Zxid][]request.Change{}
	f.publish(true, 100, 100, 0)
	for z := zk.Zxid(101); z <= 3000; z++ {
		var a *replica.Applied
		a, wants[z] = applied(z)
		if f.add(a); z%3 == 0 {
			f.publish(true, z, z, 0)
		}
	}
	s, _ := f.now()
	if s.Last != 3000 || s.Oldest < 1000 || s.Oldest > 2990 || !s.Serves {
		t.Fatalf("%+v", s)
	}
	if f.bytes+f.open.bytes() > 32<<10 {
		t.Errorf("%d bytes", f.bytes+f.open.bytes())
	}
	if _, _, ok := f.follow(s.Oldest-1, 5); ok {
		t.Error("it goes back further than it says")
	}
	for after := s.Oldest; after <= 3000; after += 7 {
		var want []request.Change
		for z := after + 1; z <= 3000; z++ {
			want = append(want, wants[z]...)
		}
		got, upTo, ok := f.follow(after, int(after)%20+1)
		if !ok || upTo != 3000 || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("after %v: %v %v, %d changes, want %d", after, upTo, ok, len(got), len(want))
		}
	}
}

func TestTheFeedKeepsWhatIsNotDurableAndNothingForTooLong(t *testing.T) {
	f := newFeed(16<<10, time.Hour)
	f.publish(true, 0, 0, 0)
	for z := zk.Zxid(1); z <= 2000; z++ {
		a, _ := applied(z)
		f.add(a)
		f.publish(true, z, 0, 0)
	}
	if s, _ := f.now(); s.Oldest != 0 {
		t.Errorf("dropped up to %v, which is not durable", s.Oldest)
	}
	f.publish(true, 2000, 2000, int64(time.Minute))
	s, _ := f.now()
	if s.Oldest == 0 {
		t.Error("nothing was dropped")
	}
	for hour := range 3 {
		f.publish(true, 2000, 2000, int64(time.Duration(hour+1)*time.Hour))
	}
	if later, _ := f.now(); later.Oldest <= s.Oldest || len(f.chunks) != 1 {
		t.Errorf("%+v, after hours %+v", s, later)
	}
}

// What was read may be kept for ever. What nobody has read makes room for what comes.
func TestTheFeedUsesMemoryAgainThatNobodyHas(t *testing.T) {
	f := newFeed(64<<10, time.Hour)
	f.publish(true, 0, 0, 0)
	var got, want []request.Change
	made := map[*byte]bool{}
	for z := zk.Zxid(1); z <= 20_000; z++ {
		a, changes := applied(z)
		f.add(a)
		f.publish(true, z, z, 0)
		made[unsafe.SliceData(f.open.buf)] = true
		if z%501 != 0 {
			continue
		}
		before := z - 1 // the newest, or one of the oldest
		if z%2 == 0 {
			before = f.oldest
			_, changes = applied(before + 1)
		}
		if upTo, ok := f.read(before, 1, func(list []request.Change) { got = append(got, list...) }); !ok || upTo < before+1 {
			t.Fatalf("after %v: up to %v %v", before, upTo, ok)
		}
		want = append(want, changes...)
	}
	if len(got) == 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d changes were read and have become others", len(got))
	}
	if len(made) > 100 {
		t.Errorf("%d pieces of memory", len(made))
	}
}

func TestTheFeedBreaksWhereTheTreeIsAnother(t *testing.T) {
	f := newFeed(1<<20, time.Hour)
	f.publish(false, 0, 0, 0)
	a, want := applied(7)
	f.add(a) // commits may be applied before the server serves
	f.publish(true, 7, 7, 0)
	if got, upTo, ok := f.follow(6, 9); !ok || upTo != 7 || !reflect.DeepEqual(got, want) {
		t.Fatal(got, upTo, ok)
	}
	s, changed := f.now()
	f.publish(true, 1<<32, 7, 0) // an epoch begins, which is no change
	<-changed
	if got, upTo, ok := f.follow(7, 9); !ok || upTo != 1<<32 || len(got) != 0 {
		t.Error(got, upTo, ok)
	}
	f.tenure++
	f.interrupt()
	f.publish(false, 1<<33, 7, 0)
	partial, _ := applied(1<<33 | 1)
	partial.Partial = true
	f.add(partial)
	a, want = applied(1<<33 | 2)
	f.add(a)
	f.publish(true, 1<<33|2, 7, 0)
	now, _ := f.now()
	if now.Tenure == s.Tenure || now.Oldest != 1<<33|1 || now.Last != 1<<33|2 {
		t.Errorf("%+v after %+v", now, s)
	}
	if got, _, ok := f.follow(1<<33|1, 9); !ok || !reflect.DeepEqual(got, want) {
		t.Error(got, ok)
	}
}

// What follows memory comes from the log, judged by the tree as it is now.
func TestTheFeedGoesOnInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeLog{}
		log := &rememberingLog{fakeLog: fake}
		gone := false
		r := newRig(t, fake, func(o *Options, _ *replica.Config) {
			o.Log, o.FeedBytes = log, 32<<10
			o.ReadLog = func(ctx context.Context, after, to zk.Zxid, f func(zk.Zxid, []byte) error) error {
				if gone {
					return ErrHistoryGone
				}
				return log.read(ctx, after, to, f)
			}
		}).run()
		c := r.open() // which is zxid 1
		private := create(1, "/private")
		private.ACL = []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "ip", ID: "127.0.0.1"}}}
		c.send(private, create(2, "/private/x"))
		for i := range 2000 {
			c.send(zk.Request{Xid: int32(i + 3), Op: zk.OpSetData, Path: "/private", Data: []byte(fmt.Sprint(i)), Version: -1})
		}
		feed := r.d.Feed()
		s, _ := feed.Now()
		if s.Oldest < 100 || s.Last != 2003 {
			t.Fatalf("%+v", s)
		}
		if _, ok := feed.Read(s.Oldest-1, 1, nil); ok {
			t.Error("memory goes back further than it says")
		}
		at, n := zk.Zxid(0), 0
		upTo, err := feed.ReadLog(t.Context(), 0, func(_ zk.EventType, path string) bool { return path != "/private/x" }, func(list []request.Change) error {
			ch := list[0]
			if ch.Zxid <= at || len(list) != 1 || ch.Path != "/private" || !reflect.DeepEqual(ch.ACL, private.ACL) || ch.PreviousKnown {
				return fmt.Errorf("%+v", list)
			}
			at = ch.Zxid
			n++
			return nil
		})
		if err != nil || upTo != s.Oldest || at != s.Oldest || n != int(s.Oldest)-2 {
			t.Errorf("%v up to %v, %d changes, last %v; %+v", err, upTo, n, at, s)
		}
		gone = true
		var history *request.HistoryGoneError
		if _, err := feed.ReadLog(t.Context(), 0, nil, nil); !errors.As(err, &history) || history.Oldest != s.Oldest {
			t.Errorf("history that is gone: %v", err)
		}
		r.stop()
	})
}

// A session that ended without a list of what it left behind cannot be told from the log.
func TestTheLogDoesNotTellWhatASessionLeft(t *testing.T) {
	l := logFollower{want: func(zk.EventType, string) bool { return true }}
	rec := txn.Record{Header: txn.Header{Zxid: 9, Session: 4, Type: zk.OpCloseSession}, Txn: txn.Txn{Type: zk.OpCloseSession}}
	if err := l.record(9, rec.Append(nil)); !errors.Is(err, errUnlisted) || l.at != 9 {
		t.Errorf("%v at %v", err, l.at)
	}
}

// A tree may hold what a leader's history began with and no quorum ever took up.
func TestTheFeedForgetsWhatIsTruncated(t *testing.T) {
	for _, reload := range []bool{false, true} {
		d := &Driver{feed: newFeed(1<<20, time.Hour)}
		a, _ := applied(7)
		d.feed.add(a)
		d.feed.publish(true, 7, 7, 0)
		effects{d}.Truncate(7, reload)
		d.feed.publish(false, 7, 7, 0)
		if _, _, ok := d.feed.follow(6, 9); ok == reload {
			t.Errorf("reload %v: what was applied is told: %v", reload, ok)
		}
	}
}

func TestWhatIsAppliedWithoutARoleIsNotToldYet(t *testing.T) {
	f := newFeed(1<<20, time.Hour)
	first, _ := applied(7)
	f.add(first)
	f.publish(true, 7, 7, 0)
	second, _ := applied(9)
	f.add(second)
	f.publish(false, 9, 9, 1)
	if upTo, ok := f.read(7, 100, func(c []request.Change) { t.Errorf("told of %v", c) }); !ok || upTo != 7 {
		t.Errorf("read up to %v, %v", upTo, ok)
	}
	f.publish(true, 9, 9, 2)
	told := 0
	if upTo, ok := f.read(7, 100, func([]request.Change) { told++ }); !ok || upTo != 9 || told != 1 {
		t.Errorf("read up to %v, %v, %d txns", upTo, ok, told)
	}
}
