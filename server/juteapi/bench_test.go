package juteapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
)

// serveEnv makes the test binary a server for a benchmark in another process; its value is a file for a CPU profile, or
// "-" for none.
const serveEnv = "JUTEAPI_SERVE"

// runBenchServer serves until its standard input ends, if this process is to be a server.
func runBenchServer() bool {
	profile := os.Getenv(serveEnv)
	if profile == "" {
		return false
	}
	f := newFake()
	s, err := Listen("127.0.0.1:0", Options{Handler: f, Logger: zerolog.Nop()})
	if err != nil {
		panic(err)
	}
	go s.Serve()
	if profile != "-" {
		w, err := os.Create(profile)
		if err != nil {
			panic(err)
		}
		defer w.Close()
		pprof.StartCPUProfile(w)
		defer pprof.StopCPUProfile()
	}
	fmt.Println(s.Addr())
	io.Copy(io.Discard, os.Stdin)
	s.Close()
	return true
}

// startServer runs the test binary as a server.
func startServer(b *testing.B) (addr string, cpu func() float64) {
	profile := os.Getenv("JUTEAPI_PROFILE")
	if profile == "" {
		profile = "-"
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"="+profile, "GOGC=400") // a real heap is larger than this one
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line), func() float64 { return cpuSeconds(b, cmd.Process.Pid) }
}

// cpuSeconds is the CPU time that a process has used.
func cpuSeconds(b *testing.B, pid int) float64 {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		b.Fatal(err)
	}
	var ns float64
	for _, t := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, t.Name()))
		if err != nil {
			continue
		}
		v, _ := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
		ns += v
	}
	return ns / 1e9
}

// BenchmarkDoor asks for 100 bytes of data over some connections with some requests outstanding on each, and reports
// how many of them the server answers per second of its CPU time.
func BenchmarkDoor(b *testing.B) {
	for _, load := range []struct{ conns, outstanding int }{{1, 1}, {16, 16}, {64, 32}, {256, 1}} {
		b.Run(fmt.Sprintf("%dx%d", load.conns, load.outstanding), func(b *testing.B) {
			addr, cpu := startServer(b)
			var left atomic.Int64
			left.Store(int64(b.N))
			conns := make([]net.Conn, load.conns)
			for i := range conns {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				c.Write(unhex(connectHex))
				if _, err := io.ReadFull(c, make([]byte, 41)); err != nil {
					b.Fatal(err)
				}
				conns[i] = c
			}
			before := cpu()
			b.ResetTimer()
			var wg sync.WaitGroup
			for _, c := range conns {
				wg.Go(func() { ask(b, c, load.outstanding, &left) })
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/(cpu()-before), "req/cpu-s")
		})
	}
}

// ask sends batches of requests and waits for their replies until none are left.
func ask(b *testing.B, c net.Conn, outstanding int, left *atomic.Int64) {
	get := unhex("00000011 00000001 00000004 00000004 2f616263 00")
	batch := []byte(strings.Repeat(string(get), outstanding))
	reply := make([]byte, outstanding*(4+16+4+len(payload)+68))
	for left.Add(-int64(outstanding)) > -int64(outstanding) {
		if _, err := c.Write(batch); err != nil {
			b.Error(err)
			return
		}
		if _, err := io.ReadFull(c, reply); err != nil {
			b.Error(err)
			return
		}
	}
}
