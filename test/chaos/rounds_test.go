//go:build chaos

package chaos

import (
	"net"
	"strings"
	"testing"
	"time"
)

// TestRejoinsWhateverTheRound answers "LOOKING with round 1 against 831": two servers have had 831 elections, the third
// starts with its first, and joins.
func TestRejoinsWhateverTheRound(t *testing.T) {
	const round = 831
	for _, kinds := range [][]string{{paddock, paddock, paddock}, {java, paddock, paddock}, {paddock, paddock, java}, {java, java, paddock}} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := assemble(t, kinds)
			for _, id := range []int{1, 2} {
				if err := e.members[id-1].launch(); err != nil {
					t.Fatal(err)
				}
				answers(t, e.members[id-1])
				if id == 1 {
					raise(t, e, round) // nobody else is there to elect anybody with
				}
			}
			e.await(t)
			if got := roundOf(t, e, 2); got < round {
				t.Fatalf("the two have elected in round %d", got)
			}
			three := e.members[2]
			if err := three.launch(); err != nil {
				t.Fatal(err)
			}
			e.await(t)
			for range 2 { // and again, with the data it has now
				if err := three.kill(); err != nil {
					t.Fatal(err)
				}
				if err := three.launch(); err != nil {
					t.Fatal(err)
				}
				e.await(t)
			}
			e.agree(t)
		})
	}
}

// raise makes server 1, which looks, take up a round, in the name of server 3, whose vote nobody can agree with.
func raise(t *testing.T, e *ensemble, round int64) {
	t.Helper()
	_, at := e.ports(1)
	_, own := e.ports(3)
	for deadline := time.Now().Add(startDeadline); ; <-time.After(pollEvery) {
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.SetDeadline(time.Now().Add(5 * time.Second))
			c.Write(append(hello(3, own), notification(1, 0, round, -1)...)) //nolint:errcheck // what comes back tells
			for err == nil {
				var got int64
				if got, err = saying(c); err == nil && got == round {
					c.Close()
					return
				}
			}
			c.Close()
		}
		if time.Now().After(deadline) {
			t.Fatalf("server 1 does not take up the round: %v", err)
		}
	}
}

// roundOf is the round in which a member that serves has elected its leader, as it tells server 3.
func roundOf(t *testing.T, e *ensemble, id int) int64 {
	t.Helper()
	_, at := e.ports(id)
	_, own := e.ports(3)
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(startDeadline))
	if _, err := c.Write(append(hello(3, own), notification(3, 0, 1, 0)...)); err != nil {
		t.Fatal(err)
	}
	highest := int64(0)
	for range 2 { // an old one may come first
		round, err := saying(c)
		if err != nil {
			break
		}
		if highest = max(highest, round); highest > 1 {
			break
		}
	}
	return highest
}
