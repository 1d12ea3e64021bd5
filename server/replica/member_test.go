package replica_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"paddock/consensus"
	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/jute"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
)

// member is a world whose server is the only voter of an ensemble, so that it needs nobody to lead. What it has to say to
// others is noted.
type member struct {
	*world
	said []string
}

const alone = "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\nversion=0"

func newMember(t *testing.T, change ...func(*replica.Config)) *member {
	t.Helper()
	ensemble, err := quorum.ParseConfig(alone)
	if err != nil {
		t.Fatal(err)
	}
	m := &member{world: newBareWorld(t)}
	core := &consensus.Config{Ensemble: ensemble, Distributed: true, Reconfig: true, ConfigIn: configIn, TickMS: 1000, InitLimit: 10, SyncLimit: 5}
	cfg := worldConfig(t, append([]func(*replica.Config){func(c *replica.Config) {
		c.Core, c.Prep.Reconfig = core, true
	}}, change...)...)
	if m.r, err = replica.New(cfg, tree.New(1), 0, wallStart); err != nil {
		t.Fatal(err)
	}
	m.peer = m.carryOut
	m.r.Start(m)
	m.settle()
	m.at(1000)
	m.settle()
	return m
}

// configIn finds the configuration in a txn.
func configIn(payload []byte) string {
	var rec txn.Record
	if rec.Decode(payload) != nil || rec.Header.Type != zk.OpReconfig {
		return ""
	}
	return string(rec.Txn.Data)
}

// carryOut has epochs durable once the step is over.
func (m *member) carryOut(a *consensus.Action) {
	switch a.Kind {
	case consensus.SetAcceptedEpoch:
		m.later = append(m.later, consensus.Event{Kind: consensus.AcceptedEpochDurable, Epoch: a.Epoch})
	case consensus.SetCurrentEpoch:
		m.later = append(m.later, consensus.Event{Kind: consensus.CurrentEpochDurable, Epoch: a.Epoch})
	case consensus.Configured, consensus.SeenConfig:
		m.said = append(m.said, fmt.Sprintf("%v %v %s", a.Kind, a.Config.Version, a.Config.IDs()))
	}
}

// settle reports what is durable until nothing follows from it.
func (m *member) settle() {
	for len(m.later) > 0 {
		ev := m.later[0]
		m.later = m.later[1:]
		m.step(replica.Event{Kind: replica.Consensus, Core: &ev})
	}
}

// configuration is the data of /zookeeper/config.
func (m *member) configuration() string {
	ref, _ := m.r.Tree().Find(zk.ConfigPath)
	return string(m.r.Tree().Data(ref))
}

// super is a client for whom no ACL counts.
func (m *member) super() request.ClientID {
	c := m.connect()
	m.send(c, zk.Request{Xid: zk.XidAuth, Op: zk.OpAuth, Path: "digest", Data: []byte("super:test")})
	m.told[c] = nil
	return c
}

func TestAMemberShowsTheConfigurationThatItsEpochEstablishes(t *testing.T) {
	m := newMember(t)
	if want := strings.TrimSuffix(alone, "0") + "100000000"; m.configuration() != want {
		t.Errorf("%q, want %q", m.configuration(), want)
	}
}

// TestAReconfigIsAnsweredWithTheConfiguration: watches first, then the text and the stat of its znode.
func TestAReconfigIsAnsweredWithTheConfiguration(t *testing.T) {
	m := newMember(t)
	m.said = nil
	c, watcher := m.super(), m.connect()
	m.send(watcher, zk.Request{Xid: 1, Op: zk.OpGetData, Path: zk.ConfigPath, Watch: true})
	m.told[watcher] = nil
	ask := &zk.Members{Joining: "server.2=10.0.0.2:2888:3888:observer;2181", Leaving: jute.Null(), Whole: jute.Null(), Version: -1}
	rep := m.send(c, zk.Request{Xid: 7, Op: zk.OpReconfig, Members: ask})
	if rep.Err != zk.OK || !bytes.Contains(rep.Data, []byte("server.2=10.0.0.2:2888:3888:observer;0.0.0.0:2181\nversion=1")) ||
		rep.Stat.Version != -1 || rep.Stat.Mzxid != rep.Zxid || rep.Stat.MtimeMS != wallStart+m.nowMS {
		t.Errorf("%+v %q", rep, rep.Data)
	}
	if m.configuration() != string(rep.Data) {
		t.Errorf("shown is %q", m.configuration())
	}
	m.expect(watcher, "NodeDataChanged /zookeeper/config")
	version := rep.Zxid.String()
	if got, want := strings.Join(m.said, ", "), fmt.Sprintf("seen-config %s 1,2, configured %[1]s 1,2", version); got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	if rep := m.send(c, zk.Request{Xid: 8, Op: zk.OpReconfig, Members: &zk.Members{Joining: jute.Null(), Leaving: "2", Whole: jute.Null(), Version: 5}}); rep.Err != zk.BadVersion {
		t.Errorf("another version is replaced: %v", rep.Err)
	}
	if rep := m.send(watcher, zk.Request{Xid: 9, Op: zk.OpReconfig, Members: &zk.Members{Joining: jute.Null(), Leaving: "2", Whole: jute.Null(), Version: -1}}); rep.Err != zk.NoAuth {
		t.Errorf("anybody may do it: %v", rep.Err)
	}
}

// TestAServerOnItsOwnHasNoConfigurationToChange: as in ZooKeeper, and only if the feature is on.
func TestAServerOnItsOwnHasNoConfigurationToChange(t *testing.T) {
	for on, want := range map[bool]zk.Code{true: zk.Unimplemented, false: zk.ReconfigDisabled} {
		w := newWorld(t, func(c *replica.Config) { c.Prep.Reconfig = on })
		if rep := w.send(w.connect(), zk.Request{Xid: 1, Op: zk.OpReconfig, Members: &zk.Members{}}); rep.Err != want {
			t.Errorf("%v: %v", on, rep.Err)
		}
	}
}

// decide has a server of three follow another, by what that and the third say.
func (m *member) decide(leader quorum.ServerID) {
	for _, from := range []quorum.ServerID{leader, 5 - leader} {
		role := consensus.Following
		if from == leader {
			role = consensus.Leading
		}
		n := &election.Notification{Role: role, Vote: election.Vote{Leader: leader, Zxid: 0, Round: 1, Epoch: 0}, Version: 2}
		m.step(replica.Event{Kind: replica.Consensus, Core: &consensus.Event{Kind: consensus.Notified, Server: from, Notification: n}})
	}
}

func link(id quorum.ServerID) consensus.LinkID { return consensus.LinkID(100 + id) }

// from has a learner say something.
func (m *member) from(id quorum.ServerID, msg consensus.Message) {
	m.step(replica.Event{Kind: replica.Consensus, Core: &consensus.Event{Kind: consensus.Received, Link: link(id), Message: &msg}})
	m.settle()
}

// greet connects a follower that has all that this server has, up to where it joins the epoch.
func (m *member) greet(id quorum.ServerID) {
	m.step(replica.Event{Kind: replica.Consensus, Core: &consensus.Event{Kind: consensus.LinkUp, Link: link(id), Server: id}})
	m.from(id, consensus.Message{Kind: consensus.MsgFollowerInfo, Server: id, Protocol: consensus.ProtocolVersion})
}

// promise has a follower take part in the leader's epoch.
func (m *member) promise(id quorum.ServerID) {
	m.from(id, consensus.Message{Kind: consensus.MsgAckEpoch, Zxid: m.r.Consensus().Proposed()})
	m.from(id, consensus.Message{Kind: consensus.MsgAck, Zxid: zk.Zxid(m.r.Consensus().Epoch() << 32)})
}

// ack has the followers make durable what has been proposed.
func (m *member) ack() {
	for _, id := range []quorum.ServerID{2, 3} {
		for z := zk.Zxid(m.r.Consensus().Epoch()<<32) + 1; z <= m.r.Consensus().Proposed(); z++ {
			m.from(id, consensus.Message{Kind: consensus.MsgAck, Zxid: z})
		}
	}
}

// leaderOfThree is a member that leads two followers.
func leaderOfThree(t *testing.T, change ...func(*replica.Config)) *member {
	t.Helper()
	m := lonely(t, change...)
	for _, from := range []quorum.ServerID{2, 3} {
		n := &election.Notification{Role: consensus.Looking, Vote: election.Vote{Leader: 1, Round: 1}, Version: 2}
		m.step(replica.Event{Kind: replica.Consensus, Core: &consensus.Event{Kind: consensus.Notified, Server: from, Notification: n}})
	}
	m.at(2000)
	for _, id := range []quorum.ServerID{2, 3} {
		m.greet(id)
	}
	m.settle()
	for _, id := range []quorum.ServerID{2, 3} {
		m.from(id, consensus.Message{Kind: consensus.MsgAckEpoch})
	}
	for _, id := range []quorum.ServerID{2, 3} {
		m.from(id, consensus.Message{Kind: consensus.MsgAck, Zxid: zk.Zxid(m.r.Consensus().Epoch() << 32)})
	}
	if role := m.r.Consensus().Role(); role != consensus.Leading || !m.r.Consensus().Serving() {
		t.Fatalf("it is %v, %v", role, m.r.Consensus().Stage())
	}
	return m
}

// TestAStoredSnapshotKeepsAProposedConfiguration that its leader has, though an older one is in force: whoever starts with it must know
// that both count.
func TestAStoredSnapshotKeepsAProposedConfiguration(t *testing.T) {
	m := lonely(t, func(c *replica.Config) { c.Core.Reconfig, c.Core.ConfigIn, c.Prep.Reconfig = true, configIn, true })
	m.decide(2)
	m.step(replica.Event{Kind: replica.Consensus, Core: &consensus.Event{Kind: consensus.LinkUp, Link: link(2), Server: 2, Dialled: true}})
	m.from(2, consensus.Message{Kind: consensus.MsgLeaderInfo, Zxid: 2 << 32, Protocol: consensus.ProtocolVersion})
	const version, last = zk.Zxid(1<<32 | 5), zk.Zxid(1<<32 | 7)
	theirs := tree.New(2)
	theirs.SetConfig("server.1=a:1:2:participant\nserver.4=d:1:2:participant\nversion="+strconv.FormatInt(int64(version), 16), version, wallStart)
	theirs.SetZxid(last)
	m.step(replica.Event{Kind: replica.Consensus, Tree: theirs,
		Core: &consensus.Event{Kind: consensus.Received, Link: link(2), Message: &consensus.Message{Kind: consensus.MsgSnap, Zxid: last}}})
	if m.installed == nil {
		t.Fatalf("nothing is stored: %v", m.r)
	}
	var file bytes.Buffer
	if err := snapshot.WriteStream(t.Context(), &file, m.installed); err != nil {
		t.Fatal(err)
	}
	stored, _, err := snapshot.ReadStream(&file, last, snapshot.StreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := replica.ProposedConfig(stored, m.r.Consensus().Ensemble()); got == nil || got.Version != version || !got.IsVoter(4) {
		t.Errorf("whoever starts with it takes %v for proposed", got)
	}
}

// TestMessagesLeaveInOrder: what is proposed while something is carried out, here by a client whose session is just decided,
// leaves behind what consensus had to say before.
func TestMessagesLeaveInOrder(t *testing.T) {
	m := leaderOfThree(t)
	c := m.connect()
	m.create(c, "/a", zk.Persistent) // waits for its session
	var said []consensus.MessageKind
	m.peer = func(a *consensus.Action) {
		if a.Kind == consensus.Send && a.Link == link(2) {
			said = append(said, a.Message.Kind)
		}
		m.carryOut(a)
	}
	m.from(2, consensus.Message{Kind: consensus.MsgAck, Zxid: m.r.Consensus().Proposed()})
	if !slices.Equal(said, []consensus.MessageKind{consensus.MsgCommit, consensus.MsgProposal}) {
		t.Errorf("said %v", said)
	}
}

// A server that lost its data does not vote before a leader has filled it. A snapshot of nothing would have it vote after a restart.
func TestAServerWithoutDataWritesNone(t *testing.T) {
	m := newMember(t, func(c *replica.Config) { c.Core.LastZxid = consensus.NoZxid })
	m.step(replica.Event{Kind: replica.SnapshotNow})
	if !m.r.Unfilled() || len(m.views) > 0 {
		t.Errorf("unfilled %v, %d snapshots", m.r.Unfilled(), len(m.views))
	}
	whole := newMember(t)
	whole.step(replica.Event{Kind: replica.SnapshotNow})
	if whole.r.Unfilled() || len(whole.views) != 1 {
		t.Errorf("of one with data: unfilled %v, %d snapshots", whole.r.Unfilled(), len(whole.views))
	}
}
