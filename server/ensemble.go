package server

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"syscall"

	"paddock/consensus"
	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/consensus/transport"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/config"
	"paddock/server/driver"
	"paddock/server/grpcapi"
	"paddock/server/juteapi"
	"paddock/server/replica"
	"paddock/storage/datadir"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/wal"
)

// ensemble is what a member has beyond a server on its own.
type ensemble struct {
	transport *transport.Transport
	driver    *driver.Driver // set before the transport runs
	members   *members
	metrics   *serverMetrics
	masters   bool // followers serve observers
	skipped   overlooked
	twins     twins
}

// coreConfig is what consensus starts from.
func coreConfig(c *config.Config, rec *datadir.Recovered) *consensus.Config {
	var proposed *quorum.Config
	if c.Members.ReconfigEnabled {
		proposed = replica.ProposedConfig(rec.Tree, c.Members.Membership)
	}
	out := &consensus.Config{
		Ensemble: c.Members.Membership, LastSeen: proposed, Distributed: true, Reconfig: c.Members.ReconfigEnabled, ConfigIn: configIn,
		ObserverMasters: c.Members.ObserverMasterPort > 0,
		SnapSyncsMax:    c.Members.SnapSyncsMax, DiffSyncsMax: c.Members.DiffSyncsMax,
		LastZxid: rec.LastZxid(), AcceptedEpoch: rec.Epochs.Accepted, CurrentEpoch: rec.Epochs.Current,
		TickMS: c.TickTime.Milliseconds(), InitLimit: int64(c.Members.InitLimit), SyncLimit: int64(c.Members.SyncLimit),
		ElectionIntervalMinMS: c.Members.NotificationMin.Milliseconds(), ElectionIntervalMaxMS: c.Members.NotificationMax.Milliseconds(),
	}
	for _, r := range rec.Recent {
		out.Recent = append(out.Recent, consensus.Entry{Zxid: r.Zxid, Payload: r.Payload})
	}
	return out
}

// typeOffset is where a logged txn has its type: behind session, cxid, zxid and time.
const typeOffset = 8 + 4 + 8 + 8

// configIn returns the configuration that a txn sets, "" if it is no reconfiguration.
func configIn(payload []byte) string {
	if len(payload) < typeOffset+4 || zk.OpCode(int32(binary.BigEndian.Uint32(payload[typeOffset:]))) != zk.OpReconfig {
		return ""
	}
	return reconfigText(payload)
}

// newEnsemble makes the connections to the other members; they are opened by run.
func (s *server) newEnsemble(dir *datadir.Dir) (*ensemble, error) {
	c := s.cfg
	self := quorum.ServerID(c.ServerID)
	e := &ensemble{metrics: s.metrics, masters: c.Members.ObserverMasterPort > 0, members: newMembers(s.log, s.metrics, self, c.Members.Membership)}
	e.twins.log, e.twins.warned, e.twins.addr = s.log, &s.warned, e.address
	if !c.Members.ReconfigEnabled {
		e.skipped.log, e.skipped.warned, e.skipped.own = s.log, &s.warned, c.Members.Membership
	}
	var err error
	e.transport, err = transport.New(transport.Options{
		Self: self, Handler: peerEvents{e}, Unreached: e.members.unreached, Log: s.log, Committed: c.Members.Membership,
		TickTime: c.TickTime, InitLimit: c.Members.InitLimit, SyncLimit: c.Members.SyncLimit, ConnectLimit: c.Members.ConnectLimit,
		ElectionDialTimeout: c.Members.ElectionConnectTimeout, ElectionReadTimeout: c.Members.ElectionReadTimeout,
		ElectionBindRetries: c.Members.ElectionBindRetries, ListenOnAllIPs: c.Members.ListenOnAllIPs, MultiAddress: c.Members.MultiAddress,
		KeepAlive: c.Members.KeepAlive, ObserverMasterPort: c.Members.ObserverMasterPort, DialRetryDelay: c.Members.LeaderConnectDelay,
		WriteTree: snapshot.WriteStream,
		ReadTree: func(r io.Reader, z zk.Zxid) (*tree.Tree, error) {
			t, _, err := snapshot.ReadStream(r, z, snapshot.StreamOptions{})
			return t, err
		},
		ReadLog: func(ctx context.Context, after, to zk.Zxid, f func(zk.Zxid, []byte) error) error {
			return readLog(ctx, dir, after, to, f)
		},
	})
	return e, err
}

// readLog calls f for the records in (after, to].
func readLog(ctx context.Context, dir *datadir.Dir, after, to zk.Zxid, f func(zk.Zxid, []byte) error) (err error) {
	r, err := dir.OpenHistory(after, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		rec, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if err := f(rec.Zxid, rec.Payload); err != nil {
			return err
		}
	}
}

// readHistory calls f for the records in (after, to], where after need not be the zxid of a record.
func readHistory(ctx context.Context, dir *datadir.Dir, after, to zk.Zxid, f func(zk.Zxid, []byte) error) error {
	if to.Counter() == 0 { // the beginning of an epoch, which no record has
		newest, ok, err := dir.NewestBefore(to)
		if err != nil {
			return err
		}
		if ok && newest <= after {
			return nil
		}
		to = newest
	}
	span, ok, err := dir.FindHistory(after, to, 0)
	switch {
	case err != nil:
		return err
	case !ok:
		return driver.ErrHistoryGone
	}
	err = readLog(ctx, dir, span.After, to, f)
	if errors.Is(err, wal.ErrGap) {
		return driver.ErrHistoryGone // purged meanwhile
	}
	return err
}

// findInLog answers consensus.FindInLog: a stretch of the log serves if it is shorter than what a snapshot would cost.
//
// ZooKeeper compatibility: a third of the newest snapshot, snapshotSizeFactor.
func (s *server) findInLog(dir *datadir.Dir, z, until zk.Zxid) (found zk.Zxid, ok bool) {
	limit := int64(1 << 20)
	if u, err := dir.Usage(); err == nil {
		limit = max(limit, u.NewestBytes/3)
	}
	span, ok, err := dir.FindHistory(z, until, limit)
	if err != nil {
		s.log.Warn().Err(err).Stringer("zxid", z).Msg("cannot look for history in the log; a learner is sent a snapshot instead")
		return 0, false
	}
	return span.After, ok
}

// peerEvents hands to the driver what comes from other servers.
type peerEvents struct{ *ensemble }

var _ transport.Handler = peerEvents{}

// Notified implements transport.Handler.
func (e peerEvents) Notified(from quorum.ServerID, n *election.Notification) {
	e.members.heard(from, n)
	e.skipped.notified(from, n.Config)
	e.driver.Consensus(consensus.Event{Kind: consensus.Notified, Server: from, Notification: n}, nil)
}

// PeerUp implements transport.Handler.
func (e peerEvents) PeerUp(id quorum.ServerID) {
	e.members.up(id)
	e.skipped.connected(id)
	e.driver.Consensus(consensus.Event{Kind: consensus.PeerUp, Server: id}, nil)
}

// PeerDown implements transport.Handler.
func (e peerEvents) PeerDown(id quorum.ServerID) {
	e.members.down(id)
	e.driver.Consensus(consensus.Event{Kind: consensus.PeerDown, Server: id}, nil)
}

// LinkUp implements transport.Handler.
func (e peerEvents) LinkUp(link consensus.LinkID, id quorum.ServerID, dialled bool) {
	if !dialled {
		e.twins.up(link, id)
	}
	e.driver.Consensus(consensus.Event{Kind: consensus.LinkUp, Link: link, Server: id, Dialled: dialled}, nil)
}

// DialFailed implements transport.Handler.
func (e peerEvents) DialFailed(id quorum.ServerID, _ error) {
	e.driver.Consensus(consensus.Event{Kind: consensus.LinkDown, Server: id, Dialled: true}, nil)
}

// Received implements transport.Handler.
func (e peerEvents) Received(link consensus.LinkID, messages []consensus.Message, pass func()) (on bool) {
	e.skipped.received(messages)
	return e.driver.Received(link, messages, pass)
}

// ReceivedSnap implements transport.Handler.
func (e peerEvents) ReceivedSnap(link consensus.LinkID, m *consensus.Message, t *tree.Tree) {
	e.driver.Consensus(consensus.Event{Kind: consensus.Received, Link: link, Message: m}, t)
}

// LinkAlive implements transport.Handler.
func (e peerEvents) LinkAlive(link consensus.LinkID) {
	e.driver.Consensus(consensus.Event{Kind: consensus.LinkAlive, Link: link}, nil)
}

// ViewRead implements transport.Handler.
func (e peerEvents) ViewRead(_ consensus.LinkID, v *tree.View) { e.driver.SnapSent(v) }

// LinkDown implements transport.Handler.
func (e peerEvents) LinkDown(link consensus.LinkID, _ error) {
	e.twins.down(link)
	e.driver.Consensus(consensus.Event{Kind: consensus.LinkDown, Link: link}, nil)
}

// Do implements driver.Peers.
func (e *ensemble) Do(a *consensus.Action) {
	switch a.Kind {
	case consensus.Send:
		if a.Message.Kind == consensus.MsgDiff {
			e.metrics.diffs.Inc()
		}
		e.transport.Send(a.Link, a.Message)
	case consensus.SendLog:
		e.transport.SendLog(a.Link, a.Zxid, a.To)
	case consensus.Drop:
		e.transport.Drop(a.Link, a.Reason)
	case consensus.Dial:
		if a.Master {
			e.transport.DialMaster(a.Server)
		} else {
			e.transport.Dial(a.Server)
		}
	case consensus.Notify:
		e.transport.Notify(a.Server, a.Notification)
	case consensus.ConnectAll:
		e.transport.ConnectAll()
	}
}

// address is that of the other side of a link, as far as it is known.
func (e *ensemble) address(link consensus.LinkID) string {
	f, ok := e.transport.Figures(link)
	if !ok {
		return "an address that it has left"
	}
	return f.Addr
}

// Flush implements driver.Peers.
func (e *ensemble) Flush() { e.transport.Flush() }

// Done implements driver.Peers.
func (e *ensemble) Done(link consensus.LinkID, messages []consensus.Message) {
	e.transport.Done(link, messages)
}

// SendSnap implements driver.Peers.
func (e *ensemble) SendSnap(link consensus.LinkID, v *tree.View) bool {
	e.metrics.snaps.Inc()
	return e.transport.SendSnap(link, v)
}

// runTransport serves the other members until ctx ends; a listener that fails ends the server.
func (s *server) runTransport(ctx context.Context, e *ensemble) {
	if err := e.transport.Run(ctx); err != nil {
		s.fail(listenProblem(err))
	}
}

// listenProblem names the process that has a port of this member.
func listenProblem(err error) error {
	var l *transport.ListenError
	if !errors.As(err, &l) || !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	_, text, _ := net.SplitHostPort(l.Address)
	port, _ := strconv.Atoi(text)
	pid, process, _ := juteapi.PortHolder(port)
	switch l.Door {
	case transport.ElectionDoor:
		return config.ElectionPortTaken(l.Address, pid, process)
	case transport.ObserverDoor:
		return config.ObserverPortTaken(l.Address, pid, process)
	}
	return config.QuorumPortTaken(l.Address, pid, process)
}

// reconfigText is the configuration in a reconfiguration.
func reconfigText(payload []byte) string {
	var rec txn.Record
	if err := rec.Decode(payload); err != nil || rec.Txn.Path != zk.ConfigPath {
		return ""
	}
	return string(rec.Txn.Data)
}

// apart tells whether clients are kept away from this server while it has a role: leaderServes=no.
func (s *server) apart(r consensus.Role) bool {
	return r == consensus.Leading && !s.cfg.Members.LeaderServes
}

// roleChanged follows what the replica notes: whether it serves, and as what. It is called by the owner.
func (s *server) roleChanged(e *ensemble, n replica.Note) {
	switch n.Kind {
	case replica.RoleTaken:
		s.role.Store(&n)
		if s.apart(n.Role) {
			s.setState(grpcapi.StateRefusing)
		} else {
			s.setState(grpcapi.StateServing)
		}
	case replica.RoleLost, replica.ReadOnlyEnded:
		s.role.Store(nil)
		s.setState(grpcapi.StateLooking)
	case replica.ReadOnlyBegun:
		s.setState(grpcapi.StateReadOnly)
	}
	e.members.observe(n)
}
