//go:build doors

package watches

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"paddock/client"
	paddockv1 "paddock/gen/paddock/v1"
	"paddock/test/doors/rig"
)

const (
	writers   = 4
	callTime  = 5 * time.Second
	writeTick = 4 * time.Millisecond
	mostPaths = 150       // of a writer
	bigData   = 128 << 10 // while a reader stalls
)

// record is what was asked for, and by whom it can be asked.
type record struct {
	znodes  []paddockv1.ZnodeServiceClient // one for each server
	stalled atomic.Int32                   // readers that want to be flooded
	written atomic.Int64                   // bytes of data
	number  atomic.Int64                   // of the data written last

	mu     sync.Mutex // guards writes
	writes []write
}

func newRecord(t testing.TB, servers []*rig.Server) *record {
	t.Helper()
	r := &record{}
	for _, s := range servers {
		conn, err := grpc.NewClient("passthrough:///"+s.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: time.Second}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		r.znodes = append(r.znodes, paddockv1.NewZnodeServiceClient(conn))
	}
	return r
}

// attempt writes on some server, once, and records what comes of it. The zxid is 0 if that is not known.
func (r *record) attempt(ctx context.Context, ops ...*paddockv1.Operation) (zxid uint64) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	z := r.znodes[rand.N(len(r.znodes))]
	var w write
	for _, op := range ops {
		w.changes = append(w.changes, changeBy(op))
	}
	var err error
	switch op := ops[0]; {
	case len(ops) > 1:
		var out *paddockv1.TransactResponse
		out, err = z.Transact(ctx, &paddockv1.TransactRequest{Then: ops})
		zxid = out.GetZxid()
	case op.GetCreate() != nil:
		var out *paddockv1.CreateResponse
		out, err = z.Create(ctx, op.GetCreate())
		zxid = out.GetZxid()
	case op.GetSet() != nil:
		var out *paddockv1.SetResponse
		out, err = z.Set(ctx, op.GetSet())
		zxid = out.GetZxid()
	case op.GetSetAcl() != nil:
		var out *paddockv1.SetAclResponse
		out, err = z.SetAcl(ctx, op.GetSetAcl())
		zxid = out.GetZxid()
	default:
		var out *paddockv1.DeleteResponse
		out, err = z.Delete(ctx, op.GetDelete())
		zxid = out.GetZxid()
	}
	if err != nil {
		zxid = 0
	}
	w.zxid = zxid
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = append(r.writes, w)
	return zxid
}

// insist writes until it is acknowledged.
func (r *record) insist(ctx context.Context, ops func() []*paddockv1.Operation) (zxid uint64) {
	for ctx.Err() == nil {
		if z := r.attempt(ctx, ops()...); z != 0 {
			return z
		}
	}
	return 0
}

func changeBy(op *paddockv1.Operation) change {
	switch {
	case op.GetCreate() != nil:
		return change{kind: client.Created, path: op.GetCreate().GetPath(), data: digestOf(op.GetCreate().GetData()), secret: isSecret(op.GetCreate().GetAcl()), list: listDigest(op.GetCreate().GetAcl())}
	case op.GetSetAcl() != nil:
		return change{kind: accessSet, path: op.GetSetAcl().GetPath(), secret: isSecret(op.GetSetAcl().GetAcl()), list: listDigest(op.GetSetAcl().GetAcl())}
	case op.GetSet() != nil:
		return change{kind: client.DataChanged, path: op.GetSet().GetPath(), data: digestOf(op.GetSet().GetData())}
	}
	return change{kind: client.Deleted, path: op.GetDelete().GetPath()}
}

func digestOf(b []byte) digest {
	h := fnv.New64a()
	h.Write(b)
	return digest(h.Sum64() | 1)
}

// Who may read what is secret.
const (
	reader         = "reader"
	readerPassword = "it reads all"
)

// login names the reader in the header of a request.
var login = "Basic " + base64.StdEncoding.EncodeToString([]byte(reader+":"+readerPassword))

// Access lists. Everybody may write.
var (
	publicACL = []*paddockv1.Acl{{Scheme: "world", Id: "anyone", Permissions: append([]paddockv1.Permission{paddockv1.Permission_PERMISSION_READ}, notRead...)}}
	secretACL = []*paddockv1.Acl{{Scheme: "world", Id: "anyone", Permissions: notRead}, {
		Scheme: "digest", Id: readerID(), Permissions: []paddockv1.Permission{paddockv1.Permission_PERMISSION_READ},
	}}
	notRead = []paddockv1.Permission{paddockv1.Permission_PERMISSION_WRITE, paddockv1.Permission_PERMISSION_CREATE,
		paddockv1.Permission_PERMISSION_DELETE, paddockv1.Permission_PERMISSION_ADMIN}
)

// readerID is the reader as ZooKeeper's access lists have it.
func readerID() string {
	sum := sha1.Sum([]byte(reader + ":" + readerPassword))
	return reader + ":" + base64.StdEncoding.EncodeToString(sum[:])
}

// someAccess is secret now and then.
func someAccess() []*paddockv1.Acl {
	if rand.N(3) == 0 {
		return secretACL
	}
	return publicACL
}

func isSecret(acl []*paddockv1.Acl) bool {
	return acl[0].GetPermissions()[0] != paddockv1.Permission_PERMISSION_READ
}

// another is an access list that means the same and is like no other.
func (r *record) another(acl []*paddockv1.Acl) []*paddockv1.Acl {
	n := r.number.Add(1)
	id := fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)
	return append(slices.Clone(acl), &paddockv1.Acl{Scheme: "ip", Id: id, Permissions: []paddockv1.Permission{paddockv1.Permission_PERMISSION_WRITE}})
}

// listDigest stands for an access list; 0 for none.
func listDigest(acl []*paddockv1.Acl) digest {
	if acl == nil {
		return 0
	}
	var text []byte
	for _, a := range acl {
		text = fmt.Append(text, a.GetScheme(), ":", a.GetId(), ":", slices.Sorted(slices.Values(a.GetPermissions())), " ")
	}
	return digestOf(text)
}

// data is different each time; some is not UTF-8.
func (r *record) data() []byte {
	size := rand.N(1 << rand.N(12))
	if r.stalled.Load() > 0 && rand.N(2) == 0 {
		size = bigData
	}
	fill := []byte{'.', 0xff}[rand.N(2)]
	b := append(fmt.Appendf(nil, "%d ", r.number.Add(1)), bytes.Repeat([]byte{fill}, size)...)
	r.written.Add(int64(len(b)))
	return b
}

func (r *record) create(path string) *paddockv1.Operation {
	return &paddockv1.Operation{Operation: &paddockv1.Operation_Create{Create: &paddockv1.CreateRequest{Path: path, Data: r.data(), Acl: r.another(someAccess())}}}
}

func (r *record) set(path string) *paddockv1.Operation {
	return &paddockv1.Operation{Operation: &paddockv1.Operation_Set{Set: &paddockv1.SetRequest{Path: path, Data: r.data()}}}
}

// setAccess sets who may read a znode.
func (r *record) setAccess(path string, acl []*paddockv1.Acl) *paddockv1.Operation {
	return &paddockv1.Operation{Operation: &paddockv1.Operation_SetAcl{SetAcl: &paddockv1.SetAclRequest{Path: path, Acl: r.another(acl)}}}
}

func remove(path string) *paddockv1.Operation {
	return &paddockv1.Operation{Operation: &paddockv1.Operation_Delete{Delete: &paddockv1.DeleteRequest{Path: path}}}
}

// write changes znodes below a path, each name used once, until ctx ends. Names are counted from one that is given.
func (r *record) write(ctx context.Context, root string, names int) {
	var paths []string
	name := func() string {
		names++
		return fmt.Sprint(root, "/", names)
	}
	take := func() string {
		i := rand.N(len(paths))
		p := paths[i]
		paths[i] = paths[len(paths)-1]
		paths = paths[:len(paths)-1]
		return p
	}
	tick := time.NewTicker(writeTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		switch n := rand.N(100); {
		case len(paths) < 3 || n < 25 && len(paths) < mostPaths:
			if p := name(); r.attempt(ctx, r.create(p)) != 0 {
				paths = append(paths, p)
			}
		case n < 55:
			r.attempt(ctx, r.set(paths[rand.N(len(paths))]))
		case n < 65:
			p := paths[rand.N(len(paths))]
			if rand.N(8) == 0 {
				p = root
			}
			r.attempt(ctx, r.setAccess(p, someAccess()))
		case n < 80:
			r.attempt(ctx, remove(take()))
		default:
			p, child := name(), ""
			ops := []*paddockv1.Operation{r.set(root), r.create(p)}
			if child = p + "/x"; n < 85 {
				ops = append(ops, r.create(child), r.set(child), remove(child))
			}
			ops = append(ops, r.set(p), remove(take()))
			if r.attempt(ctx, ops...) != 0 {
				paths = append(paths, p)
			}
		}
	}
}

// list is what there is below a path, and when, which is not before a zxid.
func (r *record) list(ctx context.Context, path string, zxid uint64) (found map[string]znode, at uint64) {
	for ctx.Err() == nil {
		var token string
		z := r.znodes[rand.N(len(r.znodes))]
		for found = map[string]znode{}; ; {
			call, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(ctx, "authorization", login), callTime)
			out, err := z.ListTree(call, &paddockv1.ListTreeRequest{
				Path: path, WithData: true, WithStat: true, PageSize: 50, PageToken: token, Read: &paddockv1.ReadOptions{MinZxid: zxid},
			})
			cancel()
			if none := absentAt(err); none != 0 {
				return map[string]znode{}, none
			}
			if err != nil {
				break
			}
			for _, n := range out.GetZnodes() {
				found[n.GetPath()] = znode{digestOf(n.GetData()), n.GetStat().GetMzxid()}
			}
			if token = out.GetNextPageToken(); token == "" {
				return found, out.GetZxid()
			}
		}
		wait(ctx, 20*time.Millisecond)
	}
	return nil, 0
}

// absentAt is the zxid at which there is no such znode; 0 for another error, and none.
func absentAt(err error) (zxid uint64) {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetReason() == "NONODE" {
			zxid, _ = strconv.ParseUint(info.GetMetadata()["zxid"], 10, 64)
		}
	}
	return zxid
}

// wait waits unless ctx ends before.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
