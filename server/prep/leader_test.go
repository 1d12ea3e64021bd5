package prep

import (
	"testing"

	"paddock/internal/jute"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/storage/tree"
)

const (
	ann = zk.SessionID(0x100000000000001)
	bob = zk.SessionID(0x100000000000002)
)

// anonymous are the identities of a connection that has not authenticated; annIDs are those of one that has.
var (
	anonymous = []zk.ID{{Scheme: "ip", ID: "10.0.0.1"}}
	annID     = zk.ID{Scheme: "digest", ID: "ann:hash"}
	annIDs    = append(anonymous[:1:1], annID)
)

// leader judges requests and applies the txns when the test says so.
type leader struct {
	t      *testing.T
	tree   *tree.Tree
	prep   *Prep
	zxid   zk.Zxid
	flying []txn.Record
	by     Asker // of the next requests
}

func newLeader(t *testing.T, cfg Config) *leader {
	t.Helper()
	a, err := auth.New(auth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tr := tree.New(7)
	return &leader{t: t, tree: tr, prep: New(cfg, a, tr), by: Asker{Session: ann, IDs: anonymous}}
}

// asker is the asker of the next request.
func (l *leader) asker() Asker {
	l.zxid++
	by := l.by
	by.Cxid, by.Zxid, by.TimeMS = int32(l.zxid)+100, l.zxid, 1_700_000_000_000+int64(l.zxid)
	return by
}

// judge leaves the txn in flight. Its record must survive being written and read again.
func (l *leader) judge(req zk.Request) txn.Record {
	l.t.Helper()
	if req.Op.IsCreate() && req.ACL == nil {
		req.ACL = zk.OpenACL
	}
	var rec txn.Record
	l.prep.Judge(&req, l.asker(), &rec)
	return l.fly(rec)
}

func (l *leader) fly(rec txn.Record) txn.Record {
	l.t.Helper()
	if rec.Header.Type != zk.OpError && rec.HasDigest == l.prep.cfg.NoDigest || rec.Header.Type == zk.OpError && rec.HasDigest {
		l.t.Errorf("%v at %v: digest %v", rec.Header.Type, rec.Header.Zxid, rec.HasDigest)
	}
	payload := rec.Append(nil)
	var read txn.Record
	if err := read.Decode(payload); err != nil {
		l.t.Errorf("what was judged cannot be read from the log: %v", err)
	}
	l.flying = append(l.flying, rec)
	return rec
}

// land applies everything in flight and compares the tree with each digest. It returns the last results.
func (l *leader) land() (last []tree.Result) {
	l.t.Helper()
	for i := range l.flying {
		last = l.apply(&l.flying[i])
	}
	l.flying = l.flying[:0]
	if n := l.prep.InFlight(); n != 0 || len(l.prep.over.newest) != 0 || len(l.prep.over.ephemerals) != 0 {
		l.t.Errorf("with nothing in flight %d changes are kept, %d paths, ephemerals of %d sessions",
			n, len(l.prep.over.newest), len(l.prep.over.ephemerals))
	}
	return last
}

func (l *leader) apply(rec *txn.Record) []tree.Result {
	l.t.Helper()
	var out tree.Outcome
	l.tree.Apply(&rec.Header, &rec.Txn, &out)
	l.prep.Applied(rec.Header.Zxid)
	if rec.HasDigest && rec.Digest != (txn.Digest{Version: 2, Tree: l.tree.Digest()}) {
		l.t.Errorf("%v at %v: digest %x was foretold, the tree has %x", rec.Header.Type, rec.Header.Zxid, rec.Digest.Tree, l.tree.Digest())
	}
	if rec.Header.Type != zk.OpError {
		for i := range out.Results {
			if r := &out.Results[i]; r.Err != zk.OK && r.Type != zk.OpError {
				l.t.Errorf("%v at %v was judged good and failed: %v", r.Type, rec.Header.Zxid, r.Err)
			}
		}
	}
	return out.Results
}

// do judges and applies, and fails the test if the request is refused.
func (l *leader) do(reqs ...zk.Request) {
	l.t.Helper()
	for _, req := range reqs {
		if rec := l.judge(req); rec.Header.Type == zk.OpError {
			l.t.Fatalf("%v %s: %v", req.Op, req.Path, rec.Txn.Err)
		}
		l.land()
	}
}

func (l *leader) stored(path string) zk.StoredStat {
	l.t.Helper()
	r, ok := l.tree.Find(path)
	if !ok {
		l.t.Fatalf("%s is missing", path)
	}
	return l.tree.Stored(r)
}

// The requests that tests make.

func create(path string) zk.Request {
	return zk.Request{Op: zk.OpCreate, Path: path, Data: []byte("data"), ACL: zk.OpenACL, TTLMS: -1}
}

func made(path string, mode zk.CreateMode) zk.Request {
	r := create(path)
	r.Mode = mode
	return r
}

func container(path string) zk.Request {
	r := made(path, zk.Container)
	r.Op = zk.OpCreateContainer
	return r
}

func ttl(path string, mode zk.CreateMode, ms int64) zk.Request {
	r := made(path, mode)
	r.Op, r.TTLMS = zk.OpCreateTTL, ms
	return r
}

func guarded(r zk.Request, perms zk.Perms, id zk.ID) zk.Request {
	r.ACL = []zk.ACL{{Perms: perms, ID: id}}
	return r
}

func remove(path string, version int32) zk.Request {
	return zk.Request{Op: zk.OpDelete, Path: path, Version: version}
}

func set(path, data string, version int32) zk.Request {
	return zk.Request{Op: zk.OpSetData, Path: path, Data: []byte(data), Version: version}
}

func setACL(path string, acl []zk.ACL, version int32) zk.Request {
	return zk.Request{Op: zk.OpSetACL, Path: path, ACL: acl, Version: version}
}

func check(path string, version int32) zk.Request {
	return zk.Request{Op: zk.OpCheck, Path: path, Version: version}
}

func multi(ops ...zk.Request) zk.Request { return zk.Request{Op: zk.OpMulti, Ops: ops} }

// row is one judgement: what is there, who asks for what, and what the txn is.
type row struct {
	cfg   Config
	given []zk.Request
	by    *Asker
	req   zk.Request
	want  zk.Code
	txn   *txn.Txn // beyond the code, if it matters
}

// judgeRows judges every row twice: what is given applied, and still in flight. It must make no difference.
func judgeRows(t *testing.T, rows map[string]row) {
	for name, c := range rows {
		for how, applied := range map[string]bool{"applied": true, "in flight": false} {
			t.Run(name+"/"+how, func(t *testing.T) {
				l := newLeader(t, c.cfg)
				for _, req := range c.given {
					if rec := l.judge(req); rec.Txn.Failed() {
						t.Fatalf("%v %s: %v", req.Op, req.Path, rec.Txn.Err)
					}
					if applied {
						l.land()
					}
				}
				if c.by != nil {
					l.by = *c.by
				}
				rec := l.judge(c.req)
				if got := codeOf(&rec); got != c.want {
					t.Errorf("judged %v, want %v", got, c.want)
				}
				if c.txn != nil {
					compareTxn(t, &rec.Txn, c.txn)
				}
				l.land()
			})
		}
	}
}

// codeOf is the error of a txn, OK if it is none.
func codeOf(rec *txn.Record) zk.Code {
	if rec.Header.Type == zk.OpError {
		return rec.Txn.Err
	}
	return zk.OK
}

// compareTxn compares two txns as the log has them.
func compareTxn(t *testing.T, got, want *txn.Txn) {
	t.Helper()
	text := func(x *txn.Txn) string {
		return string((&txn.Record{Header: txn.Header{Type: x.Type}, Txn: *x}).Append(nil))
	}
	if text(got) != text(want) {
		t.Errorf("txn\n%+v, want\n%+v", *got, *want)
	}
}

var null = jute.Null()
