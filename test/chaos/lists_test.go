//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
)

// listLines is how many lines of an ensemble's configuration come before those of its servers.
const listLines = 3

// TestMembersChangeByRestarts follows docs/operations/membership.md, without reconfigEnabled: an ensemble grows and shrinks while it is written to, and
// files that differ are warned of meanwhile.
func TestMembersChangeByRestarts(t *testing.T) {
	e := assemble(t, slices.Repeat([]string{paddock}, 4))
	all, lines := e.members, e.members[0].extra
	list := func(members int) {
		for _, p := range all {
			p.extra = lines[:listLines+members]
		}
	}
	stop := func(p *process) {
		if _, err := p.signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	restart := func(members ...*process) {
		for _, p := range members {
			stop(p)
			if _, err := p.start(); err != nil {
				t.Fatal(err)
			}
		}
	}
	const warning = "quorums are counted of servers"
	list(1)
	if _, err := all[0].start(); err != nil {
		t.Fatal(err)
	}
	w := writeAll(t, e)
	for members := 2; members <= 4; members++ {
		list(members)
		before, added := all[:members-1], all[members-1]
		if err := added.launch(); err != nil {
			t.Fatal(err)
		}
		if members > 2 {
			if err := added.await(""); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(added.output(), warning) {
				t.Errorf("server %d joins others whose files do not list it, and does not say so:\n%s", members, added.logTail())
			}
		}
		restart(before...)
		e.members = all[:members]
		e.await(t)
		for i, p := range e.members {
			if text, _ := status(t, p); strings.Contains(text, warning) {
				t.Errorf("all list %d servers, and server %d warns:\n%s", members, i+1, text)
			}
		}
	}
	stop(all[3])
	e.members = all[:3]
	e.await(t)
	list(3)
	restart(e.members...)
	e.await(t)
	made := w()
	image := e.agree(t)
	for _, path := range made {
		if _, ok := image.Znodes[path]; !ok {
			t.Fatalf("%s of %d is lost", path, len(made))
		}
	}
}

// writeAll creates znodes, one after the other, through whichever server does, until the function that it returns is called. That one returns the
// paths of those that were acknowledged.
func writeAll(t *testing.T, e *ensemble) (end func() []string) {
	t.Helper()
	p := &lockPlayer{lockDoors: newLockDoors(t, e)}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var wg sync.WaitGroup
	var made []string
	wg.Go(func() { // ends with ctx
		for i := 0; ctx.Err() == nil; i++ {
			path := fmt.Sprintf("/made-%06d", i)
			err := p.try(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
				_, err := paddockv1.NewZnodeServiceClient(conn).Create(ctx, &paddockv1.CreateRequest{Path: path})
				return err
			})
			if err == nil || grpcstatus.Code(err) == codes.AlreadyExists {
				made = append(made, path)
			}
		}
	})
	return func() []string {
		cancel()
		wg.Wait()
		return made
	}
}
