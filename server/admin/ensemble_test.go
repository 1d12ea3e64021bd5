package admin

import (
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/zk"
)

// The sessions of the ensemble in testdata/ORIGIN.md, by the server that has the client.
const onFollower, onLeader, onObserver zk.SessionID = 0x1000182edd10000, 0x2000182ee4f0000, 0x3000182ef110000

const membership = "server.1=127.0.0.1:15211:15221:participant\nserver.2=127.0.0.1:15212:15222:participant\nserver.3=127.0.0.1:15213:15223:observer\nversion=0"

// member is a server of that ensemble.
func member(mode string) *fakeSource {
	f := fresh()
	f.server.Mode, f.server.Zxid, f.server.Znodes = mode, 0x100000006, 8
	f.server.Received, f.server.Sent, f.server.Connections = 13, 14, 2
	f.server.MinLatencyMS, f.server.MeanLatencyMS, f.server.MaxLatencyMS = 8, 34, 60
	f.server.Member = &Member{PeerState: "following - broadcast", Voters: 2, ElectionListening: true, Peers: []Peer{{2, true}, {3, false}}}
	f.conf = Conf{SecureClientPort: -1, DataDirBytes: 594, DataLogBytes: 594, TickMS: 500, MinSessionMS: 1000, MaxSessionMS: 10000, ListenBacklog: -1}
	f.conf.Member = &MemberConf{InitLimit: 20, SyncLimit: 10, Membership: membership}
	switch mode {
	case "leader":
		f.server.Member.PeerState = "leading - broadcast"
		f.server.Leading = &Leading{Learners: []int64{1, 3}, SyncedFollowers: 1, SyncedObservers: 1, Uptime: 42810 * time.Millisecond,
			LastProposalBytes: 93, MinProposalBytes: 48, MaxProposalBytes: 93}
	case "observer":
		f.server.Member.PeerState, f.server.Member.IsObserver, f.server.Member.MasterID = "observing - broadcast", true, 2
	}
	return f
}

func TestALeaderTellsItsProposalSizes(t *testing.T) {
	src := member("leader")
	if got, want := string(all(src).Answer("srvr", noArg)), capture(t, "leader_srvr"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	s := &src.server
	s.Zxid, s.Received, s.Sent, s.Connections, s.Znodes = 0x100000000, 1, 0, 1, 5
	s.MinLatencyMS, s.MeanLatencyMS, s.MaxLatencyMS = 0, 0, 0
	s.Leading.LastProposalBytes, s.Leading.MinProposalBytes, s.Leading.MaxProposalBytes = -1, -1, -1
	if got, want := string(all(src).Answer("srvr", noArg)), capture(t, "newleader_srvr"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestConfTellsOfTheEnsemble(t *testing.T) {
	for _, c := range []struct {
		mode     string
		id       int64
		observer bool
	}{{"follower", 1, false}, {"observer", 3, true}} {
		src := member(c.mode)
		src.conf.ServerID, src.conf.ClientPort = c.id, 15200+int(c.id)
		src.conf.DataDir = "/data/d" + string(rune('0'+c.id)) + "/version-2"
		src.conf.DataLogDir = src.conf.DataDir
		m := src.conf.Member
		m.Observer, m.QuorumPort, m.ElectionPort = c.observer, 15210+int(c.id), 15220+int(c.id)
		if got, want := string(all(src).Answer("conf", noArg)), capture(t, c.mode+"_conf"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestALearnerDumpsSessionsWithoutTheirExpiry(t *testing.T) {
	src := member("follower")
	src.dump = Sessions{
		Learner: true, Known: []Session{{onObserver, 8003}, {onFollower, 8001}, {onLeader, 8002}},
		Ephemerals: []Ephemerals{{onLeader, []string{"/e15202"}}, {onFollower, []string{"/e15201"}}, {onObserver, []string{"/e15203"}}},
	}
	src.conns = []Connection{{Addr: "127.0.0.1:45938", Session: onFollower, IdleUntil: at(10, 21, 7)}, {Addr: "127.0.0.1:45946", IdleUntil: at(10, 21, 17)}}
	lines := func(text string) []string { return slices.Sorted(strings.Lines(text)) } // ZooKeeper's order of ephemerals is that of a hash table
	got, want := string(all(src).Answer("dump", noArg)), capture(t, "follower_dump")
	if !slices.Equal(lines(got), lines(want)) || !strings.HasPrefix(got, strings.SplitAfter(want, "8003ms\n")[0]) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMntrHasTheKeysOfEachRole(t *testing.T) {
	for _, mode := range []string{"leader", "follower", "observer"} {
		got, want := keysOf(t, string(all(member(mode)).Answer("mntr", noArg))), keysOf(t, capture(t, mode+"_mntr"))
		want = slices.DeleteFunc(want, func(k string) bool { return strings.HasSuffix(k, "_per_namespace") })
		want = append(want, "zk_election_listener_up", "zk_2_peer_link_up", "zk_3_peer_link_up") // Paddock's own
		head := 3
		if mode == "observer" {
			head = 4
		}
		if !slices.Equal(got[:head], want[:head]) {
			t.Errorf("%s begins with %v, want %v", mode, got[:head], want[:head])
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: missing %v, too many %v", mode, without(want, got), without(got, want))
		}
	}
	text := string(all(member("leader")).Answer("mntr", noArg))
	for _, line := range []string{"zk_server_state\tleader\n", "zk_peer_state\tleading - broadcast\n", "zk_learners\t2\n", "zk_synced_followers\t1\n",
		"zk_synced_observers\t1\n", "zk_quorum_size\t2\n", "zk_leader_uptime\t42810\n", "zk_min_proposal_size\t48\n",
		"zk_election_listener_up\t1\nzk_2_peer_link_up\t1\nzk_3_peer_link_up\t0\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q", line)
		}
	}
}

// without are the keys of a that b has not.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(k string) bool { return slices.Contains(b, k) })
}
