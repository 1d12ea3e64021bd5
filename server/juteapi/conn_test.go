package juteapi

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"paddock/internal/jute"
	"paddock/internal/zk"
	"paddock/server/request"
)

// setData is a framed setData request of /x.
func setData(xid int32, data []byte) []byte {
	w := jute.Writer(nil)
	r := zk.Request{Xid: xid, Op: zk.OpSetData, Path: "/x", Data: data, Version: -1}
	r.Jute(w)
	return frame(w.Bytes())
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	const n = 20000 // many more than one batch holds
	d := open(t, Options{})
	p := d.session(t)
	go func() {
		var all []byte
		for i := range n {
			w := jute.Writer(nil)
			(&zk.Request{Xid: int32(i + 1), Op: zk.OpSync, Path: "/a"}).Jute(w)
			all = append(all, frame(w.Bytes())...)
		}
		p.Write(all)
	}()
	for i := range n {
		got := p.expectBytes(4 + 16 + 6)
		if xid := binary.BigEndian.Uint32(got[4:]); xid != uint32(i+1) {
			t.Fatalf("reply %d has xid %d", i+1, xid)
		}
	}
	var line ConnStats
	until(t, "all are counted", func() bool { line = d.Connections()[0]; return line.Sent == n+1 })
	if line.Received != n+1 || line.Outstanding != 0 || line.Answered != n+1 || line.LastOp != "SYNC" ||
		line.LastCxid != n || line.LastZxid != n || line.ReceivedBytes != 49+n*18 || line.SentBytes != 41+n*26 {
		t.Errorf("%+v", line)
	}
}

func TestFramesMayComeInAnyPieces(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var sizes []int
	f := newFake()
	bad := 0
	f.answer = func(c *fakeClient, r *zk.Request) {
		for i, b := range r.Data {
			if b != byte(int(r.Xid)+i) {
				bad++
				break
			}
		}
		if len(r.Data) != sizes[r.Xid] {
			bad++
		}
		f.usual(c, r)
	}
	var all []byte
	for i := range 60 {
		n := rnd.IntN(100)
		if i%7 == 0 {
			n = rnd.IntN(300000)
		}
		sizes = append(sizes, n)
		data := make([]byte, n)
		for j := range data {
			data[j] = byte(i + j)
		}
		all = append(all, setData(int32(i), data)...)
	}
	d := open(t, Options{Handler: f})
	p := d.session(t)
	go func() {
		for len(all) > 0 {
			n := min(1+rnd.IntN(5), len(all))
			if rnd.IntN(3) == 0 {
				n = min(1+rnd.IntN(100000), len(all))
			}
			p.Write(all[:n])
			all = all[n:]
		}
	}()
	for range sizes {
		p.expectBytes(4 + 16 + 68)
	}
	f.do(func() {})
	if bad > 0 {
		t.Errorf("%d requests were damaged on the way", bad)
	}
}

func TestRequestsKeepTheirBytes(t *testing.T) {
	var kept []string
	f := newFake()
	f.answer = func(c *fakeClient, r *zk.Request) { kept = append(kept, r.Path); f.usual(c, r) }
	d := open(t, Options{Handler: f})
	p := d.session(t)
	for i := range 200 {
		p.sendBytes(frame(append(unhex("00000001 00000003 00000002 2f"), byte('a'+i%26), 0)))
		p.expectBytes(88)
	}
	f.do(func() {})
	for i, path := range kept {
		if want := "/" + string(rune('a'+i%26)); path != want {
			t.Fatalf("request %d kept %q, want %q", i, path, want)
		}
	}
}

func TestMalformedBodyIsTheHandlersBusiness(t *testing.T) {
	d := open(t, Options{})
	p := d.session(t)
	p.send("0000000c 00000001 00000004 000000ff") // getData with a path that is not there
	p.expect("00000010 00000001 0000000000000001 fffffffb")
	p.send("0000000a 00000002 00000064 0000") // auth
	p.expect("00000010 00000002 0000000000000002 fffffffb")
}

func TestUnknownOpcodeIsAnsweredThenClosed(t *testing.T) {
	d := open(t, Options{})
	p := d.session(t)
	p.send("00000008 00000001 0000000a" + pingHex)
	p.expect("00000010 00000001 ffffffffffffffff fffffffa")
	if rest := p.expectEnd(); len(rest) != 0 {
		t.Fatalf("%x", rest)
	}
	p.Conn.Close()
	d.expectReason(t, "unknown_op")
}

func TestClientHasNoMoreThanItsShareOfUnansweredRequests(t *testing.T) {
	f := newFake()
	var kept []zk.Request
	f.answer = func(_ *fakeClient, r *zk.Request) { kept = append(kept, *r) }
	d := open(t, Options{Handler: f})
	p := d.session(t)
	const n = 4 * outstandingMax
	go p.Write([]byte(strings.Repeat(string(unhex(pingHex)), n)))
	replies, most := 0, 0
	for replies < n {
		f.do(func() {
			most = max(most, len(kept))
			for _, c := range f.clients {
				for i := range kept[:min(len(kept), 100)] {
					f.usual(c, &kept[i])
				}
				c.Flush()
			}
			replies += min(len(kept), 100)
			kept = kept[min(len(kept), 100):]
		})
	}
	p.expectBytes(20 * n)
	if most > outstandingMax+batchRequestsMax {
		t.Errorf("%d requests were unanswered", most)
	}
}

func TestEventsAndRepliesKeepTheirOrder(t *testing.T) {
	f := newFake()
	f.answer = func(c *fakeClient, r *zk.Request) {
		c.Event(&zk.Event{Zxid: 7, Type: zk.NodeDataChanged, Path: "/a"})
		f.usual(c, r)
		c.Event(&zk.Event{Zxid: -1, Type: zk.NodeDeleted, Path: "/b"})
	}
	d := open(t, Options{Handler: f})
	p := d.session(t)
	p.send(pingHex)
	p.expect("0000001e ffffffff 0000000000000007 00000000 00000003 00000003 00000002 2f61" +
		"00000010 fffffffe 0000000000000001 00000000" +
		"0000001e ffffffff ffffffffffffffff 00000000 00000002 00000003 00000002 2f62")
}

func TestOriginTellsTheAddress(t *testing.T) {
	f := newFake()
	d := open(t, Options{Handler: f})
	p := d.session(t)
	var o request.Origin
	f.do(func() {
		for _, c := range f.clients {
			o = c.origin
		}
	})
	if o.Addr != p.LocalAddr().String() || o.IP != "127.0.0.1" || o.Secure != overTLS || o.IDs != nil {
		t.Errorf("%+v", o)
	}
}

// floods answers every request with data of size bytes.
func floods(size int) *fake {
	f := newFake()
	data := make([]byte, size)
	f.answer = func(c *fakeClient, r *zk.Request) {
		c.Reply(&zk.Reply{Xid: r.Xid, Op: zk.OpGetData, Data: data})
	}
	return f
}

const getHex = "00000011 00000001 00000004 00000004 2f616263 00"

func TestClientThatReadsLateGetsEverything(t *testing.T) {
	const n, size = 300, 100000
	f := floods(size)
	f.backlog = true
	d := open(t, Options{Handler: f})
	p := d.session(t)
	other := d.session(t)
	p.send(strings.Repeat(getHex, n))
	until(t, "the backlog has grown", func() bool {
		for _, c := range d.Connections() {
			if c.Unsent > request.BacklogBytesMax/2 { // what is left when the socket takes no more
				return true
			}
		}
		return false
	})
	other.send(pingHex) // nobody else waits for it
	other.expectBytes(4 + 16 + 4 + size + 68)
	for _, c := range d.Connections() {
		if c.Unsent > request.BacklogBytesMax+2*(size+100) {
			t.Errorf("%d bytes are unsent", c.Unsent)
		}
	}
	p.expectBytes(n * (4 + 16 + 4 + size + 68))
	select {
	case <-f.drained:
	default:
		t.Error("the handler was not told that the backlog had drained")
	}
}

func TestClientThatNeverReadsIsCutOff(t *testing.T) {
	t.Run("when it is told more than the bound", func(t *testing.T) {
		d := open(t, Options{Handler: floods(1 << 20), UnsentBytesMax: 8 << 20})
		p := d.session(t)
		p.send(strings.Repeat(getHex, 100))
		d.expectReason(t, endSlow)
	})
	t.Run("when it takes nothing for as long as its session lasts", func(t *testing.T) {
		f := floods(1 << 20)
		f.backlog = true
		var c clock
		d := open(t, Options{Handler: f, SessionlessTimeout: 20 * time.Millisecond, Clock: c.now})
		p := d.dial(t)
		p.send("0000002d 00000000 0000000000000000 00000064 0000000000000000 00000010 00000000000000000000000000000000 00")
		p.expectBytes(41)
		stop := make(chan struct{})
		defer close(stop)
		go func() { // pings do not help it
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					p.Write(unhex(getHex))
				}
			}
		}()
		until(t, "it is written to in vain", func() bool {
			c.ns.Add(int64(time.Millisecond))
			return d.Len() == 0
		})
		d.expectReason(t, endSlow)
	})
}

func TestSlowReaderThatGetsOnIsLeftAlone(t *testing.T) {
	const size = 12 << 20
	d := open(t, Options{Handler: floods(size), SessionlessTimeout: 1500 * time.Millisecond})
	p := d.dial(t)
	p.send("0000002d 00000000 0000000000000000 00000028 0000000000000000 00000010 00000000000000000000000000000000 00")
	p.expectBytes(41)
	p.send(getHex)
	for left := 4 + 16 + 4 + size + 68; left > 0; { // takes longer than the limit
		n := min(left, 256<<10)
		p.expectBytes(n)
		left -= n
		time.Sleep(45 * time.Millisecond)
	}
}

func TestAnswerBeforeTheEndSurvivesAPauseOfItsReader(t *testing.T) {
	const size = 12 << 20
	f := newFake()
	data := make([]byte, size)
	f.answer = func(c *fakeClient, r *zk.Request) {
		if r.Op != zk.OpGetData {
			f.usual(c, r)
			return
		}
		c.Reply(&zk.Reply{Xid: r.Xid, Op: zk.OpGetData, Data: data})
		c.end(request.CloseSessionExpired)
	}
	d := open(t, Options{Handler: f, SessionlessTimeout: 500 * time.Millisecond})
	p := d.session(t)
	p.sendBytes(setData(1, make([]byte, 40000))) // leaves a large receive buffer, which the sweeper asks back
	p.expectBytes(4 + 16 + 68)
	p.send(getHex)
	n := d.swept.Load()
	until(t, "the sweeper has looked", func() bool { return d.swept.Load() > n+4 })
	if got := p.expectEnd(); len(got) != 4+16+4+size+68 {
		t.Fatalf("read %d bytes", len(got))
	}
}
