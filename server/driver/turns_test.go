package driver

import (
	"slices"
	"testing"
	"testing/synctest"

	"paddock/internal/zk"
	"paddock/server/request"
)

// ledger notes who was answered in which order; the owner alone writes to it.
type ledger struct {
	sink
	name string
	into *[]answer
}

type answer struct {
	name string
	xid  int32
}

func (l *ledger) Reply(r *zk.Reply) { *l.into = append(*l.into, answer{l.name, r.Xid}) }

// A client that asks little is served before all that others have asked, and each in its own order.
func TestClientsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{}).run()
		var order []answer
		open := func(name string) request.ClientID {
			id := r.d.Open(&ledger{name: name, into: &order}, request.Origin{IP: "127.0.0.1"})
			r.d.Connect(id, &zk.ConnectRequest{TimeoutMS: 10_000})
			synctest.Wait()
			return id
		}
		greedy, modest := open("greedy"), open("modest")
		all := make([]zk.Request, 3*roundRequests)
		for i := range all {
			all[i] = exists(int32(i), "/")
		}
		hold := make(chan struct{}) // the owner waits until both have asked
		r.d.box.post(letter{kind: inspect, fn: func() { <-hold }})
		synctest.Wait() // until Run has the round
		r.d.Submit(greedy, all, nil)
		r.d.Submit(modest, []zk.Request{exists(0, "/")}, nil)
		close(hold)
		synctest.Wait()

		if len(order) != len(all)+1 {
			t.Fatalf("%d answers, want %d", len(order), len(all)+1)
		}
		next, before := int32(0), 0
		for i, a := range order {
			if a.name == "modest" {
				before = i
				continue
			}
			if a.xid != next {
				t.Fatalf("request %d was answered after %d", a.xid, next-1)
			}
			next++
		}
		if before > roundRequests {
			t.Errorf("one request waited behind %d", before)
		}
		if n := r.d.turns.len(); n != 0 {
			t.Errorf("%d clients still wait for a turn", n)
		}
		r.stop()
	})
}

// sender notes the order in which connections send; the owner alone writes to it.
type sender struct {
	sink
	name string
	into *[]string
}

func (s *sender) Flush() { *s.into = append(*s.into, s.name) }

// A client that has made a change is sent its answer before those who watch are sent the event.
func TestAnswersAreSentBeforeEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{}).run()
		var order []string
		open := func(name string) request.ClientID {
			id := r.d.Open(&sender{name: name, into: &order}, request.Origin{IP: "127.0.0.1"})
			r.d.Connect(id, &zk.ConnectRequest{TimeoutMS: 10_000})
			synctest.Wait()
			return id
		}
		for _, name := range []string{"watcher", "another"} {
			watching := exists(1, "/a")
			watching.Watch = true
			r.d.Submit(open(name), []zk.Request{watching}, nil)
		}
		writer := open("writer")
		order = nil
		r.d.Submit(writer, []zk.Request{create(1, "/a")}, nil)
		synctest.Wait()

		if want := []string{"writer", "watcher", "another"}; !slices.Equal(order, want) {
			t.Errorf("sent to %q, want %q", order, want)
		}
		r.stop()
	})
}
