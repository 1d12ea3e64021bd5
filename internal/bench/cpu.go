package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ is 100 on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// processCPU is the CPU time that a process has used, in user and kernel mode, to 10 ms.
func processCPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	switch {
	case errors.Is(err, os.ErrNotExist) && runtime.GOOS != "linux":
		return 0, fmt.Errorf("the CPU time of process %d is read from /proc, which %s does not have; leave the pid out", pid, runtime.GOOS)
	case errors.Is(err, os.ErrNotExist):
		return 0, fmt.Errorf("there is no process %d; give the pid of a server on this host, or none", pid)
	case err != nil:
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return parseStat(b)
}

// parseStat reads fields 14 and 15 of /proc/PID/stat. The second, the program's name in brackets, may hold anything.
func parseStat(b []byte) (time.Duration, error) {
	const utime, stime = 14 - 3, 15 - 3 // counted from the field after the name
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) <= stime {
		return 0, fmt.Errorf("/proc/PID/stat has %d fields after the name, at least %d are needed", len(fields), stime+1)
	}
	var sum time.Duration
	for _, f := range [][]byte{fields[utime], fields[stime]} {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/PID/stat: %w", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// serversCPU is the sum over processes.
func serversCPU(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		d, err := processCPU(pid)
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}
