package server

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"paddock/consensus"
	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/server/admin"
	"paddock/server/grpcapi"
	"paddock/server/replica"
)

// three is server 1 of three, and what it logs.
func three(t *testing.T) (*members, *bytes.Buffer) {
	t.Helper()
	c, err := quorum.ParseConfig("server.1=a:2888:3888:participant\nserver.2=b:2888:3888:participant\nserver.3=c:2888:3888:participant\nversion=0")
	if err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	return newMembers(zerolog.New(log), newMetrics(), 1, c), log
}

var refusedDial = &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}

func TestRefusalNamesWhoIsMissing(t *testing.T) {
	m, _ := three(t)
	m.unreached(2, refusedDial)
	m.unreached(3, &net.OpError{Op: "dial", Err: &net.DNSError{Name: "c", IsNotFound: true}})
	for _, part := range []string{"no quorum: looking for a leader", "1 of 3 voters reached", "server 2 at b:3888 (connection refused, for 0s)",
		"server 3 at c:3888 (c: the name does not resolve"} {
		if why := m.why(); !strings.Contains(why, part) {
			t.Errorf("%q does not say %q", why, part)
		}
	}
	m.up(2)
	if why := m.why(); !strings.HasPrefix(why, "electing a leader") || strings.Contains(why, "server 2") || !strings.Contains(why, "2 of 3 voters") {
		t.Errorf("with a quorum connected it says %q", why)
	}
	m.observe(replica.Note{Kind: replica.LeaderElected, Role: consensus.Following, Server: 2})
	if why := m.why(); !strings.HasPrefix(why, "joining server 2") {
		t.Errorf("with a leader it says %q", why)
	}
	m.observe(replica.Note{Kind: replica.RoleLost, Text: "the leader is silent"})
	if why := m.why(); !strings.HasSuffix(why, "the last role ended: the leader is silent") {
		t.Errorf("after a role it says %q", why)
	}
}

func TestRefusalNamesWhoHasNoVote(t *testing.T) {
	m, _ := three(t)
	m.up(2)
	m.up(3)
	m.heard(2, &election.Notification{Role: consensus.Looking, Vote: election.Vote{Leader: 2, Zxid: 0x102}})
	const said = "; without a vote until they have a leader's data, since their databases are empty (see db.autocreate): servers "
	if why := m.why(); strings.Contains(why, "without a vote") {
		t.Errorf("all have one: %q", why)
	}
	m.heard(3, &election.Notification{Role: consensus.Looking, Vote: election.Vote{Leader: 3, Zxid: -1}})
	if why := m.why(); !strings.HasPrefix(why, "electing a leader for 0s, 3 of 3 voters reached") || !strings.HasSuffix(why, said+"3") {
		t.Errorf("server 3 has none: %q", why)
	}
	m.empty = true
	if why := m.why(); !strings.HasSuffix(why, said+"1, 3") {
		t.Errorf("nor has this one: %q", why)
	}
	m.observe(replica.Note{Kind: replica.RoleTaken, Role: consensus.Following, Server: 2})
	m.observe(replica.Note{Kind: replica.RoleLost, Text: "the leader is silent"})
	m.heard(3, &election.Notification{Role: consensus.Looking, Vote: election.Vote{Leader: 3, Zxid: 0x102}})
	if why := m.why(); strings.Contains(why, "without a vote") {
		t.Errorf("all have followed: %q", why)
	}
}

// TestWhoHasFoundALeaderDoesNotLookForEver: members say that they look, and not that they follow.
func TestWhoHasFoundALeaderDoesNotLookForEver(t *testing.T) {
	m, _ := three(t)
	m.up(2)
	m.observe(replica.Note{Kind: replica.RoleTaken, Role: consensus.Following, Server: 3})
	role := func() grpcapi.MemberRole {
		e := &grpcapi.Ensemble{}
		m.fill(e, nil, 0)
		return e.Members[1].Role
	}
	looks := &election.Notification{Role: consensus.Looking}
	m.heard(2, looks)
	if is := role(); is != grpcapi.MemberLooking {
		t.Errorf("it looks, and is shown as %v", is)
	}
	p := m.peers[2]
	past := func(d time.Duration) { p.began, p.latest = p.began.Add(-d), p.latest.Add(-d) }
	past(3 * time.Second)
	if is := role(); is != 0 {
		t.Errorf("long after it is shown as %v", is)
	}
	m.heard(2, looks)
	for pause := time.Second; pause < time.Minute; pause *= 2 { // as who finds no leader repeats it
		if past(pause); role() != grpcapi.MemberLooking {
			t.Errorf("it looks on, and is not shown so %v after it has said so", pause)
		}
		m.heard(2, looks)
	}
}

func TestLinksAreThoseThatAMemberKeeps(t *testing.T) {
	for _, tc := range []struct {
		name string
		self quorum.ServerID
		want []admin.Peer
	}{
		{"a voter keeps one with every other member", 1, []admin.Peer{{ID: 2, Up: true}, {ID: 3}, {ID: 4}}},
		{"an observer keeps one with every voter", 3, []admin.Peer{{ID: 1}, {ID: 2, Up: true}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := quorum.ParseConfig("server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:observer\nserver.4=d:1:2:observer\nversion=0")
			if err != nil {
				t.Fatal(err)
			}
			m := newMembers(zerolog.Nop(), newMetrics(), tc.self, c)
			m.up(2)
			m.up(1)
			m.unreached(1, refusedDial)
			m.up(9) // in no configuration
			if got := m.links(); !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestAPeerIsComplainedOfOnce(t *testing.T) {
	m, log := three(t)
	for range 100 {
		m.unreached(2, refusedDial)
	}
	if n := strings.Count(log.String(), "server cannot be reached"); n != 1 {
		t.Errorf("%d lines:\n%s", n, log)
	}
	m.up(2)
	m.unreached(2, errors.New("anything"))
	if n := strings.Count(log.String(), "server reached again"); n != 1 {
		t.Errorf("%d lines:\n%s", n, log)
	}
	if n := strings.Count(log.String(), "server cannot be reached"); n != 2 {
		t.Errorf("%d lines:\n%s", n, log)
	}
	m.complain()
	if strings.Contains(log.String(), "not serving") {
		t.Error("an election that has just begun is complained of")
	}
	m.since = m.since.Add(-2 * lookingAfter)
	m.complain()
	m.complain()
	if n := strings.Count(log.String(), "not serving"); n != 1 {
		t.Errorf("%d lines:\n%s", n, log)
	}
	m.told = m.told.Add(-2 * time.Minute)
	m.complain()
	if n := strings.Count(log.String(), "not serving"); n != 2 {
		t.Errorf("%d lines after a minute:\n%s", n, log)
	}
}

func TestALeaderTellsOfItsLearners(t *testing.T) {
	m, _ := three(t)
	m.up(2)
	m.heard(2, &election.Notification{Role: consensus.Following})
	m.up(3)
	m.heard(3, &election.Notification{Role: consensus.Following})
	m.observe(replica.Note{Kind: replica.RoleTaken, Role: consensus.Leading, Server: 1})
	e := &grpcapi.Ensemble{Committed: 0x100000009}
	m.fill(e, []consensus.Learner{{Server: 2, Synced: true, Acked: 0x100000005}}, 0x100000009)
	if me := e.Members[0]; !me.Self || me.Role != grpcapi.MemberLeader || !me.Synced || me.Behind != 0 {
		t.Errorf("itself: %+v", me)
	}
	if two := e.Members[1]; two.Role != grpcapi.MemberFollower || !two.Synced || two.Behind != 4 || two.Problem != "" {
		t.Errorf("a follower: %+v", two)
	}
	if three := e.Members[2]; three.Role != 0 || three.Synced || three.Problem == "" || three.Behind != grpcapi.BehindUnknown {
		t.Errorf("one that does not follow: %+v", three)
	}
	if !e.QuorumReached {
		t.Error("no quorum")
	}
}
