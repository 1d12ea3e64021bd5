//go:build doors

package watches

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"paddock/client"
	paddockv1 "paddock/gen/paddock/v1"
)

// window keeps gRPC from reading ahead for a reader that stalls.
var window = []grpc.DialOption{
	grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithInitialWindowSize(64 << 10), grpc.WithInitialConnWindowSize(64 << 10),
}

// watchKinds are the kinds as the contract names them.
var watchKinds = map[kind]paddockv1.WatchKind{
	node: paddockv1.WatchKind_WATCH_KIND_PERSISTENT, recursive: paddockv1.WatchKind_WATCH_KIND_RECURSIVE,
	dataOnce: paddockv1.WatchKind_WATCH_KIND_DATA_ONCE, childrenOnce: paddockv1.WatchKind_WATCH_KIND_CHILDREN_ONCE,
}

// raw has watches of one stream told, until ctx ends. All are strangers, or none.
func raw(ctx context.Context, watchers ...*watcher) {
	t := watchers[0].test
	for ctx.Err() == nil {
		t.streams.Add(1)
		err := rawOnce(ctx, t, watchers)
		switch r := reasonOf(err); {
		case r == "SLOW_READER":
			t.slow.Add(1)
		case r == "" && status.Code(err).String() == "InvalidArgument":
			panic(err)
		}
		t.perhapsAway(ctx)
	}
}

func reasonOf(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// rawOnce has them told over one connection.
func rawOnce(ctx context.Context, t *test, watchers []*watcher) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := grpc.NewClient("passthrough:///"+t.grpc[rand.N(len(t.grpc))].addr(), window...)
	if err != nil {
		return err
	}
	defer conn.Close()
	if !watchers[0].stranger {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", login)
	}
	stream, err := paddockv1.NewWatchServiceClient(conn).Watch(ctx)
	if err != nil {
		return err
	}
	create := func(id int, w *watcher) error {
		return stream.Send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: &paddockv1.CreateWatch{
			WatchId: int64(id), Path: w.path, Kind: watchKinds[w.kind], StartAfterZxid: w.at.Load(), WithData: true, WithPrevious: true, WithAcl: w.lists, ProgressMs: 500,
		}}})
	}
	for id, w := range watchers {
		if err := create(id+1, w); err != nil {
			break // Recv tells why
		}
	}
	gathered := make([][]change, len(watchers))
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		t.perhapsStall(ctx)
		id := int(m.GetWatchId())
		w := watchers[id-1]
		switch {
		case m.GetProgress() != nil:
			w.take(nil, m.GetProgress().GetZxid())
		case m.GetEvents() != nil:
			for _, c := range m.GetEvents().GetChanges() {
				got := changeOf(client.ChangeType(c.GetType()), c.GetPath(), c.GetZxid(), c.Data, c.PreviousData)
				got.list, got.oldList = listDigest(c.GetAcl().GetAcl()), listDigest(c.GetPreviousAcl().GetAcl())
				gathered[id-1] = append(gathered[id-1], got)
			}
			if list := gathered[id-1]; !m.GetEvents().GetMore() && len(list) > 0 {
				w.take(list, list[len(list)-1].zxid)
				gathered[id-1] = nil
			}
		case m.GetCancelled().GetReason() == paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_HISTORY_GONE:
			w.relist(ctx, m.GetCancelled().GetZxid())
			if err := create(id, w); err != nil {
				continue // Recv tells why
			}
		case m.GetCancelled().GetReason() == paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_FIRED:
			w.take(nil, m.GetCancelled().GetZxid())
			if err := create(id, w); err != nil {
				continue // Recv tells why
			}
		case m.GetCancelled() != nil:
			w.refused.Add(1)
			return errors.New(m.GetCancelled().GetMessage())
		}
	}
}

func changeOf(kind client.ChangeType, path string, zxid uint64, data, previous []byte) change {
	c := change{kind: kind, path: path, zxid: zxid}
	if data != nil {
		c.data = digestOf(data)
	}
	if previous != nil {
		c.previous = digestOf(previous)
	}
	return c
}

// contractOf is an access list of the Go client as the contract has it.
func contractOf(list []client.ACL) (out []*paddockv1.Acl) {
	numbers := map[client.Perms]paddockv1.Permission{
		client.PermRead: paddockv1.Permission_PERMISSION_READ, client.PermWrite: paddockv1.Permission_PERMISSION_WRITE,
		client.PermCreate: paddockv1.Permission_PERMISSION_CREATE, client.PermDelete: paddockv1.Permission_PERMISSION_DELETE,
		client.PermAdmin: paddockv1.Permission_PERMISSION_ADMIN,
	}
	for _, a := range list {
		m := &paddockv1.Acl{Scheme: a.Scheme, Id: a.ID}
		for bit, number := range numbers {
			if a.Perms&bit != 0 {
				m.Permissions = append(m.Permissions, number)
			}
		}
		out = append(out, m)
	}
	return out
}

// library has a watcher told by the Go client, until ctx ends.
func library(ctx context.Context, w *watcher) {
	for ctx.Err() == nil {
		w.streams.Add(1)
		var gone *client.Error
		if err := libraryOnce(ctx, w); errors.Is(err, client.ErrHistoryGone) && errors.As(err, &gone) {
			w.relist(ctx, gone.Zxid)
		} else if ctx.Err() == nil && err != nil {
			w.refused.Add(1)
		}
		w.perhapsAway(ctx)
	}
}

// libraryOnce has it told until the watch is over, or it wants another.
func libraryOnce(ctx context.Context, w *watcher) error {
	var addrs []string
	for _, p := range w.grpc {
		addrs = append(addrs, p.addr())
	}
	c, err := client.Dial(addrs, client.Options{DialOptions: window, User: reader, Password: readerPassword})
	if err != nil {
		return err
	}
	defer c.Close()
	s := client.Node
	if w.kind == recursive {
		s = client.Recursive
	}
	watch, err := c.Watch(ctx, w.path, client.WatchOptions{Scope: s, After: w.at.Load(), Data: true, Previous: true, ACL: w.lists})
	if err != nil {
		return err
	}
	defer watch.Close()
	for e := range watch.C {
		var list []change
		for _, got := range e.Changes {
			c := changeOf(got.Type, strings.Clone(got.Path), got.Zxid, got.Data, got.Previous)
			c.list, c.oldList = listDigest(contractOf(got.ACL)), listDigest(contractOf(got.PreviousACL))
			list = append(list, c)
		}
		w.take(list, e.Zxid)
		w.perhapsStall(ctx)
		if !w.calm.Load() && rand.N(stallOdds) == 0 {
			return nil
		}
	}
	return watch.Err()
}
