//go:build chaos

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shrink gives a member's file system room for so many bytes more.
func shrink(t *testing.T, root string, room int64) {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(root, &s); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("chaos", root, "tmpfs", syscall.MS_REMOUNT, fmt.Sprint("size=", int64(s.Blocks-s.Bfree)*s.Bsize+room)); err != nil {
		t.Fatal(err)
	}
}

// TestMemberWithAFullDisk answers "logs and snapshots fill the disk": a member whose disk fills up warns, stops by itself with one
// line that says so, is refused a start while there is no room, and catches up once there is. The others go on.
func TestMemberWithAFullDisk(t *testing.T) {
	mounted(t, func(t *testing.T) {
		e := assemble(t, []string{paddock, paddock, paddock}, "autopurge.purgeInterval=0")
		roots := make([]string, len(e.members))
		for i, p := range e.members {
			roots[i] = filepath.Join(t.TempDir(), "disk")
			if err := os.Mkdir(roots[i], 0o755); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount("chaos", roots[i], "tmpfs", 0, fmt.Sprint("size=", diskSize)); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.end(); syscall.Unmount(roots[i], syscall.MNT_DETACH) }) //nolint:errcheck // the namespace ends
			p.data = filepath.Join(roots[i], "data")
			if err := os.MkdirAll(p.data, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(p.data, "myid"), fmt.Appendln(nil, i+1), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		e.launch(t)
		e.await(t)
		w := newWriters(t, e)
		w.start()
		for round, victim := range []int{1, 3, 2} { // the highest leads at first
			p, root := e.members[victim-1], roots[victim-1]
			if err := w.await(200); err != nil {
				t.Fatal(err)
			}
			shrink(t, root, 256<<10)
			code, err := p.wait()
			if err != nil {
				t.Fatal(err)
			}
			out := p.output()
			if code != 1 && code != 3 || strings.Contains(out, "panic") || !strings.Contains(out, "no space left on device") && !strings.Contains(out, "make room") {
				t.Errorf("round %d: exit code %d:\n%s", round, code, p.logTail())
			}
			if err := w.await(500); err != nil { // the others go on
				t.Fatal(err)
			}
			says(t, p, 1, "not running")
			shrink(t, root, 4096)
			if err := p.launch(); err != nil {
				t.Fatal(err)
			}
			if code, err := p.wait(); err != nil || code != 3 || !strings.Contains(p.output(), "make room, then start this server again") {
				t.Errorf("round %d: without room it starts: %d, %v\n%s", round, code, err, p.logTail())
			}
			shrink(t, root, diskSize)
			if err := p.launch(); err != nil {
				t.Fatal(err)
			}
			if err := p.await(""); err != nil {
				t.Fatal(err)
			}
		}
		w.end()
		if err := w.check(e.agree(t)); err != nil {
			t.Error(err)
		}
		// A disk that is nearly full is told of before that.
		p := e.members[0]
		shrink(t, roots[0], 600<<10)
		for deadline := time.Now().Add(startDeadline); ; <-time.After(100 * time.Millisecond) {
			if text, _ := status(t, p); strings.Contains(text, "% full") && strings.Contains(p.output(), "% full") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("nobody is warned of a disk that is nearly full")
			}
		}
	})
}
