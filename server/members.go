package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"paddock/consensus"
	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/server/admin"
	"paddock/server/replica"
)

// members is what a member of an ensemble knows of the others, and of how far it is itself, for operators.
type members struct {
	log     zerolog.Logger
	metrics *serverMetrics
	self    quorum.ServerID
	config  atomic.Pointer[quorum.Config] // committed

	mu     sync.Mutex // guards what follows
	peers  map[quorum.ServerID]*peerView
	began  time.Time
	since  time.Time       // when the present state began
	lost   string          // why the last role was lost; "" since the start
	taken  *replica.Note   // RoleTaken, while the role lasts
	found  time.Time       // when a leader was elected, while it is being joined; zero otherwise
	leader quorum.ServerID // that was elected; meaningful while found is set
	told   time.Time       // when the log last said that this server looks
	empty  bool            // the database is, and may not vote before a leader has filled it
}

// peerView is another member as its election connection shows it.
type peerView struct {
	up     bool
	since  time.Time      // of up or not up; of a peer that was never reached, the start
	why    string         // why it is not up
	role   consensus.Role // as it last said
	said   bool           // it has said one on this connection
	empty  bool           // it has said that its database is, and may not vote
	began  time.Time      // when it said for the first time that it looks
	latest time.Time      // when it said so last
	logged time.Time      // when it was last complained of
}

// How often the log complains of the same thing.
const (
	complainEvery = time.Minute
	lookingAfter  = 10 * time.Second // a shorter election is not worth a line
)

// lookingAgain is how long a server at most takes to say for the second time that it looks.
const lookingAgain = 2 * time.Second

// emptyZxid is in the vote of a server with an empty database, which may not vote.
const emptyZxid zk.Zxid = -1

// strangersMax bounds the servers in no configuration of which something is kept.
const strangersMax = 64

func newMembers(log zerolog.Logger, m *serverMetrics, self quorum.ServerID, c *quorum.Config) *members {
	now := time.Now()
	v := &members{log: log, metrics: m, self: self, peers: map[quorum.ServerID]*peerView{}, since: now, began: now}
	v.config.Store(c)
	m.looking.Inc()
	log.Info().Str("members", c.IDs()).Msg("looking for a leader")
	return v
}

// peer finds or makes what is known of a server. The caller holds the lock.
func (m *members) peer(id quorum.ServerID) *peerView {
	p := m.peers[id]
	if p != nil {
		return p
	}
	p = &peerView{since: m.began, why: "not heard of yet"}
	c := m.config.Load()
	if _, member := c.Server(id); member || len(m.peers) < len(c.Servers)+strangersMax {
		m.peers[id] = p
	}
	return p
}

// up notes an election connection.
func (m *members) up(id quorum.ServerID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peer(id)
	if !p.up {
		if !p.logged.IsZero() {
			m.log.Info().Int64("peer", int64(id)).Dur("missing_ms", time.Since(p.since)).Msg("server reached again")
		}
		p.up, p.since, p.logged = true, time.Now(), time.Time{}
	}
	p.why, p.said = "", false
}

// unreached notes why a server cannot be reached. The log is told once, and then once a minute while it is tried.
func (m *members) unreached(id quorum.ServerID, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, now := m.peer(id), time.Now()
	if p.up {
		p.up, p.since = false, now
	}
	p.said = false
	p.why = dialFailure(err)
	if p.logged.IsZero() || now.Sub(p.logged) >= complainEvery {
		p.logged = now
		m.log.Warn().Int64("peer", int64(id)).Str("reason", p.why).Dur("missing_ms", now.Sub(p.since)).Msg("server cannot be reached")
	}
}

// down notes the end of the last connection to a server that is in no configuration, or of which unreached has told.
func (m *members) down(id quorum.ServerID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.peer(id); p.up {
		p.up, p.since, p.said, p.why = false, time.Now(), false, "the connection ended"
	}
}

// heard notes what a server says that it is.
func (m *members) heard(id quorum.ServerID, n *election.Notification) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, now := m.peer(id), time.Now()
	if n.Role == consensus.Looking {
		if !p.looks(now) {
			p.began = now
		}
		p.latest = now
	}
	p.role, p.said, p.empty = n.Role, true, n.Role == consensus.Looking && n.Vote.Zxid == emptyZxid
}

// looks tells whether a server looks for a leader: it has said so, and does not say when it has found one. Who goes on looking says so again before
// it has looked for twice the time.
func (p *peerView) looks(now time.Time) bool {
	return p.said && p.role == consensus.Looking && now.Sub(p.latest) < p.latest.Sub(p.began)+lookingAgain
}

// links are the members with which this server keeps an election connection: all, but that observers have none with each other.
func (m *members) links() (list []admin.Peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.config.Load()
	for _, s := range c.Servers {
		if s.ID != m.self && (!s.Observer || c.IsVoter(m.self)) {
			list = append(list, admin.Peer{ID: int64(s.ID), Up: m.peer(s.ID).up})
		}
	}
	return list
}

// dialFailure is an error of dialling in few words.
func dialFailure(err error) string {
	var (
		name *net.DNSError
		op   *net.OpError
	)
	at := ""
	if errors.As(err, &op) && op.Addr != nil {
		at = op.Addr.String() + ": "
	}
	timeout := interface{ Timeout() bool }(nil)
	switch {
	case errors.As(err, &name):
		return name.Name + ": the name does not resolve"
	case errors.Is(err, syscall.ECONNREFUSED):
		return at + "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return at + "no route"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return at + "timeout"
	default:
		return strings.ReplaceAll(err.Error(), "\n", "; ")
	}
}

// observe follows the replica's notes. It is called by the owner.
func (m *members) observe(n replica.Note) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	switch n.Kind {
	case replica.LeaderElected:
		m.found, m.leader = now, n.Server
		if n.Role != consensus.Observing { // ZooKeeper compatibility: observers take no part
			m.metrics.elections.Observe(now.Sub(m.since))
		}
	case replica.RoleTaken:
		m.metrics.unavailable.Observe(now.Sub(m.since))
		switch {
		case n.Role == consensus.Leading:
			m.metrics.leaderless.Observe(now.Sub(m.since))
		case n.Role == consensus.Following && !m.found.IsZero():
			m.metrics.followerSync.Observe(now.Sub(m.found))
		case n.Role == consensus.Observing && !m.found.IsZero():
			m.metrics.observerSync.Observe(now.Sub(m.found))
		}
		m.taken, m.since, m.found, m.told, m.empty = &n, now, time.Time{}, time.Time{}, false
	case replica.RoleLost:
		m.metrics.looking.Inc()
		if m.taken != nil {
			m.since = now
		}
		m.taken, m.found, m.lost = nil, time.Time{}, n.Text
	}
}

// leading is since when this server leads; false if it does not.
func (m *members) leading() (since time.Time, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.since, m.taken != nil && m.taken.Role == consensus.Leading
}

// watch has the log say, once a minute, why this server has no role yet.
func (m *members) watch(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			m.complain()
		}
	}
}

func (m *members) complain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.taken != nil || now.Sub(m.since) < lookingAfter || now.Sub(m.told) < complainEvery {
		return
	}
	m.told = now
	m.log.Warn().Str("reason", m.refusal()).Msg("not serving")
}

// refusal says why this server has no role: who is missing, and since when. The caller holds the lock.
func (m *members) refusal() string {
	c, now := m.config.Load(), time.Now()
	looking := now.Sub(m.since).Round(time.Second)
	voters := c.Voters()
	heard := func(id quorum.ServerID) bool {
		p := m.peers[id]
		return id == m.self || p != nil && p.up
	}
	var missing, empty []string
	n := 0
	for _, id := range voters {
		if heard(id) {
			n++
			if id == m.self && m.empty || id != m.self && m.peers[id].said && m.peers[id].empty {
				empty = append(empty, fmt.Sprint(id))
			}
			continue
		}
		missing = append(missing, m.absence(c, id, now))
	}
	text := fmt.Sprintf("no quorum: looking for a leader for %v, %d of %d voters reached", looking, n, len(voters))
	switch {
	case !m.found.IsZero() && m.leader == m.self:
		text = fmt.Sprintf("elected %v ago and not yet joined by a quorum, %d of %d voters reached", now.Sub(m.found).Round(time.Second), n, len(voters))
	case !m.found.IsZero():
		text = fmt.Sprintf("joining server %d, which leads, for %v", m.leader, now.Sub(m.found).Round(time.Second))
	case c.Met(heard):
		text = fmt.Sprintf("electing a leader for %v, %d of %d voters reached", looking, n, len(voters))
	}
	if len(empty) > 0 {
		text += "; without a vote until they have a leader's data, since their databases are empty (see db.autocreate): servers " + strings.Join(empty, ", ")
	}
	if len(missing) > 0 {
		text += "; missing: " + strings.Join(missing, ", ")
	}
	if m.lost != "" {
		text += "; the last role ended: " + m.lost
	}
	return text
}

// absence tells of a voter that is not reached.
func (m *members) absence(c *quorum.Config, id quorum.ServerID, now time.Time) string {
	where := ""
	if s, ok := c.Server(id); ok && len(s.Addresses) > 0 {
		where = " at " + s.Addresses[0].Election().String()
	}
	p := m.peer(id)
	return fmt.Sprintf("server %d%s (%s, for %v)", id, where, strings.TrimPrefix(p.why, strings.TrimPrefix(where, " at ")+": "), now.Sub(p.since).Round(time.Second))
}
