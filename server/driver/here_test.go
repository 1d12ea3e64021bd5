package driver

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"paddock/internal/zk"
	"paddock/server/replica"
)

// whose is a log that notes in whose goroutine it is synced, and takes its time.
type whose struct {
	*fakeLog
	takes time.Duration

	mu   sync.Mutex // guards the field below
	here []bool     // for each Sync, whether it was that of who had left a letter
}

func (l *whose) Sync() error {
	l.mu.Lock()
	l.here = append(l.here, strings.Contains(string(debug.Stack()), "(*Driver).put("))
	l.mu.Unlock()
	time.Sleep(l.takes)
	return l.fakeLog.Sync()
}

// single is a rig whose records come one by one, as many as it takes for who asks to sync what it has appended.
func single(t *testing.T, tick time.Duration) (*rig, *whose, *peer, func(n int, pass func()) (on bool)) {
	t.Helper()
	l := &whose{fakeLog: &fakeLog{}}
	r := newRig(t, l.fakeLog, func(o *Options, _ *replica.Config) { o.Log, o.TickEvery = l, tick }).run()
	p := r.open()
	xid := int32(0)
	write := func(n int, pass func()) (on bool) {
		var reqs []zk.Request
		for range n {
			xid++
			reqs = append(reqs, create(xid, fmt.Sprintf("/%d", xid)))
		}
		return r.d.Submit(p.id, reqs, pass)
	}
	for range singlesMin {
		write(1, func() {})
		synctest.Wait()
	}
	p.sent, l.here = nil, nil
	return r, l, p, write
}

// Who asks syncs what its round has appended, while records come one by one and syncs are quick.
func TestWhoSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l, _, write := single(t, 1000*time.Hour)
		pass := func() { t.Error("relieved of what was quick") }
		expect := func(what string, want bool, n int, pass func()) {
			t.Helper()
			on := write(n, pass)
			synctest.Wait()
			if !on || !slices.Equal(l.here, []bool{want}) {
				t.Errorf("%s: goes on: %t; synced by who asked: %v, want %t", what, on, l.here, want)
			}
			l.here = nil
		}
		expect("one by one", true, 1, pass)
		expect("by who cannot wait", false, 1, nil)
		expect("one by one again", true, 1, pass)
		expect("two at once", false, 2, pass)
		for range singlesMin {
			expect("after that", false, 1, pass)
		}
		expect("after enough of them", true, 1, pass)
		l.takes = 20 * time.Millisecond
		expect("the first that is slow", true, 1, pass)
		l.takes = 0
		expect("the next", false, 1, pass)
		for range 3 * roundsWeighed {
			write(1, pass)
			synctest.Wait()
		}
		l.here = nil
		expect("when syncs have been quick for long", true, 1, pass)
		r.stop()
	})
}

// Who is held up by a sync is relieved; others are served meanwhile, and what was written is answered once it is durable.
func TestWhoSyncsIsRelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l, p, write := single(t, 20*time.Millisecond)
		passed, ended := 0, make(chan bool, 1)
		held := func() {
			l.hold = make(chan error)
			go func() { ended <- write(1, func() { passed++ }) }()
			synctest.Wait()
		}
		time.Sleep(17 * time.Millisecond)
		held()
		time.Sleep(4 * time.Millisecond) // over a tick
		l.hold <- nil
		if on := <-ended; !on || passed != 0 {
			t.Errorf("a sync that took less than %v: goes on: %t, passed on %d times", relieveAfter, on, passed)
		}
		synctest.Wait()
		p.sent = nil

		held()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if len(ended) > 0 || passed != 1 {
			t.Fatalf("passed on %d times while a sync takes long, want once", passed)
		}
		r.d.Submit(p.id, []zk.Request{ping()}, nil)
		q := r.open()
		q.send(exists(1, "/1"))
		q.expect() // its session is not open: that is written, too
		p.expect()
		l.hold <- nil
		synctest.Wait()
		close(l.hold) // nobody waits from now on
		if on := <-ended; on || passed != 1 {
			t.Errorf("once it has ended: goes on: %t, passed on %d times", on, passed)
		}
		p.expect(fmt.Sprintf("%d OK", singlesMin+2), "-2 OK")
		q.expect("connected", "1 OK")
		r.stop()
	})
}

// What who asks still syncs is waited for when the server stops, and its failure is the server's.
func TestWhoSyncsWhileTheServerStops(t *testing.T) {
	for _, want := range []error{nil, errors.New("the disk is gone")} {
		synctest.Test(t, func(t *testing.T) {
			r, l, p, write := single(t, 1000*time.Hour)
			l.hold = make(chan error)
			go write(1, func() {})
			synctest.Wait()
			r.cancel()
			if !r.runs() {
				t.Fatal("Run has ended before what was appended is durable")
			}
			l.hold <- want
			if err := r.result(); !errors.Is(err, want) {
				t.Errorf("Run has ended with %v, want %v", err, want)
			}
			if want == nil {
				p.expect(fmt.Sprintf("%d OK", singlesMin+1))
			} else {
				p.expect()
			}
		})
	}
}
