package admin

import (
	"fmt"
	"math"
	"os"
	"os/user"
	"runtime"
	"runtime/debug"
	"strings"
)

func (w *Words) conf() []byte {
	c, ok := w.src.Conf()
	if !ok {
		return nil
	}
	b := fmt.Appendf(nil, `clientPort=%d
secureClientPort=%d
dataDir=%s
dataDirSize=%d
dataLogDir=%s
dataLogSize=%d
tickTime=%d
maxClientCnxns=%d
minSessionTimeout=%d
maxSessionTimeout=%d
clientPortListenBacklog=%d
serverId=%d
`, c.ClientPort, c.SecureClientPort, c.DataDir, c.DataDirBytes, c.DataLogDir, c.DataLogBytes, c.TickMS, c.MaxClientCnxns,
		c.MinSessionMS, c.MaxSessionMS, c.ListenBacklog, c.ServerID)
	if m := c.Member; m != nil {
		peerType := 0
		if m.Observer {
			peerType = 1
		}
		b = fmt.Appendf(b, "initLimit=%d\nsyncLimit=%d\nelectionAlg=3\nelectionPort=%d\nquorumPort=%d\npeerType=%d\nmembership: \n%s",
			m.InitLimit, m.SyncLimit, m.ElectionPort, m.QuorumPort, peerType, m.Membership)
	}
	return b
}

func (w *Words) dirs() []byte {
	c, ok := w.src.Conf()
	if !ok {
		return nil
	}
	return fmt.Appendf(nil, "datadir_size: %d\nlogdir_size: %d\n", c.DataDirBytes, c.DataLogBytes)
}

// envi lists the process's environment under Java's names. What only a Java process has is said to be not available,
// with the version of Go in its place. A line end inside a value would forge a line, and becomes a space.
func (w *Words) envi() []byte {
	none := "n/a (" + runtime.Version() + ")"
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	name, home := "?", "?"
	if u, err := user.Current(); err == nil {
		name, home = u.Username, u.HomeDir
	}
	free, limit, total := memory()
	b := []byte("Environment:\n")
	for _, e := range [...][2]string{
		{"zookeeper.version", w.version},
		{"host.name", host},
		{"java.version", none},
		{"java.vendor", none},
		{"java.home", none},
		{"java.class.path", none},
		{"java.library.path", none},
		{"java.io.tmpdir", os.TempDir()},
		{"java.compiler", "<NA>"},
		{"os.name", osName()},
		{"os.arch", osArch()},
		{"os.version", osVersion()},
		{"user.name", name},
		{"user.home", home},
		{"user.dir", dir},
		{"os.memory.free", megabytes(free)},
		{"os.memory.max", megabytes(limit)},
		{"os.memory.total", megabytes(total)},
	} {
		b = append(append(append(b, e[0]...), '='), strings.Map(oneLine, e[1])...)
		b = append(b, '\n')
	}
	return b
}

func oneLine(r rune) rune {
	if r == '\n' || r == '\r' {
		return ' '
	}
	return r
}

// memory is what Java calls the free, greatest and total memory of its heap, in bytes: unused, allowed, and taken from
// the system.
func memory() (free, limit, total int64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	taken := m.HeapSys - m.HeapReleased
	return int64(taken - min(taken, m.HeapAlloc)), debug.SetMemoryLimit(-1), int64(taken)
}

func megabytes(n int64) string { return fmt.Sprintf("%dMB", n/1024/1024) }

func osName() string {
	switch runtime.GOOS {
	case "linux":
		return "Linux"
	case "darwin":
		return "Mac OS X"
	case "freebsd":
		return "FreeBSD"
	}
	return runtime.GOOS
}

func osArch() string {
	if runtime.GOARCH == "arm64" {
		return "aarch64"
	}
	return runtime.GOARCH
}

// osVersion is that of the kernel.
func osVersion() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(release))
}

// openFiles is how many descriptors the process has open, and how many it may have; -1 where the system does not tell.
func openFiles() (open, most int64) {
	open, most = -1, -1
	if dir, err := os.Open("/proc/self/fd"); err == nil {
		if names, err := dir.Readdirnames(-1); err == nil {
			open = int64(len(names)) - 1 // but for dir
		}
		dir.Close()
	}
	limits, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		return open, most
	}
	for line := range strings.SplitSeq(string(limits), "\n") {
		rest, ok := strings.CutPrefix(line, "Max open files")
		if !ok {
			continue
		}
		if _, err := fmt.Sscan(rest, &most); err != nil {
			most = math.MaxInt64 // "unlimited"
		}
	}
	return open, most
}
