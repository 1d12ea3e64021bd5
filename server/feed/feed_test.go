package feed

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

var someLists = [][]zk.ACL{nil, zk.OpenACL, zk.ReadOnlyACL, {{Perms: zk.PermRead, ID: zk.ID{Scheme: "digest", ID: "a:b"}}}}

// randomChange is any change that a tree might report at z.
func randomChange(r *rand.Rand, z zk.Zxid, large int) tree.Change {
	data := func() []byte {
		switch n := r.IntN(large) - 2; {
		case n == -2:
			return nil
		case n == -1:
			return []byte{}
		default:
			return []byte(strings.Repeat(string(rune('a'+r.IntN(26))), n))
		}
	}
	return tree.Change{
		Kind: tree.ChangeKind(r.IntN(3)), Path: "/" + strings.Repeat("p", r.IntN(50)), Zxid: z, Data: data(), Previous: data(),
		Stat: zk.Stat{Czxid: zk.Zxid(r.Int64()), Mzxid: zk.Zxid(r.Int64()), CtimeMS: r.Int64(), MtimeMS: -r.Int64(), Version: r.Int32(), Cversion: -r.Int32(),
			Aversion: r.Int32(), EphemeralOwner: -r.Int64(), DataLength: r.Int32(), NumChildren: r.Int32(), Pzxid: zk.Zxid(r.Int64())},
		ACL: someLists[r.IntN(len(someLists))], ParentACL: someLists[r.IntN(len(someLists))],
	}
}

// teller adds txns to a ring and knows what each has changed.
type teller struct {
	*rand.Rand
	ring  *Ring
	zxid  zk.Zxid
	large int
	told  map[zk.Zxid][]Change
}

func newTeller(seed uint64, ring *Ring, large int) *teller {
	return &teller{Rand: rand.New(rand.NewPCG(seed, 1)), ring: ring, zxid: ring.Zxid(), large: large, told: map[zk.Zxid][]Change{}}
}

// txn adds one, which changes a few znodes or none.
func (f *teller) txn() {
	f.zxid += zk.Zxid(1 + f.IntN(3)/2)
	h := txn.Header{Zxid: f.zxid, TimeMS: f.Int64(), Session: zk.SessionID(f.Int64())}
	var list []tree.Change
	for range f.IntN(4) {
		c := randomChange(f.Rand, f.zxid, f.large)
		list = append(list, c)
		f.told[f.zxid] = append(f.told[f.zxid], Change{Kind: c.Kind, Zxid: c.Zxid, TimeMS: h.TimeMS, Session: h.Session, Path: c.Path, Data: c.Data,
			Previous: c.Previous, Stat: c.Stat, ACL: c.ACL, ParentACL: c.ParentACL})
	}
	f.ring.Add(&h, list)
}

// check compares a batch with what was added after z.
func (f *teller) check(z zk.Zxid, b *Batch) error {
	var got []Change
	for c := range b.Changes {
		got = append(got, c)
	}
	var want []Change
	for at := z + 1; at <= b.UpTo; at++ {
		want = append(want, f.told[at]...)
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("after %v up to %v: %d changes, want %d\n%.300v\n%.300v", z, b.UpTo, len(got), len(want), got, want)
	}
	if b.Empty() != (len(want) == 0) {
		return fmt.Errorf("after %v up to %v: empty is %v", z, b.UpTo, b.Empty())
	}
	return nil
}

// TestReadersAreToldEverythingOnceOrThatItIsGone: whatever is added, published and dropped, and from wherever they begin.
func TestReadersAreToldEverythingOnceOrThatItIsGone(t *testing.T) {
	gone, drained := 0, 0
	for seed := range uint64(8) {
		f := newTeller(seed, New(7, 0, 0), 2000+int(seed%4)*4000)
		readers := []*Reader{f.ring.After(7)}
		for step := range 1500 {
			switch n := f.IntN(20); {
			case n < 8:
				f.txn()
			case n < 14:
				f.ring.Publish(time.Unix(int64(step), 0))
			case n == 14:
				readers = append(readers, f.ring.After(max(7, f.zxid-zk.Zxid(f.IntN(500)))))
			case n == 15 && step%50 == 0:
				f.zxid += 1000 // which nobody is told
				f.ring.Start(f.zxid)
			default:
				rd := readers[f.IntN(len(readers))]
				before, news := rd.Zxid(), len(wait(rd)) // what is added meanwhile is not published
				b, err := rd.Next()
				if (err == nil && b.Empty()) == (news == 1) {
					t.Fatalf("seed %d: news %d, %v", seed, news, err)
				}
				if e := (*GoneError)(nil); errors.As(err, &e) {
					if before >= e.Oldest || e.Oldest != f.ring.Oldest() || !errors.Is(err, ErrHistoryGone) {
						t.Fatalf("seed %d: at %v told %v", seed, before, err)
					}
					gone++
					*rd = *f.ring.After(e.Oldest)
					continue
				}
				if e := f.check(before, &b); err != nil || e != nil || rd.Zxid() != b.UpTo || before < f.ring.Oldest() {
					t.Fatalf("seed %d: %v %v", seed, err, e)
				}
				if rd.Zxid() == f.zxid {
					drained++
				}
			}
		}
		if f.ring.bytes > BytesMin {
			t.Errorf("seed %d: %d bytes", seed, f.ring.bytes)
		}
	}
	if gone == 0 || drained == 0 {
		t.Errorf("%d gone, %d drained", gone, drained)
	}
}

// wait tells by its length whether the channel of a reader is closed.
func wait(rd *Reader) (news []bool) {
	select {
	case <-rd.Wait():
		return []bool{true}
	default:
		return nil
	}
}

func TestWaitingEndsWithTheNextChange(t *testing.T) {
	f := newTeller(1, New(0, 0, 0), 10)
	rd := f.ring.After(0)
	news := rd.Wait()
	f.ring.Add(&txn.Header{Zxid: 1}, nil)
	f.ring.Publish(time.Time{})
	if b, err := rd.Next(); err != nil || !b.Empty() || b.UpTo != 1 || len(wait(rd)) != 0 {
		t.Fatalf("a txn without changes: up to %v, %v", b.UpTo, err)
	}
	f.zxid = 1
	for len(f.told) == 0 {
		f.txn()
	}
	select {
	case <-news:
		t.Fatal("woken before anything is published")
	default:
	}
	f.ring.Publish(time.Time{})
	<-news
	ahead := f.ring.After(f.zxid + 10)
	if len(wait(ahead)) != 0 {
		t.Error("there is news for who is ahead")
	}
	if b, err := ahead.Next(); err != nil || !b.Empty() || b.UpTo != f.zxid+10 {
		t.Errorf("who is ahead: up to %v, %v", b.UpTo, err)
	}
	broken := ahead.Wait()
	f.ring.Start(f.zxid + 100)
	<-broken
	if _, err := ahead.Next(); !errors.Is(err, ErrHistoryGone) || !strings.Contains(err.Error(), (f.zxid+100).String()) {
		t.Errorf("over a gap: %v", err)
	}
}

func TestWhatIsOldIsDropped(t *testing.T) {
	f := newTeller(1, New(0, 1<<30, time.Minute), 2000)
	at := time.Unix(1000, 0)
	for range 500 {
		f.txn()
		f.ring.Publish(at)
	}
	if f.ring.Oldest() != 0 {
		t.Fatal("dropped at once")
	}
	f.ring.Publish(at.Add(time.Minute))
	if f.ring.Oldest() != 0 {
		t.Fatal("dropped too early")
	}
	f.ring.Publish(at.Add(time.Minute + time.Second))
	if f.ring.Oldest() == 0 || len(f.ring.blocks) != 1 {
		t.Errorf("%d blocks are left", len(f.ring.blocks))
	}
}

// TestReadersDoNotDisturbTheOwner is for the race detector: readers go along at their own pace, some fall behind.
func TestReadersDoNotDisturbTheOwner(t *testing.T) {
	const last = 10_000
	ring := New(0, 0, 0)
	var readers sync.WaitGroup
	for i := range 8 {
		readers.Go(func() { // ends when it has heard of the last txn
			rd := ring.After(0)
			next := zk.Zxid(1)
			for rd.Zxid() < last {
				<-rd.Wait()
				b, err := rd.Next()
				if e := (*GoneError)(nil); errors.As(err, &e) {
					rd, next = ring.After(e.Oldest), e.Oldest+1
					continue
				}
				for c := range b.Changes {
					if c.Zxid != next || c.Path != fmt.Sprint("/", int64(c.Zxid)) || len(c.Data) != int(c.Zxid)%300 {
						t.Errorf("reader %d: %v %s comes instead of %v", i, c.Zxid, c.Path, next)
						return
					}
					next++
				}
			}
		})
	}
	data := make([]byte, 300)
	for z := zk.Zxid(1); z <= last; z++ {
		ring.Add(&txn.Header{Zxid: z}, []tree.Change{{Kind: tree.Created, Zxid: z, Path: fmt.Sprint("/", int64(z)), Data: data[:int(z)%300], ACL: zk.OpenACL, ParentACL: someLists[int(z)%4]}})
		if z%3 == 0 || z == last {
			ring.Publish(time.Time{})
		}
	}
	readers.Wait()
}

func BenchmarkAdd(b *testing.B) {
	ring := New(0, 64<<20, time.Hour)
	h := txn.Header{}
	list := []tree.Change{{Kind: tree.DataChanged, Path: "/bench/d001/node-0001234", Data: make([]byte, 100), Previous: make([]byte, 100), ACL: zk.OpenACL, ParentACL: zk.OpenACL}}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		h.Zxid++
		list[0].Zxid = h.Zxid
		ring.Add(&h, list)
		if h.Zxid%16 == 0 {
			ring.Publish(now)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	ring := New(0, 64<<20, time.Hour)
	for z := zk.Zxid(1); z <= 100_000; z++ {
		ring.Add(&txn.Header{Zxid: z}, []tree.Change{{Zxid: z, Path: "/bench/d001/node-0001234", Data: make([]byte, 100), Previous: make([]byte, 100)}})
	}
	ring.Publish(time.Now())
	rd := ring.After(0)
	b.ReportAllocs()
	for n := 0; n < b.N; {
		batch, err := rd.Next()
		if err != nil {
			b.Fatal(err)
		}
		for range batch.Changes {
			n++
		}
		if batch.Empty() {
			rd = ring.After(0)
		}
	}
}
