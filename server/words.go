package server

import (
	"net"
	"path/filepath"
	"time"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/server/admin"
	"paddock/server/config"
	"paddock/server/driver"
	"paddock/server/grpcapi"
	"paddock/server/juteapi"
	"paddock/server/replica"
	"paddock/server/watch"
)

// ZooKeeperVersion is the release that Paddock answers as: clients and tools look at its numbers to know what they may
// ask for.
const ZooKeeperVersion = "3.8.0"

// liveWords are the words of the server once it is live, else nil.
func (s *server) liveWords() *admin.Words {
	if l := s.live.Load(); l != nil {
		return s.words(l, nil)
	}
	return nil
}

// words are those of one client port, or of all together if it is nil: as in ZooKeeper cons, stat and crst are about the
// connections of the port that they are asked on.
func (s *server) words(l *live, port *juteapi.Server) *admin.Words {
	return admin.New(admin.Options{
		Source: words{s, l, port}, Enabled: s.cfg.Client.FourLetterWords, AllEnabled: s.cfg.Client.AllFourLetterWords,
		Version: admin.Version{ZooKeeper: ZooKeeperVersion, Revision: "paddock-" + s.opt.Version, Built: s.opt.Built},
		Metrics: s.metrics.registry,
	})
}

// words implements admin.Source.
type words struct {
	*server
	l    *live
	port *juteapi.Server // nil for all
}

// State implements admin.Source.
func (w words) State() admin.State {
	switch grpcapi.State(w.state.Load()) {
	case grpcapi.StateServing:
		return admin.StateServing
	case grpcapi.StateReadOnly:
		return admin.StateReadOnly
	case grpcapi.StateRefusing:
		if n := w.role.Load(); n != nil && w.apart(n.Role) {
			return admin.StateApart
		}
	}
	return admin.StateNotServing
}

// Server implements admin.Source.
func (w words) Server() (admin.Server, bool) {
	conns, total := w.l.clients()
	out := admin.Server{
		Mode: modeWords[w.mode()], Connections: int64(len(conns)), Outstanding: outstanding(conns), Received: total.Received, Sent: total.Sent,
		MinLatencyMS: total.MinMS, MaxLatencyMS: total.MaxMS, MeanLatencyMS: total.AvgMS(),
		Uptime: time.Since(w.began), AuthFailed: w.metrics.authFail.Value(),
		Refused: w.metrics.refused.list(time.Time{}), Handshakes: w.handshakes(), LastReplyBytes: -1, MinReplyBytes: -1, MaxReplyBytes: -1,
	}
	if total.MaxReplyBytes > 0 {
		out.LastReplyBytes, out.MinReplyBytes, out.MaxReplyBytes = total.LastReplyBytes, total.MinReplyBytes, total.MaxReplyBytes
	}
	w.metrics.transferred(total)
	if w.State() == admin.StateReadOnly {
		out.Mode = "read-only"
	}
	ok := w.l.inspect(func(r *replica.Replica, _ *driver.Stats) {
		t := r.Tree()
		out.Zxid, out.Ephemerals, out.DataBytes = t.Zxid(), int64(t.EphemeralCount()), t.ApproximateDataSize()
		out.Znodes = int64(t.Znodes()) + 1 // ZooKeeper counts the root twice
		out.DropProbability = r.DropProbability()
		out.Watches, out.Sessions, out.LocalSessions = watchCount(r), int64(r.Sessions()), int64(r.LocalCount())
		w.addMember(&out, r)
	})
	return out, ok
}

// handshakes are those of TLS that are under way.
func (s *server) handshakes() int64 {
	if s.tls == nil {
		return 0
	}
	return s.tls.Pending()
}

// addMember tells what only members of an ensemble have to tell.
func (w words) addMember(out *admin.Server, r *replica.Replica) {
	w.metrics.catchUp(r.Counts(), w.l.peers != nil)
	if w.l.peers == nil {
		return
	}
	core := r.Consensus()
	out.Member = &admin.Member{
		PeerState: peerWords[core.Role()] + " - " + core.Stage().String(), Voters: int64(len(core.Ensemble().Voters())),
		MasterID: int64(core.Master()), IsObserver: core.Role() == consensus.Observing,
	}
	if core.Role() == consensus.Following && w.l.peers.masters {
		out.Member.IsMaster = true
		for _, x := range core.Learners() {
			if x.Synced {
				out.Member.SyncedObservers++
			}
			out.Member.Observers = w.addObserver(out.Member.Observers, x)
		}
	}
	out.Member.ElectionListening, out.Member.Peers = w.l.peers.transport.ElectionListening(), w.l.peers.members.links()
	since, ok := w.l.peers.members.leading()
	if !ok || core.Role() != consensus.Leading {
		return
	}
	sizes := r.Proposals()
	l := &admin.Leading{
		PendingSyncs: int64(core.PendingSyncs()), Uptime: time.Since(since),
		LastProposalBytes: sizes.Last, MinProposalBytes: sizes.Min, MaxProposalBytes: sizes.Max,
	}
	for _, x := range core.Learners() {
		l.Learners = append(l.Learners, int64(x.Server))
		if x.Observer {
			l.Observers = w.addObserver(l.Observers, x)
		}
		switch {
		case !x.Synced:
		case x.Observer:
			l.SyncedObservers++
		case core.Ensemble().IsVoter(x.Server):
			l.SyncedFollowers++
		default:
			l.SyncedOthers++
		}
	}
	out.Leading = l
}

// addObserver appends what there is to tell of an observer, if it is still connected.
func (w words) addObserver(list []admin.Observer, x consensus.Learner) []admin.Observer {
	f, ok := w.l.peers.transport.Figures(x.Link)
	if !ok {
		return list
	}
	return append(list, admin.Observer{
		Addr: f.Addr, ID: int64(x.Server), EstablishedMS: f.Opened.UnixMilli(), Queued: f.Waiting, QueuedBytes: f.WaitingBytes,
		Received: f.Received, Sent: f.Sent, Requests: f.Requests, LastZxid: x.Acked,
	})
}

// peerWords are ZooKeeper's words for what a member does.
var peerWords = map[consensus.Role]string{
	consensus.Looking: "looking", consensus.Leading: "leading", consensus.Following: "following", consensus.Observing: "observing",
}

// mode is what the server is.
func (s *server) mode() grpcapi.Mode {
	n := s.role.Load()
	switch {
	case n == nil && s.cfg.Distributed():
		return 0
	case n == nil:
		return grpcapi.ModeStandalone
	default:
		return modes[n.Role]
	}
}

var modes = map[consensus.Role]grpcapi.Mode{
	consensus.Leading: grpcapi.ModeLeader, consensus.Following: grpcapi.ModeFollower, consensus.Observing: grpcapi.ModeObserver,
}

// modeWords are ZooKeeper's words for modes.
var modeWords = map[grpcapi.Mode]string{
	grpcapi.ModeStandalone: "standalone", grpcapi.ModeLeader: "leader", grpcapi.ModeFollower: "follower", grpcapi.ModeObserver: "observer",
}

// watchCount is the number of watches of all kinds.
func watchCount(r *replica.Replica) int64 {
	return int64(r.Watches().Counts(watch.Data).Watches + r.Watches().Counts(watch.Child).Watches)
}

// Connections implements admin.Source.
func (w words) Connections() []admin.Connection {
	conns, _ := w.l.clients()
	if w.port != nil {
		conns = w.port.Connections()
	}
	list := make([]admin.Connection, len(conns))
	for i := range conns {
		list[i] = connection(&conns[i])
	}
	return list
}

func connection(c *juteapi.ConnStats) admin.Connection {
	return admin.Connection{
		Addr: c.Addr, Session: c.Session, Secure: c.Secure, Received: c.Received, Sent: c.Sent, Outstanding: c.Outstanding, Unsent: c.Unsent,
		TimeoutMS: c.TimeoutMS, EstablishedMS: c.EstablishedMS, LastOp: c.LastOp, LastCxid: c.LastCxid, LastZxid: c.LastZxid,
		LastReplyMS: c.LastResponseMS, LastLatencyMS: c.LastMS, MinLatencyMS: c.MinMS, MeanLatencyMS: int64(c.AvgMS()),
		MaxLatencyMS: c.MaxMS, IdleUntil: time.UnixMilli(c.IdleUntilMS),
	}
}

// Sessions implements admin.Source.
func (w words) Sessions() (out admin.Sessions, ok bool) {
	ok = w.l.inspect(func(r *replica.Replica, _ *driver.Stats) {
		if out.Learner = w.l.peers != nil && r.Consensus().Role() != consensus.Leading; out.Learner {
			for _, s := range r.Tree().Sessions() {
				out.Known = append(out.Known, admin.Session{ID: s.ID, TimeoutMS: s.TimeoutMS})
			}
		}
		for _, b := range r.Expiries() {
			out.Buckets = append(out.Buckets, admin.Bucket{Expires: w.l.driver.Wall(b.ExpiresAtMS), Sessions: b.Sessions})
		}
		for _, e := range r.Tree().EphemeralsBySession() {
			out.Ephemerals = append(out.Ephemerals, admin.Ephemerals{Session: e.ID, Paths: e.Paths})
		}
	})
	return out, ok
}

// WatchCounts implements admin.Source.
func (w words) WatchCounts() (out admin.WatchCounts, ok bool) {
	ok = w.l.inspect(func(r *replica.Replica, _ *driver.Stats) {
		c := r.Watches().Counts(watch.Data)
		out = admin.WatchCounts{Connections: c.Connections, Paths: c.Paths, Watches: c.Watches}
	})
	return out, ok
}

// Watches implements admin.Source.
func (w words) Watches() (list []admin.PathWatches, ok bool) {
	ok = w.l.inspect(func(r *replica.Replica, _ *driver.Stats) {
		for _, p := range r.Watches().ByPath(watch.Data) {
			out := admin.PathWatches{Path: p.Path}
			for _, c := range p.Clients {
				out.Sessions = append(out.Sessions, r.SessionOf(c))
			}
			list = append(list, out)
		}
	})
	return list, ok
}

// Conf implements admin.Source.
func (w words) Conf() (admin.Conf, bool) {
	c := w.cfg
	out := admin.Conf{
		ClientPort: c.Client.Port, SecureClientPort: -1, DataDir: w.l.dir.SnapshotPath(), DataLogDir: w.l.dir.LogPath(),
		TickMS: c.TickTime.Milliseconds(), MaxClientCnxns: c.Client.MaxPerAddress, MinSessionMS: c.MinSessionTimeout.Milliseconds(),
		MaxSessionMS: c.MaxSessionTimeout.Milliseconds(), ListenBacklog: c.Client.ListenBacklog, ServerID: serverID(c),
	}
	if c.Client.Secure.Port != 0 {
		out.SecureClientPort = c.Client.Secure.Port
	}
	if w.l.client != nil {
		out.MaxClientCnxns = w.l.client.MaxClientCnxns()
		out.ClientPort = portOf(w.l.client)
	}
	if w.l.secure != nil {
		out.SecureClientPort = portOf(w.l.secure)
	}
	if w.l.peers != nil {
		out.Member = w.memberConf()
	}
	u, err := w.l.dir.Usage()
	if err != nil {
		w.log.Warn().Err(err).Msg("cannot measure the data directory")
		return out, false
	}
	out.DataDirBytes, out.DataLogBytes = u.SnapshotBytes, u.LogBytes
	if filepath.Clean(out.DataDir) == filepath.Clean(out.DataLogDir) {
		out.DataDirBytes += u.LogBytes
		out.DataLogBytes = out.DataDirBytes
	}
	return out, true
}

// portOf is where clients are served: a reconfiguration may have moved the port.
func portOf(s *juteapi.Server) int {
	a, _ := s.Addr().(*net.TCPAddr)
	if a == nil {
		return 0
	}
	return a.Port
}

// memberConf is what a member of an ensemble runs with.
func (w words) memberConf() *admin.MemberConf {
	m, c := &w.cfg.Members, w.l.peers.members.config.Load()
	out := &admin.MemberConf{InitLimit: m.InitLimit, SyncLimit: m.SyncLimit, Observer: m.Observer, Membership: c.String()}
	if me, ok := c.Server(quorum.ServerID(w.cfg.ServerID)); ok {
		out.ElectionPort, out.QuorumPort, out.Observer = me.Addresses[0].ElectionPort, me.Addresses[0].QuorumPort, me.Observer
	}
	return out
}

// serverID is 0 for a server that was given none.
func serverID(c *config.Config) int64 {
	if !c.HasServerID {
		return 0
	}
	return c.ServerID
}

// TreeDigests implements admin.Source.
func (w words) TreeDigests() (list []admin.TreeDigest, ok bool) {
	ok = w.l.inspect(func(r *replica.Replica, _ *driver.Stats) {
		for _, d := range r.Tree().DigestLog() {
			list = append(list, admin.TreeDigest{Zxid: d.Zxid, Digest: d.Digest})
		}
	})
	return list, ok
}

// ResetConnections implements admin.Source.
func (w words) ResetConnections() {
	for _, p := range w.l.ports() {
		if w.port == nil || w.port == p {
			p.ResetConnections()
		}
	}
}

// ResetObservers implements admin.Source.
func (w words) ResetObservers() {
	if w.l.peers != nil {
		w.l.peers.transport.ResetFigures()
	}
}

// ResetServer implements admin.Source.
func (w words) ResetServer() {
	for _, p := range w.l.ports() {
		p.ResetStats()
	}
	w.l.inspect(func(r *replica.Replica, ds *driver.Stats) {
		ds.Reset()
		r.ResetProposals()
		w.metrics.catchUp(r.Counts(), w.l.peers != nil)
	})
}
