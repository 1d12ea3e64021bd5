package admin

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"paddock/internal/metrics"
)

func TestScrapeTellsWhatMntrTells(t *testing.T) {
	reg := metrics.New()
	reg.Timer("fsynctime").Observe(7 * time.Millisecond)
	reg.Timer("readlatency").Observe(7 * time.Millisecond)
	reg.Counter("connection_rejected").Add(3)
	src := &fakeSource{state: StateServing, server: Server{Refused: []Refused{{"10.0.0.7", "max_cnxns", 5}}, Mode: "leader", Znodes: 42, Leading: &Leading{Learners: []int64{2, 3}, SyncedFollowers: 2},
		Member: &Member{ElectionListening: true, Peers: []Peer{{2, true}, {3, false}}}}}
	w := New(Options{Source: src, Metrics: reg})
	page := func(source func() *Words) string {
		rec := httptest.NewRecorder()
		Scrape(source, true).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		b, err := io.ReadAll(rec.Body)
		if err != nil || rec.Code != http.StatusOK {
			t.Fatal(rec.Code, err, string(b))
		}
		return string(b)
	}
	got := page(func() *Words { return w })
	for _, line := range []string{"znode_count 42", `server_state_info{server_state="leader"} 1`, "synced_followers 2", "learners 2", "connection_rejected 3",
		`readlatency{quantile="0.99"} 7`, `readlatency{quantile="0.9"} 7`, "fsynctime_count 1", "fsynctime_sum 7", `fsynctime{quantile="0.5"} 7`, `updatelatency{quantile="0.9"} NaN`,
		"election_listener_up 1", `peer_link_up{server="2"} 1`, `peer_link_up{server="3"} 0`,
		`refused_clients_total{address="10.0.0.7",reason="max_cnxns"} 5`} {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("%q is missing", line)
		}
	}
	names := map[string]bool{}
	for line := range strings.Lines(got) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, _, _ = strings.Cut(name, "{")
		names[name] = true
	}
	for line := range strings.Lines(string(w.mntr())) {
		key, _, _ := strings.Cut(strings.TrimPrefix(line, "zk_"), "\t")
		base := key
		for _, prefix := range []string{"avg_", "min_", "max_", "cnt_", "sum_", "p50_", "p95_", "p99_", "p999_"} {
			if rest, cut := strings.CutPrefix(key, prefix); cut && names[rest+"_count"] {
				base = rest + "_count"
			}
		}
		if _, rest, ok := strings.Cut(key, "_"); ok && strings.HasSuffix(key, "_peer_link_up") {
			base = rest // with the server as a label
		}
		if !names[base] && !names[base+"_info"] && !strings.Contains(key, "_learner_handler_") {
			t.Errorf("mntr has %s, and /metrics has not", key)
		}
	}
	if before := page(func() *Words { return nil }); !strings.Contains(before, "go_goroutines") || strings.Contains(before, "znode_count") {
		t.Error("before the server is live there is the process alone")
	}
}
