package election

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// world is a few servers, the network between them and what goes wrong, all from one seed.
type world struct {
	rng     *rand.Rand
	now     int64
	seq     int
	due     schedule
	servers map[quorum.ServerID]*server
	ids     []quorum.ServerID // ascending
	configs []*quorum.Config  // by version: those that are or will be in force
	bug     bug

	storm    bool
	patient  bool                                // nobody gives up connecting to a server that has not been started yet
	drift    bool                                // members tell different rounds
	cut      map[[2]quorum.ServerID]bool         // directions in which nothing passes
	last     map[[2]quorum.ServerID]Notification // the newest sent, repeated on a new connection
	arrives  map[[2]quorum.ServerID]int64        // when the newest of a calm network arrives; none overtakes it
	sent     map[[2]quorum.ServerID][]int64      // times of the last messages
	messages int
	lastSent int64
	epoch    int64 // the newest that was led
	ghosts   ghosts
	failures []string
}

// happening is something that is due.
type happening struct {
	at  int64
	seq int
	do  func()
}

// schedule is a heap of what is due.
type schedule []happening

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	return s[i].at < s[j].at || s[i].at == s[j].at && s[i].seq < s[j].seq
}
func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)   { *s = append(*s, x.(happening)) }
func (s *schedule) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

func newWorld(seed uint64, planted bug) *world {
	return &world{
		rng: rand.New(rand.NewPCG(seed, 1)), bug: planted, servers: map[quorum.ServerID]*server{},
		cut: map[[2]quorum.ServerID]bool{}, last: map[[2]quorum.ServerID]Notification{},
		arrives: map[[2]quorum.ServerID]int64{}, sent: map[[2]quorum.ServerID][]int64{},
		ghosts: newGhosts(),
	}
}

func (w *world) after(ms int64, do func()) {
	w.seq++
	heap.Push(&w.due, happening{w.now + ms, w.seq, do})
}

// runUntil lets everything happen up to a time, or until something has failed.
func (w *world) runUntil(end int64) {
	for len(w.due) > 0 && w.due[0].at <= end && len(w.failures) == 0 {
		h := heap.Pop(&w.due).(happening)
		w.now = h.at
		h.do()
	}
	w.now = max(w.now, end)
}

func (w *world) fail(format string, args ...any) {
	w.failures = append(w.failures, fmt.Sprintf("at %d ms: ", w.now)+fmt.Sprintf(format, args...))
}

// chance is true once in n times.
func (w *world) chance(n int) bool { return w.rng.IntN(n) == 0 }

func (w *world) between(low, high int64) int64 { return low + w.rng.Int64N(high-low+1) }

// passes tells whether a message from a to b would arrive.
func (w *world) passes(a, b quorum.ServerID) bool {
	to := w.servers[b]
	return to != nil && to.election != nil && w.servers[a].election != nil && !w.cut[[2]quorum.ServerID{a, b}]
}

// reaches tells whether two servers can talk.
func (w *world) reaches(a, b quorum.ServerID) bool { return w.passes(a, b) && w.passes(b, a) }

// send delivers a message later, perhaps twice, perhaps not at all.
func (w *world) send(from quorum.ServerID, m Message) {
	pair := [2]quorum.ServerID{from, m.To}
	w.last[pair] = m.Notification
	w.messages++
	w.lastSent = w.now
	w.countRate(pair)
	copies := 1
	if w.storm {
		switch w.rng.IntN(20) {
		case 0:
			copies = 0
		case 1:
			copies = 2
		}
	}
	for ; copies > 0; copies-- {
		w.deliver(from, m.To, m.Notification)
	}
}

// deliver has one message arrive, in a storm not in order.
func (w *world) deliver(from, to quorum.ServerID, n Notification) {
	delay := w.between(1, 10)
	if w.storm && w.chance(4) {
		delay = w.between(1, 600)
	}
	pair := [2]quorum.ServerID{from, to}
	if !w.storm {
		delay = max(delay, w.arrives[pair]-w.now)
		w.arrives[pair] = w.now + delay
	}
	w.after(delay, func() {
		if w.passes(from, to) {
			s := w.servers[to]
			ev := Event{Kind: Notified, From: from, Notification: n}
			if c := w.configOf(n.Config); c != nil {
				ev.ConfigVersion = c.Version
			}
			s.step(ev)
		}
	})
}

// configOf is the configuration with a text.
func (w *world) configOf(text string) *quorum.Config {
	i := slices.IndexFunc(w.configs, func(c *quorum.Config) bool { return c.String() == text })
	if i < 0 {
		return nil
	}
	return w.configs[i]
}

// connect tells two servers that they are connected, or that they are not; a new connection repeats the last message.
func (w *world) connect(a, b quorum.ServerID) {
	for _, pair := range [][2]quorum.ServerID{{a, b}, {b, a}} {
		w.after(w.between(1, 20), func() {
			s := w.servers[pair[0]]
			switch {
			case s.election == nil:
			case w.reaches(a, b):
				if n, ok := w.last[pair]; ok && s.incarnationSent[pair[1]] {
					w.deliver(pair[0], pair[1], n)
				}
				s.step(Event{Kind: PeerUp, From: pair[1]})
			case !w.patient || w.servers[pair[1]].life > 0:
				s.step(Event{Kind: PeerDown, From: pair[1]})
			}
		})
	}
}

// reconnectAll has every pair find out anew whether it can talk.
func (w *world) reconnectAll() {
	for i, a := range w.ids {
		for _, b := range w.ids[i+1:] {
			w.connect(a, b)
		}
	}
}

// disturb is one fault.
func (w *world) disturb() {
	a, b := w.ids[w.rng.IntN(len(w.ids))], w.ids[w.rng.IntN(len(w.ids))]
	switch s := w.servers[a]; w.rng.IntN(9) {
	case 0, 1:
		if s.election != nil {
			s.crash()
		}
	case 2, 3:
		if s.election == nil {
			s.boot()
		}
	case 4:
		w.cut[[2]quorum.ServerID{a, b}] = a != b
		w.connect(a, b)
	case 5: // a group of servers on its own
		side := w.rng.Uint64()
		for i, x := range w.ids {
			for j, y := range w.ids {
				w.cut[[2]quorum.ServerID{x, y}] = side>>i&1 != side>>j&1
			}
		}
		w.reconnectAll()
	case 6:
		clear(w.cut)
		w.reconnectAll()
	case 7:
		w.connect(a, b) // a connection is replaced
	case 8:
		if s.election != nil {
			s.lookAgain()
		}
	}
}

// build makes the servers and their configurations: up to seven voters, observers, a stranger.
func (w *world) build(voters int, observers, strangers int, groups bool) {
	var servers []quorum.Server
	for id := 1; id <= voters+observers; id++ {
		servers = append(servers, quorum.Server{ID: quorum.ServerID(id), Observer: id > voters})
	}
	c := w.config(0, servers, groups)
	w.configs = []*quorum.Config{c}
	for id := 1; id <= voters+observers+strangers; id++ {
		s := &server{w: w, id: quorum.ServerID(id), committed: c}
		s.epoch = w.between(0, 2)
		s.zxid = zk.Zxid(s.epoch<<32 + w.between(0, 3))
		w.servers[s.id] = s
		w.ids = append(w.ids, s.id)
		w.epoch = max(w.epoch, s.epoch)
	}
}

// config makes a configuration; with groups, of three of equal weight in which the last server weighs nothing.
func (w *world) config(version zk.Zxid, servers []quorum.Server, groups bool) *quorum.Config {
	var in []quorum.Group
	var weights map[quorum.ServerID]int64
	if groups {
		in = []quorum.Group{{ID: 1}, {ID: 2}, {ID: 3}}
		var last quorum.ServerID
		for i, s := range servers {
			if !s.Observer {
				in[i%3].Servers = append(in[i%3].Servers, s.ID)
				last = s.ID
			}
		}
		weights = map[quorum.ServerID]int64{last: 0}
	}
	c, err := quorum.NewConfig(version, servers, in, weights)
	if err != nil {
		panic(err)
	}
	return c
}
