//go:build chaos

package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// diskSize is the size of the file system that the disk tests make. They let it shrink to what is used and a little more.
const diskSize = 64 << 20

// mounted runs the body of a test in a process that has its mounts to itself: they end with it, whatever happens.
func mounted(t *testing.T, body func(*testing.T)) {
	t.Helper()
	if os.Getenv(childVariable) == "mounted" {
		body(t)
		return
	}
	if os.Getuid() != 0 {
		t.Fatal("this test mounts a small file system: run it as root")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", fmt.Sprintf("-test.short=%t", testing.Short()), fmt.Sprintf("-seed=%d", *seedFlag))
	cmd.Env = append(os.Environ(), childVariable+"=mounted")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("in a mount namespace: %v", err)
	}
}

// disk is a small file system, and a server with its load on it.
type disk struct {
	*testing.T
	rng  *rand.Rand
	root string
	p    *process
	f    *fleet
}

func newDisk(t *testing.T, extra ...string) *disk {
	t.Helper()
	s := seed(t)
	work := t.TempDir()
	d := &disk{T: t, rng: rand.New(rand.NewPCG(s, 0)), root: filepath.Join(work, "disk")}
	if err := os.Mkdir(d.root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("chaos", d.root, "tmpfs", 0, fmt.Sprint("size=", diskSize)); err != nil {
		t.Fatalf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.root, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	var err error
	if d.p, err = newProcess(paddock, filepath.Join(d.root, "data"), work, append(extra, busy...)...); err != nil {
		t.Fatal(err)
	}
	running(t, d.p)
	if d.f, err = newFleet(d.p, s); err != nil {
		t.Fatal(err)
	}
	return d
}

// remount changes the file system's options.
func (d *disk) remount(flags uintptr, options string) {
	d.Helper()
	if err := syscall.Mount("chaos", d.root, "tmpfs", syscall.MS_REMOUNT|flags, options); err != nil {
		d.Fatalf("remount with %s: %v", options, err)
	}
}

// used is how many bytes of the file system are taken.
func (d *disk) used() int64 {
	d.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.root, &s); err != nil {
		d.Fatal(err)
	}
	return int64(s.Blocks-s.Bfree) * s.Bsize
}

// untilItStops loads the server until it ends by itself, which must be with exit code 1 and one line that has the reason.
func (d *disk) untilItStops(reason string) {
	d.Helper()
	l := d.f.begin(1 << 60) // more than there will be
	code, err := d.p.wait()
	if bad := l.end(); bad != nil {
		d.Fatal(bad)
	}
	if err != nil {
		d.Fatal(err)
	}
	var says []string
	for line := range strings.Lines(d.p.output()) {
		if strings.HasPrefix(line, "paddock: ") {
			says = append(says, strings.TrimSpace(line))
		} else if !strings.HasPrefix(line, "{") {
			d.Errorf("stray output: %s", line)
		}
	}
	if code != 1 || len(says) != 1 || !strings.Contains(says[0], reason) {
		d.Errorf("exit code %d and %q, want 1 and one line with %q", code, says, reason)
	}
	d.Logf("%d acknowledged requests; %q", d.f.acks.Load(), says)
}

// recovers starts the server again and checks that everything acknowledged is there.
func (d *disk) recovers() {
	d.Helper()
	if _, err := d.p.start(); err != nil {
		d.Fatal(err)
	}
	if err := d.f.check(); err != nil {
		d.Fatal(err)
	}
}

// TestDiskFull fills the disk under load: the server stops, says why, and has acknowledged nothing that is not there
// when it is started with more room.
func TestDiskFull(t *testing.T) {
	mounted(t, func(t *testing.T) {
		d := newDisk(t, "autopurge.purgeInterval=0") // which would make room
		rounds := 15
		if testing.Short() {
			rounds = 3
		}
		for range rounds {
			d.remount(0, fmt.Sprint("size=", d.used()+d.rng.Int64N(3<<20)))
			d.untilItStops("no space left on device")
			d.remount(0, fmt.Sprint("size=", diskSize))
			d.recovers()
		}
		d.f.release()
	})
}

// TestDiskLow writes far more than the disk holds: purging makes room in time, again and again.
func TestDiskLow(t *testing.T) {
	mounted(t, func(t *testing.T) {
		const size, acks = 6 << 20, 100_000 // of which 6 MiB hold a fifth at most
		d := newDisk(t)
		d.remount(0, fmt.Sprint("size=", size))
		l := d.f.begin(acks)
		err := l.await(d.p)
		if bad := l.end(); bad != nil {
			t.Error(bad)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := d.p.kill(); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(d.p.output(), "purged old snapshots and logs"); n < 2 {
			t.Errorf("purged %d times", n)
		}
		d.recovers()
		d.f.release()
	})
}

// TestDiskBroken takes other things away from the server under load.
func TestDiskBroken(t *testing.T) {
	mounted(t, func(t *testing.T) {
		d := newDisk(t)
		version, away := filepath.Join(d.p.data, "version-2"), filepath.Join(d.p.data, "away")
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Log("the directory is renamed")
		must(os.Rename(version, away))
		d.untilItStops("no such file or directory")
		must(os.RemoveAll(version))
		must(os.Rename(away, version))
		d.recovers()

		t.Log("files may not grow")
		limit := exec.Command("prlimit", "--pid", fmt.Sprint(d.p.cmd.Process.Pid), "--fsize=16384:16384")
		if out, err := limit.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		d.untilItStops("file too large")
		d.recovers()

		t.Log("no more files may be opened")
		limit = exec.Command("prlimit", "--pid", fmt.Sprint(d.p.cmd.Process.Pid), "--nofile=8:8")
		if out, err := limit.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		d.untilItStops("too many open files")
		d.recovers()
		d.f.release()
	})
}

// TestDiskReadOnly starts the server on a file system that cannot be written.
func TestDiskReadOnly(t *testing.T) {
	mounted(t, func(t *testing.T) {
		d := newDisk(t)
		l := d.f.begin(500)
		if err := l.await(d.p); err != nil {
			t.Fatal(err)
		}
		if err := d.p.kill(); err != nil {
			t.Fatal(err)
		}
		if err := l.end(); err != nil {
			t.Fatal(err)
		}
		d.remount(syscall.MS_RDONLY, "")
		if err := d.p.launch(); err != nil {
			t.Fatal(err)
		}
		code, err := d.p.wait()
		if err != nil {
			t.Fatal(err)
		}
		want := "paddock: dataDir " + d.p.data + ": open paddock.lock: read-only file system (running as uid 0); mount it for writing, or correct dataDir"
		if out := strings.TrimSpace(d.p.output()); code != 3 || !strings.HasSuffix("\n"+out, "\n"+want) {
			t.Errorf("exit code %d and %s\nwant 3 and %s", code, out, want)
		}
		d.remount(0, "")
		d.recovers()
		d.f.release()
	})
}
