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

	"paddock/consensus"
	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/storage/tree"
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

// settled is more than as many records as it takes, when they come one by one.
const settled = 4 * syncsWeighed

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
	for range settled {
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
		expect("after that", true, 1, pass)
		for range int(2 * syncsWeighed * crowdMax) {
			expect("two at once, often", false, 2, pass)
		}
		expect("after that", false, 1, pass)
		for range settled {
			write(1, pass)
			synctest.Wait()
		}
		l.here = nil
		expect("after enough that came one by one", true, 1, pass)
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
		p.expect(fmt.Sprintf("%d OK", settled+2), "-2 OK")
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
				p.expect(fmt.Sprintf("%d OK", settled+1))
			} else {
				p.expect()
			}
		})
	}
}

// epochs is a disk that is never asked for anything else; nobody are other servers that say nothing by themselves.
type (
	epochs struct{ Disk }
	nobody struct{}
)

func (epochs) SetAcceptedEpoch(int64) error               { return nil }
func (epochs) SetCurrentEpoch(int64) error                { return nil }
func (nobody) Do(*consensus.Action)                       {}
func (nobody) Flush()                                     {}
func (nobody) Done(consensus.LinkID, []consensus.Message) {}
func (nobody) SendSnap(consensus.LinkID, *tree.View) bool { return false }

// A follower whose disk takes longer than the others need to decide leaves it to the syncer: who syncs does not hear of the commit.
func TestWhoHearsOfCommitsDoesNotSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ensemble, err := quorum.ParseConfig("server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2")
		if err != nil {
			t.Fatal(err)
		}
		l := &whose{fakeLog: &fakeLog{}, takes: syncHereMax / 2}
		r := newRig(t, l.fakeLog, func(o *Options, cfg *replica.Config) {
			o.Log, o.Disk, o.Peers = l, epochs{}, nobody{}
			cfg.Core = &consensus.Config{Ensemble: ensemble, Distributed: true, TickMS: 1000, InitLimit: 10, SyncLimit: 5}
		}).run()
		const link, leader = 7, 3
		for from, role := range map[quorum.ServerID]consensus.Role{2: consensus.Following, leader: consensus.Leading} {
			n := &election.Notification{Role: role, Vote: election.Vote{Leader: leader, Round: 1}, Version: 2}
			r.d.Consensus(consensus.Event{Kind: consensus.Notified, Server: from, Notification: n}, nil)
		}
		r.d.Consensus(consensus.Event{Kind: consensus.LinkUp, Link: link, Server: leader, Dialled: true}, nil)
		hear := func(m consensus.Message) {
			if !r.d.Received(link, []consensus.Message{m}, func() { t.Error("relieved") }) {
				t.Error("passed on")
			}
		}
		for _, m := range []consensus.Message{{Kind: consensus.MsgLeaderInfo, Zxid: 1 << 32, Protocol: consensus.ProtocolVersion}, {Kind: consensus.MsgDiff},
			{Kind: consensus.MsgNewLeader, Zxid: 1 << 32}, {Kind: consensus.MsgUpToDate, Zxid: consensus.NoZxid}} {
			hear(m)
			synctest.Wait()
		}
		if !r.d.opt.Replica.Serves() {
			t.Fatalf("it does not follow: %v", r.d.opt.Replica)
		}
		z := zk.Zxid(1 << 32)
		follow := func(n int, decided time.Duration) (here int) {
			for range n {
				z++
				rec := txn.Record{Header: txn.Header{Zxid: z, Type: zk.OpError}, Txn: txn.Txn{Type: zk.OpError, Err: zk.NoNode}}
				begun := time.Now()
				hear(consensus.Message{Kind: consensus.MsgProposal, Zxid: z, Payload: rec.Append(nil)})
				time.Sleep(time.Until(begun.Add(decided)))
				hear(consensus.Message{Kind: consensus.MsgCommit, Zxid: z})
				time.Sleep(l.takes)
				synctest.Wait()
			}
			for _, h := range l.here {
				if h {
					here++
				}
			}
			l.here = nil
			return here
		}
		follow(settled, l.takes+lateMax)
		if here := follow(100, l.takes+lateMax); here != 100 {
			t.Errorf("of 100 that its own disk decides it has synced %d itself", here)
		}
		if here := follow(2*hereMax, lateMax/2); here > hereMax {
			t.Errorf("of %d that others decide long before it has synced %d itself", 2*hereMax, here)
		}
		if here := follow(hereMax, lateMax/2); here != 0 {
			t.Errorf("it goes on with %d of %d", here, hereMax)
		}
		if here := follow(hereMax, l.takes-lateMax/2); here < hereMax/2 {
			t.Errorf("of %d that others decide a little before it has synced %d itself", hereMax, here)
		}
		r.stop()
	})
}
