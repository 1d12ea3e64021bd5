package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"syscall"
	"testing"
	"time"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/freeport"
	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
)

// introduced is what follower id sends first.
func introduced(id quorum.ServerID) *consensus.Message {
	return &consensus.Message{Kind: consensus.MsgFollowerInfo, Zxid: 1 << 32, Server: id, Protocol: consensus.ProtocolVersion}
}

// linked is a learner and its leader with a link between them, and the link's id on either side.
func linked(t *testing.T, change ...func(*Options)) (learner, leader *node, down, up consensus.LinkID) {
	t.Helper()
	c := ensemble(t, 2)
	leader = start(t, 1, c, change...)
	learner = start(t, 2, c, change...)
	eventually(t, "the leader listens", func() bool { return dials(c, 1) })
	learner.Dial(1)
	eventually(t, "the dial is answered", func() bool { down, _ = learner.link(0); return down != 0 })
	if _, l := learner.link(down); !l.dialled || l.server != 1 {
		t.Fatalf("%+v", l)
	}
	learner.Send(down, introduced(2))
	eventually(t, "the learner is introduced", func() bool { _, l := leader.link(0); return len(l.messages) == 1 })
	up, l := leader.link(0)
	if l.dialled || l.server != 2 || !reflect.DeepEqual(l.messages[0], *introduced(2)) {
		t.Fatalf("%+v", l)
	}
	return learner, leader, down, up
}

// TestMessagesArriveInOrder: all that is sent, with a tree and a part of the log between.
func TestMessagesArriveInOrder(t *testing.T) {
	learner, leader, down, up := linked(t)
	var want []consensus.Message
	send := func(m consensus.Message) {
		want = append(want, m)
		leader.Send(up, &m)
	}
	send(consensus.Message{Kind: consensus.MsgLeaderInfo, Zxid: 2 << 32, Protocol: consensus.ProtocolVersion})
	view := tree.New(1).Freeze()
	if !leader.SendSnap(up, view) {
		t.Fatal("the link is gone")
	}
	want = append(want, consensus.Message{Kind: consensus.MsgSnap, Zxid: view.Zxid()})
	leader.SendLog(up, 0x100000000, 0x100000300)
	for z := zk.Zxid(0x100000001); z <= 0x100000300; z++ {
		want = append(want, consensus.Message{Kind: consensus.MsgProposal, Zxid: z, Payload: []byte(z.String())}, consensus.Message{Kind: consensus.MsgCommit, Zxid: z})
	}
	for i := range 3000 {
		z := zk.Zxid(0x200000001 + i)
		send(consensus.Message{Kind: consensus.MsgProposal, Zxid: z, Payload: bytes.Repeat([]byte{byte(i)}, 1+i*7%9000)})
		send(consensus.Message{Kind: consensus.MsgCommit, Zxid: z})
	}
	send(consensus.Message{Kind: consensus.MsgUpToDate, Zxid: consensus.NoZxid})
	eventually(t, "everything arrives", func() bool { _, l := learner.link(down); return len(l.messages) == len(want) })
	_, l := learner.link(down)
	for i := range want {
		if !reflect.DeepEqual(l.messages[i], want[i]) {
			t.Fatalf("message %d is %v, not %v", i, &l.messages[i], &want[i])
		}
	}
	if len(l.trees) != 1 {
		t.Fatalf("%d trees", len(l.trees))
	}
	eventually(t, "the view is given back", func() bool { _, l := leader.link(up); return l.views == 1 })
	for z := zk.Zxid(1); z <= 100; z++ {
		learner.Send(down, &consensus.Message{Kind: consensus.MsgAck, Zxid: z})
	}
	eventually(t, "acks arrive", func() bool { _, l := leader.link(up); return len(l.messages) == 101 && l.messages[100].Zxid == 100 })
}

// TestADroppedLinkSaysWhatItHad: what was sent before Drop leaves; nothing after it does, and nothing is received.
func TestADroppedLinkSaysWhatItHad(t *testing.T) {
	learner, leader, down, up := linked(t)
	for z := zk.Zxid(1); z <= 1000; z++ {
		leader.Send(up, &consensus.Message{Kind: consensus.MsgProposal, Zxid: z, Payload: make([]byte, 1000)})
	}
	leader.Drop(up, "because")
	leader.Send(up, &consensus.Message{Kind: consensus.MsgCommit, Zxid: 1})
	leader.Drop(up, "again")
	if leader.SendSnap(up, nil) {
		t.Error("a dropped link takes a view")
	}
	eventually(t, "both ends are told", func() bool {
		_, a := learner.link(down)
		_, b := leader.link(up)
		return a.down != nil && b.down != nil
	})
	_, a := learner.link(down)
	_, b := leader.link(up)
	var dropped *DropError
	if len(a.messages) != 1000 || a.down != io.EOF || !errors.As(b.down, &dropped) || dropped.Reason != "because" {
		t.Fatalf("%d messages, %v, %v", len(a.messages), a.down, b.down)
	}
	leader.Send(up, introduced(1)) // to nobody
	leader.Drop(up, "gone")
	if leader.SendSnap(up, nil) {
		t.Error("a link that is gone takes a view")
	}
}

// TestADialIsTriedAgain: a leader may open its port a moment later; if it does not, that is told.
func TestADialIsTriedAgain(t *testing.T) {
	c := ensemble(t, 2)
	tries := make(chan struct{}, 100)
	learner := start(t, 2, c, func(o *Options) { o.DialRetryDelay = time.Second })
	s, _ := c.Server(1)
	dial := learner.Transport.dialer
	learner.Transport.dialer = func(ctx context.Context, address string) (net.Conn, error) {
		if address == s.Addresses[0].Quorum().String() {
			tries <- struct{}{}
		}
		return dial(ctx, address)
	}
	learner.Dial(1)
	<-tries
	start(t, 1, c)
	eventually(t, "the leader is reached", func() bool { id, _ := learner.link(0); return id != 0 })

	alone := start(t, 1, ensemble(t, 2), func(o *Options) { o.DialRetryDelay = time.Millisecond })
	alone.Dial(2)
	alone.Dial(3)
	eventually(t, "both failures are told", func() bool { alone.mu.Lock(); defer alone.mu.Unlock(); return len(alone.failures) == 2 })
}

// TestSeveralAddressesAreDialledAtOnce: one that answers is enough, whatever the others do.
func TestSeveralAddressesAreDialledAtOnce(t *testing.T) {
	p := freeport.TakeSeveral(t, 4)
	text := fmt.Sprintf("server.1=127.0.0.1:%d:%d|127.0.0.2:%d:%d\nserver.2=127.0.0.1:%d:%d", p[0], p[1], p[0], p[1], p[2], p[3])
	c, err := quorum.ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	leader := start(t, 1, c, func(o *Options) { o.MultiAddress = true })
	learner := start(t, 2, c, func(o *Options) { o.MultiAddress = true; o.ReachabilityTimeout = time.Second })
	block := func(host string) {
		dial := learner.Transport.dialer
		learner.inbox.post(func(*desk) {
			learner.Transport.dialer = func(ctx context.Context, address string) (net.Conn, error) {
				if h, _, _ := net.SplitHostPort(address); h == host {
					<-ctx.Done() // a network that swallows everything
					return nil, ctx.Err()
				}
				return dial(ctx, address)
			}
		})
	}
	eventually(t, "the leader listens", func() bool { return dials(c, 1) })
	block("127.0.0.1")
	learner.Dial(1)
	eventually(t, "the other address is used", func() bool { id, _ := learner.link(0); return id != 0 })
	eventually(t, "the election port too", func() bool { learner.tell(1, 5); return leader.heard(2) == 5 })
	if s, _ := c.Server(1); len(s.Addresses) != 2 {
		t.Fatal(s)
	}
	h := leader.introduction(&net.TCPConn{})
	if len(h.addresses) != 2 {
		t.Fatalf("%+v", h)
	}
}

// TestHostileQuorumTraffic: whatever is sent costs the connection that it came on, and nothing else.
func TestHostileQuorumTraffic(t *testing.T) {
	learner, leader, down, up := linked(t, func(o *Options) { o.UnintroducedMax = 8; o.AcceptedLinksMax = 3; o.PacketBytesMax = 1 << 16 })
	s, _ := leader.configs.Load().server(1)
	at := s.Addresses[0].Quorum()
	hello := appendMessage(nil, introduced(3))
	for _, b := range [][]byte{
		[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		appendMessage(nil, &consensus.Message{Kind: consensus.MsgAck, Zxid: 1}),                                       // not the first
		append(bytes.Clone(hello[:12]), 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0),                                           // data of 2 GiB
		append(bytes.Clone(hello[:12]), 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 0),                                           // negative
		append(bytes.Clone(hello[:12]), 0, 0, 4, 0, 0, 0, 0, 0),                                                       // data of 1 KiB, before it is known
		append(bytes.Clone(hello), append([]byte{0, 0, 0, 2}, append(make([]byte, 8), 0, 2, 0, 0, 0, 0, 0, 0)...)...), // a proposal beyond the bound
		append(bytes.Clone(hello), appendMessage(nil, &consensus.Message{Kind: consensus.MsgSnap, Zxid: 1})...),       // a learner's tree
		append(bytes.Clone(hello), appendMessage(nil, &consensus.Message{Kind: consensus.MsgPing, Payload: nil})[:12]...),
		append(bytes.Clone(hello), 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff), // part of a session
	} {
		conn := rawBytes(t, at, b)
		conn.(*net.TCPConn).CloseWrite()
		ended(t, conn)
	}
	var silent, many []net.Conn
	for range 20 { // more than may wait: the oldest go
		silent = append(silent, rawBytes(t, at, nil))
	}
	for _, conn := range silent[:12] {
		ended(t, conn)
	}
	for id := quorum.ServerID(10); id < 13; id++ { // more than may be linked
		many = append(many, rawBytes(t, at, appendMessage(nil, introduced(id))))
	}
	many[0].SetDeadline(time.Now().Add(patience))
	gone := make(chan struct{}, len(many))
	for _, conn := range many {
		go func() { io.Copy(io.Discard, conn); gone <- struct{}{} }() // ends with the connection
	}
	<-gone
	leader.Send(up, &consensus.Message{Kind: consensus.MsgPing, Zxid: 5})
	eventually(t, "the good link works", func() bool { _, l := learner.link(down); return len(l.messages) == 1 })
	for _, conn := range many {
		conn.Close()
	}
	for range len(many) - 1 {
		<-gone
	}
}

// TestALinkThatIsSilentEnds: after the longer limit while it is synchronised, and after the shorter one then.
func TestALinkThatIsSilentEnds(t *testing.T) {
	for _, synced := range []bool{false, true} {
		t.Run(fmt.Sprint(synced), func(t *testing.T) {
			t.Parallel()
			learner, leader, down, up := linked(t, func(o *Options) {
				o.TickTime = 10 * time.Millisecond
				o.InitLimit, o.SyncLimit, o.ConnectLimit = 20, 1000, 1000
				if synced {
					o.InitLimit, o.SyncLimit = 1000, 20
				}
			})
			if synced {
				learner.Send(down, &consensus.Message{Kind: consensus.MsgAck, Zxid: 1 << 32})
				leader.Send(up, &consensus.Message{Kind: consensus.MsgUpToDate, Zxid: consensus.NoZxid})
			}
			eventually(t, "it ends", func() bool {
				_, a := learner.link(down)
				_, b := leader.link(up)
				return a.down != nil && b.down != nil
			})
			_, a := learner.link(down)
			_, b := leader.link(up)
			if !errors.Is(a.down, os.ErrDeadlineExceeded) && !errors.Is(b.down, os.ErrDeadlineExceeded) {
				t.Fatal(a.down, b.down)
			}
		})
	}
}

// TestALearnerThatTakesNothingIsDropped: once its queue has grown beyond its bound, while others go on.
func TestALearnerThatTakesNothingIsDropped(t *testing.T) {
	learner, leader, _, up := linked(t, func(o *Options) { o.LinkQueueBytesMax = 8 << 20 })
	learner.mu.Lock() // its handler takes nothing any more
	for range 100_000 {
		leader.Send(up, &consensus.Message{Kind: consensus.MsgProposal, Payload: make([]byte, 100_000)})
		if _, l := leader.link(up); l.down != nil {
			break
		}
	}
	eventually(t, "it is dropped", func() bool { _, l := leader.link(up); return l.down != nil })
	learner.mu.Unlock()
	if _, l := leader.link(up); !errors.Is(l.down, errQueueFull) {
		t.Fatal(l.down)
	}
}

// TestALongTransferIsNoSilence: while a tree moves slowly nobody takes the other for dead, and its view comes back.
func TestALongTransferIsNoSilence(t *testing.T) {
	const pieces = 15
	pace := func(o *Options) {
		o.TickTime, o.InitLimit, o.SyncLimit, o.ConnectLimit = 30*time.Millisecond, 25, 25, 100
		o.WriteTree = func(ctx context.Context, w io.Writer, v *tree.View) error {
			for range pieces {
				if !sleep(ctx, 100*time.Millisecond) { // in all twice the limit
					return ctx.Err()
				}
				if _, err := w.Write(make([]byte, writeBytes)); err != nil {
					return err
				}
			}
			return nil
		}
		o.ReadTree = func(r io.Reader, z zk.Zxid) (*tree.Tree, error) {
			_, err := io.CopyN(io.Discard, r, pieces*writeBytes)
			return tree.New(1), err
		}
	}
	learner, leader, down, up := linked(t, pace)
	leader.SendSnap(up, tree.New(1).Freeze())
	eventually(t, "the tree arrives", func() bool { _, l := learner.link(down); return len(l.trees) == 1 || l.down != nil })
	_, a := learner.link(down)
	if a.down != nil || a.alive == 0 {
		t.Fatalf("learner %v, alive %d", a.down, a.alive)
	}
	eventually(t, "the view is given back", func() bool { _, l := leader.link(up); return l.views == 1 })
	if _, b := leader.link(up); b.alive == 0 {
		t.Fatal("the leader was not told that the transfer moves")
	}
}

// TestViewsComeBack: whatever becomes of the link.
func TestViewsComeBack(t *testing.T) {
	learner, leader, down, up := linked(t)
	learner.mu.Lock() // its handler takes nothing, so the tree stays on its way
	learner.Transport.Send(down, introduced(2))
	views := 0
	for range 20 {
		if leader.SendSnap(up, tree.New(1).Freeze()) {
			views++
		}
	}
	leader.Drop(up, "enough")
	learner.mu.Unlock()
	eventually(t, "it ends", func() bool { _, l := leader.link(up); return l.down != nil })
	if _, l := leader.link(up); l.views != views {
		t.Fatalf("%d of %d views came back", l.views, views)
	}
}

// TestAStreamWithoutItsSignatureEndsTheLink: and so does one that cannot be read or made.
func TestAStreamWithoutItsSignatureEndsTheLink(t *testing.T) {
	boom := errors.New("boom")
	for name, change := range map[string]func(*Options){
		"the stream is longer than it says": func(o *Options) {
			write := o.WriteTree
			o.WriteTree = func(ctx context.Context, w io.Writer, v *tree.View) error {
				if err := write(ctx, w, v); err != nil {
					return err
				}
				_, err := w.Write([]byte("more than enough bytes"))
				return err
			}
		},
		"it cannot be read":    func(o *Options) { o.ReadTree = func(io.Reader, zk.Zxid) (*tree.Tree, error) { return nil, boom } },
		"it cannot be written": func(o *Options) { o.WriteTree = func(context.Context, io.Writer, *tree.View) error { return boom } },
	} {
		t.Run(name, func(t *testing.T) {
			learner, leader, down, up := linked(t, change)
			leader.SendSnap(up, tree.New(1).Freeze())
			eventually(t, "it ends", func() bool {
				_, a := learner.link(down)
				_, b := leader.link(up)
				return a.down != nil && b.down != nil
			})
			if _, l := learner.link(down); len(l.trees) != 0 {
				t.Fatal("a tree was received")
			}
		})
	}
	learner, leader, down, up := linked(t, func(o *Options) {
		o.ReadLog = func(context.Context, zk.Zxid, zk.Zxid, func(zk.Zxid, []byte) error) error { return boom }
	})
	leader.SendLog(up, 1, 2)
	eventually(t, "a log that cannot be read ends it", func() bool { _, l := learner.link(down); return l.down != nil })
	eventually(t, "for that reason", func() bool { _, l := leader.link(up); return errors.Is(l.down, boom) })
}

// TestStreamFraming: the bytes of a SNAP as a real ensemble sent them, cut anywhere.
func TestStreamFraming(t *testing.T) {
	var head, stream []byte
	for _, c := range captures(t) {
		if c.Msg == "SNAP" && head == nil {
			head = c.bytes
		}
		if c.Msg == "SNAPSHOT-STREAM" && stream == nil {
			stream = c.bytes
		}
	}
	end := binary.BigEndian.AppendUint32(nil, uint32(len(signature)))
	end = append(end, signature...)
	body, found := bytes.CutSuffix(stream, end)
	if !found {
		t.Fatalf("the stream ends with %x", stream[len(stream)-14:])
	}
	learner, leader, down, up := linked(t, func(o *Options) {
		o.ReadTree = func(r io.Reader, z zk.Zxid) (*tree.Tree, error) {
			got := make([]byte, len(body))
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, body) {
				return nil, fmt.Errorf("another body: %w", err)
			}
			return tree.New(1), nil
		}
		o.WriteTree = func(ctx context.Context, w io.Writer, v *tree.View) error {
			_, err := w.Write(body)
			return err
		}
	})
	leader.SendSnap(up, tree.New(1).Freeze())
	leader.Send(up, &consensus.Message{Kind: consensus.MsgNewLeader, Zxid: 1 << 32, Config: "x"})
	eventually(t, "it arrives", func() bool { _, l := learner.link(down); return len(l.messages) == 2 && len(l.trees) == 1 })

	// As a Java leader sends it, byte by byte.
	l, at := listener(t)
	c, err := quorum.ParseConfig(fmt.Sprintf("server.1=127.0.0.1:%d:%d\nserver.2=127.0.0.1:%d:1", freeport.Take(t), freeport.Take(t), at.Port))
	if err != nil {
		t.Fatal(err)
	}
	learner.SetConfig(c, nil)
	learner.Dial(2)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, b := range append(append(bytes.Clone(head), stream...), appendMessage(nil, introduced(1))...) {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "it arrives", func() bool {
		_, l := learner.link(0)
		return len(l.messages) == 2 && len(l.trees) == 1 && l.messages[0].Zxid == 0x100000005
	})
}

// failing is a listener whose Accept fails at first.
type failing struct {
	net.Listener
	errs chan error
}

func (f *failing) Accept() (net.Conn, error) {
	select {
	case err := <-f.errs:
		return nil, err
	default:
		return f.Listener.Accept()
	}
}

// TestAListenerServesOrRunEnds: it survives what passes, and what does not is the error of Run.
func TestAListenerServesOrRunEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		ends bool
	}{
		{"no file descriptors are left for a while", syscall.EMFILE, false},
		{"a connection was gone before it was accepted", syscall.ECONNABORTED, false},
		{"the listener is broken", syscall.EBADF, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := ensemble(t, 1)
			opt := options(1, c)
			r := newRecorder()
			opt.Handler = r
			tr, err := New(opt)
			if err != nil {
				t.Fatal(err)
			}
			listen := tr.listen
			tr.listen = func(ctx context.Context, address string) (net.Listener, error) {
				l, err := listen(ctx, address)
				if err != nil {
					return nil, err
				}
				f := &failing{l, make(chan error, 3)}
				for range cap(f.errs) {
					f.errs <- &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", tc.err)}
				}
				return f, nil
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error, 1)
			go func() { result <- tr.Run(ctx) }()
			if tc.ends {
				var le *ListenError
				if err := <-result; !errors.As(err, &le) || !errors.Is(err, tc.err) {
					t.Fatal(err)
				}
				return
			}
			s, _ := c.Server(1)
			conn := raw(t, c, 1, 7, s.Addresses[0].Election())
			conn.Write(frame(3))
			eventually(t, "it serves", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.got[7].Vote.Round == 3 })
			cancel()
			if err := <-result; err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestAPortThatIsTakenIsAnError: after as many tries as are allowed; which port it is, is said.
func TestAPortThatIsTakenIsAnError(t *testing.T) {
	c := ensemble(t, 1)
	s, _ := c.Server(1)
	for _, door := range []Door{ElectionDoor, QuorumDoor} {
		at := s.Addresses[0].Election()
		if door == QuorumDoor {
			at = s.Addresses[0].Quorum()
		}
		l, err := net.Listen("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		opt := options(1, c)
		opt.Handler, opt.ElectionBindRetries = newRecorder(), 1
		tr, err := New(opt)
		if err != nil {
			t.Fatal(err)
		}
		var le *ListenError
		if err := tr.Run(t.Context()); !errors.As(err, &le) || le.Door != door || !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%v: %v", door, err)
		}
		l.Close()
	}
	if _, err := New(Options{Self: 5, Handler: newRecorder(), Committed: c}); err == nil {
		t.Error("a server without an address may run")
	}
}

// TestItListensEverywhereIfToldTo: and tells others the address that they see.
func TestItListensEverywhereIfToldTo(t *testing.T) {
	p := freeport.TakeSeveral(t, 2)
	c, err := quorum.ParseConfig(fmt.Sprintf("server.1=0.0.0.0:%d:%d\nserver.2=127.0.0.1:1:2", p[0], p[1]))
	if err != nil {
		t.Fatal(err)
	}
	n := start(t, 1, c, func(o *Options) { o.ListenOnAllIPs = true; o.KeepAlive = true })
	conn := rawBytes(t, quorum.HostPort{Host: "127.0.0.1", Port: p[1]}, nil)
	h := n.introduction(conn)
	if len(h.addresses) != 1 || h.addresses[0].String() != fmt.Sprintf("127.0.0.1:%d", p[1]) {
		t.Fatalf("%+v", h)
	}
}

// TestTreesTravel: the tree that a real leader sent, read, and sent on by the functions of storage/snapshot.
func TestTreesTravel(t *testing.T) {
	var stream []byte
	for _, c := range captures(t) {
		if c.Msg == "SNAPSHOT-STREAM" && stream == nil {
			stream = c.bytes
		}
	}
	read := func(r io.Reader, z zk.Zxid) (*tree.Tree, error) {
		tr, _, err := snapshot.ReadStream(r, z, snapshot.StreamOptions{Seed: 1})
		return tr, err
	}
	first, err := read(bytes.NewReader(stream), 0x100000005)
	if err != nil {
		t.Fatal(err)
	}
	learner, leader, down, up := linked(t, func(o *Options) { o.WriteTree, o.ReadTree = snapshot.WriteStream, read })
	leader.SendSnap(up, first.Freeze())
	leader.Send(up, &consensus.Message{Kind: consensus.MsgUpToDate, Zxid: consensus.NoZxid})
	eventually(t, "it arrives", func() bool { _, l := learner.link(down); return len(l.messages) == 2 && len(l.trees) == 1 })
	_, l := learner.link(down)
	if again := l.trees[0]; again.Zxid() != first.Zxid() || again.Digest() != first.Digest() || again.Znodes() != first.Znodes() {
		t.Fatalf("%v %x became %v %x", first.Zxid(), first.Digest(), again.Zxid(), again.Digest())
	}
}

// TestMemoryOfMessagesServesAgain: empty, and not more than some of it.
func TestMemoryOfMessagesServesAgain(t *testing.T) {
	l := &link{}
	b := append(l.batch(10), consensus.Message{Kind: consensus.MsgPing, Payload: []byte("x")})
	l.keepBatch(b)
	again := l.batch(1)
	if len(again) != 0 || cap(again) != 10 || again[:1][0].Kind != 0 || again[:1][0].Payload != nil || &again[:1][0] != &b[0] {
		t.Errorf("%d messages, room for %d: %+v", len(again), cap(again), again[:1])
	}
	for range 100 {
		l.keepBatch(make([]consensus.Message, 0, batchMessages))
	}
	if room := len(l.batches) * batchMessages; room != roomMax || l.batchesCap != roomMax {
		t.Errorf("room for %d messages is kept, counted %d", room, l.batchesCap)
	}
}

// TestALinkIsReadOnWhileItsReaderIsHeldUp: everything arrives once and in order, and the end is told, though each reader is held up by what it has
// handed over first.
func TestALinkIsReadOnWhileItsReaderIsHeldUp(t *testing.T) {
	const last = 2000
	learner, leader, down, up := linked(t)
	calls := 0
	learner.gate = make(chan struct{})
	learner.hold = func(m []consensus.Message) bool { // by one reader after the other
		calls++
		return calls <= 5 && m[len(m)-1].Zxid < last
	}
	for z := zk.Zxid(1); z <= last; z++ {
		leader.Send(up, &consensus.Message{Kind: consensus.MsgProposal, Zxid: z, Payload: make([]byte, 100)})
		if z%100 == 0 {
			time.Sleep(time.Millisecond) // so that they do not come at once
		}
	}
	leader.Drop(up, "because")
	eventually(t, "the end is told", func() bool { _, l := learner.link(down); return l.down != nil })
	learner.with(func() {
		l := learner.recorder.links[down]
		for i := range l.messages {
			if l.messages[i].Zxid != zk.Zxid(i+1) {
				t.Fatalf("message %d is %v", i, &l.messages[i])
			}
		}
		if len(l.messages) != last || calls < 2 {
			t.Errorf("%d messages by %d calls", len(l.messages), calls)
		}
	})
	close(learner.gate)
}
