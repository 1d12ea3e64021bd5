package grpcapi

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/server/driver"
	"paddock/server/replica"
	"paddock/server/watch"
)

func TestALeaderFollowsAnother(t *testing.T) {
	r := newRig(t)
	elections := paddockv1.NewElectionServiceClient(r.conn)
	_, err := elections.GetLeader(t.Context(), &paddockv1.GetLeaderRequest{Path: "/app/leader"})
	expect(t, err, codes.NotFound, "NONODE")

	watching, stop := context.WithCancel(t.Context())
	defer stop()
	seen, err := elections.Observe(watching, &paddockv1.ObserveRequest{Path: "/app/leader"})
	if err != nil {
		t.Fatal(err)
	}
	leads := func(value string, token uint64) {
		t.Helper()
		out, err := seen.Recv()
		if err != nil || string(out.GetLeader().GetValue()) != value || out.GetLeader().GetFencingToken() != token || out.GetZxid() == 0 && value != "" {
			t.Fatalf("%v, %v; want %q with token %d", out, err, value, token)
		}
	}
	leads("", 0)

	one, _ := r.open(30_000)
	first, err := elections.Campaign(one, &paddockv1.CampaignRequest{Path: "/app/leader", Value: []byte("one")})
	if err != nil {
		t.Fatal(err)
	}
	leads("one", first.GetFencingToken())
	two, _ := r.open(30_000)
	second := make(chan *paddockv1.CampaignResponse, 1)
	go func() { // ends once the first has resigned
		got, err := elections.Campaign(two, &paddockv1.CampaignRequest{Path: "/app/leader", Value: []byte("two")})
		if err != nil {
			t.Error(err)
		}
		second <- got
	}()
	r.queueOf("/app/leader", 2)
	if _, err := elections.Proclaim(two, &paddockv1.ProclaimRequest{Path: "/app/leader", Value: []byte("two, still waiting")}); err != nil {
		t.Fatal(err)
	}
	if _, err := elections.Proclaim(one, &paddockv1.ProclaimRequest{Path: "/app/leader", Value: []byte("one, busy")}); err != nil {
		t.Fatal(err)
	}
	leads("one, busy", first.GetFencingToken())
	now, err := elections.GetLeader(t.Context(), &paddockv1.GetLeaderRequest{Path: "/app/leader"})
	if err != nil || string(now.GetLeader().GetValue()) != "one, busy" || now.GetLeader().GetCandidatePath() != first.GetCandidatePath() {
		t.Error(now, err)
	}
	if _, err := elections.Resign(one, &paddockv1.ResignRequest{Path: "/app/leader"}); err != nil {
		t.Fatal(err)
	}
	got := <-second
	if got.GetFencingToken() <= first.GetFencingToken() {
		t.Errorf("token %d after %d", got.GetFencingToken(), first.GetFencingToken())
	}
	leads("two, still waiting", got.GetFencingToken())
	_, err = elections.Proclaim(one, &paddockv1.ProclaimRequest{Path: "/app/leader"})
	expect(t, err, codes.NotFound, "NONODE")
	_, err = elections.Resign(one, &paddockv1.ResignRequest{Path: "/app/leader"})
	expect(t, err, codes.NotFound, "NONODE")
	if _, err := r.sess.CloseSession(two, &paddockv1.CloseSessionRequest{}); err != nil {
		t.Fatal(err)
	}
	leads("", 0)
}

// A candidate that gives up after it has said something new of itself leaves nothing behind.
func TestACandidateThatGivesUpAfterItHasProclaimed(t *testing.T) {
	r := newRig(t)
	elections := paddockv1.NewElectionServiceClient(r.conn)
	one, _ := r.open(30_000)
	if _, err := elections.Campaign(one, &paddockv1.CampaignRequest{Path: "/e"}); err != nil {
		t.Fatal(err)
	}
	two, _ := r.open(30_000)
	ctx, cancel := context.WithCancel(two)
	ended := make(chan error, 1)
	go func() { // ends with cancel
		_, err := elections.Campaign(ctx, &paddockv1.CampaignRequest{Path: "/e"})
		ended <- err
	}()
	r.queueOf("/e", 2)
	if _, err := elections.Proclaim(two, &paddockv1.ProclaimRequest{Path: "/e", Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	cancel()
	expect(t, <-ended, codes.Canceled, "")
	r.queueOf("/e", 1)
}

func TestNothingIsWatchedForNobody(t *testing.T) {
	r := newRig(t)
	elections := paddockv1.NewElectionServiceClient(r.conn)
	r.create("/there", "")
	for _, path := range []string{"/there", "/not/there"} {
		ctx, cancel := context.WithCancel(t.Context())
		seen, err := elections.Observe(ctx, &paddockv1.ObserveRequest{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := seen.Recv(); err != nil {
			t.Fatal(err)
		}
		r.awaitWatches(1)
		cancel()
		r.awaitWatches(0)
	}
}

// awaitWatches waits until the server has n watches.
func (r *rig) awaitWatches(n int) {
	r.t.Helper()
	for end := time.Now().Add(testPatience); ; {
		var now int
		r.driver.Inspect(r.t.Context(), func(rep *replica.Replica, _ *driver.Stats) {
			now = rep.Watches().Counts(watch.Data).Watches + rep.Watches().Counts(watch.Child).Watches
		})
		if now == n {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("%d watches, not %d", now, n)
		}
	}
}
