package grpcapi

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	paddockv1 "paddock/gen/paddock/v1"
)

// Many watch one znode, and some of them do not read: the others are told everything, and what waits for the deaf is bounded.
func TestDeafWatchersAmongManyHoldNothing(t *testing.T) {
	const streams, deafEach, changes = 400, 10, 200 // one of deafEach is deaf
	r := newRig(t)
	r.create("/crowd", "")
	var all []*watcher
	var conn *grpc.ClientConn
	for i := range streams {
		if i%100 == 0 {
			var err error
			conn, err = grpc.NewClient("passthrough:///"+r.addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithInitialWindowSize(64<<10), grpc.WithInitialConnWindowSize(1<<20)) // which do not grow then
			if err != nil {
				t.Fatal(err)
			}
			opened := conn
			t.Cleanup(func() { opened.Close() })
		}
		w := r.watch(t.Context(), conn)
		w.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/crowd", Kind: persistent, WithData: i%deafEach == 0})
		all = append(all, w)
	}
	data := strings.Repeat("x", 64<<10)
	failed := make(chan error, streams)
	var healthy sync.WaitGroup
	for i, w := range all {
		if i%deafEach != 0 {
			healthy.Go(func() { failed <- hearAll(w, changes) })
		}
	}
	most := int64(0)
	for range changes {
		r.set("/crowd", data)
		most = max(most, r.server.door.hub.queued.Load())
	}
	healthy.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			t.Fatal(err)
		}
	}
	if shared := int64(changes*(len(data)+1<<10) + streams*changes*itemBytes); most > shared {
		t.Errorf("%d bytes waited at once, more than %d: what many are told alike is to count once", most, shared)
	}
	for i := 0; i < streams; i += deafEach {
		var err error
		for err == nil {
			_, err = all[i].stream.Recv()
		}
		expect(t, err, codes.ResourceExhausted, "SLOW_READER")
	}
	if left := r.server.door.hub.queued.Load(); left > watchQueueBytes {
		t.Errorf("%d bytes still wait", left)
	}
}

// hearAll reads so many changes, which must come in order.
func hearAll(w *watcher, changes int) error {
	last := uint64(0)
	for n := 0; n < changes; {
		m, err := w.stream.Recv()
		if err != nil {
			return fmt.Errorf("after %d changes: %w", n, err)
		}
		for _, c := range m.GetEvents().GetChanges() {
			if c.GetZxid() <= last {
				return fmt.Errorf("%d comes after %d", c.GetZxid(), last)
			}
			last = c.GetZxid()
			n++
		}
	}
	return nil
}
