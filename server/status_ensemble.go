package server

import (
	"strconv"
	"time"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/server/driver"
	"paddock/server/grpcapi"
	"paddock/server/replica"
)

// addEnsemble tells how the ensemble is, as this server sees it, and why it does not serve if it does not.
func (s *server) addEnsemble(st *grpcapi.Status, l *live) {
	if l.peers == nil {
		return
	}
	m := l.peers.members
	e := &grpcapi.Ensemble{}
	var learners []consensus.Learner
	var applied zk.Zxid
	l.inspect(func(r *replica.Replica, _ *driver.Stats) {
		c := r.Consensus()
		e.Epoch, e.Leader, e.HasLeader = c.Epoch(), int64(c.Leader()), c.Role() != consensus.Looking
		e.Stage, e.Round, e.Committed = c.Stage().String(), c.Round(), c.Committed()
		learners, applied = c.Learners(), r.Tree().Zxid()
	})
	m.fill(e, learners, applied)
	switch st.State {
	case grpcapi.StateLooking:
		st.Refusal = m.why()
	case grpcapi.StateRefusing:
		st.Refusal = "it leads, and leaderServes=no keeps clients away while it does; the others serve"
	}
	st.Ensemble = e
}

// why is refusal for callers without the lock.
func (m *members) why() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refusal()
}

// fill tells of all members: of learners what their leader knows, of others what their election connection shows.
func (m *members) fill(e *grpcapi.Ensemble, learners []consensus.Learner, applied zk.Zxid) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.config.Load()
	e.Since, e.ConfigVersion = m.since, c.Version
	reached := map[quorum.ServerID]bool{m.self: true}
	for _, s := range c.Servers {
		out := grpcapi.Member{ServerID: int64(s.ID), Voter: !s.Observer, Self: s.ID == m.self, Behind: grpcapi.BehindUnknown}
		for _, a := range s.Addresses {
			out.Addresses = append(out.Addresses, a.Quorum().String()+":"+strconv.Itoa(a.ElectionPort))
		}
		if s.Client.Port != 0 {
			out.ClientAddress = s.Client.String()
		}
		if out.Self {
			m.fillSelf(&out, e, applied)
		} else {
			m.fillPeer(&out, s.ID)
			m.fillLearner(&out, e, learners)
		}
		if !s.Observer && out.Connected {
			reached[s.ID] = true
		}
		e.Members = append(e.Members, out)
	}
	e.QuorumReached = c.Met(func(id quorum.ServerID) bool { return reached[id] })
}

// fillSelf tells of this server.
func (m *members) fillSelf(out *grpcapi.Member, e *grpcapi.Ensemble, applied zk.Zxid) {
	out.Connected, out.Since, out.Role = true, m.began, grpcapi.MemberLooking
	if m.taken == nil {
		return
	}
	out.Role, out.Synced, out.Behind = memberRoles[m.taken.Role], true, behind(e.Committed, applied)
}

// fillPeer tells what the election connection to a server shows.
func (m *members) fillPeer(out *grpcapi.Member, id quorum.ServerID) {
	p := m.peer(id)
	out.Connected, out.Since, out.Problem = p.up, p.since, p.why
	switch {
	case !p.up:
	case m.taken != nil && m.taken.Server == id:
		out.Role = grpcapi.MemberLeader // it says so once, before it is established
	case p.said && (p.role != consensus.Looking || p.looks(time.Now())):
		out.Role = memberRoles[p.role]
	}
}

// fillLearner tells what a leader knows of a server that learns from it.
func (m *members) fillLearner(out *grpcapi.Member, e *grpcapi.Ensemble, learners []consensus.Learner) {
	if m.taken == nil || m.taken.Role != consensus.Leading {
		return
	}
	if out.Connected && out.Role != grpcapi.MemberLooking {
		out.Role, out.Problem = 0, "it does not follow, though its election port is connected"
	}
	for _, l := range learners {
		if int64(l.Server) != out.ServerID {
			continue
		}
		out.Connected, out.Problem, out.Synced, out.Role = true, "", l.Synced, grpcapi.MemberFollower
		if l.Observer {
			out.Role = grpcapi.MemberObserver
		}
		out.Behind = behind(e.Committed, l.Acked)
	}
}

// behind is how many txns lie between two zxids; unknown if they are of different epochs.
func behind(to, from zk.Zxid) int64 {
	switch {
	case from >= to:
		return 0
	case from.Epoch() != to.Epoch():
		return grpcapi.BehindUnknown
	default:
		return int64(to - from)
	}
}

var memberRoles = map[consensus.Role]grpcapi.MemberRole{
	consensus.Looking: grpcapi.MemberLooking, consensus.Following: grpcapi.MemberFollower, consensus.Leading: grpcapi.MemberLeader,
	consensus.Observing: grpcapi.MemberObserver,
}
