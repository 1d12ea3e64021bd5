package driver

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"paddock/internal/zk"
	"paddock/server/replica"
)

func TestLatenciesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took []time.Duration
		var fsyncs int
		r := newRig(t, &fakeLog{hold: make(chan error)}, func(o *Options, _ *replica.Config) {
			o.Latency = func(op zk.OpCode, d time.Duration) {
				if op != zk.OpPing {
					took = append(took, d)
				}
			}
			o.Synced = func(time.Duration) { fsyncs++ }
		}).run()
		p := r.open()
		r.let(nil)
		p.send(create(1, "/a"))
		time.Sleep(30 * time.Millisecond)
		r.let(nil)
		p.send(exists(2, "/a"))
		var least, mean, most time.Duration
		inspect := func(also func(*Stats)) {
			r.d.Inspect(context.Background(), func(_ *replica.Replica, s *Stats) { least, mean, most = s.Latency(); also(s) })
		}
		inspect(func(s *Stats) { s.Reset() })
		if least != 0 || mean != 15*time.Millisecond || most != 30*time.Millisecond || len(took) != 2 || fsyncs != 2 {
			t.Errorf("least %v, mean %v, most %v, each %v, %d fsyncs", least, mean, most, took, fsyncs)
		}
		inspect(func(*Stats) {})
		if least != 0 || mean != 0 || most != 0 {
			t.Errorf("after a reset: least %v, mean %v, most %v", least, mean, most)
		}
		r.stop()
	})
}

// A round with many txns is one sample: that of the last.
func TestPropagationIsSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took []time.Duration
		r := newRig(t, &fakeLog{hold: make(chan error)}, func(o *Options, _ *replica.Config) {
			o.Propagated = func(d time.Duration) { took = append(took, d) }
		}).run()
		p := r.open()
		r.let(nil)
		took = nil
		p.send(create(1, "/a"))
		time.Sleep(10 * time.Millisecond)
		p.send(create(2, "/b"))
		p.send(create(3, "/c"))
		time.Sleep(20 * time.Millisecond)
		r.let(nil)
		r.let(nil)
		p.send(exists(4, "/a"))
		synctest.Wait()
		if len(took) != 2 || took[0] != 30*time.Millisecond || took[1] != 20*time.Millisecond {
			t.Errorf("%v", took)
		}
		r.stop()
	})
}

func TestALatencyIsNeverNegative(t *testing.T) {
	r := newRig(t, &fakeLog{}, func(o *Options, _ *replica.Config) {
		o.Latency = func(_ zk.OpCode, took time.Duration) {
			if took < 0 {
				t.Errorf("took %v", took)
			}
		}
	})
	r.d.clients[1] = &conn{id: 1, sink: &sink{}}
	r.d.now = 5
	effects{r.d}.Reply(1, 10, &zk.Reply{})
	if least, mean, most := r.d.stats.Latency(); least != 0 || mean != 0 || most != 0 {
		t.Errorf("least %v, mean %v, most %v", least, mean, most)
	}
}
