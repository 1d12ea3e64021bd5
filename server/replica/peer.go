package replica

import (
	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/queue"
	"paddock/internal/zk"
	"paddock/server/prep"
	"paddock/server/request"
	"paddock/server/session"
	"paddock/storage/tree"
)

// consensus passes on what only consensus is told, with the tree that came along.
func (r *Replica) consensus(ev *Event, eff Effects) {
	core := *ev.Core
	core.NowMS = r.nowMS
	switch core.Kind {
	case consensus.Truncated:
		if ev.Tree != nil {
			r.replaceTree(ev.Tree)
		}
	case consensus.Untruncated:
		r.forgetLogged(0)
		r.replaceTree(ev.Tree)
	case consensus.Installed:
		r.tree.Release(ev.View)
	}
	if r.arrived = ev.Tree; core.Kind == consensus.Received && ev.Tree != nil {
		if ref, ok := ev.Tree.Find(zk.ConfigPath); ok {
			m := *core.Message
			m.Config = string(ev.Tree.Data(ref))
			core.Message = &m
		}
	}
	r.core.Step(core, &r.actions)
	r.act(eff)
	r.arrived = nil
	r.resume(eff)
}

// do carries out one action of consensus.
func (r *Replica) do(a *consensus.Action, eff Effects) {
	switch a.Kind {
	case consensus.SendSnap:
		eff.SendSnap(a.Link, r.tree.Freeze())
	case consensus.Truncate:
		reload := r.tree.Zxid() > a.Zxid
		r.forgetLogged(a.Zxid)
		eff.Truncate(a.Zxid, reload)
	case consensus.Install:
		r.forgetLogged(0)
		r.replaceTree(r.arrived)
		r.fuzzy = never
		eff.Install(r.tree.Freeze())
	case consensus.Deliver:
		r.deliver(a, eff)
	case consensus.Left:
		r.forgetHeld(a.Link)
	case consensus.Confirmed:
		r.confirmed = max(r.confirmed, a.Token)
		r.release(0, eff)
	case consensus.Lead:
		r.lead(a, eff)
	case consensus.Follow, consensus.Observe:
		r.follow(a, eff)
	case consensus.Configured:
		r.showConfig()
		eff.Peer(a)
	case consensus.Lose:
		r.lose(a.Reason, eff)
	default:
		eff.Peer(a)
	}
}

// replaceTree goes on with another tree. Nobody is served meanwhile, so nobody can notice.
func (r *Replica) replaceTree(t *tree.Tree) {
	r.tree = t
	r.showConfig()
	r.prep = prep.New(r.cfg.Prep, r.cfg.Auth, t)
	r.logged = max(r.logged, t.Zxid())
}

// showConfig writes the ensemble's configuration into the tree, where clients read it, unless a txn has done so. Watches of
// the znode have been told by that txn; without one nobody is served who could have any.
//
// A newer one there is of a txn that may not be decided yet, when nobody is served. It stays: whoever starts with this history, or
// with a snapshot of it, must know that both configurations count.
func (r *Replica) showConfig() {
	if r.cfg.Core == nil {
		return
	}
	c := r.core.Ensemble()
	ref, ok := r.tree.Find(zk.ConfigPath)
	if ok && r.tree.Stored(ref).Mzxid == c.Version && sameConfig(r.tree.Data(ref), c) || r.cfg.Core.Reconfig && ProposedConfig(r.tree, c) != nil {
		return
	}
	r.tree.SetConfig(c.String(), c.Version, r.wallMS)
}

// sameConfig tells whether a text, whoever wrote it, is of the configuration c.
func sameConfig(text []byte, c *quorum.Config) bool {
	other, err := quorum.ParseConfig(string(text))
	return err == nil && other.Version == c.Version && other.SameMembers(c)
}

// forgetLogged forgets what is logged, not applied, and newer than z.
func (r *Replica) forgetLogged(z zk.Zxid) {
	var keep queue.Queue[inflight]
	for ; r.flying.Len() > 0; r.flying.Pop() {
		if f := r.flying.Front(); f.rec.Header.Zxid <= z {
			keep.Push(*f)
		}
	}
	r.flying, r.logged = keep, z
}

// lead begins to serve as the leader: sessions are this server's to expire from now on, and none has been heard of yet.
//
// ZooKeeper compatibility: the tree is at the beginning of the epoch, which no txn has.
func (r *Replica) lead(a *consensus.Action, eff Effects) {
	r.serving, r.leading = true, true
	if r.cfg.Core != nil {
		start := zk.Zxid(a.Epoch << 32)
		r.tree.SetZxid(max(r.tree.Zxid(), start))
		r.logged = max(r.logged, start)
	}
	r.fuzzy = min(r.fuzzy, r.logged)
	r.showConfig()
	r.ResetProposals()
	r.prep = prep.New(r.cfg.Prep, r.cfg.Auth, r.tree)
	r.sessions = session.New(r.cfg.TickMS)
	r.openSessions()
	r.keepLocals()
	r.doomed = doomed{checkedMS: r.nowMS}
	eff.Note(Note{Kind: RoleTaken, Role: r.core.Role(), Zxid: zk.Zxid(a.Epoch << 32), Server: r.cfg.ServerID})
	r.closeOrphans(eff)
}

// follow begins to serve as a learner.
func (r *Replica) follow(a *consensus.Action, eff Effects) {
	r.serving, r.leading = true, false
	if r.fuzzy == never {
		r.fuzzy = r.logged // whatever the snapshot may have of later txns was proposed before it was complete
	}
	r.showConfig()
	r.learner = learner{touched: map[zk.SessionID]int32{}, asking: map[zk.SessionID]request.ClientID{}, through: map[zk.SessionID]consensus.LinkID{}}
	r.learner.relayed = r.core.Master() != a.Server
	if r.learner.relayed && r.cfg.bug != bugLocalsOutliveRelay && r.cfg.bug != bugLocalsComeToMaster {
		r.eachLocal(r.forgetLocal)
	}
	r.keepLocals()
	r.sessions = session.New(r.cfg.TickMS)
	eff.Note(Note{Kind: RoleTaken, Role: r.core.Role(), Zxid: zk.Zxid(a.Epoch << 32), Server: a.Server})
}

// lose stops serving. The clients find another server, or this one when it serves again.
func (r *Replica) lose(reason string, eff Effects) {
	r.serving, r.role = false, consensus.Looking
	r.lookingMS = r.nowMS
	r.closeAll(request.CloseNotServing, eff)
	if r.learner.relayed && r.cfg.bug != bugLocalsOutliveRelay {
		r.eachLocal(r.forgetLocal)
	}
	r.waiting, r.held = queue.Queue[wait]{}, queue.Queue[held]{}
	r.learner = learner{}
	eff.Note(Note{Kind: RoleLost, Text: reason})
}

// leads tells whether this server judges writes and watches over sessions: from Lead until Lose. What consensus commits
// while it gives the role up is still a leader's commit.
func (r *Replica) leads() bool { return r.serving && r.leading }
