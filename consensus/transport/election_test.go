package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/freeport"
)

// permutations of 1..n.
func permutations(n int) [][]quorum.ServerID {
	if n == 0 {
		return [][]quorum.ServerID{nil}
	}
	var out [][]quorum.ServerID
	for _, p := range permutations(n - 1) {
		for i := 0; i <= len(p); i++ {
			out = append(out, slices.Insert(slices.Clone(p), i, quorum.ServerID(n)))
		}
	}
	return out
}

// TestServersConnectInAnyOrder: three servers start in each order, and stop and start again in each order, and all
// hear each other although each says everything once.
func TestServersConnectInAnyOrder(t *testing.T) {
	for _, order := range permutations(3) {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			c := ensemble(t, 3)
			nodes := map[quorum.ServerID]*node{}
			round := int64(0)
			say := func() {
				t.Helper()
				round++
				for _, n := range nodes {
					for _, to := range c.Voters() {
						if to != n.id {
							n.tell(to, round)
						}
					}
				}
			}
			all := func() {
				t.Helper()
				eventually(t, "all hear each other", func() bool {
					for _, a := range nodes {
						for _, b := range nodes {
							if a != b && a.heard(b.id) != round {
								return false
							}
						}
					}
					return true
				})
			}
			for _, id := range order {
				nodes[id] = start(t, id, c)
				eventually(t, "it listens", func() bool { return dials(c, id) })
				say() // once, to servers that are not there yet too
			}
			for _, n := range nodes {
				n.ConnectAll()
			}
			all()
			for _, id := range order {
				if err := nodes[id].stop(); err != nil {
					t.Fatal(err)
				}
				nodes[id] = start(t, id, c)
				eventually(t, "it listens", func() bool { return dials(c, id) })
				say()
				all()
			}
			for _, n := range nodes {
				n.stop()
			}
		})
	}
}

// TestAnElectionPortThatIsTakenIsTold: while another process has the port, and once it does not.
func TestAnElectionPortThatIsTakenIsTold(t *testing.T) {
	c := ensemble(t, 1)
	s, _ := c.Server(1)
	taken, err := net.Listen("tcp", s.Addresses[0].Election().String())
	if err != nil {
		t.Fatal(err)
	}
	tried := make(chan struct{}, 100)
	n := start(t, 1, c, func(o *Options) { o.ElectionBindRetries = 0; o.Log = zerolog.New(signal(tried)) })
	<-tried
	if n.ElectionListening() {
		t.Error("it listens where another does")
	}
	taken.Close()
	eventually(t, "it listens", n.ElectionListening)
	n.stop()
	if n.ElectionListening() {
		t.Error("it listens after its end")
	}
}

// TestAServerWaitsForItsOwnName: the name service may be away when a server starts, or not know it yet, however few the
// retries are.
func TestAServerWaitsForItsOwnName(t *testing.T) {
	c, err := quorum.ParseConfig("server.1=own.invalid:2888:3888")
	if err != nil {
		t.Fatal(err)
	}
	log := make(waits, 100)
	n := start(t, 1, c, func(o *Options) { o.ElectionBindRetries = 1; o.Log = zerolog.New(log) })
	<-log
	<-log // both doors
	if n.ElectionListening() {
		t.Error("it listens nowhere")
	}
	n.stop()
}

// waits tells of each line that says that a server waits for its own name.
type waits chan struct{}

func (w waits) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("cannot resolve own name")) {
		w <- struct{}{}
	}
	return len(b), nil
}

// signal tells of each line that says that a port cannot be had yet.
type signal chan struct{}

func (s signal) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("cannot listen yet")) {
		s <- struct{}{}
	}
	return len(b), nil
}

// dials tells whether all ports of a server answer.
func dials(c *quorum.Config, id quorum.ServerID) bool {
	s, _ := c.Server(id)
	for _, a := range append(electionAddresses(s), quorumAddresses(s)...) {
		conn, err := net.Dial("tcp", a.String())
		if err != nil {
			return false
		}
		conn.Close()
	}
	return true
}

// raw dials a server's election port as server id and says so.
func raw(t *testing.T, c *quorum.Config, to, id quorum.ServerID, address quorum.HostPort) net.Conn {
	t.Helper()
	s, _ := c.Server(to)
	return rawBytes(t, s.Addresses[0].Election(), appendHandshake(nil, handshake{server: id, addresses: []quorum.HostPort{address}}, false))
}

func rawBytes(t *testing.T, at quorum.HostPort, b []byte) net.Conn {
	t.Helper()
	var conn net.Conn
	eventually(t, "the port answers", func() bool {
		var err error
		conn, err = net.Dial("tcp", at.String())
		return err == nil
	})
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
	return conn
}

// ended waits until the other side closes.
func ended(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := io.Copy(io.Discard, c); isTimeout(err) {
		t.Fatalf("still open after %d bytes: %v", n, err)
	}
}

func isTimeout(err error) bool { e, ok := err.(net.Error); return ok && e.Timeout() }

func listener(t *testing.T) (net.Listener, quorum.HostPort) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	return l, quorum.HostPort{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
}

// accepted is the next connection, with its handshake read.
func accepted(t *testing.T, l net.Listener) (net.Conn, handshake) {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	h, err := readHandshake(conn)
	if err != nil {
		t.Fatal(err)
	}
	return conn, h
}

func frame(round int64) []byte {
	return appendNotification(nil, &election.Notification{Role: election.Looking, Vote: election.Vote{Round: round}})
}

func nextRound(t *testing.T, c io.Reader) int64 {
	t.Helper()
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		t.Fatal(err)
	}
	n, err := frameLength(head[:])
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	got, err := decodeNotification(b)
	if err != nil {
		t.Fatal(err)
	}
	return got.Vote.Round
}

// TestASmallerServerIsDialledBackWhereItSaysItIs: whatever address the configuration has for it.
func TestASmallerServerIsDialledBackWhereItSaysItIs(t *testing.T) {
	c := ensemble(t, 2) // nobody listens where server 1 is configured
	n := start(t, 2, c)
	l, moved := listener(t)
	n.tell(1, 7)
	poke := raw(t, c, 2, 1, moved)
	ended(t, poke)
	conn, h := accepted(t, l)
	if s, _ := c.Server(2); h.server != 2 || len(h.addresses) != 1 || h.addresses[0] != s.Addresses[0].Election() {
		t.Fatalf("%+v", h)
	}
	if r := nextRound(t, conn); r != 7 {
		t.Fatal("the last notification is sent again", r)
	}
	conn.Write(frame(9))
	eventually(t, "server 1 is heard", func() bool { return n.heard(1) == 9 })

	// It comes back at yet another address, while the old connection seems to live.
	l2, moved2 := listener(t)
	ended(t, raw(t, c, 2, 1, moved2))
	conn2, _ := accepted(t, l2)
	ended(t, conn)
	if r := nextRound(t, conn2); r != 7 {
		t.Fatal(r)
	}
	if n.ups(1) != 2 {
		t.Fatal(n.ups(1))
	}
}

// TestAPokeThatLeadsNowhereCostsNothing: whoever pretends to be a server cannot take its connection away with an
// address where nobody is.
func TestAPokeThatLeadsNowhereCostsNothing(t *testing.T) {
	c := ensemble(t, 2)
	n := start(t, 2, c)
	l, at := listener(t)
	ended(t, raw(t, c, 2, 1, at))
	conn, _ := accepted(t, l)
	ended(t, raw(t, c, 2, 1, quorum.HostPort{Host: "127.0.0.1", Port: freeport.Take(t)}))
	n.tell(1, 5)
	if r := nextRound(t, conn); r != 5 {
		t.Fatal(r)
	}
}

// TestTheLargerIDsConnectionSurvives: seen from both sides of it.
func TestTheLargerIDsConnectionSurvives(t *testing.T) {
	c := ensemble(t, 3)
	s3, _ := c.Server(3)
	l, err := net.Listen("tcp", s3.Addresses[0].Election().String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := start(t, 2, c)
	n.tell(3, 4)
	poke, h := accepted(t, l)
	if h.server != 2 {
		t.Fatalf("%+v", h)
	}
	ended(t, poke) // 2 gives way
	first := raw(t, c, 2, 3, s3.Addresses[0].Election())
	if r := nextRound(t, first); r != 4 {
		t.Fatal(r)
	}
	second := raw(t, c, 2, 3, s3.Addresses[0].Election())
	ended(t, first) // replaced
	if r := nextRound(t, second); r != 4 {
		t.Fatal(r)
	}
	second.Write(append(frame(1), frame(2)...))
	eventually(t, "3 is heard", func() bool { return n.heard(3) == 2 })
	if n.downs(3) != 0 {
		t.Fatal("a change of connections is no absence")
	}
}

// lingering is a Handler that holds up the first notification until a newer one has come in the meantime, or for a moment.
type lingering struct {
	Handler
	held  atomic.Bool
	newer chan struct{} // closed by the first notification of round 3
}

func (h *lingering) Notified(from quorum.ServerID, n *election.Notification) {
	if h.held.CompareAndSwap(false, true) {
		select {
		case <-h.newer:
		case <-time.After(300 * time.Millisecond):
		}
	}
	h.Handler.Notified(from, n)
	if n.Vote.Round == 3 {
		close(h.newer)
	}
}

// TestWhatAServerSaidBeforeIsNotHeardLater: what has come on a connection is heard before anything on the one that takes its place.
func TestWhatAServerSaidBeforeIsNotHeardLater(t *testing.T) {
	c := ensemble(t, 3)
	s3, _ := c.Server(3)
	newer := make(chan struct{})
	n := start(t, 2, c, func(o *Options) { o.Handler = &lingering{Handler: o.Handler, newer: newer} })
	first := raw(t, c, 2, 3, s3.Addresses[0].Election())
	first.Write(append(frame(1), frame(2)...))
	eventually(t, "the first connection is taken", func() bool { return n.ups(3) == 1 })
	time.Sleep(50 * time.Millisecond) // both frames are read at once; if they are not, the test has less to find
	second := raw(t, c, 2, 3, s3.Addresses[0].Election())
	second.Write(frame(3))
	<-newer
	n.stop() // what is still to be told is told before
	if n.heard(3) != 3 {
		t.Errorf("round %d is heard after 3", n.heard(3))
	}
}

// TestTheConnectionThatWasOpenedLastSurvives: whichever says first who it is.
func TestTheConnectionThatWasOpenedLastSurvives(t *testing.T) {
	c := ensemble(t, 3)
	s3, _ := c.Server(3)
	at := s3.Addresses[0].Election()
	hello := appendHandshake(nil, handshake{server: 3, addresses: []quorum.HostPort{at}}, false)
	n := start(t, 2, c)
	s2, _ := c.Server(2)
	first := rawBytes(t, s2.Addresses[0].Election(), hello[:10])
	second := raw(t, c, 2, 3, at)
	second.Write(frame(2))
	eventually(t, "the second connection is heard", func() bool { return n.heard(3) == 2 })
	first.Write(append(hello[10:], frame(1)...))
	ended(t, first)
	second.Write(frame(3))
	eventually(t, "it still is", func() bool { return n.heard(3) == 3 })
	if n.ups(3) != 1 {
		t.Error(n.ups(3))
	}
}

// TestOnlyTheNewestNotificationWaits: a server that comes late hears the last word.
func TestOnlyTheNewestNotificationWaits(t *testing.T) {
	c := ensemble(t, 2)
	n := start(t, 1, c)
	for round := int64(1); round <= 100; round++ {
		n.tell(2, round)
	}
	s1, _ := c.Server(1)
	conn := raw(t, c, 1, 2, s1.Addresses[0].Election())
	for {
		if r := nextRound(t, conn); r == 100 {
			break
		}
	}
	conn.Close()
	again := raw(t, c, 1, 2, s1.Addresses[0].Election())
	if r := nextRound(t, again); r != 100 {
		t.Fatal("what was sent last is sent again", r)
	}
}

// TestAServerThatIsGoneIsKnownToBe: by the failure of the dial that follows, from either side.
func TestAServerThatIsGoneIsKnownToBe(t *testing.T) {
	c := ensemble(t, 3)
	var nodes []*node
	for id := quorum.ServerID(1); id <= 3; id++ {
		nodes = append(nodes, start(t, id, c))
	}
	for _, n := range nodes {
		eventually(t, "it listens", func() bool { return dials(c, n.id) })
	}
	for _, n := range nodes {
		n.ConnectAll()
	}
	for _, n := range nodes {
		for id := quorum.ServerID(1); id <= 3; id++ {
			if id != n.id {
				eventually(t, "all are connected", func() bool { return n.ups(id) > 0 })
			}
		}
	}
	before := []int{nodes[0].downs(2), nodes[2].downs(2)}
	nodes[1].stop()
	eventually(t, "both know", func() bool { return nodes[0].downs(2) > before[0] && nodes[2].downs(2) > before[1] })
	if nodes[0].downs(3) != 0 || nodes[2].downs(1) != 0 {
		t.Error("who is there was called absent")
	}
	downs := nodes[0].downs(2)
	nodes[0].ConnectAll()
	eventually(t, "each failed dial is told", func() bool { return nodes[0].downs(2) > downs })
}

// TestAServerThatCannotBeReachedIsTriedUntilItCan: whoever asked for it once, and had nothing more to say since.
func TestAServerThatCannotBeReachedIsTriedUntilItCan(t *testing.T) {
	for self := quorum.ServerID(1); self <= 2; self++ {
		c := ensemble(t, 2)
		n, other := start(t, self, c), 3-self
		n.tell(other, 1)
		eventually(t, "it has failed several times", func() bool { return n.downs(other) > 2 })
		s, _ := c.Server(other)
		l, err := net.Listen("tcp", s.Addresses[0].Election().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		if _, h := accepted(t, l); h.server != self {
			t.Errorf("%+v comes", h)
		}
	}
}

// TestOldAndUnknownServersAreHeard: ids of no configuration, bare ids, and ids that old observers give.
func TestOldAndUnknownServersAreHeard(t *testing.T) {
	c := ensemble(t, 1)
	n := start(t, 1, c)
	s, _ := c.Server(1)
	at := s.Addresses[0].Election()
	unknown := raw(t, c, 1, 77, at)
	unknown.Write(frame(3))
	eventually(t, "an unknown server is heard", func() bool { return n.heard(77) == 3 })
	n.tell(77, 6)
	if r := nextRound(t, unknown); r != 6 {
		t.Fatal(r)
	}
	old := rawBytes(t, at, []byte{0, 0, 0, 0, 0, 0, 0, 9})
	old.Write(frame(4)[:4])
	old.Write(frame(4)[4:])
	eventually(t, "a bare id is heard", func() bool { return n.heard(9) == 4 })
	observer := rawBytes(t, at, []byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	observer.Write(frame(5))
	eventually(t, "an anonymous observer is heard", func() bool { return n.heard(-1) == 5 })
	self := raw(t, c, 1, 1, at)
	ended(t, self)
	eventually(t, "all stay up", func() bool { return n.ups(77) == 1 && n.ups(9) == 1 && n.ups(-1) == 1 })
	unknown.Close()
	eventually(t, "an unknown server that goes is told of", func() bool { return n.downs(77) == 1 })
}

// TestStrangersAreBounded: ids that nobody knows do not add up.
func TestStrangersAreBounded(t *testing.T) {
	c := ensemble(t, 1)
	n := start(t, 1, c)
	s, _ := c.Server(1)
	first := raw(t, c, 1, 100, s.Addresses[0].Election())
	eventually(t, "the first is up", func() bool { return n.ups(100) == 1 })
	for id := quorum.ServerID(101); id <= 100+strangersMax; id++ {
		raw(t, c, 1, id, s.Addresses[0].Election())
		eventually(t, "it is up", func() bool { return n.ups(id) == 1 })
	}
	ended(t, first)
}

// TestHostileElectionTraffic: whatever is sent costs the connection that it came on, and nothing else.
func TestHostileElectionTraffic(t *testing.T) {
	c := ensemble(t, 3)
	n := start(t, 1, c, func(o *Options) { o.ElectionReadTimeout = 300 * time.Millisecond; o.UnintroducedMax = 8 })
	s, _ := c.Server(1)
	at := s.Addresses[0].Election()
	good := raw(t, c, 1, 3, at)
	eventually(t, "3 is up", func() bool { return n.ups(3) == 1 })
	hello := appendHandshake(nil, handshake{server: 2, addresses: []quorum.HostPort{at}}, false)
	for name, b := range map[string][]byte{
		"nothing at all":                    nil,
		"part of a handshake":               hello[:11],
		"an address of 2 GiB":               append(bytes.Clone(hello[:16]), 0x7f, 0xff, 0xff, 0xff),
		"an address of negative length":     append(bytes.Clone(hello[:16]), 0xff, 0xff, 0xff, 0xff),
		"an address that is none":           append(append(bytes.Clone(hello[:16]), 0, 0, 0, 4), "????"...),
		"an unknown version":                {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 0, 0, 0, 0, 2},
		"an HTTP request":                   []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"a TLS hello":                       {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3},
		"a frame of 2 GiB (ZOOKEEPER-2186)": append(bytes.Clone(hello), 0x7f, 0xff, 0xff, 0xff),
		"a frame of one byte too many":      append(bytes.Clone(hello), 0, 8, 0, 1),
		"a frame of negative length":        append(bytes.Clone(hello), 0xff, 0xff, 0xff, 0xff),
		"an empty frame":                    append(bytes.Clone(hello), 0, 0, 0, 0),
	} {
		conn := rawBytes(t, at, b)
		ended(t, conn)
		_ = name
	}
	var silent []net.Conn
	for range 20 { // more than may wait: the oldest go
		silent = append(silent, rawBytes(t, at, nil))
	}
	odd := raw(t, c, 1, 2, at)
	odd.Write([]byte{0, 0, 0, 3, 1, 2, 3}) // too short for a notification: left out
	bad := frame(50)
	bad[7] = 9 // a role that does not exist: left out
	odd.Write(bad)
	huge := appendNotification(nil, &election.Notification{Vote: election.Vote{Round: 51}, Config: strings.Repeat("#", frameBytesMax-notificationBytes)})
	odd.Write(huge) // the longest there is
	eventually(t, "the good frame on it is heard", func() bool { return n.heard(2) == 51 })
	for _, conn := range silent {
		ended(t, conn)
	}
	good.Write(frame(8))
	eventually(t, "3 is heard all the same", func() bool { return n.heard(3) == 8 })
	if n.ups(3) != 1 || n.heard(math.MaxInt64) != 0 {
		t.Fatal("the good connection was harmed")
	}
}

// TestAPeerThatTakesNothing: notifications to it replace each other, and others get theirs.
func TestAPeerThatTakesNothing(t *testing.T) {
	c := ensemble(t, 3)
	n := start(t, 1, c, func(o *Options) { o.ElectionDialTimeout = 200 * time.Millisecond })
	s, _ := c.Server(1)
	stuck := raw(t, c, 1, 3, s.Addresses[0].Election())
	stuck.(*net.TCPConn).SetReadBuffer(4096)
	good := raw(t, c, 1, 2, s.Addresses[0].Election())
	eventually(t, "both are up", func() bool { return n.ups(2) == 1 && n.ups(3) == 1 })
	long := &election.Notification{Config: strings.Repeat("#", 500_000)}
	for range 2000 {
		n.Notify(3, long)
		if n.downs(3) > 0 {
			break
		}
		n.tell(2, 1)
		nextRound(t, good)
	}
	eventually(t, "its connection is given up", func() bool { return n.downs(3) > 0 })
}

// TestThePortsFollowTheConfiguration: a server whose own addresses change listens at the new ones.
func TestThePortsFollowTheConfiguration(t *testing.T) {
	c, next := ensemble(t, 2), ensemble(t, 2)
	n := start(t, 1, c)
	eventually(t, "it listens", func() bool { return dials(c, 1) })
	n.SetConfig(next, nil)
	eventually(t, "it listens elsewhere", func() bool { return dials(next, 1) && !dials(c, 1) })
	s, _ := next.Server(2)
	l, err := net.Listen("tcp", s.Addresses[0].Election().String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n.tell(2, 3)
	accepted(t, l) // 2 is looked for where it is now
	n.SetConfig(c.WithVersion(9), next)
	eventually(t, "it is back", func() bool { return dials(c, 1) && !dials(next, 1) })
}

// TestAServerThatIsNoMemberAnyMoreIsStillReached: it says where it is, so that members whose ids are larger can dial it back.
func TestAServerThatIsNoMemberAnyMoreIsStillReached(t *testing.T) {
	c := ensemble(t, 2)
	n := start(t, 1, c)
	eventually(t, "it listens", func() bool { return dials(c, 1) })
	own, _ := c.Server(1)
	other, _ := c.Server(2)
	rest, err := quorum.NewConfig(5, []quorum.Server{other}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n.SetConfig(rest, nil)
	l, err := net.Listen("tcp", other.Addresses[0].Election().String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n.tell(2, 3)
	if _, h := accepted(t, l); !slices.Equal(h.addresses, electionAddresses(own)) {
		t.Errorf("it says that it is at %v, and not at %v", h.addresses, electionAddresses(own))
	}
	if !dials(c, 1) {
		t.Error("it does not listen any more")
	}
}

// network is a dialer that knows where names lead, for now, and which addresses answer.
type network struct {
	mu    sync.Mutex // guards names, dead
	names map[string]string
	dead  map[string]bool
	dial  func(context.Context, string) (net.Conn, error)
}

func (n *network) install(t *Transport) { n.dial, t.dialer = t.dialer, n.connect }

func (n *network) connect(ctx context.Context, address string) (net.Conn, error) {
	n.mu.Lock()
	to, ok := n.names[address]
	dead := n.dead[address]
	n.mu.Unlock()
	switch {
	case dead:
		<-ctx.Done() // as a network that swallows everything
		return nil, ctx.Err()
	case ok:
		return n.dial(ctx, to)
	default:
		return n.dial(ctx, address)
	}
}

func (n *network) lead(name, to string) { n.mu.Lock(); defer n.mu.Unlock(); n.names[name] = to }
func (n *network) kill(address string)  { n.mu.Lock(); defer n.mu.Unlock(); n.dead[address] = true }

// TestNamesAreResolvedOnEachDial: a server that comes back under its name with another address is found, by the
// larger id, which dials, and by the smaller, which asks to be dialled.
func TestNamesAreResolvedOnEachDial(t *testing.T) {
	p := freeport.TakeSeveral(t, 2)
	c, err := quorum.ParseConfig(fmt.Sprintf("server.1=one.test:1:2\nserver.2=127.0.0.1:%d:%d\nserver.3=three.test:1:2", p[0], p[1]))
	if err != nil {
		t.Fatal(err)
	}
	names := &network{names: map[string]string{}, dead: map[string]bool{}}
	opt := options(2, c)
	r := newRecorder()
	opt.Handler = r
	tr, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	names.install(tr)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tr.Run(ctx) }()
	n := &node{Transport: tr, recorder: r, id: 2}
	for range 3 {
		l1, at1 := listener(t)
		l3, at3 := listener(t)
		names.lead("one.test:2", at1.String())
		names.lead("three.test:2", at3.String())
		tr.ConnectAll()
		conn1, h1 := accepted(t, l1)
		poke, h3 := accepted(t, l3)
		if h1.server != 2 || h3.server != 2 {
			t.Fatalf("%+v %+v", h1, h3)
		}
		ended(t, poke)
		conn3 := raw(t, c, 2, 3, at3)
		n.tell(1, 5)
		n.tell(3, 6)
		for nextRound(t, conn1) != 5 {
		}
		for nextRound(t, conn3) != 6 {
		}
		downs := []int{n.downs(1), n.downs(3)}
		l1.Close()
		l3.Close()
		conn1.Close()
		conn3.Close()
		eventually(t, "both are known to be gone", func() bool { return n.downs(1) > downs[0] && n.downs(3) > downs[1] })
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestAConnectionOverADeadNetworkIsGivenUp: a server with two addresses is reached at the other one.
func TestAConnectionOverADeadNetworkIsGivenUp(t *testing.T) {
	p := freeport.TakeSeveral(t, 4)
	c, err := quorum.ParseConfig(fmt.Sprintf("server.1=127.0.0.1:%d:%d|127.0.0.2:%d:%d\nserver.2=127.0.0.1:%d:%d", p[0], p[1], p[0], p[1], p[2], p[3]))
	if err != nil {
		t.Fatal(err)
	}
	start(t, 1, c, func(o *Options) { o.MultiAddress = true })
	eventually(t, "it listens", func() bool { return dials(c, 1) })
	names := &network{names: map[string]string{}, dead: map[string]bool{}}
	opt := options(2, c)
	r := newRecorder()
	opt.Handler, opt.MultiAddress, opt.ReachabilityTimeout = r, true, 50*time.Millisecond
	tr, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	names.install(tr)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tr.Run(ctx) }()
	n := &node{Transport: tr, recorder: r, id: 2}
	tr.ConnectAll()
	eventually(t, "it is connected", func() bool { return n.ups(1) == 1 })
	ask := make(chan string, 1)
	tr.inbox.post(func(d *desk) { ask <- d.peers[1].conn.at.String() })
	names.kill(<-ask)
	tr.ConnectAll()
	eventually(t, "it is connected again", func() bool { return n.ups(1) > 1 })
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
