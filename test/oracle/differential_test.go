//go:build interop

package oracle

import (
	"flag"
	"os"
	"testing"
	"time"
)

var (
	seedFlag     = flag.Uint64("seed", 1, "first seed")
	seedsFlag    = flag.Int("seeds", 10, "how many seeds")
	requestsFlag = flag.Int("requests", 400, "requests per seed")
	perPairFlag  = flag.Int("perpair", 20, "seeds until a fresh pair of servers is started")
)

// other returns the kind of server B: ORACLE_B, by default paddock.
func other(t *testing.T) string {
	switch kind := os.Getenv("ORACLE_B"); kind {
	case "", "paddock":
		return "paddock"
	case "java":
		return kind
	default:
		t.Fatalf("ORACLE_B=%q: it must be java or paddock", kind)
		return ""
	}
}

// fastDir returns a fresh directory, in memory if the system has one: the servers sync every write, and durability is
// not what is compared here.
func fastDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "oracle")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestDifferential plays seeds against ZooKeeper and server B; any unexplained difference fails.
func TestDifferential(t *testing.T) {
	r := &run{dir: fastDir(t), kind: other(t), requests: *requestsFlag, perPair: *perPairFlag}
	defer r.close()
	bad := 0
	for n := range uint64(*seedsFlag) {
		began := time.Now()
		err := r.seed(*seedFlag + n)
		if took := time.Since(began); took > 10*time.Second {
			t.Logf("seed %d took %s: a server is slow to answer or to close", *seedFlag+n, took.Round(time.Second))
		}
		if err != nil {
			t.Errorf("%v", err)
			if r.pair == nil {
				t.FailNow()
			}
			t.Logf("log of A ends:\n%s\nlog of B ends:\n%s", r.pair.procs[0].logTail(), r.pair.procs[1].logTail())
			if bad++; bad == 5 {
				t.Fatal("five seeds differ; giving up")
			}
			r.close() // the two may never agree again
		}
	}
	r.close()
	t.Logf("%d seeds, %d requests, %d pairs of servers; explained differences: %s", *seedsFlag, r.sent, r.pairs, r.seen)
	t.Logf("answers: %s", r.cover)
}
