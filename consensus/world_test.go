package consensus

import (
	"container/heap"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// world is a small seeded simulation: servers that consist of a Core, a disk and a tree that is the list of what was
// applied; connections that keep the order of messages; time that moves from event to event.
type world struct {
	rng     *rand.Rand
	now     int64
	seq     int
	agenda  agenda
	servers map[quorum.ServerID]*server
	ids     []quorum.ServerID
	conns   []*conn
	lastID  LinkID
	blocked map[[2]quorum.ServerID]bool // nothing gets from the first to the second
	faults  bool                        // crashes in the middle of steps happen
	values  int
	plan    scheme

	tell    func(format string, args ...any) // of a story: delays are the shortest, and nothing happens by chance
	ghost   ghost
	tracing bool
	trace   []string // the newest lines
	hash    uint64
	found   string // the first violation
	seen    map[string]int
}

// scheme is what kind of world this is.
type scheme struct {
	seed      uint64
	members   string // roles of the servers 1, 2, …: v voter, o observer, n not a member
	reconfig  bool
	masters   bool // followers serve observers
	history   int
	rollover  uint32
	untrusted bool // disks may be lost
	bug       bug
	trace     bool
	plain     uint64 // who talks as ZooKeeper does: 1 all, 2 the even ones
	asleep    bool   // servers are not started
}

type task struct {
	at  int64
	seq int
	do  func()
}

type agenda []task

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(task)) }
func (a *agenda) Pop() any {
	old := *a
	x := old[len(old)-1]
	*a = old[:len(old)-1]
	return x
}

// in has do called after some milliseconds.
func (w *world) in(ms int64, do func()) {
	w.seq++
	heap.Push(&w.agenda, task{w.now + ms, w.seq, do})
}

// run lets time pass.
func (w *world) run(ms int64) {
	end := w.now + ms
	for w.found == "" && len(w.agenda) > 0 && w.agenda[0].at <= end {
		t := heap.Pop(&w.agenda).(task)
		w.now = t.at
		t.do()
	}
	w.now = end
}

func (w *world) chance(percent int) bool { return w.tell == nil && w.rng.IntN(100) < percent }

func (w *world) between(lo, hi int64) int64 {
	if w.tell != nil {
		return lo
	}
	return lo + w.rng.Int64N(hi-lo+1)
}

const traceMax = 40000

func (w *world) log(id quorum.ServerID, format string, args ...any) {
	if !w.tracing {
		return
	}
	line := fmt.Sprintf("%6d %d ", w.now, id) + fmt.Sprintf(format, args...)
	h := fnv.New64a()
	fmt.Fprint(h, w.hash, line)
	w.hash = h.Sum64()
	if len(w.trace) >= traceMax {
		w.trace = append(w.trace[:0], w.trace[traceMax/2:]...)
	}
	w.trace = append(w.trace, line)
}

// violation notes the first broken rule.
func (w *world) violation(format string, args ...any) {
	if w.found == "" {
		w.found = fmt.Sprintf(format, args...)
	}
}

func (w *world) count(what string) { w.seen[what]++ }

// newWorld makes servers with empty disks and starts them.
func newWorld(p scheme) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(p.seed, 1)), servers: map[quorum.ServerID]*server{}, blocked: map[[2]quorum.ServerID]bool{}, plan: p,
		seen: map[string]int{}, tracing: p.trace,
	}
	w.ghost.init(w)
	for i := range p.members {
		w.ids = append(w.ids, quorum.ServerID(i+1))
	}
	cfg := w.config(p.members, 0)
	w.ghost.config = cfg
	for _, id := range w.ids {
		s := &server{w: w, id: id}
		s.disk.config = cfg
		w.servers[id] = s
		if !p.asleep {
			s.boot()
		}
	}
	return w
}

// config is a configuration with the given roles.
func (w *world) config(members string, version zk.Zxid) *quorum.Config {
	var b strings.Builder
	for i, role := range members {
		switch role {
		case 'v':
			fmt.Fprintf(&b, "server.%d=h%d:1:2:participant\n", i+1, i+1)
		case 'o':
			fmt.Fprintf(&b, "server.%d=h%d:1:2:observer\n", i+1, i+1)
		}
	}
	cfg, err := quorum.ParseConfig(b.String())
	if err != nil {
		panic(err)
	}
	return cfg.WithVersion(version)
}

// conn is a connection: two queues that keep their order.
type conn struct {
	id      LinkID
	ends    [2]quorum.ServerID // who dialled, who accepted
	boots   [2]int
	queues  [2][]packet // by sender
	pumping [2]bool
	closed  [2]bool // that end has closed it: it sends and hears nothing more
	given   zk.Zxid // the newest that was committed when NEWLEADER was sent
}

type packet struct {
	m    *Message
	tree []Entry // of a snapshot
	at   int64
}

func (w *world) conn(id LinkID) *conn {
	for _, c := range w.conns {
		if c.id == id {
			return c
		}
	}
	return nil
}

// dial tries to connect two servers.
func (w *world) dial(from, to quorum.ServerID) {
	s, boot := w.servers[from], w.servers[from].boots
	failed := func(ms int64) {
		w.in(ms, func() { s.stepBoot(boot, Event{Kind: LinkDown, Server: to, Dialled: true}) })
	}
	t := w.servers[to]
	switch {
	case t == nil || !t.up:
		failed(w.between(1, 3))
	case w.blocked[[2]quorum.ServerID{from, to}] || w.blocked[[2]quorum.ServerID{to, from}]:
		failed(w.between(50, 500))
	default:
		w.lastID++
		c := &conn{id: w.lastID, ends: [2]quorum.ServerID{from, to}, boots: [2]int{boot, t.boots}}
		w.conns = append(w.conns, c)
		w.in(w.between(1, 4), func() { t.stepBoot(c.boots[1], Event{Kind: LinkUp, Link: c.id}) })
		w.in(w.between(1, 4), func() { s.stepBoot(boot, Event{Kind: LinkUp, Link: c.id, Server: to, Dialled: true}) })
	}
}

// send puts a packet into the queue of one end.
func (w *world) send(from quorum.ServerID, link LinkID, p packet) {
	c := w.conn(link)
	if c == nil {
		return
	}
	end := 0
	if c.ends[1] == from {
		end = 1
	}
	if c.closed[end] {
		return
	}
	p.at = w.now + w.between(1, 6)
	if w.chance(2) {
		p.at += w.between(10, 200)
	}
	c.queues[end] = append(c.queues[end], p)
	w.pump(c, end)
}

// pump moves the packets of one direction, in order.
func (w *world) pump(c *conn, end int) {
	if c.pumping[end] || len(c.queues[end]) == 0 {
		return
	}
	c.pumping[end] = true
	wait := max(c.queues[end][0].at-w.now, 0)
	if w.blocked[[2]quorum.ServerID{c.ends[end], c.ends[1-end]}] {
		wait = 40
	}
	w.in(wait, func() {
		c.pumping[end] = false
		if len(c.queues[end]) == 0 {
			return
		}
		if !w.blocked[[2]quorum.ServerID{c.ends[end], c.ends[1-end]}] && w.now >= c.queues[end][0].at {
			p := c.queues[end][0]
			c.queues[end] = c.queues[end][1:]
			if !c.closed[1-end] {
				to := w.servers[c.ends[1-end]]
				if p.m == nil {
					w.close(c, 1-end)
				} else {
					to.arrived(c, c.boots[1-end], p)
				}
			}
		}
		w.pump(c, end)
	})
}

// close ends a connection at one end, and tells that end and, behind what was sent, the other.
func (w *world) close(c *conn, end int) {
	if c.closed[end] {
		return
	}
	c.closed[end] = true
	s := w.servers[c.ends[end]]
	w.in(1, func() {
		s.stepBoot(c.boots[end], Event{Kind: LinkDown, Link: c.id, Server: c.ends[1-end], Dialled: end == 0})
	})
	if !c.closed[1-end] {
		c.queues[end] = append(c.queues[end], packet{at: w.now + w.between(1, 5)})
		w.pump(c, end)
	}
	w.sweep()
}

// sweep forgets connections that are over.
func (w *world) sweep() {
	if len(w.conns) < 64 {
		return
	}
	kept := w.conns[:0]
	for _, c := range w.conns {
		if !c.closed[0] || !c.closed[1] {
			kept = append(kept, c)
		}
	}
	w.conns = kept
}

// reset breaks a connection: part of what is under way is lost, in each direction.
func (w *world) reset(c *conn) {
	for end := range 2 {
		if n := len(c.queues[end]); n > 0 {
			c.queues[end] = c.queues[end][:w.rng.IntN(n+1)]
		}
	}
	w.close(c, 0)
	w.close(c, 1)
}

// notify carries a notification, or not.
func (w *world) notify(from, to quorum.ServerID, n *election.Notification) {
	s, t := w.servers[from], w.servers[to]
	boot := s.boots
	if t == nil || !t.up {
		w.in(w.between(1, 3), func() { s.stepBoot(boot, Event{Kind: PeerDown, Server: to}) })
		return
	}
	if w.blocked[[2]quorum.ServerID{from, to}] {
		return
	}
	if !s.peers[to] {
		s.peers[to], t.peers[from] = true, true
		tb := t.boots
		w.in(1, func() { s.stepBoot(boot, Event{Kind: PeerUp, Server: to}) })
		w.in(1, func() { t.stepBoot(tb, Event{Kind: PeerUp, Server: from}) })
	}
	old := s.letters[to]
	s.letters[to] = n
	if old != nil {
		return // the newest replaces what has not left
	}
	w.in(w.between(1, 5), func() {
		if boot != s.boots || s.letters[to] == nil {
			return
		}
		n := s.letters[to]
		s.letters[to] = nil
		if !w.blocked[[2]quorum.ServerID{from, to}] {
			t.step(Event{Kind: Notified, Server: from, Notification: n})
		}
	})
}
