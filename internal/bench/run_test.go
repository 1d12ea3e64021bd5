package bench

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"paddock/internal/zk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// short are options of a run that is over soon.
func short(f *fake, w Workload) Options {
	return Options{Servers: []string{f.addr}, Workload: w, Connections: 4, Outstanding: 5, Keys: 40, DataBytes: 30, Watchers: 7,
		Warmup: 10 * time.Millisecond, Duration: 60 * time.Millisecond}
}

func TestEveryWorkloadRunsAndCleansUp(t *testing.T) {
	for _, w := range Workloads {
		t.Run(string(w), func(t *testing.T) {
			f := newFake(t)
			opt := short(f, w)
			opt.PIDs = []int{os.Getpid()}
			res, err := Run(t.Context(), opt)
			if err != nil {
				t.Fatal(err)
			}
			if res.Operations == 0 || res.PerSecond == 0 || res.Seconds < .05 || res.ErrorCount() != 0 {
				t.Errorf("%+v", res)
			}
			l := res.Latency
			if l.Min <= 0 || l.Min > l.P50 || l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.P999 || l.P999 > l.Max || l.Mean > l.Max {
				t.Errorf("%+v", l)
			}
			if left := f.left(); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func TestWhatEachWorkloadCounts(t *testing.T) {
	f := newFake(t)
	for _, row := range []struct {
		name     string
		workload Workload
		check    func(r *Result) bool
	}{
		{"get only reads", Get, func(r *Result) bool { return r.ByKind["get"] == r.Operations && len(r.ByKind) == 1 }},
		{"set only writes", Set, func(r *Result) bool { return r.ByKind["set"] == r.Operations && len(r.ByKind) == 1 }},
		{"mixed does both", Mixed, func(r *Result) bool {
			return r.ByKind["get"] > r.ByKind["set"] && r.ByKind["set"] > 0 && r.ByKind["get"]+r.ByKind["set"] == r.Operations
		}},
		{"create counts deletes too", Create, func(r *Result) bool {
			return r.ByKind["create"] > 0 && r.ByKind["delete"] > 0 && r.ByKind["create"]+r.ByKind["delete"] == r.Operations
		}},
		{"ephemeral counts ephemerals", Ephemeral, func(r *Result) bool {
			return r.ByKind["create"] == r.Operations && r.ByKind["session"] > 0
		}},
		{"session counts sessions", Session, func(r *Result) bool { return r.ByKind["session"] == r.Operations }},
		{"watch counts events", Watch, func(r *Result) bool {
			return r.ByKind["event"] == r.Operations && r.ByKind["set"] > 0 && r.Connections == 7
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if res, err := Run(t.Context(), short(f, row.workload)); err != nil || !row.check(res) {
				t.Errorf("%+v %v", res, err)
			}
		})
	}
}

func TestCreateKeepsItsLimit(t *testing.T) {
	f := newFake(t)
	if _, err := Run(t.Context(), short(f, Create)); err != nil {
		t.Fatal(err)
	}
	if most := 40 + 4 + 4; f.most > most { // /, /app, the root and the run's znode; a parent for each connection
		t.Errorf("%d znodes at a time, at most %d were allowed", f.most, most)
	}
}

func TestPersistentWatchesAreSetOnce(t *testing.T) {
	f := newFake(t)
	opt := short(f, Watch)
	opt.Persistent = true
	res, err := Run(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if res.Operations == 0 || f.count(zk.OpAddWatch) != opt.Watchers || f.count(zk.OpGetData) != 0 {
		t.Errorf("%d events, %d addWatch, %d getData", res.Operations, f.count(zk.OpAddWatch), f.count(zk.OpGetData))
	}
}

func TestRootThatWasThereStays(t *testing.T) {
	f := newFake(t)
	opt := short(f, Get)
	opt.Root = "/app"
	if _, err := Run(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	if _, there := f.znodes["/app"]; !there || len(f.left()) > 0 {
		t.Errorf("/app is there: %t; left behind: %q", there, f.left())
	}
}

func TestInterruptedRunReportsAndCleansUp(t *testing.T) {
	for _, w := range Workloads {
		t.Run(string(w), func(t *testing.T) {
			f := newFake(t)
			ctx, cancel := context.WithCancel(t.Context())
			opt := short(f, w)
			opt.Duration = time.Hour
			opt.Progress = func(p Progress) {
				if p.Stage == "measure" && p.Operations > 0 {
					cancel()
				}
			}
			res, err := Run(ctx, opt)
			if res == nil || res.Operations == 0 || !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "interrupted after ") {
				t.Fatalf("%+v %v", res, err)
			}
			if left := f.left(); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func TestInterruptedBeforeMeasuring(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.bend(hooks{answer: func(req *zk.Request, _ *zk.Reply) bool {
		if strings.HasSuffix(req.Path, "/k00000007") {
			cancel()
		}
		return true
	}})
	if res, err := Run(ctx, short(f, Get)); res != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v %v", res, err)
	}
	if left := f.left(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// onGet makes hooks that bend the answers to getData.
func onGet(bend func(req *zk.Request, reply *zk.Reply) bool) hooks {
	return hooks{answer: func(req *zk.Request, reply *zk.Reply) bool { return req.Op != zk.OpGetData || bend(req, reply) }}
}

// TestServersThatMisbehave checks that a run fails, and says why.
func TestServersThatMisbehave(t *testing.T) {
	limit := hooks{refuse: func(_, open int) bool { return open > 10 }}
	for _, row := range []struct {
		name     string
		workload Workload
		bend     hooks
		says     string
		result   bool
	}{
		{"a server that limits connections is named with the remedy", Get, limit, "maxClientCnxns", false},
		{"so is one that limits watchers", Watch, limit, "maxClientCnxns", false},
		{"a connection that drops under load ends the run", Get,
			onGet(func(req *zk.Request, _ *zk.Reply) bool { return req.Xid < 20 }), "closed a connection after", false},
		{"errors are counted and reported", Get, onGet(func(req *zk.Request, r *zk.Reply) bool {
			if req.Xid%3 == 0 {
				r.Err = zk.NoAuth
			}
			return true
		}), "errors: NoAuth ", true},
		{"an error while znodes are made ends the run", Set, hooks{answer: func(req *zk.Request, r *zk.Reply) bool {
			if strings.HasSuffix(req.Path, "/k00000003") && req.Op == zk.OpCreate {
				r.Err = zk.QuotaExceeded
			}
			return true
		}}, "errors: QuotaExceeded 1", false},
		{"a reply out of order is noticed", Get, onGet(func(req *zk.Request, r *zk.Reply) bool {
			if req.Xid == 9 {
				r.Xid = 8
			}
			return true
		}), "answered xid 8 where 9 was due", false},
		{"a reply of a wrong length is noticed", Get, onGet(func(req *zk.Request, r *zk.Reply) bool {
			r.Data = []byte("short")
			return true
		}), "answered a get with 93 bytes where 118 were due", false},
		{"a zxid that falls is noticed", Get, onGet(func(req *zk.Request, r *zk.Reply) bool {
			if req.Xid == 50 {
				r.Zxid = 1
			}
			return true
		}), "with zxid 0x1 after", false},
		{"a session that is not opened ends the churn", Session, hooks{refuse: func(n, _ int) bool { return n == 12 }},
			"maxClientCnxns", false},
		{"a watch that is refused ends the run", Watch, onGet(func(req *zk.Request, r *zk.Reply) bool {
			r.Err = zk.NoAuth
			return true
		}), "watch /paddock-bench/1/k00000000: NoAuth", false},
		{"a root that may not be created is named", Get, hooks{answer: func(_ *zk.Request, r *zk.Reply) bool {
			r.Err = zk.NoAuth
			return true
		}}, "create /paddock-bench: NoAuth", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFake(t)
			f.bend(row.bend)
			opt := short(f, row.workload)
			opt.Connections, opt.Watchers = 16, 16
			res, err := Run(t.Context(), opt)
			if err == nil || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "\n") || (res != nil) != row.result {
				t.Errorf("got %v, result %+v", err, res)
			}
		})
	}
}

func TestNoServer(t *testing.T) {
	_, err := Run(t.Context(), Options{Servers: []string{"127.0.0.1:1"}})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") || !strings.Contains(err.Error(), "is a server running there?") {
		t.Errorf("%v", err)
	}
}

func TestFill(t *testing.T) {
	f := newFake(t)
	if err := Fill(t.Context(), f.addr, "/big", 1003, 10, nil); err != nil {
		t.Fatal(err)
	}
	if n := len(f.left()); n != 1003+fillLanes+1 {
		t.Errorf("%d znodes", n)
	}
	if err := Fill(t.Context(), f.addr, "/big", 1, 10, nil); err == nil || !strings.Contains(err.Error(), "create /big: NodeExists") {
		t.Errorf("%v", err)
	}
}
