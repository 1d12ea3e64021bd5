//go:build chaos

package chaos

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// observers makes the members with these ids observers. None of the servers has been started.
func (e *ensemble) observers(ids ...int) {
	lines := slices.Clone(e.members[0].extra)
	for i, line := range lines {
		for _, id := range ids {
			if strings.HasPrefix(line, fmt.Sprintf("server.%d=", id)) {
				lines[i] += ":observer"
			}
		}
	}
	for _, p := range e.members {
		p.extra = lines
	}
}

// only runs the members with these ids, and waits until they serve.
func (e *ensemble) only(t *testing.T, ids ...int) {
	t.Helper()
	for _, id := range ids {
		if err := e.members[id-1].launch(); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		if err := e.members[id-1].await(""); err != nil {
			t.Fatal(err)
		}
	}
}

// ask is the answer to a word.
func ask(t *testing.T, p *process, word string) string {
	t.Helper()
	text, err := p.word(word)
	if err != nil {
		t.Fatalf("%s of %s: %v", word, p.kind, err)
	}
	return text
}

var zxidLine = regexp.MustCompile(`(?m)^Zxid: .*$`)

// level waits until all members have the last change, which may be the end of a session that catching up has opened.
func level(t *testing.T, e *ensemble) {
	t.Helper()
	for deadline := time.Now().Add(startDeadline); ; <-time.After(pollEvery) {
		zxids := map[string]bool{}
		for _, p := range e.running() {
			zxids[zxidLine.FindString(ask(t, p, "srvr"))] = true
		}
		if len(zxids) == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("members are at %v", zxids)
		}
	}
}

// changing is what differs from server to server in the answers of equal ones.
var changing = map[string]*regexp.Regexp{
	"srvr": regexp.MustCompile(`(?m)^(Zookeeper version|Latency min/avg/max|Received|Sent|Connections): .*$`),
	"conf": regexp.MustCompile(`(?m)^(clientPort|dataDir|dataDirSize|dataLogDir|dataLogSize|serverId|electionPort|quorumPort)=.*$|(?:127\.0\.0\.1:\d+:\d+)`),
	"dump": regexp.MustCompile(`0x[0-9a-f]+|/127.0.0.1:\d+|(?m)^(?:Connections|Session) Sets .*$|^\d+ expire at .*$`),
	"cons": regexp.MustCompile(`(lresp|llat|minlat|avglat|maxlat|est|recved|sent)=-?\d+|:\d+\[[0-9]\]|0x[0-9a-f]+`),
	"isro": regexp.MustCompile(`^$`),
	"ruok": regexp.MustCompile(`^$`),
}

func normal(word, text string) string { return changing[word].ReplaceAllString(text, "*") }

// figures are the values of mntr that two equal members agree on.
var figures = []string{"server_state", "peer_state", "quorum_size", "learners", "synced_followers", "synced_non_voting_followers", "synced_observers",
	"pending_syncs", "znode_count", "ephemerals_count", "global_sessions", "last_proposal_size", "min_proposal_size", "max_proposal_size",
	"proposal_count", "commit_count", "learner_proposal_received_count", "learner_commit_received_count", "looking_count", "observer_master_id",
	"cnt_election_time", "cnt_unavailable_time", "cnt_leader_unavailable_time", "cnt_follower_sync_time"}

func monitored(text string) (values map[string]string, keys []string) {
	values = map[string]string{}
	for line := range strings.Lines(text) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "\t")
		k = strings.TrimPrefix(k, "zk_")
		values[k] = v
		if !strings.HasSuffix(k, "_per_namespace") {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return values, keys
}

// TestWordsOfMembers: scripts and dashboards cannot tell a member that is Paddock from one that is ZooKeeper, whatever
// its role.
func TestWordsOfMembers(t *testing.T) {
	answers := map[string]map[string]string{} // by kind and role, by word
	for _, lead := range []string{java, paddock} {
		e := assemble(t, []string{java, paddock, lead, java, paddock})
		e.observers(4, 5)
		e.only(t, 1, 3)
		e.only(t, 2, 4, 5)
		settle := []int{2, 3, 5}
		if lead == java {
			settle = []int{1, 2, 3, 4, 5}
		}
		c, err := dial(e.members[2].addr(), client.Options{Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			do(t, c, &zk.Request{Op: zk.OpCreate, Path: fmt.Sprintf("/n%d", i), Data: []byte("value"), ACL: zk.OpenACL, Mode: zk.Ephemeral, TTLMS: -1})
		}
		for _, p := range e.members { // each has one client
			own, err := dial(p.addr(), client.Options{Timeout: 20 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer own.Abandon()
		}
		if err := e.catchUp(); err != nil {
			t.Fatal(err)
		}
		level(t, e)
		for _, id := range settle {
			p := e.members[id-1]
			role := p.kind + " " + p.mode()
			answers[role] = map[string]string{}
			for _, w := range []string{"srvr", "conf", "dump", "cons", "isro", "ruok", "mntr"} {
				answers[role][w] = ask(t, p, w)
			}
		}
		c.Abandon()
		if lead == java {
			alone(t, e)
		}
		for _, p := range e.members {
			p.end()
		}
	}
	for _, role := range []string{"leader", "follower", "observer"} {
		compareWords(t, role, answers[java+" "+role], answers[paddock+" "+role])
	}
}

func compareWords(t *testing.T, role string, theirs, ours map[string]string) {
	t.Helper()
	if theirs == nil || ours == nil {
		t.Fatalf("nobody was a %s of each kind", role)
	}
	for w := range changing {
		a, b := strings.Split(normal(w, theirs[w]), "\n"), strings.Split(normal(w, ours[w]), "\n")
		if w == "dump" || w == "cons" { // lists in the order of hash tables, with the connections that words came on
			a, b = distinct(a), distinct(b)
		}
		if !slices.Equal(a, b) {
			t.Errorf("%s, %s:\nZooKeeper\n%s\nPaddock\n%s", role, w, theirs[w], ours[w])
		}
	}
	their, theirKeys := monitored(theirs["mntr"])
	our, ourKeys := monitored(ours["mntr"])
	for _, k := range theirKeys {
		if !slices.Contains(ourKeys, k) && !strings.Contains(k, "learner_handler") {
			t.Errorf("%s: mntr lacks %s", role, k)
		}
	}
	for _, k := range figures {
		if their[k] != our[k] {
			t.Errorf("%s: %s is %q, ZooKeeper says %q", role, k, our[k], their[k])
		}
	}
}

// distinct are the lines without those of connections that have no session, each once and in order.
func distinct(lines []string) []string {
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, " /") && !strings.Contains(l, "sid=") })
	slices.Sort(lines)
	return slices.Compact(lines)
}

// alone leaves a server of each kind without a quorum.
func alone(t *testing.T, e *ensemble) {
	t.Helper()
	for _, id := range []int{3, 4, 5} {
		e.members[id-1].end()
	}
	if err := e.members[1].kill(); err != nil {
		t.Fatal(err)
	}
	one, two := e.members[0], e.members[1]
	quiet := func(p *process) {
		for deadline := time.Now().Add(startDeadline); p.mode() != ""; <-time.After(pollEvery) {
			if time.Now().After(deadline) {
				t.Fatalf("%s serves without a quorum", p.kind)
			}
		}
	}
	quiet(one)
	words := []string{"srvr", "stat", "mntr", "conf", "cons", "dump", "dirs", "wchs", "isro", "ruok", "crst", "srst"}
	theirs := map[string]string{}
	for _, w := range words {
		theirs[w] = ask(t, one, w)
	}
	one.end()
	if err := two.launch(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(startDeadline); ; <-time.After(pollEvery) {
		if text, err := two.word("ruok"); err == nil && text == "imok" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no answer")
		}
	}
	for _, w := range words {
		if ours := ask(t, two, w); ours != theirs[w] {
			t.Errorf("without a quorum %s says %q, ZooKeeper %q", w, ours, theirs[w])
		}
	}
}
