package prep

import (
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/storage/tree"
)

// Config is what of the configuration the judgement depends on.
type Config struct {
	ExtendedTypes bool // TTL znodes may be created (extendedTypesEnabled)
	EnforceQuota  bool // quotas refuse, rather than only count (enforceQuota)
	NoDigest      bool // txns carry no digest (digest.enabled=false)
	NoClosePaths  bool // closeSession txns do not list what they delete (closeSessionTxn.enabled=false)
	// TxnBytesMax is the size of a txn that every server will read back: jute.maxbuffer and its extrasize. 0 for no limit.
	TxnBytesMax int64
	// Reconfig allows to change the configuration of the ensemble (reconfigEnabled), to one with a single voter only without
	// StandaloneEnabled. Ensemble is nil for a server on its own.
	Reconfig, StandaloneEnabled bool
	Ensemble                    Ensemble
}

// Asker is whose request is judged, and what its txn will carry.
type Asker struct {
	Session zk.SessionID
	State   zk.Code // OK, UnknownSession, SessionExpired (closing) or SessionMoved (served elsewhere)
	Owning  zk.Code // OK, or why the session can own no ephemerals: it is local to a server
	IDs     []zk.ID
	Cxid    int32
	Zxid    zk.Zxid // the next of the leader
	TimeMS  int64   // wall clock, milliseconds since 1970
}

// header is that of a txn of the given type.
func (a *Asker) header(t zk.OpCode) txn.Header {
	return txn.Header{Session: a.Session, Cxid: a.Cxid, Zxid: a.Zxid, TimeMS: a.TimeMS, Type: t}
}

// Prep judges the writes of one leader. It belongs to the goroutine that owns the tree.
type Prep struct {
	cfg  Config
	auth *auth.Authority
	over overlay
}

// New returns a Prep for tree t with nothing in flight.
func New(cfg Config, a *auth.Authority, t *tree.Tree) *Prep {
	return &Prep{cfg: cfg, auth: a, over: overlay{
		tree: t, newest: map[string]*change{}, digest: t.Digest(), ephemerals: map[zk.SessionID][]string{},
	}}
}

// Applied tells that the tree has everything up to z.
func (p *Prep) Applied(z zk.Zxid) { p.over.applied(z) }

// InFlight is the number of changes that the tree does not have yet.
func (p *Prep) InFlight() int { return len(p.over.order) - p.over.head }

// Judge turns a request that writes into the txn to propose. A request that may not be done becomes an error
// txn, which uses up its zxid all the same. rec keeps parts of req.
func (p *Prep) Judge(req *zk.Request, by Asker, rec *txn.Record) {
	*rec = txn.Record{Header: by.header(req.Op)}
	start := p.over.mark()
	code := zk.MarshallingError
	switch {
	case req.Malformed:
	case req.Op == zk.OpMulti:
		code = p.multi(req.Ops, &by, &rec.Txn)
	case req.Op == zk.OpTransact:
		rec.Header.Type = zk.OpMulti
		code = p.transact(req, &by, &rec.Txn)
	case req.Op == zk.OpReconfig:
		code = p.reconfig(req, &by, &rec.Txn)
	default:
		code = p.one(req, &by, &rec.Txn)
	}
	if code == zk.OK && p.tooLarge(&rec.Txn) {
		p.over.undo(start)
		code = zk.InvalidACL // auth stands for so many identities
		if given(req) > p.cfg.TxnBytesMax {
			code = zk.BadArguments // it came through a server with a larger jute.maxbuffer
		}
	}
	p.finish(code, rec)
}

// tooLarge tells a txn that a server might refuse to read back.
//
// ZooKeeper compatibility: Java logs such a txn and cannot start any more.
func (p *Prep) tooLarge(t *txn.Txn) bool {
	return p.cfg.TxnBytesMax > 0 && t.SizeMax() > p.cfg.TxnBytesMax
}

// given is the number of bytes that a request wants to be stored, at least.
func given(req *zk.Request) int64 {
	n := int64(len(req.Path) + len(req.Data))
	for _, a := range req.ACL {
		n += int64(len(a.ID.Scheme) + len(a.ID.ID))
	}
	for _, list := range [][]zk.Request{req.Ops, req.Else} {
		for i := range list {
			n += given(&list[i])
		}
	}
	return n
}

// finish adds the digest to a txn, or makes it the error txn it has become.
func (p *Prep) finish(code zk.Code, rec *txn.Record) {
	if code != zk.OK {
		rec.Header.Type = zk.OpError
		rec.Txn = txn.Txn{Type: zk.OpError, Err: code}
		return
	}
	if !p.cfg.NoDigest {
		rec.HasDigest = true
		rec.Digest = txn.Digest{Version: txn.DigestVersion, Tree: p.over.digest}
	}
}

// OpenSession makes the txn that creates the asker's session.
func (p *Prep) OpenSession(timeoutMS int32, by Asker, rec *txn.Record) {
	*rec = txn.Record{Header: by.header(zk.OpCreateSession), Txn: txn.Txn{Type: zk.OpCreateSession, TimeoutMS: timeoutMS}}
	p.finish(zk.OK, rec)
}

// multi judges the operations one after the other; each sees what those before it will do. At the first that fails
// all are taken back: the txn then lists the good ones, the error, and RuntimeInconsistency for the rest. One that
// ZooKeeper stumbles over, such as a null path, fails the multi as a whole.
func (p *Prep) multi(ops []zk.Request, by *Asker, out *txn.Txn) zk.Code {
	*out = txn.Txn{Type: zk.OpMulti, Ops: make([]txn.Txn, len(ops))}
	return p.each(ops, by, out.Ops)
}

// each judges the operations of a multi.
func (p *Prep) each(ops []zk.Request, by *Asker, out []txn.Txn) zk.Code {
	start := p.over.mark()
	failed := false
	for i := range ops {
		op := &out[i]
		if failed {
			*op = txn.Txn{Type: zk.OpError, Err: zk.RuntimeInconsistency}
			continue
		}
		code := zk.MarshallingError
		if !ops[i].Op.IsRead() {
			code = p.one(&ops[i], by, op)
		}
		if code == zk.MarshallingError {
			p.over.undo(start)
			return code
		}
		if code != zk.OK {
			p.over.undo(start)
			failed = true
			*op = txn.Txn{Type: zk.OpError, Err: code}
		}
		if op.Type == zk.OpCreate2 {
			// ZooKeeper compatibility: 3.8 logs it so, and drops a whole multi with a create2 in it when it reads a log.
			op.Type = zk.OpCreate
		}
	}
	return zk.OK
}

// one judges a single operation, alone or inside a multi.
func (p *Prep) one(req *zk.Request, by *Asker, out *txn.Txn) zk.Code {
	switch req.Op {
	case zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer, zk.OpCreateTTL:
		return p.create(req, by, out)
	case zk.OpDelete:
		return p.delete(req, by, out)
	case zk.OpDeleteContainer:
		return p.deleteContainer(req, by, out)
	case zk.OpSetData:
		return p.setData(req, by, out)
	case zk.OpSetACL:
		return p.setACL(req, by, out)
	case zk.OpCheck:
		return p.check(req, by, out)
	default:
		return zk.Unimplemented
	}
}

// may tells whether the asker has perm on a znode with the given list.
func (p *Prep) may(by *Asker, acl []zk.ACL, perm zk.Perms) bool {
	return p.auth.Check(acl, perm, by.IDs)
}
