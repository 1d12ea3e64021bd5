package grpcapi

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/server/request"
)

// renderList is a list as zkCli writes it, with spaces between.
func renderList(list []*paddockv1.Acl) string {
	var out []string
	for _, a := range list {
		text := a.GetScheme() + ":" + a.GetId() + ":"
		for _, p := range a.GetPermissions() {
			text += strings.ToLower(p.String()[len("PERMISSION_"):][:1])
		}
		out = append(out, text)
	}
	return "[" + strings.Join(out, " ") + "]"
}

// listed is a list of zkCli's form, with all rights as "all".
func listed(entries ...string) (list []*paddockv1.Acl) {
	rights := map[string][]paddockv1.Permission{
		"r": {paddockv1.Permission_PERMISSION_READ}, "a": {paddockv1.Permission_PERMISSION_ADMIN}, "all": {
			paddockv1.Permission_PERMISSION_READ, paddockv1.Permission_PERMISSION_WRITE, paddockv1.Permission_PERMISSION_CREATE,
			paddockv1.Permission_PERMISSION_DELETE, paddockv1.Permission_PERMISSION_ADMIN,
		},
	}
	for _, e := range entries {
		scheme, rest, _ := strings.Cut(e, ":")
		end := strings.LastIndex(rest, ":")
		list = append(list, &paddockv1.Acl{Scheme: scheme, Id: rest[:end], Permissions: rights[rest[end+1:]]})
	}
	return list
}

// digested is the identity of a user whose password is pw.
func digested(user string) string {
	sum := sha1.Sum([]byte(user + ":pw"))
	return user + ":" + base64.StdEncoding.EncodeToString(sum[:])
}

func asUser(ctx context.Context, user string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":pw")))
}

func TestAccessListsAreToldToWhoMaySeeThem(t *testing.T) {
	r := newRig(t)
	ann, bob := digested("ann"), digested("bob")
	open := listed("world:anyone:r", "digest:"+ann+":all")
	hers := listed("digest:" + ann + ":all")
	shared := listed("digest:"+bob+":a", "digest:"+ann+":all")
	admin := asUser(t.Context(), "ann")
	before := r.create("/p", "").GetZxid()
	lists := func(id int64) *paddockv1.CreateWatch {
		return &paddockv1.CreateWatch{WatchId: id, Path: "/p", Kind: recursive, WithAcl: true, WithPrevious: true}
	}
	watchers := map[string]*watcher{"": r.watch(t.Context(), r.conn), "ann": r.watch(admin, r.conn), "bob": r.watch(asUser(t.Context(), "bob"), r.conn)}
	for _, w := range watchers {
		w.create(lists(1))
	}
	// Some that are told less.
	plain, once, brief := r.watch(admin, r.conn), r.watch(admin, r.conn), r.watch(admin, r.conn)
	plain.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/p", Kind: recursive, WithPrevious: true})
	brief.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/p/x", Kind: persistent, WithAcl: true, WithData: true})
	if _, err := r.znodes.Create(admin, &paddockv1.CreateRequest{Path: "/p/x", Data: []byte("0"), Acl: open}); err != nil {
		t.Fatal(err)
	}
	once.create(&paddockv1.CreateWatch{WatchId: 1, Path: "/p/x", Kind: dataOnce, WithAcl: true, WithPrevious: true})
	for _, list := range [][]*paddockv1.Acl{hers, shared} {
		if _, err := r.znodes.SetAcl(admin, &paddockv1.SetAclRequest{Path: "/p/x", Acl: list}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.znodes.Delete(admin, &paddockv1.DeleteRequest{Path: "/p/x"}); err != nil {
		t.Fatal(err)
	}
	r.create("/p/end", "")
	hidden, anyone := "[world:anyone:r digest:ann:x:rwcda]", " list [world:anyone:rwcda]"
	annAll := "digest:" + ann + ":rwcda"
	told := map[string][]string{
		"": {"1 +/p/x list " + hidden, "1 !/p/x list was " + hidden, "1 +/p/end" + anyone},
		"bob": {
			"1 +/p/x list " + hidden, "1 !/p/x list was " + hidden, "1 !/p/x list [digest:" + bob + ":a " + annAll + "]",
			"1 +/p/end" + anyone,
		},
		"ann": {
			"1 +/p/x list [world:anyone:r " + annAll + "]", "1 !/p/x list [" + annAll + "] list was [world:anyone:r " + annAll + "]",
			"1 !/p/x list [digest:" + bob + ":a " + annAll + "] list was [" + annAll + "]",
			`1 -/p/x was "0" list was [digest:` + bob + ":a " + annAll + "]", "1 +/p/end" + anyone,
		},
	}
	for user, w := range watchers {
		w.expect(told[user]...)
		again := lists(1)
		again.StartAfterZxid = before
		ctx := t.Context()
		if user != "" {
			ctx = asUser(ctx, user)
		}
		past := r.watch(ctx, r.dial())
		past.create(again)
		past.expect(told[user]...)
	}
	plain.expect("1 +/p/x", `1 -/p/x was "0"`, "1 +/p/end")
	once.expect(`1 -/p/x was "0" list was [digest:`+bob+":a "+annAll+"]", "1 over: FIRED")
	brief.expect(`1 +/p/x "0" list [world:anyone:r `+annAll+"]", "1 !/p/x list ["+annAll+"]", "1 !/p/x list [digest:"+bob+":a "+annAll+"]", "1 -/p/x")
}

// A log that has not told of a list does not tell it now, and who may see neither list is told nothing.
func TestListsThatAreNotKnownAreNotTold(t *testing.T) {
	everything := watching{kind: recursive, path: "/", stream: &watchStream{}, detail: detailData | detailPrevious | detailACL}
	closed := []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "digest", ID: "b:x"}}}
	readable := []zk.ACL{{Perms: zk.PermRead, ID: zk.AnyoneID}, {Perms: zk.PermAdmin, ID: zk.ID{Scheme: "digest", ID: "b:secret"}}}
	n := fanner{may: func(acl []zk.ACL, perm zk.Perms, _ []zk.ID) bool {
		return acl[0].ID == zk.AnyoneID && acl[0].Perms&perm != 0
	}}
	x := newWatchIndex()
	x.add(&everything)
	for name, c := range map[string]struct {
		change request.Change
		want   string
	}{
		"a deletion whose list is guessed":     {request.Change{Kind: zk.NodeDeleted, ACL: zk.OpenACL, Guessed: true}, "-/a"},
		"a deletion":                           {request.Change{Kind: zk.NodeDeleted, ACL: zk.OpenACL}, "-/a list was [world:anyone:rwcda]"},
		"a list from a closed one":             {request.Change{Kind: zk.NodeACLChanged, ACL: zk.OpenACL, PreviousACL: closed, PreviousKnown: true}, "!/a list [world:anyone:rwcda]"},
		"a list from one that is not known":    {request.Change{Kind: zk.NodeACLChanged, ACL: zk.OpenACL}, "!/a list [world:anyone:rwcda]"},
		"a closed list from an open one":       {request.Change{Kind: zk.NodeACLChanged, ACL: closed, PreviousACL: zk.OpenACL, PreviousKnown: true}, "!/a list was [world:anyone:rwcda]"},
		"a closed list from one not known":     {request.Change{Kind: zk.NodeACLChanged, ACL: closed}, ""},
		"a closed list from a closed one":      {request.Change{Kind: zk.NodeACLChanged, ACL: closed, PreviousACL: closed, PreviousKnown: true}, ""},
		"a list that may be read, not managed": {request.Change{Kind: zk.NodeACLChanged, ACL: readable}, "!/a list [world:anyone:r digest:b:x:a]"},
	} {
		c.change.Path, c.change.Zxid = "/a", 7
		got := ""
		n.fan(x, []request.Change{c.change}, func(_ *watching, b *bundle) {
			var m paddockv1.WatchEvents
			if err := proto.Unmarshal(b.changes[0], &m); err != nil {
				t.Fatal(err)
			}
			got = render(m.GetChanges()[0])
		})
		if got != c.want {
			t.Errorf("%s: told %q, want %q", name, got, c.want)
		}
	}
	x.remove(&everything)
	if x.lists != 0 || x.wants(zk.NodeACLChanged, "/a") {
		t.Error("a watch that is gone wants lists")
	}
}
