package driver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/storage/tree"
)

func TestNothingIsAcknowledgedBeforeItIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{hold: make(chan error)}).run()
		p := r.open()
		p.expect()
		r.let(nil)
		p.expect("connected")
		p.send(create(1, "/a"), exists(2, "/a"))
		p.expect()
		if ops := r.log.asked(); !slices.Equal(ops, []string{"write 1-1", "sync", "write 2-2"}) {
			t.Errorf("the log was asked to %q", ops)
		}
		r.let(nil)
		p.expect("1 OK", "2 OK")
		r.stop()
	})
}

func TestAppendsGatherWhileTheDiskIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{hold: make(chan error)}).run()
		p, q := r.open(), r.open()
		r.let(nil)
		r.let(nil)
		p.expect("connected")
		q.expect("connected")
		r.log.asked()
		p.send(create(1, "/a"))
		for i := range int32(5) {
			p.send(create(10+i, fmt.Sprint("/p", i)))
			q.send(create(20+i, fmt.Sprint("/q", i)), exists(30+i, "/a"))
		}
		p.expect()
		q.expect()
		r.let(nil)
		p.expect("1 OK")
		q.expect()
		r.let(nil)
		p.expect("10 OK", "11 OK", "12 OK", "13 OK", "14 OK")
		q.expect("20 OK", "30 OK", "21 OK", "31 OK", "22 OK", "32 OK", "23 OK", "33 OK", "24 OK", "34 OK")
		if ops := r.log.asked(); !slices.Equal(ops, []string{"write 3-3", "sync", "write 4-13", "sync"}) {
			t.Errorf("the log was asked to %q", ops)
		}
		r.stop()
	})
}

func TestReadsDoNotWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{hold: make(chan error)}).run()
		p := r.open()
		r.let(nil)
		q := r.open()
		p.send(exists(1, "/zookeeper"), ping())
		p.expect("connected", "1 OK", "-2 OK")
		r.let(nil)
		q.expect("connected")
		r.stop()
	})
}

func TestTheLogRollsBetweenRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{hold: make(chan error)}, func(_ *Options, c *replica.Config) { c.LogFileBytes = 500 }).run()
		p := r.open()
		r.let(nil)
		r.log.asked()
		p.send(create(1, "/a"))
		for i := range int32(8) {
			p.send(create(2+i, fmt.Sprint("/", i)))
		}
		r.let(nil)
		r.let(nil)
		ops := r.log.asked()
		next, rolls := 2, 0
		for _, op := range ops {
			var first, last int
			if n, _ := fmt.Sscanf(op, "write %d-%d", &first, &last); n == 2 {
				if first != next {
					t.Errorf("a hole before %d in %q", first, ops)
				}
				next = last + 1
			} else if op == "roll" {
				rolls++
			}
		}
		if next != 11 || rolls < 1 || ops[len(ops)-1] != "sync" || slices.Index(ops, "roll") == len(ops)-1 {
			t.Errorf("the log was asked to %q", ops)
		}
		p.expect("connected", "1 OK", "2 OK", "3 OK", "4 OK", "5 OK", "6 OK", "7 OK", "8 OK", "9 OK")
		r.stop()
	})
}

// After the first error of the log nothing is acknowledged, nothing is asked of the log, and Run returns the error.
func TestAFailedLogEndsTheServer(t *testing.T) {
	broken := errors.New("the disk is broken")
	for _, op := range []string{"write", "sync", "roll"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &fakeLog{hold: make(chan error)}, func(_ *Options, c *replica.Config) { c.LogFileBytes = 400 }).run()
				p, q := r.open(), r.open()
				r.let(nil)
				r.let(nil)
				p.expect("connected")
				q.expect("connected")
				r.log.fail = map[string]error{op: broken}
				p.send(create(1, "/a"))
				for i := range int32(6) { // enough for the log to roll
					q.send(create(i, fmt.Sprint("/q", i)))
				}
				p.send(zk.Request{Xid: 2, Op: zk.OpSync, Path: "/"})
				for len(r.ended) == 0 {
					select {
					case r.log.hold <- nil:
						synctest.Wait()
					default:
						t.Fatalf("Run goes on although no Sync waits; the log was asked to %q", r.log.asked())
					}
				}
				if err := r.result(); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "transaction log: ") {
					t.Errorf("Run returned %v", err)
				}
				p.mu.Lock()
				sent := p.sent
				p.mu.Unlock()
				if op != "roll" && len(sent) > 0 {
					t.Errorf("acknowledged %q", sent)
				}
				q.expect()
				if len(r.log.late) > 0 {
					t.Errorf("after the error the log was asked to %q", r.log.late)
				}
				// Whoever still talks to the server is neither answered nor held.
				p.send(create(9, "/b"))
				r.d.Submit(q.id, []zk.Request{{Op: zk.OpSetData, Data: make([]byte, weightMax+1)}}, nil)
				r.d.Submit(q.id, []zk.Request{{Op: zk.OpSetData}}, nil)
				r.d.Close(q.id)
				q.expect()
				r.cancel()
			})
		})
	}
}

// Requests may be left in the mailbox when the server stops; the end of the fsync must be heard all the same.
func TestDoorsWaitWhileTheOwnerIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{}).run()
		p := r.open()
		goOn := make(chan struct{})
		go r.d.Inspect(context.Background(), func(*replica.Replica, *Stats) { <-goOn })
		synctest.Wait()
		big := zk.Request{Xid: 1, Op: zk.OpExists, Path: "/no", Data: make([]byte, weightMax)}
		r.d.Submit(p.id, []zk.Request{big}, nil)
		var taken bool
		go func() {
			r.d.Submit(p.id, []zk.Request{exists(2, "/zookeeper")}, nil)
			taken = true
		}()
		synctest.Wait()
		if taken {
			t.Error("more than the mailbox may hold was taken")
		}
		close(goOn)
		p.expect("connected", "1 NoNode", "2 OK")
		if !taken {
			t.Error("the door was not let go")
		}
		r.stop()
	})
}

func TestDoorsThatWaitAreLetGoAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{hold: make(chan error)}).run()
		p := r.open()
		goOn := make(chan struct{})
		go r.d.Inspect(context.Background(), func(*replica.Replica, *Stats) { <-goOn })
		synctest.Wait()
		r.d.Submit(p.id, []zk.Request{{Op: zk.OpExists, Data: make([]byte, weightMax)}}, nil)
		taken := make(chan struct{})
		go func() { r.d.Submit(p.id, []zk.Request{ping()}, nil); close(taken) }()
		synctest.Wait()
		go func() { r.log.hold <- errors.New("broken") }()
		synctest.Wait()
		close(goOn)
		if r.result() == nil {
			t.Error("no error")
		}
		select {
		case <-taken:
		default:
			t.Error("the door still waits")
		}
		r.cancel()
	})
}

func TestASlowSnapshotHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		written := make(chan error)
		var views []*tree.View
		r := newRig(t, &fakeLog{}, func(o *Options, _ *replica.Config) {
			o.Snapshot = func(_ context.Context, v *tree.View) error {
				views = append(views, v)
				return <-written
			}
		}).run()
		p := r.open()
		now := replica.Event{Kind: replica.SnapshotNow}
		r.d.Do(now)
		p.send(create(1, "/a"))
		p.expect("connected", "1 OK")
		r.d.Do(now)
		synctest.Wait()
		if len(views) != 1 || views[0].Znodes() != 4 {
			t.Errorf("%d snapshots", len(views))
		}
		written <- errors.New("no space")
		p.send(create(2, "/b"))
		p.expect("2 OK")
		var errs int64
		r.d.Inspect(context.Background(), func(_ *replica.Replica, s *Stats) { errs = s.SnapshotErrors })
		if errs != 1 {
			t.Errorf("%d snapshots are counted as failed", errs)
		}
		r.d.Do(now)
		synctest.Wait()
		if len(views) != 2 || views[1].Znodes() != 6 {
			t.Errorf("%d snapshots", len(views))
		}
		written <- nil
		synctest.Wait()
		r.stop()
		if lines := r.lines.String(); strings.Count(lines, "\n") != 1 || !strings.Contains(lines, "no space") || !strings.Contains(lines, "snapshot not written") {
			t.Errorf("logged %s", lines)
		}
	})
}

func TestWhatComesBeforeRunIsDoneByIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{})
		p := r.open()
		var zxid zk.Zxid
		inspected := make(chan bool, 1)
		go func() {
			inspected <- r.d.Inspect(context.Background(), func(rep *replica.Replica, _ *Stats) { zxid = rep.Tree().Zxid() })
		}()
		synctest.Wait()
		p.send(create(1, "/a"))
		p.expect()
		r.run()
		p.expect("connected", "1 OK")
		if !<-inspected || zxid != 0 {
			t.Errorf("inspected at %v", zxid)
		}
		r.stop()
	})
}

func TestAnInspectionEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{}).run()
		goOn := make(chan struct{})
		go r.d.Inspect(context.Background(), func(*replica.Replica, *Stats) { <-goOn })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if r.d.Inspect(ctx, func(*replica.Replica, *Stats) {}) {
			t.Error("inspected while the owner was busy")
		}
		close(goOn)
		r.stop()
		ctx, cancel = context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if r.d.Inspect(ctx, func(*replica.Replica, *Stats) { t.Error("inspected after the end") }) {
			t.Error("inspected after the end")
		}
	})
}

func TestTheReplicaIsToldTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var notes []replica.Note
		r := newRig(t, &fakeLog{}, func(o *Options, _ *replica.Config) {
			o.TickEvery = 100 * time.Millisecond
			o.Observe = func(n replica.Note) { notes = append(notes, n) }
		})
		start := time.Now()
		r.run()
		p := r.open()
		time.Sleep(9 * time.Second)
		p.send(ping())
		time.Sleep(9 * time.Second)
		p.expect("connected", "-2 OK")
		time.Sleep(3 * time.Second)
		p.expect("closed: session_expired")
		if len(notes) != 3 || notes[1].Kind != replica.SessionExpired {
			t.Errorf("notes %+v", notes)
		}
		if got := r.d.Wall(5000); !got.Equal(start.Add(5 * time.Second)) {
			t.Errorf("5 s of the replica's clock are %v", got)
		}
		r.stop()
	})
}

// The owner reads the clock once per round; a request may arrive after that and still be in the round.
func TestEventsAndRepliesOfOneRoundAreSentTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{}).run()
		p, q := r.open(), r.open()
		q.send(zk.Request{Xid: 1, Op: zk.OpExists, Path: "/a", Watch: true})
		p.send(create(1, "/a"), create(2, "/a"))
		q.expect("connected", "1 NoNode", "NodeCreated /a")
		p.expect("connected", "1 OK", "2 NodeExists")
		p.send(zk.Request{Xid: 3, Op: zk.OpCloseSession}, ping())
		p.expect("3 OK", "closed: session_closed")
		r.d.Close(p.id)
		r.stop()
	})
}

func TestABatchWeighsWhatItsTransactionsHold(t *testing.T) {
	op := zk.Request{Path: "/a", Data: make([]byte, 1000)}
	plain := weigh([]zk.Request{op})
	for name, r := range map[string]zk.Request{
		"multi": {Ops: []zk.Request{op, op}}, "else": {Else: []zk.Request{op, op}},
		"guards": {Guards: []zk.Guard{{Path: "/a", Data: op.Data}, {Path: "/a", Data: op.Data}}},
	} {
		if got := weigh([]zk.Request{r}); got < 2*plain {
			t.Errorf("%s: %d, while one operation alone weighs %d", name, got, plain)
		}
	}
}
