package grpcapi

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/jute"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

func TestEveryErrorHasItsCodeAndReason(t *testing.T) {
	r := newRig(t, func(_ *Options, c *replica.Config) { c.Prep.ExtendedTypes = false })
	ctx, _ := r.open(20_000)
	r.create("/a/b", "")
	minusOne := int32(5)
	if _, err := r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/e", Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		ask    func() error
		code   codes.Code
		reason string
	}{
		{"a znode that is not there", func() error { _, err := r.znodes.Get(ctx, &paddockv1.GetRequest{Path: "/no"}); return err }, codes.NotFound, "NONODE"},
		{"a znode that is there", func() error { _, err := r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/a"}); return err }, codes.AlreadyExists, "NODEEXISTS"},
		{"another version", func() error {
			_, err := r.znodes.Set(ctx, &paddockv1.SetRequest{Path: "/a", Version: &minusOne})
			return err
		}, codes.FailedPrecondition, "BADVERSION"},
		{"another version of an access list", func() error {
			acl := []*paddockv1.Acl{{Scheme: "world", Id: "anyone", Permissions: []paddockv1.Permission{paddockv1.Permission_PERMISSION_READ}}}
			_, err := r.znodes.SetAcl(ctx, &paddockv1.SetAclRequest{Path: "/a", Acl: acl, Version: &minusOne})
			return err
		}, codes.FailedPrecondition, "BADVERSION"},
		{"children", func() error { _, err := r.znodes.Delete(ctx, &paddockv1.DeleteRequest{Path: "/a"}); return err }, codes.FailedPrecondition, "NOTEMPTY"},
		{"a child of an ephemeral", func() error { _, err := r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/e/x"}); return err }, codes.FailedPrecondition, "NOCHILDRENFOREPHEMERALS"},
		{"an access list of nobody", func() error {
			_, err := r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/x", Acl: []*paddockv1.Acl{{Scheme: "nonsense", Id: "x"}}})
			return err
		}, codes.InvalidArgument, "INVALIDACL"},
		{"an empty access list", func() error { _, err := r.znodes.SetAcl(ctx, &paddockv1.SetAclRequest{Path: "/a"}); return err }, codes.InvalidArgument, "INVALIDACL"},
		{"a relative path", func() error { _, err := r.znodes.Get(ctx, &paddockv1.GetRequest{Path: "a"}); return err }, codes.InvalidArgument, "BADARGUMENTS"},
		{"a path too long", func() error {
			_, err := r.znodes.Get(ctx, &paddockv1.GetRequest{Path: "/" + strings.Repeat("x", pathBytesMax)})
			return err
		}, codes.InvalidArgument, "BADARGUMENTS"},
		{"data too long", func() error {
			_, err := r.znodes.Set(ctx, &paddockv1.SetRequest{Path: "/a", Data: make([]byte, 1<<20)})
			return err
		}, codes.ResourceExhausted, "TOO_LARGE"},
		{"a time to live that is switched off", func() error {
			_, err := r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/ttl", Mode: paddockv1.CreateMode_CREATE_MODE_PERSISTENT_WITH_TTL, TtlMs: 5})
			return err
		}, codes.Unimplemented, "UNIMPLEMENTED"},
		{"a mode that is none", func() error {
			_, err := r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/x", Mode: 99})
			return err
		}, codes.InvalidArgument, "BADARGUMENTS"},
		{"a level that is none", func() error {
			_, err := r.znodes.Get(ctx, &paddockv1.GetRequest{Path: "/a", Read: &paddockv1.ReadOptions{Level: 99}})
			return err
		}, codes.InvalidArgument, "BADARGUMENTS"},
		{"a zxid of the future", func() error {
			_, err := r.znodes.Get(ctx, &paddockv1.GetRequest{Path: "/a", Read: &paddockv1.ReadOptions{MinZxid: 1 << 40}})
			return err
		}, codes.FailedPrecondition, "ZXID_AHEAD"},
		{"a zxid that there cannot be", func() error {
			_, err := r.znodes.Get(ctx, &paddockv1.GetRequest{Path: "/a", Read: &paddockv1.ReadOptions{MinZxid: 1<<64 - 1}})
			return err
		}, codes.FailedPrecondition, "ZXID_AHEAD"},
		{"a lock of the future", func() error {
			_, err := paddockv1.NewLockServiceClient(r.conn).GetLock(ctx, &paddockv1.GetLockRequest{Path: "/a", Read: &paddockv1.ReadOptions{MinZxid: 1 << 40}})
			return err
		}, codes.FailedPrecondition, "ZXID_AHEAD"},
		{"a leader of the future", func() error {
			_, err := paddockv1.NewElectionServiceClient(r.conn).GetLeader(ctx, &paddockv1.GetLeaderRequest{Path: "/a", Read: &paddockv1.ReadOptions{MinZxid: 1 << 40}})
			return err
		}, codes.FailedPrecondition, "ZXID_AHEAD"},
		{"an election of the future", func() error {
			s, err := paddockv1.NewElectionServiceClient(r.conn).Observe(ctx, &paddockv1.ObserveRequest{Path: "/a", Read: &paddockv1.ReadOptions{MinZxid: 1 << 40}})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}, codes.FailedPrecondition, "ZXID_AHEAD"},
		{"ephemerals of the future", func() error {
			who, _ := r.open(30_000)
			_, err := r.sess.ListEphemerals(who, &paddockv1.ListEphemeralsRequest{Read: &paddockv1.ReadOptions{MinZxid: 1 << 40}})
			return err
		}, codes.FailedPrecondition, "ZXID_AHEAD"},
		{"a write that waits for a zxid of the future", func() error {
			_, err := r.znodes.Set(ctx, &paddockv1.SetRequest{Path: "/a", Options: &paddockv1.WriteOptions{MinZxid: 1 << 40}})
			return err
		}, codes.FailedPrecondition, "ZXID_AHEAD"},
		{"a write that waits for a zxid that there cannot be", func() error {
			_, err := r.znodes.Set(ctx, &paddockv1.SetRequest{Path: "/a", Options: &paddockv1.WriteOptions{MinZxid: 1<<64 - 1}})
			return err
		}, codes.FailedPrecondition, "ZXID_AHEAD"},
		{"too many reads", func() error {
			_, err := r.znodes.BatchRead(ctx, &paddockv1.BatchReadRequest{Reads: make([]*paddockv1.Read, batchReadsMax+1)})
			return err
		}, codes.InvalidArgument, "BADARGUMENTS"},
		{"no session where one is needed", func() error { _, err := r.sess.Touch(t.Context(), &paddockv1.TouchRequest{}); return err }, codes.InvalidArgument, "BADARGUMENTS"},
	} {
		t.Run(row.name, func(t *testing.T) { expect(t, row.ask(), row.code, row.reason) })
	}
}

// Each code that a server sends is told in its own words, in Java's name, and with a time to retry after if and only if the code says so.
func TestEveryCodeOfZooKeeperIsTold(t *testing.T) {
	for c := zk.Code(-130); c < 0; c++ {
		if strings.HasPrefix(c.String(), "Code(") {
			continue
		}
		v, known := verdicts[c]
		if !known {
			t.Errorf("%v has no verdict", c)
		}
		s := status.Convert(refusal(c, "/p", 3))
		var info *errdetails.ErrorInfo
		retry := false
		for _, d := range s.Details() {
			switch d := d.(type) {
			case *errdetails.ErrorInfo:
				info = d
			case *errdetails.RetryInfo:
				retry = true
			}
		}
		if s.Code() != v.code || retry != (v.wait > 0) || info.GetReason() != strings.ToUpper(c.String()) || info.GetDomain() != "paddock" ||
			info.GetMetadata()["path"] != "/p" || info.GetMetadata()["zxid"] != "3" {
			t.Errorf("%v is told as %v", c, s.Proto())
		}
		if s.Code() == codes.Unavailable && !retry {
			t.Errorf("%v is UNAVAILABLE without a time to retry after", c)
		}
	}
}

func TestServerThatIsNotReadySaysSo(t *testing.T) {
	r := newRig(t, func(o *Options, _ *replica.Config) { o.Handler = func() request.Handler { return nil } })
	_, err := r.znodes.Get(t.Context(), &paddockv1.GetRequest{Path: "/"})
	expect(t, err, codes.Unavailable, "CONNECTIONLOSS")
	_, err = r.sess.OpenSession(t.Context(), &paddockv1.OpenSessionRequest{})
	expect(t, err, codes.Unavailable, "CONNECTIONLOSS")
}

// deaf is a server that answers nothing.
type deaf struct{ request.Handler }

func (deaf) Open(request.Sink, request.Origin) request.ClientID { return 1 }
func (deaf) Connect(request.ClientID, *zk.ConnectRequest)       {}
func (deaf) Submit(request.ClientID, []zk.Request, func()) bool { return true }
func (deaf) Close(request.ClientID)                             {}

func TestDeadlinesAreKept(t *testing.T) {
	r := newRig(t, func(o *Options, _ *replica.Config) { o.Handler = func() request.Handler { return deaf{} } })
	for name, ask := range map[string]func(context.Context) error{
		"a read": func(ctx context.Context) error {
			_, err := r.znodes.Get(ctx, &paddockv1.GetRequest{Path: "/"})
			return err
		},
		"a write": func(ctx context.Context) error {
			_, err := r.znodes.Set(ctx, &paddockv1.SetRequest{Path: "/"})
			return err
		},
		"a barrier": func(ctx context.Context) error {
			_, err := r.znodes.Sync(ctx, &paddockv1.SyncRequest{})
			return err
		},
		"a session": func(ctx context.Context) error {
			_, err := r.sess.OpenSession(ctx, &paddockv1.OpenSessionRequest{})
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := ask(ctx); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("%s ends with %v", name, err)
		}
		cancel()
	}
}

// What ZooKeeper's own clients can write, this door takes as well: to the byte.
func TestRequestsAreAsLargeAsInZooKeepersProtocol(t *testing.T) {
	acl := []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "digest", ID: "ann:x"}}, zk.OpenACL[0]}
	ops := []zk.Request{
		{Op: zk.OpCreate2, Path: "/a", Data: []byte("data"), ACL: acl},
		{Op: zk.OpCreateContainer, Path: "/a", Data: []byte("data"), ACL: acl, Mode: zk.Container},
		{Op: zk.OpCreateTTL, Path: "/a", Data: []byte("data"), ACL: acl, Mode: zk.PersistentTTL, TTLMS: 5},
		{Op: zk.OpSetData, Path: "/a", Data: []byte("data")},
		{Op: zk.OpDelete, Path: "/a"},
		{Op: zk.OpCheck, Path: "/a"},
	}
	for _, req := range append(ops, zk.Request{Op: zk.OpSetACL, Path: "/a", ACL: acl}, zk.Request{Op: zk.OpMulti, Ops: ops}) {
		c := jute.Writer(nil)
		req.Jute(c)
		if got, want := sizeOf(&req), len(c.Bytes()); c.Err() != nil || got != want {
			t.Errorf("%v counts as %d bytes, and has %d, %v", req.Op, got, want, c.Err())
		}
	}
}

// Who gives up is told of a write that may have been done if there was one, and only then.
func TestADeadlineTellsOfWritesAlone(t *testing.T) {
	l := openLine(deaf{}, request.Origin{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for op, write := range map[zk.OpCode]bool{zk.OpGetData: false, zk.OpSync: false, zk.OpPing: false, zk.OpSetData: true, zk.OpMulti: true, zk.OpCloseSession: true} {
		_, err := l.ask(ctx, &zk.Request{Op: op, Path: "/"})
		if got := status.Convert(err); got.Code() != codes.Canceled || strings.Contains(got.Message(), "write") != write {
			t.Errorf("%v ends with %v", op, err)
		}
	}
}

func TestBatchIsReadAtOneZxid(t *testing.T) {
	r := newRig(t)
	r.create("/a/c2", "x")
	made := r.create("/a/c1", "")
	out, err := r.znodes.BatchRead(t.Context(), &paddockv1.BatchReadRequest{
		Reads: []*paddockv1.Read{
			{Read: &paddockv1.Read_Get{Get: "/a/c2"}}, {Read: &paddockv1.Read_Exists{Exists: "/no"}},
			{Read: &paddockv1.Read_Children{Children: "/a"}}, {Read: &paddockv1.Read_Acl{Acl: "/a"}}, {Read: &paddockv1.Read_Exists{Exists: "/a"}},
		},
		Read: &paddockv1.ReadOptions{Level: paddockv1.ReadLevel_READ_LEVEL_LINEARIZABLE, MinZxid: made.GetZxid()},
	})
	if err != nil {
		t.Fatal(err)
	}
	res := out.GetResults()
	if len(res) != 5 || string(res[0].GetData()) != "x" || res[1].GetReason() != "NONODE" || strings.Join(res[2].GetChildren(), " ") != "c1 c2" ||
		len(res[3].GetAcl()) != 1 || res[4].GetStat().GetNumChildren() != 2 || out.GetZxid() < made.GetZxid() {
		t.Errorf("%v", out)
	}
}

func TestTransactionsDoAllOrNothing(t *testing.T) {
	r := newRig(t)
	r.create("/a", "")
	set := func(path string) *paddockv1.Operation {
		return &paddockv1.Operation{Operation: &paddockv1.Operation_Set{Set: &paddockv1.SetRequest{Path: path, Data: []byte("t")}}}
	}
	create := func(path string) *paddockv1.Operation {
		return &paddockv1.Operation{Operation: &paddockv1.Operation_Create{Create: &paddockv1.CreateRequest{Path: path}}}
	}
	out, err := r.znodes.Transact(t.Context(), &paddockv1.TransactRequest{
		Guards: []*paddockv1.Guard{{Path: "/a", Condition: &paddockv1.Guard_Version{Version: 0}}}, Then: []*paddockv1.Operation{set("/a"), create("/b")},
	})
	if err != nil || !out.GetHeld() || len(out.GetResults()) != 2 || out.GetResults()[0].GetStat().GetVersion() != 1 || out.GetResults()[1].GetPath() != "/b" {
		t.Fatalf("%v %v", out, err)
	}
	out, err = r.znodes.Transact(t.Context(), &paddockv1.TransactRequest{
		Guards: []*paddockv1.Guard{{Path: "/a", Condition: &paddockv1.Guard_Version{Version: 0}}}, Then: []*paddockv1.Operation{create("/c")},
	})
	if err != nil || out.GetHeld() || len(out.GetResults()) != 0 {
		t.Errorf("a guard that does not hold: %v %v", out, err)
	}
	_, err = r.znodes.Transact(t.Context(), &paddockv1.TransactRequest{Then: []*paddockv1.Operation{create("/c"), set("/no")}})
	if info := expect(t, err, codes.NotFound, "NONODE"); info.GetMetadata()["operation"] != "1" || info.GetMetadata()["path"] != "/no" {
		t.Errorf("metadata: %v", info.GetMetadata())
	}
	if there, err := r.znodes.Exists(t.Context(), &paddockv1.ExistsRequest{Path: "/c"}); err != nil || there.GetExists() {
		t.Errorf("half a transaction: %v %v", there, err)
	}
	hidden := &paddockv1.CreateRequest{Path: "/hidden", Acl: []*paddockv1.Acl{{Scheme: "digest", Id: "nobody:x", Permissions: []paddockv1.Permission{paddockv1.Permission_PERMISSION_READ}}}}
	if _, err := r.znodes.Create(t.Context(), hidden); err != nil {
		t.Fatal(err)
	}
	_, err = r.znodes.Transact(t.Context(), &paddockv1.TransactRequest{
		Guards: []*paddockv1.Guard{{Path: "/hidden", Condition: &paddockv1.Guard_Data{}}}, Then: []*paddockv1.Operation{create("/c"), create("/d")},
	})
	if info := expect(t, err, codes.PermissionDenied, "NOAUTH"); info.GetMetadata()["operation"] != "" || info.GetMetadata()["path"] != "/hidden" {
		t.Errorf("metadata of a guard that may not be judged: %v", info.GetMetadata())
	}
}

func TestGuardsChooseTheList(t *testing.T) {
	r := newRig(t)
	made := r.create("/a", "one")
	ctx, _ := r.open(20_000)
	put := func(data string) []*paddockv1.Operation {
		return []*paddockv1.Operation{{Operation: &paddockv1.Operation_Set{Set: &paddockv1.SetRequest{Path: "/a", Data: []byte(data)}}}}
	}
	for i, row := range []struct {
		name  string
		guard *paddockv1.Guard
		held  bool
	}{
		{"there", &paddockv1.Guard{Path: "/a", Condition: &paddockv1.Guard_Exists{Exists: true}}, true},
		{"not there", &paddockv1.Guard{Path: "/a", Condition: &paddockv1.Guard_Exists{}}, false},
		{"nowhere", &paddockv1.Guard{Path: "/b", Condition: &paddockv1.Guard_Exists{}}, true},
		{"the data as it is now", &paddockv1.Guard{Path: "/a", Condition: &paddockv1.Guard_Data{Data: []byte("then")}}, true},
		{"other data", &paddockv1.Guard{Path: "/a", Condition: &paddockv1.Guard_Data{Data: []byte("one")}}, false},
		{"changed since", &paddockv1.Guard{Path: "/a", Condition: &paddockv1.Guard_Mzxid{Mzxid: made.GetZxid()}}, false},
	} {
		in := &paddockv1.TransactRequest{
			Guards: []*paddockv1.Guard{row.guard}, Then: put("then"), Otherwise: put("otherwise"), Options: &paddockv1.WriteOptions{IdempotencyKey: uint64(i + 1)},
		}
		if _, err := r.znodes.Set(ctx, &paddockv1.SetRequest{Path: "/a", Data: []byte("then")}); err != nil {
			t.Fatal(err)
		}
		out, err := r.znodes.Transact(ctx, in)
		if err != nil || out.GetHeld() != row.held || len(out.GetResults()) != 1 {
			t.Errorf("%s: %v %v", row.name, out, err)
		}
		again, err := r.znodes.Transact(ctx, in)
		if err != nil || again.GetHeld() != out.GetHeld() || again.GetZxid() != out.GetZxid() {
			t.Errorf("%s, once more: %v %v, not %v", row.name, again, err, out)
		}
	}
	in := &paddockv1.TransactRequest{Guards: []*paddockv1.Guard{{Path: "/new", Condition: &paddockv1.Guard_Exists{}}}, Options: &paddockv1.WriteOptions{IdempotencyKey: 99},
		Then: []*paddockv1.Operation{{Operation: &paddockv1.Operation_Create{Create: &paddockv1.CreateRequest{Path: "/new"}}}}}
	for range 2 {
		if out, err := r.znodes.Transact(ctx, in); err != nil || !out.GetHeld() || out.GetResults()[0].GetPath() != "/new" {
			t.Errorf("a guard that its own transaction breaks: %v %v", out, err)
		}
	}
}
