//go:build interop

package transport

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paddock/consensus"
	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/freeport"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
)

// javaJars is the shortest class path that a member of an ensemble of ZooKeeper 3.8.0 starts with, as Debian packages it.
var javaJars = []string{"zookeeper.jar", "zookeeper-jute.jar", "slf4j-api.jar", "slf4j-simple.jar", "netty-common.jar",
	"netty-handler.jar", "netty-transport.jar", "netty-buffer.jar", "snappy-java.jar", "metrics-core.jar"}

// java runs a real server as member id of c. It returns its client port and a function that ends it.
func java(t *testing.T, c *quorum.Config, id quorum.ServerID) (client int, kill func()) {
	t.Helper()
	dir := t.TempDir()
	client = freeport.Take(t)
	text := fmt.Sprintf("tickTime=1000\ninitLimit=10\nsyncLimit=5\ndataDir=%s\nclientPort=%d\nadmin.enableServer=false\n4lw.commands.whitelist=*\n", dir, client)
	for _, s := range c.Servers {
		text += fmt.Sprintf("server.%d=%s\n", s.ID, s)
	}
	for name, content := range map[string]string{"zoo.cfg": text, "myid": fmt.Sprint(id)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	jars := make([]string, len(javaJars))
	for i, j := range javaJars {
		jars[i] = "/usr/share/java/" + j
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", strings.Join(jars, ":"),
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", filepath.Join(dir, "zoo.cfg"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := false
	kill = func() {
		if !done {
			done = true
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	t.Cleanup(func() {
		kill()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("%s", text[max(0, len(text)-8000):])
		}
	})
	return client, kill
}

// asks sends a four-letter word.
func asks(port int, word string) string {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return ""
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, word)
	b, _ := io.ReadAll(conn)
	return string(b)
}

// voter is a node that remembers what it told a Java server last: round and role.
type voter struct {
	*node
	said [2]int64
}

// votes says who leads, in the round of the Java server, once for each: a server that decides waits until all are quiet.
func (n *voter) votes(java, leader quorum.ServerID, role election.Role, c *quorum.Config) {
	n.mu.Lock()
	theirs := n.got[java]
	n.mu.Unlock()
	said := [2]int64{theirs.Vote.Round, int64(role)}
	if n.said == said {
		return
	}
	n.said = said
	n.Notify(java, &election.Notification{Role: role, Config: c.String(), Vote: election.Vote{Leader: leader, Round: max(1, theirs.Vote.Round)}})
}

// await is the message of a kind that a link brings, the last of several.
func (n *node) await(t *testing.T, link consensus.LinkID, kind consensus.MessageKind) (m consensus.Message) {
	t.Helper()
	eventually(t, fmt.Sprintf("%v comes", kind), func() bool {
		_, l := n.link(link)
		if l.down != nil {
			t.Fatalf("the link ended before %v: %v", kind, l.down)
		}
		for _, got := range l.messages {
			if got.Kind == kind {
				m = got
			}
		}
		return m.Kind == kind
	})
	return m
}

func trees(o *Options) {
	o.WriteTree = snapshot.WriteStream
	o.ReadTree = func(r io.Reader, z zk.Zxid) (*tree.Tree, error) {
		tr, _, err := snapshot.ReadStream(r, z, snapshot.StreamOptions{Seed: 1})
		return tr, err
	}
}

// TestAJavaLeaderIsFollowed: votes, discovery, synchronisation, a write of our own, pings; the Java server has the larger
// id, so it is the one that must dial the election port.
func TestAJavaLeaderIsFollowed(t *testing.T) {
	c := ensemble(t, 2)
	n := &voter{node: start(t, 1, c, trees)}
	client, kill := java(t, c, 2)
	eventually(t, "Java leads: only then does it open its quorum port", func() bool {
		n.votes(2, 2, election.Looking, c)
		return dials(c, 2)
	})
	n.mu.Lock()
	if got := n.got[2]; got.Version != 2 || !strings.HasPrefix(got.Config, "server.1=127.0.0.1:") || got.Vote.Leader != 2 {
		t.Errorf("%+v", got)
	}
	n.mu.Unlock()
	n.votes(2, 2, election.Following, c)
	n.Dial(2)
	var link consensus.LinkID
	eventually(t, "the link is up", func() bool { link, _ = n.link(0); return link != 0 })
	n.Send(link, &consensus.Message{Kind: consensus.MsgFollowerInfo, Server: 1, Protocol: consensus.ProtocolVersion})
	info := n.await(t, link, consensus.MsgLeaderInfo)
	if info.Protocol != consensus.ProtocolVersion || info.Zxid != 1<<32 {
		t.Fatal(&info)
	}
	n.Send(link, &consensus.Message{Kind: consensus.MsgAckEpoch, Epoch: 0})
	if m := n.await(t, link, consensus.MsgNewLeader); m.Zxid != info.Zxid || !strings.Contains(m.Config, "server.2=") {
		t.Fatal(&m)
	}
	n.Send(link, &consensus.Message{Kind: consensus.MsgAck, Zxid: info.Zxid})
	n.await(t, link, consensus.MsgUpToDate)
	n.Send(link, &consensus.Message{Kind: consensus.MsgAck, Zxid: info.Zxid})
	session := zk.SessionID(0x0100000000000007)
	n.Send(link, &consensus.Message{Kind: consensus.MsgRequest, Zxid: consensus.NoZxid,
		Request: &consensus.ForwardedRequest{Session: session, Op: zk.OpCreateSession, Body: []byte{0, 0, 0x27, 0x10}}})
	p := n.await(t, link, consensus.MsgProposal)
	var r txn.Record
	if err := r.Decode(p.Payload); err != nil || r.Header.Session != session || r.Header.Zxid != p.Zxid || p.Zxid != 0x100000001 {
		t.Fatalf("%+v, %v", r, err)
	}
	n.Send(link, &consensus.Message{Kind: consensus.MsgAck, Zxid: p.Zxid})
	if m := n.await(t, link, consensus.MsgCommit); m.Zxid != p.Zxid {
		t.Fatal(&m)
	}
	answered := 0
	eventually(t, "ten pings are answered, for longer than Java's syncLimit", func() bool {
		pings := 0
		_, l := n.link(link)
		if l.down != nil {
			t.Fatal(l.down)
		}
		for _, m := range l.messages {
			if m.Kind != consensus.MsgPing {
				continue
			}
			if pings++; pings > answered {
				answered++
				n.Send(link, &consensus.Message{Kind: consensus.MsgPing, Zxid: m.Zxid, Touched: []consensus.Touch{{Session: session, TimeoutMS: 10_000}}})
			}
		}
		return pings > 14
	})
	if text := asks(client, "srvr"); !strings.Contains(text, "Mode: leader") || !strings.Contains(text, "Zxid: 0x100000001") {
		t.Fatal(text)
	}
	downs := n.downs(2)
	kill()
	eventually(t, "its end is known", func() bool { _, l := n.link(link); return l.down != nil && n.downs(2) > downs })
}

// TestAJavaServerFollows: as before with the parts exchanged. It gets a tree; ours is the larger id, so it pokes and is
// dialled back.
func TestAJavaServerFollows(t *testing.T) {
	c := ensemble(t, 2)
	n := &voter{node: start(t, 2, c, trees)}
	client, _ := java(t, c, 1)
	var link consensus.LinkID
	eventually(t, "Java follows", func() bool {
		n.votes(1, 2, election.Looking, c)
		link, _ = n.link(0)
		return link != 0
	})
	n.votes(1, 2, election.Leading, c)
	if m := n.await(t, link, consensus.MsgFollowerInfo); m.Server != 1 || m.Protocol != consensus.ProtocolVersion {
		t.Fatal(&m)
	}
	n.Send(link, &consensus.Message{Kind: consensus.MsgLeaderInfo, Zxid: 5 << 32, Protocol: consensus.ProtocolVersion})
	if m := n.await(t, link, consensus.MsgAckEpoch); m.Epoch != 0 || m.Zxid != 0 {
		t.Fatal(&m)
	}
	own := tree.New(1)
	own.SetZxid(0x400000009)
	n.SendSnap(link, own.Freeze())
	n.Send(link, &consensus.Message{Kind: consensus.MsgNewLeader, Zxid: 5 << 32, Config: c.String()})
	if m := n.await(t, link, consensus.MsgAck); m.Zxid != 5<<32 {
		t.Fatal(&m)
	}
	n.Send(link, &consensus.Message{Kind: consensus.MsgUpToDate, Zxid: consensus.NoZxid})
	r := txn.Record{Header: txn.Header{Session: 0x0200000000000001, Zxid: 0x500000001, TimeMS: 1, Type: zk.OpCreateSession}}
	r.Txn = txn.Txn{Type: zk.OpCreateSession, TimeoutMS: 10_000}
	payload := r.Append(nil)
	n.Send(link, &consensus.Message{Kind: consensus.MsgProposal, Zxid: 0x500000001, Payload: payload})
	eventually(t, "Java acknowledges the txn", func() bool { return n.await(t, link, consensus.MsgAck).Zxid == 0x500000001 })
	n.Send(link, &consensus.Message{Kind: consensus.MsgCommit, Zxid: 0x500000001})
	n.Send(link, &consensus.Message{Kind: consensus.MsgPing, Zxid: 0x500000001})
	if m := n.await(t, link, consensus.MsgPing); m.Touched == nil || m.Zxid != 0x500000001 {
		t.Fatal(&m)
	}
	eventually(t, "Java serves", func() bool {
		text := asks(client, "srvr")
		return strings.Contains(text, "Mode: follower") && strings.Contains(text, "Zxid: 0x500000001")
	})
	n.Drop(link, "enough")
	eventually(t, "Java looks again", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.got[1].Role == election.Looking && n.got[1].Vote.Round > 1
	})
}
