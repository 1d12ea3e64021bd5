package session_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"paddock/internal/zk"
	"paddock/server/session"
)

const tickMS = 2000

func TestASessionExpiresAtTheEndOfTheTickItsTimeoutFallsIn(t *testing.T) {
	for _, c := range []struct {
		name           string
		nowMS          int64
		timeoutMS      int32
		wantDeadlineMS int64
	}{
		{"a timeout that ends inside a tick runs to the end of the tick", 500, 4000, 6000},
		{"a timeout that ends with a tick gets a whole tick more", 0, 4000, 6000},
		{"a timeout one millisecond short of the tick's end gains one millisecond", 1999, 4000, 6000},
		{"no timeout at all still lasts to the end of the tick", 2001, 0, 4000},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := session.New(tickMS)
			tr.Open(7, c.timeoutMS, c.nowMS)
			if next, ok := tr.NextMS(); !ok || next != c.wantDeadlineMS {
				t.Errorf("NextMS = %d, %v, want %d", next, ok, c.wantDeadlineMS)
			}
			if got := tr.Expired(c.wantDeadlineMS - 1); len(got) != 0 {
				t.Errorf("expired %v a millisecond early", got)
			}
			if got := tr.Expired(c.wantDeadlineMS); !slices.Equal(got, []zk.SessionID{7}) {
				t.Errorf("expired %v at the deadline, want [7]", got)
			}
			if !tr.Known(7) || !tr.IsClosing(7) || tr.Touch(7, c.timeoutMS, c.nowMS) {
				t.Error("an expired session must stay known, be closing and refuse touches")
			}
			if got := tr.Expired(c.wantDeadlineMS + 1e6); len(got) != 0 {
				t.Errorf("expired %v twice", got)
			}
		})
	}
}

func TestATouchWithAShorterTimeoutBringsTheEndForward(t *testing.T) {
	tr := session.New(tickMS)
	tr.Open(1, 40000, 0)
	if !tr.Touch(1, 4000, 100) {
		t.Fatal("touch refused")
	}
	if got := tr.Expired(6000); !slices.Equal(got, []zk.SessionID{1}) {
		t.Errorf("expired %v, want [1]", got)
	}
}

func TestOpeningAgainTouches(t *testing.T) {
	tr := session.New(tickMS)
	tr.Open(1, 4000, 0)
	tr.SetOwner(1, 9)
	tr.Open(1, 4000, 5000)
	if got := tr.Expired(6000); len(got) != 0 || tr.Owner(1) != 9 {
		t.Errorf("expired %v with owner %d; opening again must touch and keep the owner", got, tr.Owner(1))
	}
}

func TestTheOwnerOfASessionShutsOthersOut(t *testing.T) {
	tr := session.New(tickMS)
	check := func(what string, o session.Owner, want zk.Code) {
		t.Helper()
		if got := tr.Check(1, o); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("a session nobody opened", 5, zk.UnknownSession)
	if tr.SetOwner(1, 5) {
		t.Error("SetOwner accepted an unknown session")
	}
	tr.Open(1, 4000, 0)
	check("the first request owns the session", 5, zk.OK)
	check("the owner again", 5, zk.OK)
	check("somebody else", 6, zk.SessionMoved)
	if !tr.SetOwner(1, 6) || tr.Owner(1) != 6 {
		t.Error("SetOwner did not take")
	}
	check("the former owner", 5, zk.SessionMoved)
	if !tr.SetClosing(1) || tr.SetOwner(1, 5) {
		t.Error("a closing session must not change its owner")
	}
	check("a closing session", 6, zk.SessionExpired)
	tr.Remove(1)
	check("a removed session", 6, zk.UnknownSession)
	if tr.SetClosing(1) || tr.Len() != 0 {
		t.Error("a removed session must be gone")
	}
}

func TestBucketsListWhoExpiresWhen(t *testing.T) {
	tr := session.New(tickMS)
	tr.Open(3, 4000, 0)
	tr.Open(1, 4000, 1000)
	tr.Open(2, 4000, 0)
	tr.Open(4, 4000, 0)
	tr.Touch(2, 4000, 3000)
	tr.SetClosing(4)
	want := []session.Bucket{
		{ExpiresAtMS: 6000, Sessions: []zk.SessionID{1, 3}},
		{ExpiresAtMS: 8000, Sessions: []zk.SessionID{2}},
	}
	if got := tr.Buckets(); !reflect.DeepEqual(got, want) {
		t.Errorf("buckets %+v, want %+v", got, want)
	}
}

// model is the rule in its plainest form: a deadline per session, looked at one by one.
type model map[zk.SessionID]*struct {
	deadlineMS int64
	closing    bool
}

func (m model) touch(id zk.SessionID, timeoutMS int32, nowMS int64) bool {
	s := m[id]
	if s == nil || s.closing {
		return false
	}
	s.deadlineMS = ((nowMS+int64(timeoutMS))/tickMS + 1) * tickMS
	return true
}

func (m model) expired(nowMS int64) []zk.SessionID {
	var ids []zk.SessionID
	for id, s := range m {
		if !s.closing && s.deadlineMS <= nowMS {
			s.closing = true
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (m model) open(id zk.SessionID, timeoutMS int32, nowMS int64) {
	if m[id] == nil {
		m[id] = &struct {
			deadlineMS int64
			closing    bool
		}{}
	}
	m.touch(id, timeoutMS, nowMS)
}

func TestTrackerAgreesWithTheModel(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		tr, m, nowMS := session.New(tickMS), model{}, int64(rng.IntN(10000))
		for step := range 500 {
			id, timeoutMS := zk.SessionID(rng.IntN(20)-10), int32(rng.IntN(12000))
			nowMS += int64(rng.IntN(300))
			switch op := rng.IntN(20); {
			case op < 3:
				tr.Open(id, timeoutMS, nowMS)
				m.open(id, timeoutMS, nowMS)
			case op < 4:
				tr.Remove(id)
				delete(m, id)
			case op < 5:
				if tr.SetClosing(id) != (m[id] != nil) {
					t.Fatalf("seed %d step %d: SetClosing(%d)", seed, step, id)
				}
				if m[id] != nil {
					m[id].closing = true
				}
			case op < 8:
				nowMS += int64(rng.IntN(3) * rng.IntN(3000))
				if got, want := tr.Expired(nowMS), m.expired(nowMS); !slices.Equal(got, want) {
					t.Fatalf("seed %d step %d: expired %v, want %v", seed, step, got, want)
				}
			default:
				if got, want := tr.Touch(id, timeoutMS, nowMS), m.touch(id, timeoutMS, nowMS); got != want {
					t.Fatalf("seed %d step %d: Touch(%d) = %v, want %v", seed, step, id, got, want)
				}
			}
			if tr.Len() != len(m) || tr.IsClosing(id) != (m[id] != nil && m[id].closing) {
				t.Fatalf("seed %d step %d: %d sessions, want %d", seed, step, tr.Len(), len(m))
			}
		}
	}
}

func TestTouchDoesNotAllocate(t *testing.T) {
	tr := session.New(tickMS)
	tr.Open(1, 4000, 0)
	nowMS := int64(0)
	if n := testing.AllocsPerRun(1000, func() { tr.Touch(1, 4000, nowMS); nowMS += 700 }); n != 0 {
		t.Errorf("%v allocations per touch", n)
	}
}

func BenchmarkTouch(b *testing.B) {
	tr := session.New(tickMS)
	const sessions = 1024
	first := zk.FirstSessionID(1, 1e12)
	for i := range zk.SessionID(sessions) {
		tr.Open(first+i, 30000, 0)
	}
	b.ReportAllocs()
	for i := range b.N {
		tr.Touch(first+zk.SessionID(i%sessions), 30000, int64(i)>>16)
	}
}
