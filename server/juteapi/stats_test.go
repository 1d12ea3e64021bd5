package juteapi

import (
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/zk"
)

func TestStatisticsOfAConnection(t *testing.T) {
	var c clock
	f := newFake()
	var waiting []zk.Request
	f.answer = func(_ *fakeClient, r *zk.Request) { waiting = append(waiting, *r) }
	d := open(t, Options{Handler: f, Clock: c.now})
	p := d.session(t)
	until(t, "the session is counted", func() bool { return d.Connections()[0].Answered == 1 })
	opened := c.now().UnixMilli()
	want := ConnStats{Addr: p.LocalAddr().String(), IP: "127.0.0.1", Secure: overTLS, Session: 0x100000000000001, TimeoutMS: 10000,
		EstablishedMS: opened, LastOp: "SESS", LastCxid: 0, LastZxid: -1, LastResponseMS: opened,
		IdleUntilMS: opened + 10000,
		PacketStats: PacketStats{Received: 1, Sent: 1, ReceivedBytes: 49, SentBytes: 41, Answered: 1}}
	if got := d.Connections()[0]; got != want {
		t.Fatalf("%+v\nwant %+v", got, want)
	}
	answer := func(n int) {
		f.do(func() {
			for _, c := range f.clients {
				for _, r := range waiting[:n] {
					f.usual(c, &r)
				}
				waiting = waiting[n:]
				c.Flush()
			}
		})
		p.expectBytes(20 * n)
	}
	p.send(pingHex + pingHex)
	until(t, "two are outstanding", func() bool { return d.Connections()[0].Outstanding == 2 })
	c.ns.Store(int64(5 * time.Millisecond))
	p.send(pingHex)
	until(t, "three are outstanding", func() bool { return d.Connections()[0].Outstanding == 3 })
	c.ns.Store(int64(12 * time.Millisecond))
	f.do(func() {}) // all three are in the owner's hands
	answer(3)       // two took 12 ms, one 7
	until(t, "they are counted", func() bool { return d.Connections()[0].Answered == 4 })
	want.PacketStats = PacketStats{Received: 4, Sent: 4, ReceivedBytes: 49 + 36, SentBytes: 41 + 60, Answered: 4,
		LastMS: 7, MinMS: 0, MaxMS: 12, TotalMS: 31, ReplyBytes: 48, LastReplyBytes: 16, MinReplyBytes: 16, MaxReplyBytes: 16, lastReplyAt: int64(12*time.Millisecond) + 1} // 0 is never
	want.LastOp, want.LastCxid, want.LastZxid, want.LastResponseMS = "PING", 0, 3, opened+12
	want.IdleUntilMS = opened + 12 + 10000
	if got := d.Connections()[0]; got != want {
		t.Fatalf("%+v\nwant %+v", got, want)
	}
	if got := want.AvgMS(); got != 7.75 {
		t.Errorf("average %v", got)
	}
	if got := d.Totals(); got.Answered != 4 || got.MaxMS != 12 {
		t.Errorf("totals %+v", got)
	}

	d.ResetConnections()
	want.PacketStats, want.LastOp, want.LastCxid, want.LastZxid, want.LastResponseMS = PacketStats{}, "NA", -1, -1, 0
	if got := d.Connections()[0]; got != want {
		t.Fatalf("after a reset %+v\nwant %+v", got, want)
	}
	p.Conn.Close()
	d.expectReason(t, endEOF)
	if got := d.Totals(); got.Answered != 4 || got.Received != 4 {
		t.Errorf("the totals forgot a connection that is gone: %+v", got)
	}
	d.ResetStats()
	if got := d.Totals(); got != (PacketStats{}) {
		t.Errorf("after a reset: %+v", got)
	}
}

func TestResumedSessionHasNoFirstOperation(t *testing.T) {
	d := open(t, Options{})
	p := d.dial(t)
	p.send("0000002d 00000000 0000000000000000 00002710 0100000000000009 00000010 00000000000000000000000000000000 00")
	p.expectBytes(41)
	until(t, "the answer is counted", func() bool { return d.Connections()[0].Sent == 1 })
	if got := d.Connections()[0]; got.LastOp != "NA" || got.LastCxid != -1 || got.Answered != 0 {
		t.Errorf("%+v", got)
	}
}

func TestSizesOfRepliesAreThoseOfAllConnections(t *testing.T) {
	var early, late, none stats
	early.answered(told{replies: 2, bytes: 46, last: 30, least: 16, most: 30}, 54, 5)
	late.answered(told{replies: 1, bytes: 20, last: 20, least: 20, most: 20}, 24, 7)
	none.sent(1, 41)
	want := PacketStats{ReplyBytes: 66, LastReplyBytes: 20, MinReplyBytes: 16, MaxReplyBytes: 30}
	for _, order := range [][]stats{{early, late, none}, {none, late, early}} {
		var all PacketStats
		for _, s := range order {
			all.Add(s.total)
		}
		if got := (PacketStats{ReplyBytes: all.ReplyBytes, LastReplyBytes: all.LastReplyBytes, MinReplyBytes: all.MinReplyBytes, MaxReplyBytes: all.MaxReplyBytes}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

func TestWaitingRequestsAreForgottenOnceAnswered(t *testing.T) {
	var s stats
	for i := range 1000 {
		s.received(2, 20, int64(i))
		if i > 10 {
			s.answered(told{packets: 2, replies: 2}, 20, int64(i))
		}
	}
	if cap(s.waiting) > 128 || s.open != 22 {
		t.Errorf("room for %d arrivals is kept, %d requests are open", cap(s.waiting), s.open)
	}
}

// TestClientsThatAskForASessionAreCounted: a word, or a connection that says nothing, is no client.
func TestClientsThatAskForASessionAreCounted(t *testing.T) {
	var connects atomic.Int64
	d := open(t, Options{Hooks: Hooks{Connects: func() { connects.Add(1) }}})
	d.dial(t)
	word := d.dial(t)
	word.sendBytes([]byte("ruok"))
	word.expectEnd()
	d.session(t)
	if n := connects.Load(); n != 1 {
		t.Errorf("%d clients asked for a session", n)
	}
}
