//go:build doors

package suite

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/test/doors/rig"
)

// callTimeout bounds each call of a test.
const callTimeout = 30 * time.Second

// serviceDoor is a door whose callers are clients of the services, by its name: see servicesOf.
type serviceDoor struct{ name string }

// stubs are clients of the services on one connection, as they are generated from the contract, and nothing on top.
type stubs struct {
	paddockv1.ZnodeServiceClient
	paddockv1.SessionServiceClient
	paddockv1.LockServiceClient
	paddockv1.WatchServiceClient
}

// dialGRPC connects to a server; calls wait for it.
func dialGRPC(t *testing.T, s *rig.Server) stubs {
	t.Helper()
	conn, err := grpc.NewClient(s.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return stubs{paddockv1.NewZnodeServiceClient(conn), paddockv1.NewSessionServiceClient(conn), paddockv1.NewLockServiceClient(conn), paddockv1.NewWatchServiceClient(conn)}
}

// services is what a caller of gRPC or REST needs of them: each door has an implementation.
type services interface {
	OpenSession(context.Context, *paddockv1.OpenSessionRequest, ...grpc.CallOption) (*paddockv1.OpenSessionResponse, error)
	CloseSession(context.Context, *paddockv1.CloseSessionRequest, ...grpc.CallOption) (*paddockv1.CloseSessionResponse, error)
	AddAuth(context.Context, *paddockv1.AddAuthRequest, ...grpc.CallOption) (*paddockv1.AddAuthResponse, error)
	WhoAmI(context.Context, *paddockv1.WhoAmIRequest, ...grpc.CallOption) (*paddockv1.WhoAmIResponse, error)
	ListEphemerals(context.Context, *paddockv1.ListEphemeralsRequest, ...grpc.CallOption) (*paddockv1.ListEphemeralsResponse, error)
	Create(context.Context, *paddockv1.CreateRequest, ...grpc.CallOption) (*paddockv1.CreateResponse, error)
	Get(context.Context, *paddockv1.GetRequest, ...grpc.CallOption) (*paddockv1.GetResponse, error)
	Exists(context.Context, *paddockv1.ExistsRequest, ...grpc.CallOption) (*paddockv1.ExistsResponse, error)
	Set(context.Context, *paddockv1.SetRequest, ...grpc.CallOption) (*paddockv1.SetResponse, error)
	Delete(context.Context, *paddockv1.DeleteRequest, ...grpc.CallOption) (*paddockv1.DeleteResponse, error)
	ListChildren(context.Context, *paddockv1.ListChildrenRequest, ...grpc.CallOption) (*paddockv1.ListChildrenResponse, error)
	GetAcl(context.Context, *paddockv1.GetAclRequest, ...grpc.CallOption) (*paddockv1.GetAclResponse, error)
	SetAcl(context.Context, *paddockv1.SetAclRequest, ...grpc.CallOption) (*paddockv1.SetAclResponse, error)
	Transact(context.Context, *paddockv1.TransactRequest, ...grpc.CallOption) (*paddockv1.TransactResponse, error)
	BatchRead(context.Context, *paddockv1.BatchReadRequest, ...grpc.CallOption) (*paddockv1.BatchReadResponse, error)
	Sync(context.Context, *paddockv1.SyncRequest, ...grpc.CallOption) (*paddockv1.SyncResponse, error)
}

// serviceCaller is a session of services.
type serviceCaller struct {
	services
	ctx     context.Context // with the session's metadata
	session *paddockv1.OpenSessionResponse
}

func (d serviceDoor) open(t *testing.T, s *rig.Server, timeout time.Duration) caller {
	t.Helper()
	return openSession(t, servicesOf(t, d.name, s), timeout)
}

// bareDoor is a serviceDoor without a session.
type bareDoor struct{ name string }

func (d bareDoor) open(t *testing.T, s *rig.Server, _ time.Duration) caller {
	t.Helper()
	return &serviceCaller{servicesOf(t, d.name, s), t.Context(), nil}
}

// servicesOf are those of a door that has some: gRPC, all calls of ZnodeService by one stream of Pipeline, or REST.
func servicesOf(t *testing.T, door string, s *rig.Server) services {
	t.Helper()
	switch door {
	case "gRPC":
		return dialGRPC(t, s)
	case "pipeline":
		return pipelineOn(t, s)
	default:
		return dialREST(t, s)
	}
}

// openSession opens a session of services.
func openSession(t *testing.T, s services, timeout time.Duration) *serviceCaller {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	opened, err := s.OpenSession(ctx, &paddockv1.OpenSessionRequest{TimeoutMs: int32(timeout.Milliseconds())})
	if err != nil {
		t.Fatal(err)
	}
	return &serviceCaller{s, withSession(t.Context(), opened), opened}
}

// withSession names a session in the metadata.
func withSession(ctx context.Context, s *paddockv1.OpenSessionResponse) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "paddock-session", strconv.FormatInt(s.GetSessionId(), 10), "paddock-session-password", s.GetPassword())
}

func (c *serviceCaller) id() int64 { return c.session.GetSessionId() }

func (c *serviceCaller) close(t *testing.T) {
	t.Helper()
	if _, err := c.CloseSession(c.ctx, &paddockv1.CloseSessionRequest{}); err != nil {
		t.Error(err)
	}
}

func (c *serviceCaller) ask(s *step) (answer, error) {
	ctx, cancel := context.WithTimeout(c.ctx, callTimeout)
	defer cancel()
	a, err := c.call(ctx, s)
	if err == nil {
		return a, nil
	}
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == "paddock" {
			z, _ := strconv.ParseUint(info.GetMetadata()["zxid"], 10, 64) // 0 where there is none
			a = answer{Reason: info.GetReason(), Zxid: z}
			if s.op == "multi" {
				a.Path = info.GetMetadata()["path"]
			}
			return a, nil
		}
	}
	return answer{}, err
}

// call makes the call of a step.
func (c *serviceCaller) call(ctx context.Context, s *step) (answer, error) {
	switch s.op {
	case "create":
		out, err := c.Create(ctx, s.create())
		return answer{Path: out.GetPath(), Stat: statOf(out.GetStat()), Zxid: out.GetZxid()}, err
	case "set":
		out, err := c.Set(ctx, s.set())
		return answer{Stat: statOf(out.GetStat()), Zxid: out.GetZxid()}, err
	case "get":
		out, err := c.Get(ctx, &paddockv1.GetRequest{Path: s.path})
		return answer{Data: string(out.GetData()), Stat: statOf(out.GetStat()), Zxid: out.GetZxid()}, err
	case "exists":
		out, err := c.Exists(ctx, &paddockv1.ExistsRequest{Path: s.path})
		if err == nil && !out.GetExists() {
			return answer{Reason: "NONODE", Zxid: out.GetZxid()}, nil
		}
		return answer{Stat: statOf(out.GetStat()), Zxid: out.GetZxid()}, err
	case "delete":
		out, err := c.Delete(ctx, s.delete())
		return answer{Zxid: out.GetZxid()}, err
	case "acl":
		out, err := c.GetAcl(ctx, &paddockv1.GetAclRequest{Path: s.path})
		return answer{ACL: listOf(out.GetAcl()), Stat: statOf(out.GetStat()), Zxid: out.GetZxid()}, err
	case "setacl":
		out, err := c.SetAcl(ctx, &paddockv1.SetAclRequest{Path: s.path, Acl: aclOf(s.acl), Version: s.version()})
		return answer{Stat: statOf(out.GetStat()), Zxid: out.GetZxid()}, err
	case "sync":
		out, err := c.Sync(ctx, &paddockv1.SyncRequest{})
		return answer{Zxid: out.GetZxid()}, err
	case "children":
		return c.children(ctx, s)
	case "multi":
		return c.multi(ctx, s)
	case "batch":
		return c.batch(ctx, s)
	case "auth":
		_, err := c.AddAuth(ctx, &paddockv1.AddAuthRequest{Scheme: s.path, Credential: []byte(s.data)})
		return answer{}, err
	case "ephemerals":
		out, err := c.ListEphemerals(ctx, &paddockv1.ListEphemeralsRequest{Prefix: s.path})
		return answer{Children: out.GetPaths(), Zxid: out.GetZxid()}, err
	case "whoami":
		out, err := c.WhoAmI(ctx, &paddockv1.WhoAmIRequest{})
		var a answer
		for _, id := range out.GetIdentities() {
			a.Who = append(a.Who, id.GetScheme()+":"+id.GetId())
		}
		return a, err
	}
	return answer{}, errors.New("no door can " + s.op)
}

// children lists all pages, of two children each.
func (c *serviceCaller) children(ctx context.Context, s *step) (answer, error) {
	in := &paddockv1.ListChildrenRequest{Path: s.path, PageSize: 2}
	var a answer
	for {
		out, err := c.ListChildren(ctx, in)
		if err != nil {
			return answer{}, err
		}
		if in.PageToken != "" && a.Zxid != out.GetZxid() {
			return answer{}, fmt.Errorf("a page is of zxid %#x, the one before of %#x", out.GetZxid(), a.Zxid)
		}
		for _, z := range out.GetChildren() {
			a.Children = append(a.Children, z.GetPath())
		}
		a.Stat, a.Zxid = statOf(out.GetStat()), out.GetZxid()
		if in.PageToken = out.GetNextPageToken(); in.PageToken == "" {
			return a, nil
		}
	}
}

// multi does a transaction without guards.
func (c *serviceCaller) multi(ctx context.Context, s *step) (answer, error) {
	in := &paddockv1.TransactRequest{}
	for i := range s.steps {
		op := &paddockv1.Operation{}
		switch o := &s.steps[i]; o.op {
		case "create":
			op.Operation = &paddockv1.Operation_Create{Create: o.create()}
		case "set":
			op.Operation = &paddockv1.Operation_Set{Set: o.set()}
		case "delete":
			op.Operation = &paddockv1.Operation_Delete{Delete: o.delete()}
		case "check":
			op.Operation = &paddockv1.Operation_Check{Check: &paddockv1.CheckVersion{Path: o.path, Version: o.version()}}
		}
		in.Then = append(in.Then, op)
	}
	out, err := c.Transact(ctx, in)
	a := answer{Zxid: out.GetZxid()}
	for i, r := range out.GetResults() {
		one := answer{Path: r.GetPath(), Stat: statOf(r.GetStat())}
		if s.steps[i].op == "create" { // of which ZooKeeper's multi tells the path only
			if uint64(one.Stat.Czxid) != a.Zxid {
				return a, fmt.Errorf("%s was created at %#x by a transaction of %#x", one.Path, one.Stat.Czxid, a.Zxid)
			}
			one.Stat = zk.Stat{}
		}
		a.Results = append(a.Results, one)
	}
	return a, err
}

// batch reads several znodes at one zxid.
func (c *serviceCaller) batch(ctx context.Context, s *step) (answer, error) {
	in := &paddockv1.BatchReadRequest{}
	for i := range s.steps {
		if o := &s.steps[i]; o.op == "get" {
			in.Reads = append(in.Reads, &paddockv1.Read{Read: &paddockv1.Read_Get{Get: o.path}})
		} else {
			in.Reads = append(in.Reads, &paddockv1.Read{Read: &paddockv1.Read_Children{Children: o.path}})
		}
	}
	out, err := c.BatchRead(ctx, in)
	a := answer{Zxid: out.GetZxid()}
	for i, r := range out.GetResults() {
		one := answer{Reason: r.GetReason(), Data: string(r.GetData()), Children: r.GetChildren()}
		if s.steps[i].op == "get" { // ZooKeeper's batch tells no stat of children
			one.Stat = statOf(r.GetStat())
		}
		a.Results = append(a.Results, one)
	}
	return a, err
}
