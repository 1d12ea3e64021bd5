package replica

import (
	"math/rand/v2"

	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/request"
	"paddock/storage/tree"
)

// tick does what is due: sessions that have expired, containers and TTL znodes that have had their time.
func (r *Replica) tick(eff Effects) {
	r.sweepWatches(dropsPerTick)
	if r.cfg.Core != nil {
		r.core.Step(consensus.Event{Kind: consensus.Tick, NowMS: r.nowMS}, &r.actions)
		r.act(eff)
	}
	r.beginReadOnly(eff)
	r.resume(eff)
	if (r.serving || r.readOnly) && r.hasHeard() {
		r.expireLocals(eff)
	}
	if !r.leads() || !r.core.CanPropose() {
		return
	}
	if r.hasHeard() {
		r.expireSessions(eff)
	}
	r.doomed.sweep(r, eff)
}

// hasHeard tells whether this server has heard what clients had to say. One that stood still has not: what was said meanwhile waits in sockets, and at
// other servers for the next ping. Sessions get a tick for it to arrive, as their clients could not help it.
func (r *Replica) hasHeard() bool { return r.nowMS-r.stalledMS >= r.cfg.TickMS }

// expireSessions ends the sessions whose time is over.
func (r *Replica) expireSessions(eff Effects) {
	for _, s := range r.sessions.Expired(r.nowMS) {
		timeout, _ := r.tree.Session(s)
		eff.Note(Note{Kind: SessionExpired, Session: s, TimeoutMS: timeout})
		r.proposeClose(s, eff)
	}
}

// expire ends a session that is not being ended yet.
func (r *Replica) expire(s zk.SessionID, eff Effects) {
	if r.local.Known(s) {
		r.endLocal(s, request.CloseSessionExpired, eff)
		return
	}
	if r.leads() && r.core.CanPropose() && r.sessions.Known(s) && !r.sessions.IsClosing(s) {
		r.sessions.SetClosing(s)
		r.proposeClose(s, eff)
	}
}

// proposeClose proposes the server's own closeSession.
func (r *Replica) proposeClose(s zk.SessionID, eff Effects) {
	if !r.core.CanPropose() {
		return // the next leader will
	}
	f := r.draft(0, 0, zk.OpCloseSession, 0)
	r.prep.CloseSession(r.own(s), &f.rec)
	r.propose(f, eff)
}

// doomed are the containers and TTL znodes that the last check found, and how fast they may go.
type doomed struct {
	paths     []string
	checkedMS int64
	deletedMS int64 // up to when deletions have been granted
}

const minuteMS = 60_000

// sweep looks for candidates once per interval and deletes them no faster than allowed. The request itself looks
// again whether the znode is empty; not whether its time is over, as in ZooKeeper.
func (d *doomed) sweep(r *Replica, eff Effects) {
	if r.cfg.ContainerCheckMS > 0 && len(d.paths) == 0 && r.nowMS-d.checkedMS >= r.cfg.ContainerCheckMS {
		d.checkedMS, d.deletedMS = r.nowMS, r.nowMS-minuteMS/max(1, r.cfg.ContainerPerMinute)-1 // the first may go at once
		d.paths = r.tree.Expirable(r.wallMS, r.cfg.ContainerNeverUsedMS, doomedMax)
		if len(d.paths) > 0 {
			eff.Note(Note{Kind: ContainersExpired, Count: len(d.paths)})
		}
	}
	if len(d.paths) == 0 || r.cfg.ContainerPerMinute <= 0 {
		return
	}
	n := min(int64(len(d.paths)), (r.nowMS-d.deletedMS)*r.cfg.ContainerPerMinute/minuteMS)
	for i, path := range d.paths[:n] {
		if !r.core.CanPropose() {
			n = int64(i) // the epoch is out of zxids
			break
		}
		f := r.draft(0, 0, zk.OpDeleteContainer, 0)
		r.prep.Judge(&zk.Request{Op: zk.OpDeleteContainer, Path: path}, r.own(0), &f.rec)
		r.propose(f, eff)
	}
	d.paths, d.deletedMS = d.paths[n:], d.deletedMS+n*minuteMS/r.cfg.ContainerPerMinute
}

// doomedMax bounds how many candidates one check collects; the next check finds the rest.
const doomedMax = 100_000

// snapshots decides when the log rolls and the tree is written out.
type snapshots struct {
	txns, bytes       int64 // since a snapshot was due
	fileBytes         int64 // since the log rolled
	txnsMax, bytesMax int64 // drawn anew after every roll, so that servers do not snapshot in step
	percent           int64 // of the next snapshot's bytes that the log has to have as well, drawn in the same way
	bytesMin          int64 // and that it has to have in any case
	cfg               Config
	rand              *rand.Rand
	due, running      bool
}

func (s *snapshots) init(cfg Config) {
	s.cfg, s.rand = cfg, rand.New(rand.NewPCG(cfg.Seed, 0))
	s.draw()
}

func (s *snapshots) draw() {
	s.txns, s.bytes = 0, 0
	s.txnsMax = s.cfg.SnapshotTxns/2 + s.rand.Int64N(max(s.cfg.SnapshotTxns/2, 1))
	if s.bytesMax = 0; s.cfg.SnapshotBytes > 0 {
		s.bytesMax = s.cfg.SnapshotBytes/2 + s.rand.Int64N(max(s.cfg.SnapshotBytes/2, 1))
	}
	if s.percent = 0; s.cfg.SnapshotLogPercent > 0 {
		s.percent = s.cfg.SnapshotLogPercent/2 + s.rand.Int64N(max(s.cfg.SnapshotLogPercent/2, 1))
	}
	if s.bytesMin = 0; s.cfg.SnapshotLogBytes > 0 {
		s.bytesMin = s.cfg.SnapshotLogBytes/2 + s.rand.Int64N(max(s.cfg.SnapshotLogBytes/2, 1))
	}
}

// logged counts a txn that is about to be appended; when enough have been the log rolls and a snapshot is due.
func (s *snapshots) logged(bytes int, t *tree.Tree, eff Effects) {
	s.txns++
	s.bytes += int64(bytes)
	s.fileBytes += int64(bytes)
	switch {
	case s.txns > s.txnsMax && s.bytes > max(s.bytesMin, t.SnapshotBytes()/100*s.percent) || s.bytesMax > 0 && s.bytes > s.bytesMax:
		s.draw()
		s.due = true
	case s.cfg.LogFileBytes <= 0 || s.fileBytes <= s.cfg.LogFileBytes:
		return
	}
	eff.Roll()
	s.fileBytes = int64(bytes)
}

// take starts the snapshot that is due, unless the last one is still being written.
func (s *snapshots) take(r *Replica, eff Effects) {
	if !s.due {
		return
	}
	s.due = false
	r.snapshot(eff)
}

// Unfilled tells that this server's database is empty, or not to be trusted, until a leader has filled it. Such a server does not vote, and must not
// do so after a restart either: nothing is written that it could take for data then.
func (r *Replica) Unfilled() bool { return r.cfg.Core != nil && r.core.Proposed() == consensus.NoZxid }

// snapshot freezes the tree and has it written.
func (r *Replica) snapshot(eff Effects) {
	if r.Unfilled() {
		return
	}
	if r.snapshots.running {
		eff.Note(Note{Kind: SnapshotSkipped, Zxid: r.tree.Zxid()})
		return
	}
	r.snapshots.running = true
	eff.Snapshot(r.tree.Freeze())
}
