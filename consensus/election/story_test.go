package election

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"paddock/consensus/quorum"
	"paddock/internal/script"
	"paddock/internal/zk"
)

func TestStories(t *testing.T) {
	script.Files(t, "testdata/*.txt", func(t *testing.T) func(script.Command) string {
		return (&story{t: t, servers: map[quorum.ServerID]*Election{}, cut: map[[2]quorum.ServerID]bool{}}).run
	})
}

// story is a few servers whose messages are delivered when a script says so, at once and in order.
type story struct {
	t       *testing.T
	now     int64
	config  *quorum.Config
	servers map[quorum.ServerID]*Election
	flight  []flying
	cut     map[[2]quorum.ServerID]bool // directions in which messages are lost
	out     strings.Builder
}

// flying is a message on its way.
type flying struct {
	from quorum.ServerID
	Message
}

// run carries out one command:
//
//	ensemble voters=1,2,3 observers=4 strangers=9 version=0x100000000 [groups=1,2;3,4;5,6 weightless=5]
//	start ID [zxid=] [epoch=] [heir= heirzxid=]   messages wait until they are delivered
//	up ID PEER.., down ID PEER..      what the server knows of connections
//	cut ID PEER, heal                 messages from ID to PEER are lost
//	settle, drop                      deliver all messages, and those that follow from them; lose all
//	wait MS                           let time pass in ticks of 50 ms, delivering nothing
//	tell ID from= ROLE leader= [zxid= epoch= round= version= config=]
//	config ID voters= version= [lastseen= lastseenversion=]
//	epoch ID N, join ID ROLE leader= [zxid= epoch= round=]
//	show                              what each server is
func (s *story) run(c script.Command) string {
	s.out.Reset()
	switch c.Name {
	case "ensemble":
		s.ensemble(c)
	case "start":
		ev := Event{Kind: Start, Zxid: zk.Zxid(c.Int("zxid", 0)), Epoch: c.Int("epoch", 0)}
		if c.Has("heir") {
			ev.Heir = &Vote{Leader: quorum.ServerID(c.Int("heir", 0)), Zxid: zk.Zxid(c.Int("heirzxid", 0)), Epoch: ev.Epoch}
		}
		s.step(s.id(c, 0), ev)
	case "up", "down":
		kind := map[string]EventKind{"up": PeerUp, "down": PeerDown}[c.Name]
		for i := range c.Args[1:] {
			s.step(s.id(c, 0), Event{Kind: kind, From: s.id(c, i+1)})
		}
	case "cut":
		s.cut[[2]quorum.ServerID{s.id(c, 0), s.id(c, 1)}] = true
	case "heal":
		clear(s.cut)
	case "settle":
		s.settle()
	case "drop":
		s.flight = nil
	case "wait":
		for end := s.now + script.Number(c.Args[0]); s.now < end; {
			s.now += 50
			for _, id := range s.ids() {
				s.step(id, Event{Kind: Tick})
			}
		}
	case "tell":
		s.step(s.id(c, 0), Event{
			Kind: Notified, From: quorum.ServerID(c.Int("from", 0)), ConfigVersion: zk.Zxid(c.Int("config", 0)),
			Notification: Notification{
				Role: s.role(c.Args[1]), Vote: s.vote(c), Version: int32(c.Int("version", Version)), Config: c.Value("config"),
			},
		})
	case "config":
		ev := Event{Kind: SetConfig, Committed: s.members(c, "voters", "observers", "version")}
		if c.Has("lastseen") {
			ev.LastSeen = s.members(c, "lastseen", "", "lastseenversion")
		}
		s.step(s.id(c, 0), ev)
	case "epoch":
		s.step(s.id(c, 0), Event{Kind: SetEpoch, Epoch: script.Number(c.Args[1])})
	case "join":
		s.step(s.id(c, 0), Event{Kind: Join, Role: s.role(c.Args[1]), Vote: s.vote(c)})
	case "show":
		for _, id := range s.ids() {
			e := s.servers[id]
			fmt.Fprintf(&s.out, "%d: %v %v, clock %d\n", id, e.Role(), e.Vote(), e.Round())
		}
	default:
		s.t.Fatalf("no command %q", c.Name)
	}
	return s.out.String()
}

func (s *story) id(c script.Command, i int) quorum.ServerID {
	return quorum.ServerID(script.Number(c.Args[i]))
}

func (s *story) ids() []quorum.ServerID {
	var ids []quorum.ServerID
	for id := range s.servers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (s *story) role(word string) Role {
	for r := Looking; r <= Observing; r++ {
		if r.String() == word {
			return r
		}
	}
	return Role(script.Number(word))
}

func (s *story) vote(c script.Command) Vote {
	return Vote{
		Leader: quorum.ServerID(c.Int("leader", None)), Zxid: zk.Zxid(c.Int("zxid", 0)),
		Round: c.Int("round", 1), Epoch: c.Int("epoch", 0),
	}
}

// ensemble makes the servers.
func (s *story) ensemble(c script.Command) {
	s.config = s.members(c, "voters", "observers", "version")
	ids := script.Numbers(c.Value("voters") + "," + c.Value("observers") + "," + c.Value("strangers"))
	for _, id := range ids {
		e, err := New(Config{Self: quorum.ServerID(id), Committed: s.config})
		if err != nil {
			s.t.Fatal(err)
		}
		s.servers[quorum.ServerID(id)] = e
	}
}

// members is the configuration a command describes.
func (s *story) members(c script.Command, voters, observers, version string) *quorum.Config {
	return members(s.t, zk.Zxid(c.Int(version, 0)), script.Numbers(c.Value(voters)), script.Numbers(c.Value(observers)),
		c.Value("groups"), script.Numbers(c.Value("weightless")))
}

// members makes a configuration; groups are "1,2;3,4".
func members(t testing.TB, version zk.Zxid, voters, observers []int64, groups string, weightless []int64) *quorum.Config {
	t.Helper()
	var servers []quorum.Server
	for _, id := range voters {
		servers = append(servers, quorum.Server{ID: quorum.ServerID(id)})
	}
	for _, id := range observers {
		servers = append(servers, quorum.Server{ID: quorum.ServerID(id), Observer: true})
	}
	var in []quorum.Group
	for i, list := range strings.Split(groups, ";") {
		if list != "" {
			g := quorum.Group{ID: int64(i + 1)}
			for _, id := range script.Numbers(list) {
				g.Servers = append(g.Servers, quorum.ServerID(id))
			}
			in = append(in, g)
		}
	}
	var weights map[quorum.ServerID]int64
	for _, id := range weightless {
		if weights == nil {
			weights = map[quorum.ServerID]int64{}
		}
		weights[quorum.ServerID(id)] = 0
	}
	cfg, err := quorum.NewConfig(version, servers, in, weights)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// step steps one server and prints what it does: one line for all servers that are told the same.
func (s *story) step(id quorum.ServerID, ev Event) {
	var out Actions
	ev.NowMS = s.now
	s.servers[id].Step(ev, &out)
	for i := 0; i < len(out.Send); {
		n, to := out.Send[i].Notification, ""
		for ; i < len(out.Send) && out.Send[i].Notification == n; i++ {
			m := out.Send[i]
			if to += fmt.Sprintf(",%d", m.To); s.cut[[2]quorum.ServerID{id, m.To}] {
				to += "(lost)"
			} else if s.servers[m.To] != nil {
				s.flight = append(s.flight, flying{id, m})
			}
		}
		fmt.Fprintf(&s.out, "%d -> %s: %v\n", id, to[1:], n)
	}
	if out.ConnectAll {
		fmt.Fprintf(&s.out, "%d: connect to all\n", id)
	}
	if out.AdoptConfig != "" {
		fmt.Fprintf(&s.out, "%d: adopt config %s\n", id, out.AdoptConfig)
	}
	if out.Decided != nil {
		fmt.Fprintf(&s.out, "%d: %v\n", id, *out.Decided)
	}
}

// settle delivers until nothing is on its way.
func (s *story) settle() {
	for n := 0; len(s.flight) > 0; n++ {
		if n > 1000 {
			fmt.Fprintln(&s.out, "never settles")
			return
		}
		m := s.flight[0]
		s.flight = s.flight[1:]
		s.step(m.To, Event{Kind: Notified, From: m.from, Notification: m.Notification})
	}
}
