package bench

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

func TestOptionsThatCannotBeRun(t *testing.T) {
	for _, row := range []struct {
		name string
		opt  Options
		want string
	}{
		{"an unknown workload", Options{Workload: "gte"},
			`workload "gte" is unknown; choose one of get, set, mixed, create, ephemeral, session, watch`},
		{"too few connections", Options{Connections: -1}, "connections is -1; give 1 to 20000"},
		{"too many outstanding", Options{Outstanding: 1e6}, "outstanding is 1000000; give 1 to 10000"},
		{"data that no server takes", Options{DataBytes: 2_000_000}, "data bytes is 2000000; give 0 to 1000000"},
		{"too much in flight", Options{Workload: Set, DataBytes: 1_000_000, Outstanding: 5},
			"5 outstanding requests of 1000000 bytes are 5000000 bytes per connection; lower one of them until they are at most 4194304"},
		{"fewer keys than connections that create", Options{Workload: Create, Connections: 10, Keys: 9},
			"9 keys are fewer than 10 connections, and each creates its own; give at least as many"},
		{"no keys", Options{Keys: -5}, "keys is -5; give 1 to 100000000"},
		{"a share above all", Options{ReadPercent: 101}, "read percent is 101; give 1 to 100"},
		{"a duration of nothing", Options{Duration: 1}, "duration is 1ns; give at least 1ms, such as 10s"},
		{"a root that is no path", Options{Root: "bench"}, `root "bench" is not a path of at most 1000 bytes below /; give one such as /paddock-bench`},
		{"the root of all", Options{Root: "/"}, `root "/" is not a path of at most 1000 bytes below /; give one such as /paddock-bench`},
		{"a server without a port", Options{Servers: []string{"db1"}}, `server "db1" has no port; write db1:2181`},
		{"a process that is not there", Options{PIDs: []int{1 << 30}},
			"there is no process 1073741824; give the pid of a server on this host, or none"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := Run(t.Context(), row.opt); err == nil || err.Error() != row.want {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestDefaultsAreFine(t *testing.T) {
	for _, w := range Workloads {
		if _, err := (Options{Workload: w}).withDefaults(); err != nil {
			t.Errorf("%s: %v", w, err)
		}
	}
}

func TestTemplatesDecodeAsWhatTheyAsk(t *testing.T) {
	for k, want := range map[kind]zk.Request{
		kindCreate: {Op: zk.OpCreate, Data: []byte("abc"), ACL: zk.OpenACL, Mode: zk.Ephemeral, TTLMS: -1},
		kindDelete: {Op: zk.OpDelete, Version: -1},
		kindGet:    {Op: zk.OpGetData},
		kindSet:    {Op: zk.OpSetData, Data: []byte("abc"), Version: -1},
		kindWatch:  {Op: zk.OpGetData, Watch: true},
	} {
		tm := newTemplate(k, "/r/k", []byte("abc"), true)
		b := tm.append(tm.append(nil, 1, 0), 77, 12345678)
		if b = b[len(tm.frame):]; len(b) != len(tm.frame) {
			t.Fatalf("%s: %d bytes", kindNames[k], len(b))
		}
		var got zk.Request
		r := jute.Reader(b[frameHeaderBytes:])
		got.Jute(r)
		want.Xid, want.Path = 77, "/r/k12345678"
		if r.Left() != 0 || got.Malformed || got.Xid != want.Xid || got.Op != want.Op || got.Path != want.Path || got.Watch != want.Watch ||
			string(got.Data) != string(want.Data) || got.Mode != want.Mode || got.Version != want.Version || len(got.ACL) != len(want.ACL) {
			t.Errorf("%s: %+v, want %+v", kindNames[k], got, want)
		}
	}
}

func TestMixedKeepsItsShares(t *testing.T) {
	z := znodes{prefix: "/k", data: data(5)}
	for _, percent := range []int{1, 30, 90, 100} {
		s := newRandom(z, percent, 7, 3)
		reads, keys := 0, map[int]int{}
		const n = 100_000
		for range n {
			tm, key := s.next()
			if tm.kind == kindGet {
				reads++
			}
			keys[key]++
		}
		if got := float64(reads) * 100 / n; got < float64(percent)-1 || got > float64(percent)+1 {
			t.Errorf("%.1f %% reads where %d %% were asked", got, percent)
		}
		for key := range 7 {
			if keys[key] < n/7*9/10 || len(keys) != 7 {
				t.Errorf("keys %v", keys)
				break
			}
		}
	}
}

func TestCycleCreatesAndDeletesInTurn(t *testing.T) {
	c := newCycle(znodes{prefix: "/k"}, 2)
	var got []string
	for range 6 {
		tm, key := c.next()
		got = append(got, kindNames[tm.kind]+string(rune('0'+key)))
	}
	if want := []string{"create0", "create1", "delete0", "delete1", "create0", "create1"}; !slices.Equal(got, want) || c.top != 2 {
		t.Errorf("%v, top %d", got, c.top)
	}
}

func TestSplitCoversEachNumberOnce(t *testing.T) {
	for _, row := range [][2]int{{1, 8}, {8, 8}, {1003, 8}, {0, 8}, {7, 3}} {
		at := 0
		for _, p := range split(row[0], row[1]) {
			if p.at != at || p.end <= p.at {
				t.Errorf("split(%v): %+v", row, p)
			}
			at = p.end
		}
		if at != row[0] {
			t.Errorf("split(%v) ends at %d", row, at)
		}
	}
}

func TestHistogramIsExactToABucket(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h, odd histogram
	var all []int64
	for i := range 20_000 {
		v := int64(rng.ExpFloat64() * 1e6)
		all = append(all, v)
		if i%2 == 0 {
			h.add(v, 1)
		} else {
			odd.add(v, 1)
		}
	}
	h.merge(&odd)
	h.merge(new(histogram))
	slices.Sort(all)
	for _, q := range []float64{0, .5, .9, .99, .999, .9999} {
		want := float64(all[int(q*float64(len(all)))])
		if got := float64(h.quantile(q)); got < want*.98-1 || got > want*1.02+1 {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
	if h.min != all[0] || h.max != all[len(all)-1] || h.count != 20_000 || h.quantile(1) != h.max {
		t.Errorf("min %d max %d count %d", h.min, h.max, h.count)
	}
	var empty histogram
	if empty.quantile(.5) != 0 || empty.mean() != 0 {
		t.Error("an empty histogram has values")
	}
}

func TestEveryValueHasItsBucket(t *testing.T) {
	last := -1
	for v := int64(0); v < 1<<20; v++ {
		i := bucketOf(v)
		if i != last && i != last+1 {
			t.Fatalf("%d is in bucket %d after %d", v, i, last)
		}
		if mid := bucketMid(i); mid < v-v/32-1 || mid > v+v/32+1 {
			t.Fatalf("bucket %d of %d has its middle at %d", i, v, mid)
		}
		last = i
	}
	var h histogram
	h.add(1<<62, 1)
	h.add(-4, 1)
	if h.max != 1<<62 || h.min != 0 {
		t.Errorf("%d to %d", h.min, h.max)
	}
}

func TestParseStat(t *testing.T) {
	line := "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 100 0 0"
	if d, err := parseStat([]byte(line)); err != nil || d != 3*time.Second {
		t.Errorf("%v %v", d, err)
	}
	for _, bad := range []string{"", "42 (a) S 1 2", strings.Replace(line, " 250 ", " x ", 1)} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestResultForPeopleAndPrograms(t *testing.T) {
	var ta tally
	ta.kinds[kindGet], ta.kinds[kindSet] = 9_000_000, 1_000_000
	ta.fail(zk.NoNode)
	ta.latencies.add(10_000, 10_000_000)
	opt, err := Options{Workload: Mixed, Connections: 64, Outstanding: 32}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	r := newResult(&opt, &ta, 5*time.Second, 4*time.Second, 2*time.Second)
	want := `mixed: 64 connections with 32 outstanding, 10,000 znodes of 100 bytes, 5.0 s
operations    10,000,000  (2,000,000 per second)  get 9,000,000, set 1,000,000
errors        1  NoNode 1
server CPU    4.00 s  (2,500,000 operations per CPU second)
generator CPU 2.00 s
latency in us min 10  mean 10  p50 10  p90 10  p99 10  p99.9 10  max 10
`
	if got := r.Text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var again Result
	if b, err := json.Marshal(r); err != nil || json.Unmarshal(b, &again) != nil || again.Text() != want {
		t.Errorf("%s %v", b, err)
	}
	if err := answered(&ta); err == nil || err.Error() != "the server answered requests with errors: NoNode 1" {
		t.Errorf("%v", err)
	}
}

func TestGrouped(t *testing.T) {
	for v, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -123456: "-123,456", -1234: "-1,234"} {
		if got := Grouped(v); got != want {
			t.Errorf("%d became %s", v, got)
		}
	}
}
