//go:build doors

package suite

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/test/doors/rig"
)

const (
	registerPath = "/register"
	registers    = 3
	clients      = 6
	patience     = 2 * time.Second // of one call
	rounds       = 4               // of pausing and killing the leader
	thinkingTime = 2 * time.Minute // that porcupine has for one register
)

// deed is one call on a register and how it ended.
type deed struct {
	write   bool
	data    string // written, or read
	version int32  // of the znode after it; 0 of a write if it is not known
	doubt   bool   // a write whose end nobody knows
	failed  bool   // it was refused, or a read was not answered: it says nothing
	call    int64  // when it began and ended, in nanoseconds
	ret     int64
	client  int
}

// register is the state of a znode that is written and read.
type register struct {
	version int32
	data    string
}

var registerModel = porcupine.Model{
	Init: func() any { return register{} },
	Step: func(state, input, _ any) (bool, any) {
		s, d := state.(register), input.(*deed)
		if !d.write {
			return d.version == s.version && d.data == s.data, s
		}
		next := register{s.version + 1, d.data}
		return d.doubt && d.version == 0 || d.version == next.version, next
	},
}

// linear tells whether there is an order of all deeds that agrees with what was answered and when.
func linear(deeds []*deed) error {
	var ops []porcupine.Operation
	for _, d := range resolved(deeds) {
		ret := d.ret
		if d.doubt {
			ret = math.MaxInt64
		}
		ops = append(ops, porcupine.Operation{ClientId: d.client, Input: d, Output: d, Call: d.call, Return: ret})
	}
	switch porcupine.CheckOperationsTimeout(registerModel, ops, thinkingTime) {
	case porcupine.Illegal:
		return fmt.Errorf("no order explains %d calls", len(ops))
	case porcupine.Unknown:
		return fmt.Errorf("no order of %d calls was found in %v, nor that there is none", len(ops), thinkingTime)
	}
	return nil
}

// resolved leaves out what says nothing: reads without an answer, and writes in doubt that cannot have been before anything that was seen, because
// what made each version is known. Where the version of a write in doubt is known it is set. Nothing that is left out could change the verdict.
func resolved(deeds []*deed) (out []*deed) {
	versions, seen, highest := map[string]int32{}, map[int32]bool{}, int32(0)
	for _, d := range deeds {
		if !d.failed && !d.doubt {
			versions[d.data], seen[d.version] = d.version, true
			highest = max(highest, d.version)
		}
	}
	gaps := false
	for v := range highest {
		gaps = gaps || v > 0 && !seen[v]
	}
	for _, d := range deeds {
		version, shown := versions[d.data]
		switch {
		case d.failed, d.doubt && !shown && !gaps:
			continue
		case d.doubt && shown:
			d.version = version
		}
		out = append(out, d)
	}
	return out
}

// history has clients write and read registers without a session, each at servers in turn, until stop is closed.
func history(t *testing.T, servers []*rig.Server, level paddockv1.ReadLevel, stop <-chan struct{}) [registers][]*deed {
	var (
		all  sync.WaitGroup
		mu   sync.Mutex // guards done
		done [registers][]*deed
	)
	began := time.Now()
	for i := range clients {
		stubs := make([]services, len(servers))
		for k, s := range servers {
			stubs[k] = servicesOf(t, []string{"gRPC", "pipeline", "REST"}[i%3], s)
		}
		all.Go(func() { // ends with stop
			rng := rand.New(rand.NewPCG(uint64(i), 7))
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(1+rng.IntN(8)) * time.Millisecond):
				}
				which := rng.IntN(registers)
				d := &deed{client: i, write: rng.IntN(3) == 0, call: int64(time.Since(began))}
				d.do(t.Context(), stubs[rng.IntN(len(stubs))], registerPath+strconv.Itoa(which), level, fmt.Sprintf("%d-%d", i, n))
				d.ret = int64(time.Since(began))
				if d.doubt || d.failed {
					<-time.After(50 * time.Millisecond) // the server has no quorum
				}
				mu.Lock()
				done[which] = append(done[which], d)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return done
}

// do makes the call.
func (d *deed) do(ctx context.Context, calls services, path string, level paddockv1.ReadLevel, value string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if d.write {
		d.data = value
		out, err := calls.Set(ctx, &paddockv1.SetRequest{Path: path, Data: []byte(value)})
		d.version, d.doubt = out.GetStat().GetVersion(), err != nil
		return
	}
	out, err := calls.Get(ctx, &paddockv1.GetRequest{Path: path, Read: &paddockv1.ReadOptions{Level: level}})
	d.data, d.version, d.failed = string(out.GetData()), out.GetStat().GetVersion(), err != nil
}

// upset pauses and kills leaders in turn. A paused one goes on after the others have found another.
func upset(t *testing.T, servers []*rig.Server, stop chan<- struct{}) {
	defer close(stop)
	for round := range rounds {
		<-time.After(500 * time.Millisecond) // of calls in peace
		var leader *rig.Server
		until(t, "there is a leader", func() bool { leader = leaderOf(t, servers); return leader != nil })
		var others []*rig.Server
		for _, s := range servers {
			if s != leader {
				others = append(others, s)
			}
		}
		if round%2 == 0 {
			if err := leader.Signal(syscall.SIGSTOP); err != nil {
				t.Error(err)
				return
			}
		} else {
			leader.Kill()
		}
		until(t, "the others have another leader", func() bool { return leaderOf(t, others) != nil })
		if round%2 == 0 {
			if err := leader.Signal(syscall.SIGCONT); err != nil {
				t.Error(err)
				return
			}
		} else {
			leader.Run(t)
			leader.Ready(t)
		}
	}
	<-time.After(500 * time.Millisecond)
}

func TestLinearizableReadsAreWhileLeadersChange(t *testing.T) {
	servers := rig.Ensemble(t, 3, "tickTime=300", "syncLimit=4")
	calls := dialGRPC(t, servers[0])
	for i := range registers {
		if _, err := calls.Create(t.Context(), &paddockv1.CreateRequest{Path: registerPath + strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var upsetting sync.WaitGroup
	upsetting.Go(func() { upset(t, servers, stop) })
	done := history(t, servers, paddockv1.ReadLevel_READ_LEVEL_LINEARIZABLE, stop)
	upsetting.Wait()
	reads, writes, doubts, failed := 0, 0, 0, 0
	for i, deeds := range done {
		for _, d := range deeds {
			switch {
			case d.failed:
				failed++
			case d.doubt:
				doubts++
			case d.write:
				writes++
			default:
				reads++
			}
		}
		if err := linear(deeds); err != nil {
			t.Errorf("%s%d: %v", registerPath, i, err)
		}
	}
	t.Logf("%d reads and %d writes answered, %d writes in doubt, %d reads not answered", reads, writes, doubts, failed)
	if reads == 0 || writes == 0 {
		t.Error("without reads and writes this says nothing")
	}
}

// delays are how often a follower is held up while others write.
const delays = 20

// held has a follower stand still while a write is acknowledged by the others, and asks it for what was written at the moment it goes on.
func held(t *testing.T, level paddockv1.ReadLevel) error {
	t.Helper()
	servers := rig.Ensemble(t, 3)
	var leader *rig.Server
	until(t, "there is a leader", func() bool { leader = leaderOf(t, servers); return leader != nil })
	follower := servers[0]
	if follower == leader {
		follower = servers[1]
	}
	at, behind := dialGRPC(t, leader), dialGRPC(t, follower)
	if _, err := at.Create(t.Context(), &paddockv1.CreateRequest{Path: registerPath}); err != nil {
		t.Fatal(err)
	}
	if _, err := behind.Sync(t.Context(), &paddockv1.SyncRequest{}); err != nil { // so that there is a connection
		t.Fatal(err)
	}
	var deeds []*deed
	began := time.Now()
	timed := func(calls services, d *deed, value string) {
		d.call = int64(time.Since(began))
		d.do(t.Context(), calls, registerPath, level, value)
		d.ret = int64(time.Since(began))
	}
	for n := range delays {
		if err := follower.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		write, read := &deed{write: true}, &deed{client: 1}
		timed(at, write, strconv.Itoa(n))
		answered := make(chan struct{})
		go func() { // ends with the call, which has a deadline
			timed(behind, read, "")
			close(answered)
		}()
		<-time.After(10 * time.Millisecond) // so that the request is on its way
		if err := follower.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		<-answered
		deeds = append(deeds, write, read)
	}
	return linear(deeds)
}

// The judge of linearizable reads finds that local ones are not: it can fail.
func TestLocalReadsAreFoundOut(t *testing.T) {
	if err := held(t, paddockv1.ReadLevel_READ_LEVEL_LOCAL); err == nil {
		t.Error("local reads of a follower that was held up were explained as linearizable")
	}
	if err := held(t, paddockv1.ReadLevel_READ_LEVEL_LINEARIZABLE); err != nil {
		t.Errorf("linearizable reads of a follower that was held up: %v", err)
	}
}

// The judge itself: what cannot have been, and what can.
func TestTheJudgeOfReads(t *testing.T) {
	set := func(data string, version int32, call, ret int64) *deed {
		return &deed{write: true, data: data, version: version, call: call, ret: ret}
	}
	get := func(data string, version int32, call, ret int64) *deed {
		return &deed{data: data, version: version, call: call, ret: ret, client: 1}
	}
	doubt := &deed{write: true, data: "b", doubt: true, call: 3, ret: 4}
	for name, c := range map[string]struct {
		deeds []*deed
		wrong bool
	}{
		"a read after a write sees it":                       {[]*deed{set("a", 1, 1, 2), get("a", 1, 3, 4)}, false},
		"a read after a write misses it":                     {[]*deed{set("a", 1, 1, 2), get("", 0, 3, 4)}, true},
		"a read during a write may miss it":                  {[]*deed{set("a", 1, 1, 4), get("", 0, 2, 3)}, false},
		"a read goes back behind another":                    {[]*deed{set("a", 1, 1, 9), get("a", 1, 2, 3), get("", 0, 4, 5)}, true},
		"a write in doubt shows late":                        {[]*deed{set("a", 1, 1, 2), doubt, get("a", 1, 5, 6), get("b", 2, 7, 8)}, false},
		"a write in doubt never shows":                       {[]*deed{set("a", 1, 1, 2), doubt, get("a", 1, 5, 6), get("a", 1, 7, 8)}, false},
		"a write in doubt shows and vanishes":                {[]*deed{set("a", 1, 1, 2), doubt, get("b", 2, 5, 6), get("a", 1, 7, 8)}, true},
		"a read that was not answered says nothing":          {[]*deed{set("a", 1, 1, 2), {failed: true, call: 3, ret: 4}}, false},
		"two writes that were acknowledged have one version": {[]*deed{set("a", 1, 1, 2), set("b", 1, 3, 4)}, true},
	} {
		if err := linear(c.deeds); (err != nil) != c.wrong {
			t.Errorf("%s: %v", name, err)
		}
	}
}
