package sim

import (
	"maps"
	"slices"
	"strings"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/datadir"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

// planted is what the mistakes planted in a process remember.
type planted struct {
	held  []func() // what is told later
	nowMS int64    // the latest that its clock ever said
	atMS  int64    // and what it was then
}

// has tells whether a mistake is planted in this run.
func (e *ensemble) has(x Exhibit) bool { return e.opt.Plant == x }

// exhibitFS makes the mistakes that concern files.
type exhibitFS struct{ vfs.FS }

// SyncDir implements vfs.FS.
func (exhibitFS) SyncDir(string) error { return nil }

func (m *member) plantFS(f vfs.FS) vfs.FS {
	if m.e.has(exhibitDirectoryNotSynced) {
		return exhibitFS{f}
	}
	return f
}

// plantInside has the replica or consensus make their mistakes.
func (m *member) plantInside(cfg *replica.Config) {
	for _, l := range labels {
		if l.inside != "" && m.e.has(l.exhibit) && !plantInside(cfg, l.inside) {
			m.e.fail("no server can make this mistake: %s", l.inside)
		}
	}
}

// recover is what a server finds on its disk when it starts.
func (m *member) recover(dir *datadir.Dir) (*datadir.Recovered, error) {
	opts := datadir.RecoverOptions{RecentMax: m.e.plan.recentTxns, Member: true}
	if !m.e.has(exhibitSuffixKept) || m.boots == 1 {
		return dir.Recover(opts)
	}
	opts.Member = false
	rec, err := dir.Recover(opts)
	if err != nil {
		return nil, err
	}
	if rec.Epochs.Accepted, _, err = dir.AcceptedEpoch(); err != nil {
		return nil, err
	}
	rec.Epochs.Current, _, err = dir.CurrentEpoch()
	return rec, err
}

// plantEvent changes an event on its way to the replica.
func (p *process) plantEvent(ev *replica.Event) {
	switch {
	case p.e.has(exhibitSessionsByWallClock):
		ev.NowMS = max(p.plant.nowMS, p.wallMS()-wallStart+1<<32)
		p.plant.nowMS = ev.NowMS
	case p.e.has(exhibitLearnerClockFast):
		p.plantClock(ev)
	case p.e.has(exhibitAnotherSession) && ev.Kind == replica.Connect && ev.Connect.Session != 0:
		connect := *ev.Connect
		connect.Session = 0
		ev.Connect = &connect
	case p.e.has(exhibitReadOnlyForAll) && ev.Kind == replica.Connect:
		connect := *ev.Connect
		connect.ReadOnly = true
		ev.Connect = &connect
	case p.e.has(exhibitTouchesLost) && ev.Kind == replica.Consensus && ev.Core.Message != nil && ev.Core.Message.Touched != nil:
		core, m := *ev.Core, *ev.Core.Message
		m.Touched = []consensus.Touch{}
		core.Message = &m
		ev.Core = &core
	}
}

// plantClock has time go by faster for a server that does not lead.
func (p *process) plantClock(ev *replica.Event) {
	if p.plant.nowMS == 0 {
		p.plant.nowMS, p.plant.atMS = ev.NowMS, ev.NowMS
	}
	gone := ev.NowMS - p.plant.atMS
	if p.plant.atMS = ev.NowMS; !p.leading {
		gone *= 3
	}
	p.plant.nowMS += gone
	ev.NowMS = p.plant.nowMS
}

// plantConfig changes what a server is told of its ensemble and of its sessions.
func (m *member) plantConfig(cfg *replica.Config) {
	m.plantInside(cfg)
	switch {
	case m.e.has(exhibitNeverUpgrades):
		cfg.UpgradeSessions = false
	case m.e.has(exhibitCountsHeads):
		heads, err := quorum.ParseConfig(configText(m.e.plan.members))
		if err != nil {
			m.e.fail("configuration: %w", err)
			return
		}
		cfg.Core.Ensemble = heads
	}
}

// plantPayload changes a record on its way to the log.
func (p *process) plantPayload(payload []byte) []byte {
	if !p.e.has(exhibitCloseNotLogged) || p.leading {
		return payload
	}
	var rec txn.Record
	if err := rec.Decode(payload); err != nil || rec.Header.Type != zk.OpCloseSession {
		return payload
	}
	rec.Header.Type, rec.HasDigest = zk.OpError, false
	rec.Txn = txn.Txn{Type: zk.OpError, Err: zk.OK}
	return rec.Append(nil)
}

// plantAction changes what a server sends; nil if nothing is left of it.
func (p *process) plantAction(a *consensus.Action) *consensus.Action {
	end := p.ends[a.Link]
	if a.Kind != consensus.Send || end == nil {
		return a
	}
	switch a.Message.Kind {
	case consensus.MsgNewLeader:
		end.announced = true
	case consensus.MsgRequest:
		if p.e.has(exhibitUpgradeLost) && a.Message.Request.Op == zk.OpCreateSession {
			return nil
		}
	case consensus.MsgProposal, consensus.MsgCommit:
		if p.e.has(exhibitHoleInDiff) && !end.announced && a.Message.Zxid%5 == 0 {
			return nil
		}
	}
	return a
}

// plantQueue changes the order of what is on its way.
func (a *linkEnd) plantQueue() {
	q := a.queue
	n := len(q)
	if n < 2 || q[n-1].m == nil || q[n-2].m == nil {
		return
	}
	isProposal := func(k packet) bool { return k.m != nil && k.m.Kind == consensus.MsgProposal }
	switch e := a.p.e; {
	case e.has(exhibitProposalsSwapped) && isProposal(q[n-1]) && isProposal(q[n-2]) && e.chance(10):
		q[n-1], q[n-2] = q[n-2], q[n-1]
	case e.has(exhibitNewLeaderFirst) && q[n-1].m.Kind == consensus.MsgNewLeader:
		if i := slices.IndexFunc(q, func(k packet) bool { return isProposal(k) || k.isLog }); i >= 0 {
			k := q[n-1]
			copy(q[i+1:], q[i:n-1])
			q[i] = k
		}
	}
}

// plantSync makes the log durable, or not.
func (p *process) plantSync() error {
	if p.e.has(exhibitNoFsync) {
		return nil
	}
	return p.log.Sync()
}

// plantTruncate truncates what is on disk and, with reload, loads it anew.
func (p *process) plantTruncate(z zk.Zxid, reload bool) (*datadir.Recovered, error) {
	if !p.e.has(exhibitTruncateKeepsSnapshots) {
		return p.dir.TruncateAndRecover(z, datadir.RecoverOptions{RecentMax: -1, NoTree: !reload || p.e.has(exhibitTruncateKeepsTree)})
	}
	if err := wal.TruncateAfter(p.disk, p.dir.LogPath(), z); err != nil {
		return nil, err
	}
	return p.dir.Recover(datadir.RecoverOptions{RecentMax: -1, Member: true})
}

// plantInstall makes a leader's snapshot the state on disk.
func (p *process) plantInstall(v *tree.View) (err error) {
	if !p.e.has(exhibitSnapshotNotStored) {
		_, err = p.dir.Install(background, v, snapshot.WriteOptions{})
	}
	return err
}

// plantAgain sends a request to the server a second time.
func (p *process) plantAgain(a *attach, req *zk.Request) {
	if p.e.has(exhibitRequestTwice) && p.conns[a.id] != nil && p.e.chance(20) {
		p.step(replica.Event{Kind: replica.Request, Client: a.id, Request: req})
	}
}

// plantReply tells whether a reply is given now.
func (p *process) plantReply(id request.ClientID, r *zk.Reply) bool {
	if a := p.conns[id]; a != nil && a.readOnly {
		return p.plantReadOnly(id, r)
	}
	if !p.e.has(exhibitRepliesSwapped) || len(p.plant.held) > 0 {
		return true
	}
	late := *r
	p.plant.held = append(p.plant.held, func() { p.reply(id, &late) })
	return false
}

// plantReadOnly changes what a server without a quorum answers.
func (p *process) plantReadOnly(id request.ClientID, r *zk.Reply) bool {
	wrong := zk.Reply{Xid: r.Xid, Op: r.Op, Zxid: r.Zxid}
	switch {
	case p.e.has(exhibitReadOnlyWrites) && r.Err == zk.NotReadOnly:
	case p.e.has(exhibitReadOnlyNotLoaded) && r.Op == zk.OpGetData:
		wrong.Err = zk.NoNode
	default:
		return true
	}
	p.reply(id, &wrong)
	return false
}

// plantClose tells whether a connection is closed.
func (p *process) plantClose(why request.CloseReason) bool {
	return !p.e.has(exhibitReadOnlyKeepsClients) || !p.readOnly || why != request.CloseNotServing
}

// plantTold tells whether an event is told now.
func (p *process) plantTold(id request.ClientID, ev *zk.Event) bool {
	switch {
	case p.e.has(exhibitEventOfTheWatchedPath):
		if w := p.watches.conns[id]; w != nil && !w.data[ev.Path] && !w.persistent[ev.Path] {
			for _, path := range slices.Sorted(maps.Keys(w.recursive)) {
				if strings.HasPrefix(ev.Path, strings.TrimSuffix(path, "/")+"/") {
					ev.Path = path
					break
				}
			}
		}
	case p.e.has(exhibitEventLost):
		return !p.e.chance(10)
	case p.e.has(exhibitEventAfterReply):
		late := *ev
		p.plant.held = append(p.plant.held, func() { p.tell(id, &late) })
		return false
	}
	return true
}

// releaseHeld tells what has been held back by a mistake.
func (p *process) releaseHeld() {
	held := p.plant.held
	p.plant.held = nil
	for _, f := range held {
		f()
	}
}
