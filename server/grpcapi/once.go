package grpcapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/txn"
	"paddock/internal/zk"
)

// A write with an idempotency key is a transaction whose first operation creates a record of it: an ephemeral of the session, so that it
// goes where the session goes and ends with it, whatever server leads. Its name is the session and the key, its data a hash of what
// was asked, and its czxid the zxid of the write. A retry finds the record there, and is answered from the log.
//
// Clients create records, in the transactions of their writes, and see them; they neither delete nor change any, which is for servers and
// the superuser alone. What a client has made there by itself is no record.
const (
	oncePath    = "/zookeeper/paddock/once"
	onceKeysMax = 64 // records of a session; the oldest go
)

// oncePlaces are the ancestors of the records, made when the first record is, with their access lists.
var oncePlaces = []struct {
	path string
	acl  []zk.ACL
}{
	{"/zookeeper/paddock", zk.ReadOnlyACL},
	{oncePath, []zk.ACL{{Perms: zk.PermRead | zk.PermCreate, ID: zk.AnyoneID}}},
}

// itself is by which identities a server asks for what is its own.
var itself = []zk.ID{{Scheme: schemeSuper}}

// recordPath is where the record of a key is.
func recordPath(s zk.SessionID, key uint64) string {
	return fmt.Sprintf("%s/%016x-%d", oncePath, uint64(s), key)
}

// fingerprint is a hash of what a call asks, but for its options.
func fingerprint(in proto.Message) ([]byte, error) {
	m := proto.Clone(in).ProtoReflect()
	if f := m.Descriptor().Fields().ByName("options"); f != nil {
		m.Clear(f)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
	if err != nil {
		return nil, invalid("", "%v", err)
	}
	h := sha256.New()
	h.Write([]byte(m.Descriptor().FullName()))
	h.Write([]byte{0})
	h.Write(b)
	return h.Sum(nil), nil
}

// record is the creation of the record that a write with a key needs; nil if it has no key.
func (a *asker) record(in proto.Message, opt *paddockv1.WriteOptions) (*zk.Request, error) {
	key := opt.GetIdempotencyKey()
	switch {
	case key == 0:
		return nil, nil
	case key > math.MaxInt64:
		return nil, invalid("", "idempotency_key is %d; it must be from 1 to %d", key, int64(math.MaxInt64))
	case a.session == nil:
		return nil, fault(codes.FailedPrecondition, reasonOf(zk.UnknownSession), "an idempotency key belongs to a session: name one in the metadata")
	}
	data, err := fingerprint(in)
	return &zk.Request{
		Op: zk.OpCreate2, Mode: zk.Ephemeral, Path: recordPath(a.session.id, key), Data: data, ACL: zk.ReadOnlyACL, TTLMS: -1,
	}, err
}

// once does operations unless they were done before under the same key.
func (a *asker) once(ctx context.Context, in proto.Message, opt *paddockv1.WriteOptions, ops []zk.Request) (outcome, error) {
	record, err := a.record(in, opt)
	if err == nil {
		err = a.prepareOnce(ctx, opt)
	}
	if err != nil {
		return outcome{}, err
	}
	for range attemptsMax {
		out, err := a.multi(ctx, append([]zk.Request{*record}, ops...))
		switch {
		case err != nil:
			return outcome{}, err
		case out.code == zk.NodeExists && out.failed == 0:
			if out, done, err := a.recalled(ctx, in, record); done || err != nil {
				return out, err
			}
			continue // it was the oldest, and has gone this moment
		case recordable(&out):
			if err := a.makeOncePlaces(ctx); err != nil {
				return outcome{}, err
			}
			continue
		case out.code == zk.OK:
			a.session.keys.add(a.session, record.Path)
		}
		return out.without(len(ops) > 1 || out.code == zk.OK), nil
	}
	return outcome{}, raced(record.Path)
}

// prepareOnce does what comes before a write with a key.
func (a *asker) prepareOnce(ctx context.Context, opt *paddockv1.WriteOptions) error {
	if err := a.reach(ctx, opt.GetMinZxid()); err != nil {
		return err
	}
	if !a.door.guarded.Load() {
		if err := a.makeOncePlaces(ctx); err != nil {
			return err
		}
		a.door.guarded.Store(true)
	}
	return a.session.keys.load(ctx, a)
}

// recordable tells of a refusal that was of the record, by what the znodes above it are.
func recordable(out *outcome) bool {
	return out.failed == 0 && (out.code == zk.NoNode || out.code == zk.NoAuth || out.code == zk.NoChildrenForEphemerals)
}

// without is what an outcome tells of the operations behind the record.
func (o outcome) without(many bool) outcome {
	o.many = many
	if o.code == zk.OK {
		o.results = o.results[1:]
		return o
	}
	if o.failed == 0 {
		o.path = "" // that of the record
	}
	o.failed--
	return o
}

// makeOncePlaces makes sure that the znodes are there that records are below, and that clients can do no more with them than create records and
// see them.
func (a *asker) makeOncePlaces(ctx context.Context) error {
	for i := range oncePlaces {
		if err := a.makeOncePlace(ctx, oncePlaces[i].path, oncePlaces[i].acl); err != nil {
			return err
		}
	}
	return nil
}

// makeOncePlace makes one of them as it must be. As long as there is nothing clients may make there what they like.
func (a *asker) makeOncePlace(ctx context.Context, path string, acl []zk.ACL) error {
	ask := func(req zk.Request, allowed ...zk.Code) (zk.Reply, error) {
		req.Path, req.IDs = path, itself
		rep, err := a.pass(ctx, &req)
		return rep, judged(&rep, err, path, append(allowed, zk.NoNode))
	}
	for range attemptsMax {
		rep, err := ask(zk.Request{Op: zk.OpGetACL})
		switch {
		case err != nil:
		case rep.Err == zk.NoNode:
			_, err = ask(zk.Request{Op: zk.OpCreate2, Data: []byte{}, ACL: acl, TTLMS: -1}, zk.NodeExists)
		case rep.Stat.EphemeralOwner != 0: // it can have no children
			_, err = ask(zk.Request{Op: zk.OpDelete, Version: -1})
		case !slices.Equal(rep.ACL, acl):
			_, err = ask(zk.Request{Op: zk.OpSetACL, ACL: acl, Version: rep.Stat.Aversion}, zk.BadVersion)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
	return raced(path)
}

// recall answers a retry, before the steps of a call that would not come out the same. false: it was not done before.
func (a *asker) recall(ctx context.Context, in proto.Message, opt *paddockv1.WriteOptions) (out outcome, done bool, err error) {
	record, err := a.record(in, opt)
	if record == nil || err != nil {
		return out, false, err
	}
	return a.recalled(ctx, in, record)
}

// recalled is the first answer to what a record is of.
func (a *asker) recalled(ctx context.Context, in proto.Message, record *zk.Request) (out outcome, done bool, err error) {
	rep, err := a.do(ctx, &zk.Request{Op: zk.OpGetData, Path: record.Path})
	if err = judged(&rep, err, record.Path, []zk.Code{zk.NoNode}); err != nil || rep.Err == zk.NoNode {
		return out, false, err
	}
	z := rep.Stat.Czxid
	reused := fault(codes.InvalidArgument, "KEY_REUSED", "the idempotency key was used for another request", about{zxid: z})
	if rep.Stat.EphemeralOwner != int64(a.session.id) || subtle.ConstantTimeCompare(rep.Data, record.Data) != 1 {
		return out, false, reused
	}
	if a.door.opt.TxnAt != nil {
		if rec, err := a.door.opt.TxnAt(ctx, z); err == nil {
			ops, otherwise, ok := writtenWith(rec, record.Path)
			if _, bare := in.(*paddockv1.TransactRequest); !ok || len(ops) == 0 && !bare {
				return out, false, reused
			}
			out, err = a.answerOf(ctx, rec, ops)
			out.otherwise = otherwise
			return out, true, err
		} else if ctx.Err() != nil {
			return out, false, contextStatus(ctx)
		}
	}
	return out, false, fault(codes.Aborted, "ANSWER_GONE", "it was done, but the answer is not known any more", about{zxid: z})
}

// writtenWith are the operations of a txn that a record tells of, and whether they are those of its second list. false: the record was
// made by itself.
func writtenWith(rec *txn.Record, record string) (ops []txn.Txn, otherwise, ok bool) {
	ops = rec.Txn.Ops
	at := slices.IndexFunc(ops, func(op txn.Txn) bool { return op.Path == record })
	if at < 0 {
		return nil, false, false
	}
	return ops[at+1:], at == 1 && ops[0].Path == zk.RootPath && ops[0].Version == int32(zk.BranchElse), true
}

// answerOf is what operations of a txn were answered with. What a write of data leaves alone is told as it is now.
func (a *asker) answerOf(ctx context.Context, rec *txn.Record, ops []txn.Txn) (outcome, error) {
	out := outcome{zxid: rec.Header.Zxid, many: true}
	for i := range ops {
		op := &ops[i]
		res := zk.Reply{Op: op.Type, Path: op.Path}
		switch {
		case op.Type.IsCreate():
			res.Stat = zk.Stat{Czxid: out.zxid, Mzxid: out.zxid, Pzxid: out.zxid, CtimeMS: rec.Header.TimeMS, MtimeMS: rec.Header.TimeMS, DataLength: int32(len(op.Data))}
			if op.Ephemeral {
				res.Stat.EphemeralOwner = int64(rec.Header.Session)
			}
		case op.Type == zk.OpSetData:
			rep, err := a.do(ctx, &zk.Request{Op: zk.OpExists, Path: op.Path})
			if err != nil {
				return out, err
			}
			res.Stat = rep.Stat
			res.Stat.Mzxid, res.Stat.MtimeMS, res.Stat.Version, res.Stat.DataLength = out.zxid, rec.Header.TimeMS, op.Version, int32(len(op.Data))
		}
		out.results = append(out.results, res)
	}
	return out, nil
}

// onceKeys are the records that a session has, the oldest first.
type onceKeys struct {
	mu    sync.Mutex // guards the fields below
	known bool       // paths are all; otherwise the session may have others, from before it was attached here
	paths []string
}

// add notes a record, and has the oldest deleted that are too many. Nobody waits for that.
func (k *onceKeys) add(s *session, path string) {
	k.mu.Lock()
	k.paths = append(k.paths, path)
	var old []string
	if n := len(k.paths) - onceKeysMax; n > 0 {
		old = slices.Clone(k.paths[:n])
		k.paths = slices.Delete(k.paths, 0, n)
	}
	k.mu.Unlock()
	for _, path := range old {
		_ = s.line.tell(&zk.Request{Op: zk.OpDelete, Path: path, Version: -1, IDs: itself}) // if not now, with the session
	}
}

// load learns which records a session brings along that was attached elsewhere before.
func (k *onceKeys) load(ctx context.Context, a *asker) error {
	k.mu.Lock()
	known := k.known
	k.mu.Unlock()
	if known {
		return nil
	}
	rep, err := a.do(ctx, &zk.Request{Op: zk.OpGetEphemerals, Path: oncePath + "/"})
	if err = judged(&rep, err, "", nil); err != nil {
		return err
	}
	type found struct {
		path string
		at   zk.Zxid
	}
	var all []found
	for _, path := range rep.Names {
		if !strings.HasPrefix(path, oncePath+"/") {
			continue
		}
		rep, err := a.do(ctx, &zk.Request{Op: zk.OpExists, Path: path})
		if err != nil {
			return err
		}
		if rep.Err == zk.OK {
			all = append(all, found{path, rep.Stat.Czxid})
		}
	}
	slices.SortFunc(all, func(x, y found) int { return int(x.at - y.at) })
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known {
		return nil
	}
	k.known = true
	var before []string
	for _, f := range all {
		if !slices.Contains(k.paths, f.path) {
			before = append(before, f.path)
		}
	}
	k.paths = append(before, k.paths...)
	return nil
}
