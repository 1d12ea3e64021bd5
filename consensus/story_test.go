package consensus

import (
	"fmt"
	"strings"
	"testing"

	"paddock/consensus/quorum"
	"paddock/internal/script"
	"paddock/internal/zk"
)

func TestStories(t *testing.T) {
	script.Files(t, "testdata/*.txt", func(t *testing.T) func(script.Command) string { return (&story{t: t}).run })
}

// story is a world without chance, in which a script says what happens.
type story struct {
	t   *testing.T
	w   *world
	out strings.Builder

	hushed bool // what happens is not told
}

// run carries out one command:
//
//	servers ROLES [history=6] [reconfig=1] [rollover=N] [masters=1]   roles v, o or n, of the servers 1, 2, …
//	logged ID.. epoch= zxids=1:1-1:4,2:1 [from=1:3]       what was joined and logged before the start; from is of the
//	                                                      only snapshot
//	start ID.., crash ID..
//	slow ID MS                                            each operation of the disk takes so much longer
//	run MS, settle                                        let time pass; a second
//	propose ID VALUE..
//	cut ID.., heal                                        these servers reach nobody else
//	transfer ID TO, reconfigure ID ROLES
//	sync ID..                                             these learners ask for SYNC
//	confirm ID TOKEN                                      a leader is asked whether it leads
//	show                                                  what each server is
//	hush, listen                                          do not tell what happens; do
func (s *story) run(c script.Command) string {
	s.out.Reset()
	if c.Name == "servers" {
		s.begin(c)
		return ""
	}
	w := s.w
	for i, word := range c.Args {
		switch c.Name {
		case "start":
			s.server(word).boot()
		case "crash":
			s.server(word).crash()
		case "cut":
			for _, id := range w.ids {
				if me := s.server(word).id; !strings.Contains(strings.Join(c.Args, " "), fmt.Sprint(id)) {
					w.blocked[[2]quorum.ServerID{me, id}], w.blocked[[2]quorum.ServerID{id, me}] = true, true
				}
			}
		case "propose":
			if i > 0 {
				s.server(c.Args[0]).propose(word)
			}
		case "logged":
			s.logged(s.server(word), c)
		case "sync":
			w.askSync(s.server(word))
		}
	}
	switch c.Name {
	case "slow":
		s.server(c.Args[0]).disk.slowMS = script.Number(c.Args[1])
	case "run":
		w.run(script.Number(c.Args[0]))
	case "settle":
		w.run(1000)
	case "heal":
		clear(w.blocked)
	case "transfer":
		s.server(c.Args[0]).step(Event{Kind: TransferTo, Server: s.server(c.Args[1]).id, Payload: []byte("nothing")})
	case "reconfigure":
		leader := s.server(c.Args[0])
		leader.propose("C" + w.config(c.Args[1], leader.core.NextZxid()).String())
	case "confirm":
		s.confirm(s.server(c.Args[0]), uint64(script.Number(c.Args[1])))
	case "show":
		for _, id := range w.ids {
			fmt.Fprintln(&s.out, s.show(w.servers[id]))
		}
	case "hush", "listen":
		s.hushed = c.Name == "hush"
	}
	if w.found != "" {
		s.t.Fatal(w.found)
	}
	if s.hushed {
		return ""
	}
	return s.out.String()
}

// confirm has a leader make sure that it leads.
func (s *story) confirm(leader *server, token uint64) {
	s.w.ghost.reads[token] = len(s.w.ghost.history)
	leader.step(Event{Kind: ConfirmAsked, Token: token})
}

func (s *story) begin(c script.Command) {
	p := scheme{seed: 1, members: c.Args[0], history: int(c.Int("history", 6)), reconfig: c.Has("reconfig"), masters: c.Has("masters"),
		rollover: uint32(c.Int("rollover", 0)), asleep: true}
	s.w = newWorld(p)
	s.w.tell = func(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }
}

func (s *story) server(word string) *server { return s.w.servers[quorum.ServerID(script.Number(word))] }

// zxid reads epoch:counter.
func zxid(word string) zk.Zxid {
	epoch, counter, _ := strings.Cut(word, ":")
	return zk.Zxid(script.Number(epoch)<<32 + script.Number(counter))
}

// logged gives a server the history that a script describes. What servers of one history have in common is the same.
func (s *story) logged(t *server, c script.Command) {
	t.disk.current, t.disk.accepted = c.Int("epoch", 0), c.Int("accepted", c.Int("epoch", 0))
	if c.Has("from") {
		t.disk.logFrom = zxid(c.Value("from"))
	}
	for run := range strings.SplitSeq(c.Value("zxids"), ",") {
		from, to, isRun := strings.Cut(run, "-")
		if !isRun {
			to = from
		}
		for z := zxid(from); z <= zxid(to); z++ {
			e := Entry{z, fmt.Appendf(nil, "old %v", z)}
			t.disk.history = append(t.disk.history, e)
			s.w.ghost.proposes(t.id, z, e.Payload)
		}
	}
}

func (s *story) show(t *server) string {
	if !t.up {
		return fmt.Sprintf("%d: down", t.id)
	}
	role := t.core.Role().String()
	if t.core.Serving() {
		role += fmt.Sprintf(" %d in epoch %d", t.core.Leader(), t.core.Epoch())
	}
	return fmt.Sprintf("%d: %s, tree %v, config %v", t.id, role, short(last(t.tree)), short(t.core.Ensemble().Version))
}

// short is a zxid as epoch:counter.
func short(z zk.Zxid) string { return fmt.Sprintf("%d:%d", z.Epoch(), z.Counter()) }

// tellAction tells a story's reader what a server does.
func (s *server) tellAction(a Action) {
	if s.w.tell == nil {
		return
	}
	peer := quorum.ServerID(0)
	if c := s.w.conn(a.Link); c != nil {
		peer = c.ends[0]
		if peer == s.id {
			peer = c.ends[1]
		}
	}
	switch a.Kind {
	case Send:
		if a.Message.Kind != MsgPing {
			s.w.tell("%d -> %d: %s", s.id, peer, tellMessage(a.Message))
		}
	case SendSnap:
		s.w.tell("%d -> %d: snap %s", s.id, peer, short(last(s.tree)))
	case SendLog:
		s.w.tell("%d -> %d: log after %s to %s", s.id, peer, short(a.Zxid), short(a.To))
	case Truncate, Install:
		s.w.tell("%d: %v %s", s.id, a.Kind, short(a.Zxid))
	case Configured, SeenConfig:
		s.w.tell("%d: %v %s: %s", s.id, a.Kind, short(a.Config.Version), a.Config.IDs())
	case SetAcceptedEpoch, SetCurrentEpoch, Lead, Follow, Observe, Lose, Confirmed:
		s.w.tell("%d: %v", s.id, a)
	}
}

func tellMessage(m *Message) string {
	switch m.Kind {
	case MsgAckEpoch:
		return fmt.Sprintf("ackepoch current=%d last=%s", m.Epoch, short(m.Zxid))
	case MsgFollowerInfo, MsgObserverInfo, MsgLeaderInfo, MsgNewLeader, MsgUpToDate, MsgSync:
		return m.String()
	case MsgCommitAndActivate, MsgInformAndActivate:
		return fmt.Sprintf("%v %s leader=%d", m.Kind, short(m.Zxid), m.Server)
	default:
		return fmt.Sprintf("%v %s", m.Kind, short(m.Zxid))
	}
}

func (s *server) tellCommit(z zk.Zxid) {
	if s.w.tell != nil {
		s.w.tell("%d: commit %s", s.id, short(z))
	}
}

func (s *server) tellDurable(op diskOp) {
	switch {
	case s.w.tell == nil:
	case op.kind == 0:
		s.w.tell("%d: durable %s", s.id, short(op.entry.Zxid))
	case op.kind == Truncate && op.cannot:
		s.w.tell("%d: the disk does not go back to %s", s.id, short(op.zxid))
	case op.kind == Truncate || op.kind == Install:
		s.w.tell("%d: %s is done", s.id, op.kind)
	default:
		s.w.tell("%d: %s %d is durable", s.id, op.kind, op.epoch)
	}
}
