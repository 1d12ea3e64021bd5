package juteapi

import (
	"net/netip"
	"strings"
	"time"

	"paddock/internal/zk"
)

// ConnStats is one connection as cons, stat and dump show it. Times of day are milliseconds since 1970.
type ConnStats struct {
	Addr          string // remote, host:port
	IP            string
	Secure        bool         // came through TLS
	Session       zk.SessionID // 0 without a session
	TimeoutMS     int32        // of the session
	EstablishedMS int64
	PacketStats
	LastOp         string // ZooKeeper's abbreviation, "NA" before the first reply
	LastCxid       int64  // xid of the last reply to what is no ping, auth or setWatches packet; -1 before the first
	LastZxid       zk.Zxid
	LastResponseMS int64 // when the last reply was sent, 0 before the first
	IdleUntilMS    int64 // when the connection is closed if nothing comes
	Outstanding    int64 // requests not yet answered
	Unsent         int64 // bytes waiting to be sent
}

// PacketStats count frames and how long requests took, from the read that brought them to the write that answered them.
type PacketStats struct {
	Received, Sent           int64 // frames
	ReceivedBytes, SentBytes int64
	Answered                 int64 // requests the latencies are about
	LastMS, MinMS, MaxMS     int64
	TotalMS                  int64
	ReplyBytes               int64 // of the replies among what was sent, without the four bytes of each one's length
	// Of one reply or event, likewise; 0 before the first.
	LastReplyBytes, MinReplyBytes, MaxReplyBytes int64

	lastReplyAt int64 // when the last was sent, ns of Server.now
}

// AvgMS is the mean latency in milliseconds.
func (p PacketStats) AvgMS() float64 {
	if p.Answered == 0 {
		return 0
	}
	return float64(p.TotalMS) / float64(p.Answered)
}

// Add joins the figures of another connection, or of another port.
func (p *PacketStats) Add(q PacketStats) {
	p.Received += q.Received
	p.Sent += q.Sent
	p.ReceivedBytes += q.ReceivedBytes
	p.SentBytes += q.SentBytes
	if q.Answered > 0 {
		if p.Answered == 0 || q.MinMS < p.MinMS {
			p.MinMS = q.MinMS
		}
		p.MaxMS = max(p.MaxMS, q.MaxMS)
	}
	p.Answered += q.Answered
	p.TotalMS += q.TotalMS
	p.ReplyBytes += q.ReplyBytes
	if q.MaxReplyBytes > 0 && (p.MaxReplyBytes == 0 || q.lastReplyAt >= p.lastReplyAt) {
		p.LastReplyBytes, p.lastReplyAt = q.LastReplyBytes, q.lastReplyAt
	}
	p.bodies(q.MinReplyBytes, q.MaxReplyBytes)
}

// bodies adds replies and events of these sizes; 0 for none.
func (p *PacketStats) bodies(least, most int64) {
	if most == 0 {
		return
	}
	if p.MaxReplyBytes == 0 || least < p.MinReplyBytes {
		p.MinReplyBytes = least
	}
	p.MaxReplyBytes = max(p.MaxReplyBytes, most)
}

// latency adds n requests that took ms each.
func (p *PacketStats) latency(n int, ms int64) {
	if p.Answered == 0 || ms < p.MinMS {
		p.MinMS = ms
	}
	p.MaxMS = max(p.MaxMS, ms)
	p.LastMS = ms
	p.Answered += int64(n)
	p.TotalMS += int64(n) * ms
}

// arrival is some requests of one read that are not yet answered.
type arrival struct {
	n  int
	at int64
}

// stats are a connection's figures; conn.mu guards them.
type stats struct {
	since    PacketStats // since the connection's statistics were reset (crst)
	total    PacketStats // since the server's were (srst)
	waiting  []arrival   // oldest first, from head on
	head     int
	open     int64 // requests in waiting
	fresh    bool  // connects for a new session
	connects int64 // when the connect request came
	lastOp   string
	lastCxid int64
	lastZxid zk.Zxid
	lastAt   int64 // ns of Server.now, -1 for never
}

// reset is what crst does.
func (s *stats) reset() {
	s.since = PacketStats{}
	s.lastOp, s.lastCxid, s.lastZxid, s.lastAt = "NA", -1, -1, -1
}

// received counts n requests that one read brought.
func (s *stats) received(n, bytes int, at int64) {
	s.count(n, bytes)
	if n == 0 {
		return
	}
	if s.head == len(s.waiting) {
		s.waiting, s.head = s.waiting[:0], 0
	} else if s.head > len(s.waiting)/2 && s.head >= 32 {
		s.waiting = s.waiting[:copy(s.waiting, s.waiting[s.head:])]
		s.head = 0
	}
	s.waiting = append(s.waiting, arrival{n, at})
	s.open += int64(n)
}

// connecting counts the connect request.
func (s *stats) connecting(bytes int, at int64, fresh bool) {
	s.count(1, bytes)
	s.connects, s.fresh = at, fresh
}

func (s *stats) count(n, bytes int) {
	s.since.Received += int64(n)
	s.total.Received += int64(n)
	s.since.ReceivedBytes += int64(bytes)
	s.total.ReceivedBytes += int64(bytes)
}

// sent counts frames that are no replies, or are counted as such elsewhere.
func (s *stats) sent(n, bytes int) {
	s.since.Sent += int64(n)
	s.total.Sent += int64(n)
	s.since.SentBytes += int64(bytes)
	s.total.SentBytes += int64(bytes)
}

// answered counts what was written at now. Replies come in the order of the requests, save those to auth packets, which
// are close enough.
func (s *stats) answered(t told, bytes int, now int64) {
	s.sent(t.packets, bytes)
	if t.most > 0 {
		for _, p := range []*PacketStats{&s.since, &s.total} {
			p.bodies(int64(t.least), int64(t.most))
			p.LastReplyBytes, p.lastReplyAt = int64(t.last), now
			p.ReplyBytes += int64(t.bytes)
		}
	}
	if t.connected && s.fresh {
		s.took(1, s.connects, now)
		s.lastOp, s.lastCxid, s.lastAt = opNames[zk.OpCreateSession], 0, now
	}
	if t.replies == 0 {
		return
	}
	s.lastOp, s.lastZxid, s.lastAt = opName(t.op), t.zxid, now
	if t.xid >= 0 {
		s.lastCxid = int64(t.xid)
	}
	for n := t.replies; n > 0 && s.head < len(s.waiting); {
		a := &s.waiting[s.head]
		k := min(n, a.n)
		s.took(k, a.at, now)
		n -= k
		s.open -= int64(k)
		if a.n -= k; a.n == 0 {
			s.head++
		}
	}
}

// took adds the latency of n requests.
func (s *stats) took(n int, at, now int64) {
	ms := (now - at) / 1e6
	s.since.latency(n, ms)
	s.total.latency(n, ms)
}

// opNames are the abbreviations that cons shows as lop.
var opNames = map[zk.OpCode]string{
	zk.OpPing: "PING", zk.OpCreateSession: "SESS", zk.OpCloseSession: "CLOS", zk.OpMulti: "MULT", zk.OpMultiRead: "MLTR",
	zk.OpCreate: "CREA", zk.OpCreate2: "CREA", zk.OpCreateTTL: "CREA", zk.OpCreateContainer: "CREA",
	zk.OpDelete: "DELE", zk.OpDeleteContainer: "DELE", zk.OpSetData: "SETD", zk.OpReconfig: "RECO", zk.OpSetACL: "SETA",
	zk.OpSync: "SYNC", zk.OpCheck: "CHEC", zk.OpExists: "EXIS", zk.OpGetData: "GETD", zk.OpSetWatches: "SETW",
	zk.OpSetWatches2: "STW2", zk.OpAddWatch: "ADDW", zk.OpGetACL: "GETA", zk.OpGetChildren: "GETC",
	zk.OpGetChildren2: "GETC", zk.OpGetAllChildrenNumber: "GETACN", zk.OpGetEphemerals: "GETE",
	zk.OpCheckWatches: "CHKW", zk.OpRemoveWatches: "REMW", zk.OpWhoAmI: "HOMI",
}

func opName(o zk.OpCode) string {
	if n, ok := opNames[o]; ok {
		return n
	}
	return "NA"
}

// Connections is a snapshot of all connections, in no particular order, those of four-letter words among them.
func (s *Server) Connections() []ConnStats {
	conns := s.snapshot()
	list := make([]ConnStats, len(conns))
	for i, c := range conns {
		list[i] = c.snapshot()
	}
	return list
}

// ResetConnections forgets every connection's statistics, as crst does.
func (s *Server) ResetConnections() {
	for _, c := range s.snapshot() {
		c.mu.Lock()
		c.stats.reset()
		c.mu.Unlock()
	}
}

// Totals are the figures of all connections, past ones too, since the start or ResetStats.
func (s *Server) Totals() PacketStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.gone
	for c := range s.conns {
		c.mu.Lock()
		t.Add(c.stats.total)
		c.mu.Unlock()
	}
	return t
}

// ResetStats forgets Totals, as srst does.
func (s *Server) ResetStats() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = PacketStats{}
	for c := range s.conns {
		c.mu.Lock()
		c.stats.total = PacketStats{}
		c.mu.Unlock()
	}
}

// snapshot is one connection's line.
func (c *conn) snapshot() ConnStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := &c.stats
	line := ConnStats{Addr: c.addr, IP: ipText(c.ip), Secure: c.tls != nil, Session: c.session, TimeoutMS: c.timeout,
		EstablishedMS: c.opened.UnixMilli(), PacketStats: st.since, LastOp: st.lastOp, LastCxid: st.lastCxid,
		LastZxid: st.lastZxid, Outstanding: st.open, Unsent: c.unsent.Load()}
	line.IdleUntilMS = c.srv.start.Add(time.Duration(c.lastIO.Load() + c.limit.Load())).UnixMilli()
	if st.lastAt >= 0 {
		line.LastResponseMS = c.srv.start.Add(time.Duration(st.lastAt)).UnixMilli()
	}
	return line
}

// ipText is an address as Java's getHostAddress prints it, which is what access lists of scheme ip hold: IPv6 in eight
// groups without leading zeros and without "::".
func ipText(ip netip.Addr) string {
	if ip.Is4() || !ip.IsValid() {
		return ip.String()
	}
	const hex = "0123456789abcdef"
	var b strings.Builder
	raw := ip.As16()
	for i := 0; i < len(raw); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		v, started := int(raw[i])<<8|int(raw[i+1]), false
		for shift := 12; shift >= 0; shift -= 4 {
			if d := v >> shift & 15; d != 0 || started || shift == 0 {
				started = true
				b.WriteByte(hex[d])
			}
		}
	}
	return b.String()
}
