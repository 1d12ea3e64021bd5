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

// harassAll lets the hostile clients loose until the standard input ends, then prints how often each kind connected.
func harassAll() error {
	addr, kinds := os.Getenv("CHAOS_ADDR"), os.Getenv("CHAOS_KINDS")
	seed, err := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64)
	if err != nil {
		return err
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(hostiles)), func(n string) bool { return !strings.Contains(n, kinds) })
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex // guards counts
		counts = map[string]int{}
		stop   = make(chan struct{})
	)
	for i := range hostileClients {
		name, rng := names[i%len(names)], rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() { // ends with stop, below
			n := harass(addr, hostiles[name], rng, stop)
			mu.Lock()
			counts[name] += n
			mu.Unlock()
		})
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	close(stop)
	wg.Wait()
	return json.NewEncoder(os.Stdout).Encode(counts)
}

// harass connects again and again until stop is closed, and returns how often.
func harass(addr string, h hostile, rng *rand.Rand, stop <-chan struct{}) (n int) {
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			n++
			done := make(chan struct{})
			go func() { // ends with done or stop
				select {
				case <-stop:
					c.Close()
				case <-done:
				}
			}()
			h(c.(*net.TCPConn), rng, stop)
			close(done)
			c.Close()
		}
		select {
		case <-stop:
			return n
		case <-time.After(again):
		}
	}
}
