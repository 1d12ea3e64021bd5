//go:build chaos

package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	for name, run := range map[string]func() error{"harass": harassAll, "freezer": keepFrozen} {
		if os.Getenv(childVariable) == name {
			if err := run(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	os.Exit(m.Run())
}

// report is what the hostile clients have done.
type report struct {
	Kinds map[string]int // connections
	Deeds deeds
}

// harassAll lets the hostile clients loose until the standard input ends, then prints its report.
func harassAll() error {
	addr, kinds := os.Getenv("CHAOS_ADDR"), os.Getenv("CHAOS_KINDS")
	seed, err := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64)
	if err != nil {
		return err
	}
	var r rate
	if err := json.Unmarshal([]byte(os.Getenv("CHAOS_RATE")), &r); err != nil {
		return err
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(hostiles)), func(n string) bool { return !strings.Contains(n, kinds) })
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex // guards total.Kinds
		total = report{Kinds: map[string]int{}}
		stop  = make(chan struct{})
	)
	for i := range hostileClients {
		name := names[i%len(names)]
		f := foe{rng: rand.New(rand.NewPCG(seed, uint64(i))), stop: stop, rate: r, did: &total.Deeds}
		wg.Go(func() { // ends with stop, below
			n := f.harass(addr, hostiles[name])
			mu.Lock()
			total.Kinds[name] += n
			mu.Unlock()
		})
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	close(stop)
	wg.Wait()
	return json.NewEncoder(os.Stdout).Encode(&total)
}

// harass connects again and again until stop is closed, and returns how often.
func (f foe) harass(addr string, h hostile) (n int) {
	for f.wait(time.Duration(f.rng.Int64N(int64(2 * f.rate.Pause)))) { // on average; not all at once
		c, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		n++
		f.did.Connections.Add(1)
		f.TCPConn = c.(*net.TCPConn)
		done, g := make(chan struct{}), f // drain may outlast its connection by a moment
		go func() {                       // ends with done or stop
			select {
			case <-f.stop:
			case <-done:
			}
			c.Close()
		}()
		h(&g)
		close(done)
	}
	return n
}
