//go:build doors

package watches

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"paddock/client"
	paddockv1 "paddock/gen/paddock/v1"
	"paddock/test/doors/rig"
)

const (
	crowdSize     = 10_000
	crowdShort    = 1000 // with -short
	crowdDeafEach = 10   // one of so many never reads
	crowdChanges  = 80   // more than may wait for who does not read
	crowdAlone    = 20   // changes where all read
	crowdBytes    = 64 << 10
	crowdPerConn  = 200                    // streams of a connection
	crowdEvery    = time.Second            // between changes
	crowdEveryMin = 200 * time.Millisecond // with -short
)

// crowdEvent is a change, and when it was told or asked for.
type crowdEvent struct {
	zxid uint64
	at   time.Time
}

// crowdStream is a watcher.
type crowdStream = paddockv1.WatchService_WatchClient

// TestTheDeafDoNotHoldUpACrowd has many watch one znode, each on a stream of its own, and some of them read nothing: the others are told
// every change in order. How soon, and how much memory the server has, is logged.
func TestTheDeafDoNotHoldUpACrowd(t *testing.T) {
	size, every := crowdSize, crowdEvery
	if testing.Short() {
		size, every = crowdShort, crowdEveryMin
	}
	t.Run("all read", func(t *testing.T) { crowd(t, size, 0, crowdAlone, every) })
	t.Run("some are deaf", func(t *testing.T) { crowd(t, size, size/crowdDeafEach, crowdChanges, every) })
}

// crowd is so many watchers, some of them deaf, and so many changes.
func crowd(t *testing.T, size, deafCount, changeCount int, every time.Duration) {
	s := rig.Start(t)
	c := rig.Client(t, client.Options{}, s)
	if _, err := c.Create(t.Context(), "/crowd", nil, client.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	empty := memory(t, s)
	healthy, deaf := crowdGather(t, s, size, deafCount)
	idle := memory(t, s)
	began := time.Now()
	told, errs := make([][]crowdEvent, len(healthy)), make([]error, len(healthy))
	var all sync.WaitGroup
	for i, stream := range healthy {
		all.Go(func() { told[i], errs[i] = crowdHear(stream, changeCount) }) // ends with the changes, or with the connection
	}
	changes, most := crowdChange(t, s, c, changeCount, every)
	all.Wait()
	var took []time.Duration
	for i, events := range told {
		if errs[i] != nil {
			t.Fatalf("after %d changes: %v", len(events), errs[i])
		}
		for n, e := range events {
			if e.zxid != changes[n].zxid {
				t.Fatalf("change %d is told as %#x; it is %#x", n, e.zxid, changes[n].zxid)
			}
			took = append(took, e.at.Sub(changes[n].at))
		}
	}
	for _, stream := range deaf {
		var err error
		for err == nil {
			_, err = stream.Recv()
		}
		if reasonOf(err) != "SLOW_READER" {
			t.Fatalf("who has not read is told %v, not SLOW_READER", err)
		}
	}
	slices.Sort(took)
	t.Logf("%d watchers, %d of them deaf and cut, %d changes of %d KiB: who reads is told after %v (median), %v (p99), %v (longest)",
		size, len(deaf), len(changes), crowdBytes>>10, took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	t.Logf("%d events per second in all", len(took)*int(time.Second)/int(time.Since(began)))
	t.Logf("memory of the server: %d MB with nobody, %d MB with all watches, at most %d MB with changes", empty>>20, idle>>20, most>>20)
}

// crowdGather begins all watches.
func crowdGather(t *testing.T, s *rig.Server, size, deafCount int) (healthy, deaf []crowdStream) {
	t.Helper()
	var conn *grpc.ClientConn
	for i := range size {
		if i%crowdPerConn == 0 {
			conn = crowdConn(t, s)
		}
		if deafCount > 0 && i%(size/deafCount) == 0 {
			deaf = append(deaf, crowdWatch(t, conn, true))
		} else {
			healthy = append(healthy, crowdWatch(t, conn, false))
		}
	}
	return healthy, deaf
}

// crowdChange makes all changes, and returns when each was asked for, and the most memory that the server had.
func crowdChange(t *testing.T, s *rig.Server, c *client.Client, count int, every time.Duration) (changes []crowdEvent, most int) {
	t.Helper()
	pace := time.NewTicker(every)
	defer pace.Stop()
	data := make([]byte, crowdBytes)
	for range count {
		<-pace.C
		began := time.Now()
		znode, err := c.Set(t.Context(), "/crowd", data, client.AnyVersion)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, crowdEvent{znode.Stat.Mzxid, began})
		most = max(most, memory(t, s))
	}
	return changes, most
}

// crowdConn opens a connection that does not read ahead for who does not read.
func crowdConn(t *testing.T, s *rig.Server) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+s.GRPC, append(slices.Clone(window), grpc.WithInitialConnWindowSize(16<<20))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// crowdWatch begins a watch on a stream of its own.
func crowdWatch(t *testing.T, conn *grpc.ClientConn, data bool) crowdStream {
	t.Helper()
	stream, err := paddockv1.NewWatchServiceClient(conn).Watch(context.WithoutCancel(t.Context()))
	if err == nil {
		err = stream.Send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: &paddockv1.CreateWatch{
			WatchId: 1, Path: "/crowd", Kind: paddockv1.WatchKind_WATCH_KIND_PERSISTENT, WithData: data,
		}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Recv(); err != nil || m.GetCreated() == nil {
		t.Fatalf("%v, %v", m, err)
	}
	return stream
}

// crowdHear reads all changes.
func crowdHear(stream crowdStream, changes int) (events []crowdEvent, err error) {
	for len(events) < changes {
		m, err := stream.Recv()
		if err != nil {
			return events, err
		}
		now := time.Now()
		for _, c := range m.GetEvents().GetChanges() {
			events = append(events, crowdEvent{c.GetZxid(), now})
		}
	}
	return events, nil
}

// memory is what a server's process has in memory, in bytes.
func memory(t *testing.T, s *rig.Server) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kb := 0
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
