//go:build chaos

package chaos

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// strangers are what comes to the ports of servers from those that are none, or say that they are.
var strangers = map[string]func(rng *rand.Rand) []byte{
	"nothing":                    func(*rand.Rand) []byte { return nil },
	"a scanner":                  func(*rand.Rand) []byte { return []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n") },
	"TLS":                        func(*rand.Rand) []byte { return []byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3} },
	"noise":                      noise,
	"a hello of 2 GiB":           func(*rand.Rand) []byte { return huge(hello(7, "")[:16], 0x7fffffff) },
	"a hello of negative length": func(*rand.Rand) []byte { return huge(hello(7, "")[:16], 0xffffffff) },
	"half a hello":               func(*rand.Rand) []byte { return hello(9, "127.0.0.1:1")[:19] },
	"a hello with a bad address": func(*rand.Rand) []byte { return hello(9, "::::|") },
	"a vote of 2 GiB":            func(*rand.Rand) []byte { return huge(hello(9, "127.0.0.1:1"), 0x7fffffff) },
	"a vote of negative length":  func(*rand.Rand) []byte { return huge(hello(9, "127.0.0.1:1"), 0x80000000) },
	"a stranger's vote for itself": func(*rand.Rand) []byte {
		return append(hello(9, "127.0.0.1:1"), notification(9, 1<<62, 1<<61, 1<<30)...)
	},
	"votes of noise":    func(rng *rand.Rand) []byte { return append(hello(9, "127.0.0.1:1"), noise(rng)...) },
	"a packet of 2 GiB": func(*rand.Rand) []byte { return huge(binary.BigEndian.AppendUint32(nil, 11), 0x7fffffff) },
	"a packet of noise": func(rng *rand.Rand) []byte { return append(binary.BigEndian.AppendUint32(nil, 11), noise(rng)...) },
	"an ACK": func(*rand.Rand) []byte {
		return append(binary.BigEndian.AppendUint32(nil, 3), bytes.Repeat([]byte{0}, 24)...)
	},
}

func noise(rng *rand.Rand) []byte {
	b := make([]byte, 1+rng.IntN(4000))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func huge(b []byte, length uint32) []byte {
	return append(binary.BigEndian.AppendUint32(b, length), bytes.Repeat([]byte{1}, 100)...)
}

// besiege lets strangers loose on addresses until stop is called, which tells how often they have come.
func besiege(t *testing.T, addrs []string) (stop func() int64) {
	t.Helper()
	done, wg, n := make(chan struct{}), &sync.WaitGroup{}, &atomic.Int64{}
	i, s := uint64(0), seed(t)
	for _, say := range strangers {
		for _, addr := range addrs {
			i++
			rng := rand.New(rand.NewPCG(s, i))
			wg.Go(func() { // ends with done
				for {
					select {
					case <-done:
						return
					case <-time.After(time.Duration(5+rng.IntN(50)) * time.Millisecond):
					}
					c, err := net.DialTimeout("tcp", addr, time.Second)
					if err != nil {
						continue
					}
					n.Add(1)
					c.Write(say(rng))                                                                   //nolint:errcheck // it may have been closed
					c.SetReadDeadline(time.Now().Add(time.Duration(rng.IntN(2000)) * time.Millisecond)) // and is silent for so long
					io.Copy(io.Discard, c)                                                              //nolint:errcheck // any end will do
					c.Close()
				}
			})
		}
	}
	return func() int64 { close(done); wg.Wait(); return n.Load() }
}

// TestStrangersOnTheServersPorts answers ZOOKEEPER-2186: whatever comes to the election and quorum ports, the ensemble goes on
// as if it had not, and a member that is restarted meanwhile comes back.
func TestStrangersOnTheServersPorts(t *testing.T) {
	for _, kinds := range [][]string{{paddock, paddock, paddock}, {paddock, java, paddock}} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := assemble(t, kinds)
			e.launch(t)
			e.await(t)
			var addrs []string
			for i, p := range e.members {
				if p.kind == paddock {
					q, el := e.ports(i + 1)
					addrs = append(addrs, q, el)
				}
			}
			lead := e.leader(t)
			before, _ := monitored(ask(t, lead, "mntr"))
			stop := besiege(t, addrs)
			w := newWriters(t, e)
			w.start()
			rounds := 6
			if testing.Short() {
				rounds = 2
			}
			var victim *process
			for i := range rounds {
				for _, p := range e.members {
					if p != lead && p.kind == paddock {
						victim = p
					}
				}
				if err := victim.kill(); err != nil {
					t.Fatal(err)
				}
				if err := w.await(100); err != nil {
					t.Fatal(err)
				}
				if err := victim.launch(); err != nil {
					t.Fatal(err)
				}
				e.await(t)
				if err := w.await(100); err != nil {
					t.Fatalf("round %d: %v", i, err)
				}
			}
			w.end()
			visits := stop()
			after, _ := monitored(ask(t, lead, "mntr"))
			if after["server_state"] != "leader" || after["looking_count"] != before["looking_count"] {
				t.Errorf("the leader had to be elected again: %s, looking %s, before %s", after["server_state"], after["looking_count"], before["looking_count"])
			}
			if err := w.check(e.agree(t)); err != nil {
				t.Error(err)
			}
			for _, p := range e.members {
				if p.kind == paddock {
					if rss, files := held(t, p); rss > 400<<10 || files > 700 {
						t.Errorf("after %d visits it holds %d KiB and %d files", visits, rss, files)
					}
					if bad := p.complaints(); len(bad) > 0 {
						t.Errorf("%q", bad)
					}
				}
			}
			t.Logf("%d visits", visits)
		})
	}
}

// held is the memory of a process in KiB, and its descriptors.
func held(t *testing.T, p *process) (rss, files int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if kib := residentKiB.FindSubmatch(text); kib != nil {
		rss, _ = strconv.Atoi(string(kib[1]))
	}
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return rss, len(list)
}
