package election

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// captured is one line of the captures: a notification, or with role -1 the first packet of a learner to its leader.
type captured struct {
	capture  string
	ms       int64
	from, to quorum.ServerID
	n        Notification
	config   zk.Zxid
}

func readCaptures(t *testing.T) []captured {
	t.Helper()
	text, err := os.ReadFile("testdata/captures/notifications.txt")
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string]Role{"looking": Looking, "following": Following, "leading": Leading, "observing": Observing}
	number := func(word string) int64 {
		n, err := strconv.ParseInt(word, 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var all []captured
	for line := range strings.Lines(string(text)) {
		w := strings.Fields(line)
		seconds, err := strconv.ParseFloat(w[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		c := captured{capture: w[0], ms: int64(seconds * 1000), from: quorum.ServerID(number(w[2])), to: quorum.ServerID(number(w[3]))}
		role, ok := roles[w[4]]
		if c.n.Role = role; !ok {
			c.n.Role = -1
		}
		for _, field := range w[5:] {
			key, value, _ := strings.Cut(field, "=")
			switch n := number(value); key {
			case "leader":
				c.n.Vote.Leader = quorum.ServerID(n)
			case "zxid":
				c.n.Vote.Zxid = zk.Zxid(n)
			case "round":
				c.n.Vote.Round = n
			case "epoch":
				c.n.Vote.Epoch = n
			case "version":
				c.n.Version = int32(n)
			case "config":
				c.config = zk.Zxid(n)
			}
		}
		all = append(all, c)
	}
	return all
}

// What a Java server was told in a capture makes an Election vote the same way, one vote after the other, and decide for
// the leader to which the Java server connected.
func TestCapturedNotificationsGiveTheDecisionsOfZooKeeper(t *testing.T) {
	all := readCaptures(t)
	for _, row := range []struct {
		capture string
		id      quorum.ServerID
		round   int64 // in which it begins
		zxid    zk.Zxid
		epoch   int64
		config  zk.Zxid
		role    Role
		want    Vote // the leader must also be whom the capture shows
	}{
		{"A-form", 1, 1, 0, 0, 0, Following, Vote{2, 0, 1, 0}},
		{"A-form", 2, 1, 0, 0, 0, Leading, Vote{2, 0, 1, 0}},
		{"B-snapjoin", 3, 1, 0, 0, 0, Following, Vote{2, 0, 1, 1}},
		{"C-diffjoin", 3, 1, 0x10000000a, 1, 0x100000000, Following, Vote{2, 0, 1, 1}},
		{"D-observer", 4, 1, 0, 0, 0, Observing, Vote{2, 0, 1, 1}},
		{"G-trunc", 3, 1, 0x10000001d, 1, 0x100000016, Following, Vote{2, 0, 1, 1}},
		{"H-failover", 1, 1, 0x10000001c, 1, 0x100000016, Following, Vote{4, 0x10000001c, 2, 1}},
		{"H-failover", 3, 2, 0x10000001c, 1, 0x100000016, Following, Vote{4, 0x10000001c, 2, 1}},
		{"H-failover", 4, 1, 0x10000001c, 1, 0x100000016, Leading, Vote{4, 0x10000001c, 2, 1}},
		{"I-oldleader-rejoin", 2, 1, 0x10000001c, 1, 0x100000016, Following, Vote{4, 0x10000001c, 2, 2}},
	} {
		t.Run(row.capture+" "+strconv.FormatInt(int64(row.id), 10), func(t *testing.T) {
			r := newReplay(t, row.id, capturedConfig(t, row.config))
			start := Event{Kind: Start, NowMS: 1000, Zxid: row.zxid, Epoch: row.epoch}
			for range row.round {
				r.votes = nil // those of elections before the capture
				r.step(start)
			}
			learned, javaVotes := r.play(all, row.capture)
			if r.decided == nil || *r.decided != (Decision{row.role, row.want}) || row.want.Leader != learned {
				t.Errorf("decided %v, want %v %v; the capture shows %d", r.decided, row.role, row.want, learned)
			}
			if !slices.Equal(r.votes, javaVotes) {
				t.Errorf("voted %v, ZooKeeper's server voted %v", r.votes, javaVotes)
			}
		})
	}
}

// replay is an Election that is told what a Java server was told.
type replay struct {
	t       *testing.T
	id      quorum.ServerID
	e       *Election
	votes   []Vote // given while looking, each once
	decided *Decision
}

func newReplay(t *testing.T, id quorum.ServerID, cfg *quorum.Config) *replay {
	e, err := New(Config{Self: id, Committed: cfg})
	if err != nil {
		t.Fatal(err)
	}
	return &replay{t: t, id: id, e: e}
}

func (r *replay) step(ev Event) {
	var out Actions
	r.e.Step(ev, &out)
	for _, m := range out.Send {
		if m.Role == Looking {
			r.votes = addVote(r.votes, m.Vote)
		}
	}
	if out.AdoptConfig != "" {
		r.step(Event{Kind: SetConfig, NowMS: ev.NowMS, Committed: capturedConfig(r.t, ev.ConfigVersion)})
	}
	if out.Decided != nil {
		r.decided = out.Decided
	}
}

// play tells the Election what the Java server was told, and returns the leader which that server connected to, itself if
// it did not, and how it voted.
func (r *replay) play(all []captured, capture string) (learned quorum.ServerID, votes []Vote) {
	learned = r.id
	now := int64(1000)
	for _, c := range all {
		switch {
		case c.capture != capture:
		case c.n.Role < 0 && c.from == r.id:
			learned = c.to
		case c.n.Role == Looking && c.from == r.id:
			votes = addVote(votes, c.n.Vote)
		case c.n.Role >= 0 && c.to == r.id && r.decided == nil:
			now = c.ms
			c.n.Config = "present"
			r.step(Event{Kind: Notified, NowMS: now, From: c.from, Notification: c.n, ConfigVersion: c.config})
		}
	}
	r.step(Event{Kind: Tick, NowMS: now + finalizeWaitMS})
	return learned, votes
}

// addVote adds a vote unless it repeats an earlier one, perhaps to another server.
func addVote(votes []Vote, v Vote) []Vote {
	if !slices.Contains(votes, v) {
		votes = append(votes, v)
	}
	return votes
}

// capturedConfig is the configuration in force in the captures under a version.
func capturedConfig(t *testing.T, version zk.Zxid) *quorum.Config {
	if version >= 0x100000016 {
		return members(t, version, []int64{1, 2, 3, 4}, nil, "", nil)
	}
	return members(t, version, []int64{1, 2, 3}, []int64{4}, "", nil)
}
