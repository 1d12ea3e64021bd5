//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// clockTick is the unit of CPU times in /proc.
const clockTick = 10 * time.Millisecond

// machine is the CPU time used so far, in ticks.
type machine struct {
	all  int64 // by everything, idling included
	idle int64
	ours int64 // by the servers under test and by this process
}

// readMachine reads /proc.
func readMachine(t *testing.T, servers ...*server) machine {
	t.Helper()
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	fields := bytes.Fields(line) // cpu user nice system idle iowait irq softirq steal
	if len(fields) < 9 {
		t.Fatalf("/proc/stat begins with %q", line)
	}
	var m machine
	for i, f := range fields[1:9] {
		n := ticks(t, f)
		m.all += n
		if i == 3 || i == 4 {
			m.idle += n
		}
	}
	m.ours = processTicks(t, os.Getpid())
	for _, s := range servers {
		m.ours += processTicks(t, s.pid())
	}
	return m
}

// processTicks is the CPU time of a process in user and kernel mode.
func processTicks(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	return ticks(t, fields[11]) + ticks(t, fields[12])
}

func ticks(t *testing.T, b []byte) int64 {
	t.Helper()
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// others is the share of the machine that neither idled nor was ours since before: other processes, and what the kernel and
// the hypervisor did on nobody's account.
func (m machine) others(before machine) float64 {
	all := m.all - before.all
	if all <= 0 {
		return 0
	}
	return max(0, float64(all-(m.idle-before.idle)-(m.ours-before.ours))/float64(all))
}
