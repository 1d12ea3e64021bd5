//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// TestADiskThatStandsStill: a client that writes one thing at a time is answered though the disk of its server stands still, or the leader's, for the
// others are a quorum. Who has read its request, or the leader's message, may be the one who waits for that disk.
func TestADiskThatStandsStill(t *testing.T) {
	mounted(t, func(t *testing.T) {
		e := assemble(t, []string{paddock, paddock, paddock})
		disks := map[*process]*volume{}
		for i, p := range e.members {
			v, err := newVolume(filepath.Join(t.TempDir(), "disk"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.end(); v.end() }) //nolint:errcheck // the namespace ends
			disks[p], p.data = v, filepath.Join(v.root, "data")
			if err := errors.Join(os.MkdirAll(p.data, 0o755), os.WriteFile(filepath.Join(p.data, "myid"), fmt.Appendln(nil, i+1), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		e.launch(t)
		e.await(t)
		leader := e.leader(t)
		own := e.members[0]
		if own == leader {
			own = e.members[1]
		}
		c, err := dial(own.addr(), client.Options{Timeout: 4 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Abandon()
		write := func() {
			t.Helper()
			rep, err := c.Do(&zk.Request{Op: zk.OpSetData, Path: zk.RootPath, Data: make([]byte, 100), Version: -1})
			if err != nil || rep.Err != zk.OK {
				t.Fatal(rep, err)
			}
		}
		const some = 300
		for round, still := range []*process{own, leader, own, leader} {
			for range some {
				write()
			}
			if err := disks[still].freeze(); err != nil {
				t.Fatal(err)
			}
			thawed := make(chan error, 1)
			time.AfterFunc(3*time.Second, func() { thawed <- disks[still].thaw() })
			for range some {
				write()
			}
			select {
			case err := <-thawed:
				t.Errorf("round %d: %d writes were not answered before the disk went on, %v", round, some, err)
			default:
				if err := <-thawed; err != nil {
					t.Fatal(err)
				}
			}
		}
		if now := e.leader(t); now != leader {
			t.Error("another server leads")
		}
		e.agree(t)
	})
}
