package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/metrics"
)

// keysOf are the keys of an answer of mntr, in their order.
func keysOf(t *testing.T, text string) (keys []string) {
	t.Helper()
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || !strings.HasPrefix(key, "zk_") || value == "" || strings.ContainsAny(value, "\t") {
			t.Fatalf("%q is not zk_<key>, a tab, and a value", line)
		}
		keys = append(keys, key)
	}
	return keys
}

func TestMntrHasTheKeysOfZooKeeperInItsOrder(t *testing.T) {
	// What depends on the znodes that clients used is not counted by top-level znode here.
	want := slices.DeleteFunc(keysOf(t, capture(t, "busy_mntr")), func(k string) bool { return strings.HasSuffix(k, "_per_namespace") })
	got := keysOf(t, string(all(busy()).Answer("mntr", noArg)))
	if !slices.Equal(got, want) {
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("key %d is %s, want %s", i, got[i], want[i])
			}
		}
		t.Fatalf("%d keys, want %d", len(got), len(want))
	}
	if len(got) < 450 {
		t.Errorf("only %d keys", len(got))
	}
}

func TestTheGaugesOfMntrAreThoseOfZooKeeper(t *testing.T) {
	src := busy()
	src.server.Received, src.server.Sent = 44, 42
	upTo := func(text string) string {
		head, _, ok := strings.Cut(text, "zk_proposal_count\t")
		if !ok {
			t.Fatal("no zk_proposal_count")
		}
		var lines []string
		for line := range strings.Lines(head) {
			if !strings.Contains(line, "_file_descriptor_count") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "")
	}
	if got, want := upTo(string(all(src).Answer("mntr", noArg))), upTo(capture(t, "busy_mntr")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMntrListsWhatWasCounted(t *testing.T) {
	reg := metrics.New()
	reg.Counter("connection_rejected").Add(3)
	fsync := reg.Timer("fsynctime")
	for _, ms := range []int{1, 2, 4} {
		fsync.Observe(time.Duration(ms) * time.Millisecond)
	}
	batch := reg.Summary("sync_processor_batch_size")
	for n := range int64(32) {
		batch.Observe(n / 31) // a mean of 1/32, which lies half-way between two values of four places
	}
	reg.Timer("readlatency").Observe(5500 * time.Microsecond)
	reg.Gauge("disk_free_bytes").Set(7)
	text := string(New(Options{Source: fresh(), AllEnabled: true, Metrics: reg}).Answer("mntr", noArg))
	for _, want := range []string{
		"zk_connection_rejected\t3\n",
		"zk_avg_fsynctime\t2.3333\nzk_min_fsynctime\t1\nzk_max_fsynctime\t4\nzk_cnt_fsynctime\t3\nzk_sum_fsynctime\t7\nzk_avg_inflight_snap_count\t0.0\n",
		"zk_avg_sync_processor_batch_size\t0.0313\n",
		"zk_avg_readlatency\t5.5\nzk_min_readlatency\t5\nzk_max_readlatency\t5\nzk_cnt_readlatency\t1\nzk_sum_readlatency\t5\n" +
			"zk_p50_readlatency\t5\nzk_p95_readlatency\t5\nzk_p99_readlatency\t5\nzk_p999_readlatency\t5\n",
		"zk_disk_free_bytes\t7\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if !strings.HasSuffix(text, "\nzk_disk_free_bytes\t7\n") {
		t.Error("what ZooKeeper does not have is not last")
	}
}

func TestOpenFilesAreCounted(t *testing.T) {
	open, most := openFiles()
	if open == -1 && most == -1 {
		t.Skip("this system does not tell")
	}
	if open < 3 || most < open {
		t.Errorf("%d of %d descriptors are open", open, most)
	}
}

func TestEnviHasTheKeysOfZooKeeper(t *testing.T) {
	keys := func(text string) (k []string) {
		for line := range strings.Lines(text) {
			key, _, _ := strings.Cut(line, "=")
			k = append(k, key)
		}
		return k
	}
	text, want := string(all(&fakeSource{}).Answer("envi", noArg)), capture(t, "busy_envi")
	if !slices.Equal(keys(text), keys(want)) {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	first := func(text string) string { return strings.Join(strings.SplitAfterN(text, "\n", 3)[:2], "") }
	if first(text) != first(want) {
		t.Errorf("got %q, want %q", first(text), first(want))
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "os.memory."); ok {
			var which string
			var n int64
			if _, err := fmt.Sscanf(strings.Replace(v, "=", " ", 1), "%s %dMB", &which, &n); err != nil || n < 0 {
				t.Errorf("%q is no memory in MB", line)
			}
		}
	}
}
