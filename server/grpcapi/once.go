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
const (
	oncePath    = "/zookeeper/paddock/once"
	onceKeysMax = 64 // records of a session; the oldest go
)

// oncePaths are the ancestors of the records, made when the first record is.
var oncePaths = []string{"/zookeeper/paddock", oncePath}

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
		Op: zk.OpCreate2, Mode: zk.Ephemeral, Path: recordPath(a.session.id, key), Data: data, ACL: zk.OpenACL, TTLMS: -1,
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
		case out.code != zk.OK && out.failed == 0 && out.code == zk.NodeExists:
			if out, done, err := a.recalled(ctx, record); done || err != nil {
				return out, err
			}
			continue // it was the oldest, and has gone this moment
		case out.code != zk.OK && out.failed == 0 && out.code == zk.NoNode:
			if err := a.makeOncePaths(ctx); err != nil {
				return outcome{}, err
			}
			continue
		case out.code != zk.OK:
			out.failed--
			out.many = len(ops) > 1
			return out, nil
		}
		a.session.keys.add(a.session, record.Path)
		out.results = out.results[1:]
		return out, nil
	}
	return outcome{}, raced(record.Path)
}

// prepareOnce does what comes before a write with a key.
func (a *asker) prepareOnce(ctx context.Context, opt *paddockv1.WriteOptions) error {
	if err := a.reach(ctx, opt.GetMinZxid()); err != nil {
		return err
	}
	return a.session.keys.load(ctx, a)
}

// makeOncePaths makes the znodes that records are below. They are everybody's, as records are created by everybody.
func (a *asker) makeOncePaths(ctx context.Context) error {
	for _, path := range oncePaths {
		req := zk.Request{Op: zk.OpCreate2, Path: path, Data: []byte{}, ACL: zk.OpenACL, TTLMS: -1}
		rep, err := a.do(ctx, &req)
		if err = judged(&rep, err, path, []zk.Code{zk.NodeExists}); err != nil {
			return err
		}
	}
	return nil
}

// recall answers a retry, before the steps of a call that would not come out the same. false: it was not done before.
func (a *asker) recall(ctx context.Context, in proto.Message, opt *paddockv1.WriteOptions) (out outcome, done bool, err error) {
	record, err := a.record(in, opt)
	if record == nil || err != nil {
		return out, false, err
	}
	return a.recalled(ctx, record)
}

// recalled is the first answer to what a record is of.
func (a *asker) recalled(ctx context.Context, record *zk.Request) (out outcome, done bool, err error) {
	rep, err := a.do(ctx, &zk.Request{Op: zk.OpGetData, Path: record.Path})
	if err = judged(&rep, err, record.Path, []zk.Code{zk.NoNode}); err != nil || rep.Err == zk.NoNode {
		return out, false, err
	}
	z := rep.Stat.Czxid
	if subtle.ConstantTimeCompare(rep.Data, record.Data) != 1 {
		return out, false, fault(codes.InvalidArgument, "KEY_REUSED", "the idempotency key was used for another request", about{zxid: z})
	}
	if a.door.opt.TxnAt != nil {
		if rec, err := a.door.opt.TxnAt(ctx, z); err == nil {
			out, err = a.answerOf(ctx, rec, record.Path)
			return out, true, err
		} else if ctx.Err() != nil {
			return out, false, contextStatus(ctx)
		}
	}
	return out, false, fault(codes.Aborted, "ANSWER_GONE", "it was done, but the answer is not known any more", about{zxid: z})
}

// answerOf is what the operations of a txn were answered with. What a write of data leaves alone is told as it is now.
func (a *asker) answerOf(ctx context.Context, rec *txn.Record, record string) (outcome, error) {
	out := outcome{zxid: rec.Header.Zxid, many: true}
	ops := rec.Txn.Ops
	if at := slices.IndexFunc(ops, func(op txn.Txn) bool { return op.Path == record }); at >= 0 {
		out.otherwise = at == 1 && ops[0].Path == zk.RootPath && ops[0].Version == int32(zk.BranchElse)
		ops = ops[at+1:]
	}
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
		_ = s.line.tell(&zk.Request{Op: zk.OpDelete, Path: path, Version: -1, IDs: []zk.ID{}}) // if not now, with the session
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
