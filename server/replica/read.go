package replica

import (
	"slices"
	"strings"

	"paddock/consensus"
	"paddock/internal/jute"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/request"
	"paddock/server/watch"
	"paddock/storage/tree"
)

// request takes one request of a client: it is answered now, proposed, or queued behind what the client waits for.
//
// INVARIANT(session-fifo): a request is answered after every earlier request of its client.
func (r *Replica) request(c *client, req *zk.Request, at int64, eff Effects) {
	if c.state == connecting { // whatever is held comes later: it would be taken up before what came first
		c.early = append(c.early, early{req, at})
		return
	}
	if r.holds(c, req) {
		if c.state == open && r.cfg.bug != bugHeldUnheard {
			r.touch(c) // it is heard of now, whenever it is answered
		}
		r.hold(held{client: c, req: req, at: at})
		return
	}
	if c.state == fresh {
		return
	}
	switch alive, moved := r.touch(c); {
	case moved:
		r.close(c, request.CloseSessionMoved, eff)
		return
	case !alive:
		return // closing: the connection is closed when that txn is applied
	}
	ids := c.identities(req)
	switch {
	case req.Op == zk.OpAuth:
		r.authenticate(c, req, at, eff)
	case req.Op == zk.OpSASL && (req.Malformed || req.Data == nil):
		r.close(c, request.CloseMalformed, eff)
	case req.Op == zk.OpSASL:
		// ZooKeeper compatibility: without SASL configured a server answers with a null token, and clients that have a
		// JAAS section go on without it.
		r.reply = zk.Reply{Xid: req.Xid, Op: zk.OpSASL}
		eff.Reply(c.id, at, &r.reply)
	case !r.identified(ids):
		r.unidentified(c, req, at, eff)
	case r.readOnly && req.Op != zk.OpCloseSession && (req.Op == zk.OpSync || req.Op == zk.OpCheck || req.Op.ClientWrites()):
		r.answerHere(c, req, zk.NotReadOnly, at, eff)
	case c.guest && req.Op.ClientWrites():
		r.inTurn(c, req, zk.UnknownSession, at, eff)
	case req.Op.ClientWrites():
		r.write(c, req, at, eff)
	case req.Op == zk.OpSync && !r.leads():
		r.forwardSync(c, req, at, eff)
	case req.Op == zk.OpSync && (r.flying.Len() > 0 || r.cfg.Core != nil):
		r.sync(c, req, ids, at, eff)
	case c.queue.Len() > 0:
		c.queue.Push(pending{req: req, ids: ids, at: at})
	default:
		r.read(c, req, ids, at, eff)
	}
}

// sync answers a sync of a leader's own client once all that was proposed before is applied and a quorum has confirmed,
// after it came, that this server leads. A server on its own has nobody to ask.
func (r *Replica) sync(c *client, req *zk.Request, ids []zk.ID, at int64, eff Effects) {
	p := pending{req: req, ids: ids, at: at, until: r.tree.Zxid()}
	if r.flying.Len() > 0 {
		p.until = r.core.Proposed()
	}
	if r.cfg.Core != nil {
		r.token++
		p.token = r.token
	}
	c.queue.Push(p)
	r.waiting.Push(wait{p.until, p.token, c})
	if r.cfg.Core != nil {
		r.core.Step(consensus.Event{Kind: consensus.ConfirmAsked, NowMS: r.nowMS, Token: p.token}, &r.actions)
		r.act(eff)
	}
}

// touch keeps a client's session alive. It tells whether it is, and whether it is attached elsewhere by now.
func (r *Replica) touch(c *client) (alive, moved bool) {
	if c.guest {
		return true, false
	}
	if c.local {
		return r.local.Touch(c.session, c.timeout, r.nowMS) && !c.closing, false
	}
	if !r.leads() {
		if r.learner.through[c.session] != 0 {
			return false, true
		}
		r.learner.touched[c.session] = c.timeout
		return !c.closing, false
	}
	if !r.sessions.Touch(c.session, c.timeout, r.nowMS) {
		return false, false
	}
	return true, r.cfg.Core != nil && r.sessionState(c.session, ownClients) == zk.SessionMoved
}

// drain answers what waits at the head of a client's queue and need not wait any more.
func (r *Replica) drain(c *client, eff Effects) {
	for c.queue.Len() > 0 {
		p := c.queue.Front()
		switch {
		case p.req == nil:
			return
		case p.until == never && c.synced == 0:
			return
		case p.until == never:
			c.synced--
		case p.until > r.tree.Zxid() || p.token > r.confirmed:
			return
		}
		req, ids, at, refuse := p.req, p.ids, p.at, p.refuse
		c.queue.Pop()
		if req.Op == zk.OpCloseSession || refuse != zk.OK {
			r.answerHere(c, req, refuse, at, eff)
			continue
		}
		r.read(c, req, ids, at, eff)
	}
}

// unidentified refuses a request for want of an identity, and the connection with it unless it asks for others too.
func (r *Replica) unidentified(c *client, req *zk.Request, at int64, eff Effects) {
	if req.IDs != nil {
		r.inTurn(c, req, zk.SessionClosedRequireSaslAuth, at, eff)
		return
	}
	r.reply = zk.Reply{Xid: req.Xid, Op: req.Op, Err: zk.SessionClosedRequireSaslAuth}
	eff.Reply(c.id, at, &r.reply)
	r.close(c, request.CloseAuthRequired, eff)
}

// identified tells whether one of the identities is of a scheme that is enforced, if any is.
func (r *Replica) identified(ids []zk.ID) bool {
	if len(r.cfg.EnforceSchemes) == 0 {
		return true
	}
	return slices.ContainsFunc(ids, func(id zk.ID) bool { return slices.Contains(r.cfg.EnforceSchemes, id.Scheme) })
}

// authenticate adds identities to the connection, or closes it. It does not wait for earlier requests, which go on
// with the identities the client had when they came.
func (r *Replica) authenticate(c *client, req *zk.Request, at int64, eff Effects) {
	if req.Malformed {
		r.close(c, request.CloseMalformed, eff)
		return
	}
	ids, ok := r.cfg.Auth.Authenticate(req.Path, req.Data, c.origin.IP)
	r.reply = zk.Reply{Xid: req.Xid, Op: zk.OpAuth}
	if !ok {
		r.reply.Err = zk.AuthFailed
		eff.Note(Note{Kind: AuthRefused, Client: c.id, Text: strings.Clone(req.Path)})
		eff.Reply(c.id, at, &r.reply)
		r.close(c, request.CloseAuthFailed, eff)
		return
	}
	c.ids = auth.Add(c.ids, ids...)
	eff.Reply(c.id, at, &r.reply)
}

// read answers a request that changes nothing, from the tree as it is.
func (r *Replica) read(c *client, req *zk.Request, ids []zk.ID, at int64, eff Effects) {
	r.reply = zk.Reply{Xid: req.Xid, Op: req.Op, Zxid: r.tree.Zxid()}
	rep := &r.reply
	if req.Malformed {
		rep.Err = zk.MarshallingError
		eff.Reply(c.id, at, rep)
		return
	}
	switch req.Op {
	case zk.OpPing:
		rep.Xid = zk.XidPing
	case zk.OpExists, zk.OpGetData, zk.OpGetChildren, zk.OpGetChildren2, zk.OpGetACL, zk.OpGetAllChildrenNumber:
		rep.Err = r.readNode(c, req, ids, rep)
	case zk.OpSync:
		rep.Path = req.Path
	case zk.OpGetEphemerals:
		rep.Names = r.ephemerals(c, req.Path)
	case zk.OpWhoAmI:
		for _, id := range ids {
			rep.IDs = append(rep.IDs, zk.ID{Scheme: id.Scheme, ID: auth.UserName(id)})
		}
	case zk.OpMultiRead:
		r.multiRead(c, req, ids, rep)
	case zk.OpSetWatches, zk.OpSetWatches2:
		rep.Err = r.rewatch(c, req, eff)
	case zk.OpAddWatch:
		rep.Err = r.addWatch(c, req)
	case zk.OpCheckWatches, zk.OpRemoveWatches:
		rep.Err = r.checkWatches(c, req)
	default:
		rep.Zxid, rep.Err = -1, zk.Unimplemented
		eff.Reply(c.id, at, rep)
		r.close(c, request.CloseUnknownOp, eff)
		return
	}
	eff.Reply(c.id, at, rep)
}

// readNode answers what reads one znode, and sets the watch that goes with it.
func (r *Replica) readNode(c *client, req *zk.Request, ids []zk.ID, rep *zk.Reply) zk.Code {
	if jute.IsNull(req.Path) {
		return zk.MarshallingError
	}
	if req.Op == zk.OpExists && strings.IndexByte(req.Path, 0) >= 0 {
		return zk.BadArguments
	}
	ref, ok := r.tree.FindNear(tree.Ref(req.Near), req.Path)
	if !ok {
		if req.Op == zk.OpExists && req.Watch {
			r.watches.Add(c.id, req.Path, watch.DataOneShot)
		}
		return zk.NoNode
	}
	acl := r.tree.ACL(ref)
	if !r.cfg.Auth.Check(acl, zk.PermRead, ids) && (req.Op != zk.OpGetACL || !r.cfg.Auth.Check(acl, zk.PermAdmin, ids)) {
		return zk.NoAuth
	}
	kind := watch.DataOneShot
	switch req.Op {
	case zk.OpGetData:
		rep.Data = r.tree.Data(ref)
	case zk.OpGetChildren, zk.OpGetChildren2:
		rep.Names = r.tree.AppendChildNames(make([]string, 0, r.tree.Children(ref)), ref)
		kind = watch.ChildOneShot
	case zk.OpGetACL:
		if rep.ACL = acl; !r.cfg.Auth.Check(acl, zk.PermAdmin, ids) {
			rep.ACL = auth.Redact(acl)
		}
	case zk.OpGetAllChildrenNumber:
		rep.Number = int32(r.tree.Descendants(req.Path))
		if req.Path == "" {
			rep.Number++ // ZooKeeper compatibility: by this name the root is below itself
		}
		return zk.OK
	}
	rep.Stat = r.tree.Stat(ref)
	if req.Watch {
		r.watches.Add(c.id, req.Path, kind)
	}
	return zk.OK
}

// ephemerals are those of the client's session below prefix, which is compared as text.
func (r *Replica) ephemerals(c *client, prefix string) []string {
	all := r.tree.Ephemerals(c.session)
	if strings.TrimSpace(prefix) == "" || prefix == zk.RootPath {
		return append([]string{}, all...)
	}
	return append([]string{}, slices.DeleteFunc(all, func(p string) bool { return !strings.HasPrefix(p, prefix) })...)
}

// multiRead answers each operation on its own; none sets a watch. One that ZooKeeper stumbles over ends it. Its decoder lets only getData and
// getChildren pass; here are those too that another door may have.
func (r *Replica) multiRead(c *client, req *zk.Request, ids []zk.ID, rep *zk.Reply) {
	for i := range req.Ops {
		op := req.Ops[i]
		op.Watch = false
		res := zk.Reply{Op: op.Op, Err: zk.MarshallingError}
		switch op.Op {
		case zk.OpGetData, zk.OpGetChildren, zk.OpExists, zk.OpGetChildren2, zk.OpGetACL:
			res.Err = r.readNode(c, &op, ids, &res)
		}
		if res.Err == zk.MarshallingError {
			rep.Err, rep.PartialBody = res.Err, true
			return
		}
		if res.Err != zk.OK {
			res = zk.Reply{Op: zk.OpError, Err: res.Err}
		}
		rep.Results = append(rep.Results, res)
	}
}

// addWatch registers a persistent watch; the path need not exist.
func (r *Replica) addWatch(c *client, req *zk.Request) zk.Code {
	if jute.IsNull(req.Path) {
		return zk.MarshallingError
	}
	switch zk.AddWatchMode(req.Arg) {
	case zk.AddPersistent:
		r.watches.Add(c.id, req.Path, watch.Persistent)
	case zk.AddPersistentRecursive:
		r.watches.Add(c.id, req.Path, watch.Recursive)
	default:
		return zk.MarshallingError
	}
	return zk.OK
}

// checkWatches answers checkWatches and removeWatches.
func (r *Replica) checkWatches(c *client, req *zk.Request) zk.Code {
	kind := zk.WatcherType(req.Arg)
	if kind < zk.WatcherChildren || kind > zk.WatcherPersistentRecursive {
		return zk.MarshallingError
	}
	act := r.watches.Check
	if req.Op == zk.OpRemoveWatches {
		act = r.watches.Remove
	}
	if !act(c.id, req.Path, kind) {
		return zk.NoWatcher
	}
	return zk.OK
}

// rewatch sets again what a client watched on the connection it lost, and tells it at once what it has missed. As in
// ZooKeeper the catch-up events carry zxid -1, no permission is asked, and a null stops it where it stands.
func (r *Replica) rewatch(c *client, req *zk.Request, eff Effects) zk.Code {
	w := req.Watches
	missed := func(t zk.EventType, path string) { eff.Event(c.id, &zk.Event{Zxid: -1, Type: t, Path: path}) }
	data := func(path string) {
		switch ref, ok := r.tree.Find(path); {
		case !ok:
			missed(zk.NodeDeleted, path)
		case r.tree.Stored(ref).Mzxid > w.RelativeZxid:
			missed(zk.NodeDataChanged, path)
		default:
			r.watches.Add(c.id, path, watch.DataOneShot)
		}
	}
	exist := func(path string) {
		if _, ok := r.tree.Find(path); ok {
			missed(zk.NodeCreated, path)
		} else {
			r.watches.Add(c.id, path, watch.DataOneShot)
		}
	}
	child := func(path string) {
		switch ref, ok := r.tree.Find(path); {
		case !ok:
			missed(zk.NodeDeleted, path)
		case r.tree.Stored(ref).Pzxid > w.RelativeZxid:
			missed(zk.NodeChildrenChanged, path)
		default:
			r.watches.Add(c.id, path, watch.ChildOneShot)
		}
	}
	whole := each(w.Data, data) && each(w.Exist, exist) && each(w.Child, child)
	if whole && req.Op == zk.OpSetWatches2 {
		whole = each(w.Persistent, func(path string) { r.watches.Add(c.id, path, watch.Persistent) }) &&
			each(w.Recursive, func(path string) { r.watches.Add(c.id, path, watch.Recursive) })
	}
	if !whole {
		return zk.MarshallingError
	}
	return zk.OK
}

// each calls f with every path up to the first null; it is false if there was one, or the list itself is null.
func each(list []string, f func(path string)) bool {
	for _, path := range list {
		if jute.IsNull(path) {
			return false
		}
		f(path)
	}
	return list != nil
}

// changeEvents are the watch table's words for what happens to a znode.
var changeEvents = [...]zk.EventType{
	tree.Created: zk.NodeCreated, tree.Deleted: zk.NodeDeleted, tree.DataChanged: zk.NodeDataChanged, tree.ACLChanged: zk.NodeACLChanged,
}
