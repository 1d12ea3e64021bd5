package replica_test

import (
	"fmt"
	"slices"
	"testing"

	"paddock/internal/jute"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/replica"
	"paddock/server/request"
)

// furnished is a world with a few znodes, an anonymous client and one that is ann.
func furnished(t *testing.T) (w *world, c, ann request.ClientID) {
	w = newWorld(t)
	c, ann = w.connect(), w.connect()
	w.send(ann, zk.Request{Xid: 1, Op: zk.OpAuth, Path: "digest", Data: []byte("ann:secret")})
	own := []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "auth"}}}
	for _, req := range []zk.Request{
		{Op: zk.OpCreate, Path: "/a", Data: []byte("data")}, {Op: zk.OpCreate, Path: "/a/x"}, {Op: zk.OpCreate, Path: "/a/y"}, {Op: zk.OpCreate, Path: "/a/y/z"},
		{Op: zk.OpCreate, Path: "/own", ACL: own}, {Op: zk.OpCreate, Path: "/shown", ACL: append(own[:1:1], zk.ACL{Perms: zk.PermRead, ID: zk.AnyoneID})},
		{Op: zk.OpCreate, Path: "/admin", ACL: append(own[:1:1], zk.ACL{Perms: zk.PermAdmin, ID: zk.AnyoneID})},
	} {
		if r := w.send(ann, req); r.Err != zk.OK {
			t.Fatal(req.Path, r.Err)
		}
	}
	for _, req := range []zk.Request{{Op: zk.OpCreate, Path: "/a/e", Mode: zk.Ephemeral}, {Op: zk.OpCreate, Path: "/e", Mode: zk.Ephemeral}} {
		w.send(c, req)
	}
	w.told[c], w.told[ann] = nil, nil
	return w, c, ann
}

func TestReads(t *testing.T) {
	for name, s := range map[string]struct {
		req   zk.Request
		asAnn bool
		want  zk.Code
		check func(*zk.Reply) bool
	}{
		"getData": {req: read(zk.OpGetData, "/a"), check: func(r *zk.Reply) bool {
			return string(r.Data) == "data" && r.Stat.NumChildren == 3 && r.Stat.Cversion == 3
		}},
		"getData of the root by its other name":   {req: read(zk.OpGetData, "")},
		"getData of what is missing":              {req: read(zk.OpGetData, "/no"), want: zk.NoNode},
		"getData of what is hidden":               {req: read(zk.OpGetData, "/own"), want: zk.NoAuth},
		"getData of one's own":                    {req: read(zk.OpGetData, "/own"), asAnn: true},
		"getData of a null path":                  {req: read(zk.OpGetData, jute.Null()), want: zk.MarshallingError},
		"exists":                                  {req: read(zk.OpExists, "/a"), check: func(r *zk.Reply) bool { return r.Stat.DataLength == 4 }},
		"exists of what is hidden":                {req: read(zk.OpExists, "/own"), want: zk.NoAuth},
		"exists of a path that is none":           {req: read(zk.OpExists, "a//"), want: zk.NoNode},
		"exists of a path with a null character":  {req: read(zk.OpExists, "/\x00"), want: zk.BadArguments},
		"getData of a path with a null character": {req: read(zk.OpGetData, "/\x00"), want: zk.NoNode},
		"getChildren": {req: read(zk.OpGetChildren, "/a"), check: func(r *zk.Reply) bool {
			slices.Sort(r.Names)
			return slices.Equal(r.Names, []string{"e", "x", "y"})
		}},
		"getChildren2":                      {req: read(zk.OpGetChildren2, "/a"), check: func(r *zk.Reply) bool { return len(r.Names) == 3 && r.Stat.NumChildren == 3 }},
		"getChildren of a leaf":             {req: read(zk.OpGetChildren, "/e"), check: func(r *zk.Reply) bool { return r.Names != nil && len(r.Names) == 0 }},
		"getChildren of what is hidden":     {req: read(zk.OpGetChildren, "/own"), want: zk.NoAuth},
		"getACL hides hashes from readers":  {req: read(zk.OpGetACL, "/shown"), check: func(r *zk.Reply) bool { return r.ACL[0].ID.ID == "ann:x" && len(r.ACL) == 2 }},
		"getACL shows hashes to admins":     {req: read(zk.OpGetACL, "/admin"), check: func(r *zk.Reply) bool { return r.ACL[0].ID.ID == annDigest }},
		"getACL shows hashes to the owner":  {req: read(zk.OpGetACL, "/own"), asAnn: true, check: func(r *zk.Reply) bool { return r.ACL[0].ID.ID == annDigest && r.Stat.Czxid > 0 }},
		"getACL of what is hidden":          {req: read(zk.OpGetACL, "/own"), want: zk.NoAuth},
		"the number of all below":           {req: read(zk.OpGetAllChildrenNumber, "/a"), check: func(r *zk.Reply) bool { return r.Number == 4 }},
		"the number of all below the root":  {req: read(zk.OpGetAllChildrenNumber, "/"), check: func(r *zk.Reply) bool { return r.Number == 12 }},
		"the root is below its other name":  {req: read(zk.OpGetAllChildrenNumber, ""), check: func(r *zk.Reply) bool { return r.Number == 13 }},
		"ephemerals of the session":         {req: zk.Request{Op: zk.OpGetEphemerals, Path: "/"}, check: func(r *zk.Reply) bool { return slices.Equal(r.Names, []string{"/a/e", "/e"}) }},
		"ephemerals by their beginning":     {req: zk.Request{Op: zk.OpGetEphemerals, Path: "/a"}, check: func(r *zk.Reply) bool { return slices.Equal(r.Names, []string{"/a/e"}) }},
		"ephemerals with a blank beginning": {req: zk.Request{Op: zk.OpGetEphemerals, Path: " "}, check: func(r *zk.Reply) bool { return len(r.Names) == 2 }},
		"no ephemerals":                     {req: zk.Request{Op: zk.OpGetEphemerals, Path: "/"}, asAnn: true, check: func(r *zk.Reply) bool { return r.Names != nil && len(r.Names) == 0 }},
		"who am I": {req: zk.Request{Op: zk.OpWhoAmI}, asAnn: true, check: func(r *zk.Reply) bool {
			return fmt.Sprint(r.IDs) == "[{ip 127.0.0.1} {digest ann}]" || fmt.Sprint(r.IDs) == "[{digest ann} {ip 127.0.0.1}]"
		}},
		"sync tells the path":        {req: zk.Request{Op: zk.OpSync, Path: "/x"}, check: func(r *zk.Reply) bool { return r.Path == "/x" }},
		"a SASL token has no answer": {req: zk.Request{Op: zk.OpSASL, Data: []byte{1}}, check: func(r *zk.Reply) bool { return r.Data == nil && r.Zxid == 0 }},
		"a body that did not decode": {req: zk.Request{Op: zk.OpExists, Malformed: true}, want: zk.MarshallingError},
		"addWatch of a null path":    {req: zk.Request{Op: zk.OpAddWatch, Path: jute.Null()}, want: zk.MarshallingError},
	} {
		t.Run(name, func(t *testing.T) {
			w, c, ann := furnished(t)
			if s.asAnn {
				c = ann
			}
			s.req.Xid = 5
			r := w.send(c, s.req)
			w.expect(c, fmt.Sprintf("5 %v", s.want))
			if s.check != nil && !s.check(&r) {
				t.Errorf("%+v", r)
			}
			if s.req.Op != zk.OpSASL && r.Zxid != w.r.Tree().Zxid() {
				t.Errorf("answered at %v, the tree is at %v", r.Zxid, w.r.Tree().Zxid())
			}
		})
	}
}

const annDigest = "ann:7RJfAeIvrl4zdj6sS2fXrQHDvHM="

func TestMultiReadAnswersEachOnItsOwn(t *testing.T) {
	w, c, _ := furnished(t)
	r := w.send(c, zk.Request{Xid: 5, Op: zk.OpMultiRead, Ops: []zk.Request{
		read(zk.OpGetData, "/a"), read(zk.OpGetData, "/no"), read(zk.OpGetChildren, "/own"), read(zk.OpGetChildren, "/a/y")}})
	w.expect(c, "5 OK")
	if len(r.Results) != 4 || string(r.Results[0].Data) != "data" || r.Results[0].Op != zk.OpGetData || r.Results[1].Op != zk.OpError ||
		r.Results[1].Err != zk.NoNode || r.Results[2].Err != zk.NoAuth || !slices.Equal(r.Results[3].Names, []string{"z"}) {
		t.Errorf("%+v", r.Results)
	}
	r = w.send(c, zk.Request{Xid: 5, Op: zk.OpMultiRead, Ops: []zk.Request{read(zk.OpExists, "/a"), read(zk.OpExists, "/no"), read(zk.OpGetACL, "/shown"), read(zk.OpGetChildren2, "/a/y")}})
	w.expect(c, "5 OK")
	if len(r.Results) != 4 || r.Results[0].Stat.DataLength != 4 || r.Results[1].Err != zk.NoNode || len(r.Results[2].ACL) != 2 ||
		!slices.Equal(r.Results[3].Names, []string{"z"}) || r.Results[3].Stat.NumChildren != 1 {
		t.Errorf("%+v", r.Results)
	}
	r = w.send(c, zk.Request{Xid: 6, Op: zk.OpMultiRead, Ops: []zk.Request{read(zk.OpGetData, "/a"), {Op: zk.OpDelete, Path: "/a"}, read(zk.OpGetData, "/a")}})
	w.expect(c, "6 MarshallingError")
	if !r.PartialBody || len(r.Results) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestCredentials(t *testing.T) {
	for name, s := range map[string]struct {
		req  zk.Request
		want []string
	}{
		"a digest":                {zk.Request{Path: "digest", Data: []byte("ann:secret")}, []string{"-4 OK"}},
		"the address again":       {zk.Request{Path: "ip"}, []string{"-4 OK"}},
		"a scheme there is not":   {zk.Request{Path: "kerberos", Data: []byte("x")}, []string{"-4 AuthFailed", "closed: auth_failed"}},
		"world proves nothing":    {zk.Request{Path: "world", Data: []byte("anyone")}, []string{"-4 AuthFailed", "closed: auth_failed"}},
		"a packet that is broken": {zk.Request{Malformed: true}, []string{"closed: malformed"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := w.watching()
			s.req.Op, s.req.Xid = zk.OpAuth, -4
			w.send(c, s.req)
			w.expect(c, s.want...)
			if refused := len(s.want) == 2; refused != (w.noted(replica.AuthRefused) == 1) {
				t.Errorf("notes %+v", w.notes)
			}
		})
	}
}

func TestABrokenSASLPacketCostsTheConnection(t *testing.T) {
	for _, req := range []zk.Request{{Op: zk.OpSASL, Malformed: true}, {Op: zk.OpSASL}} {
		w := newWorld(t)
		c := w.watching()
		w.send(c, req)
		w.expect(c, "closed: malformed")
	}
}

// Requests are judged by the identities their client had when they came, though the answer to auth overtakes them.
func TestEarlierRequestsKeepTheirIdentities(t *testing.T) {
	w, c, _ := furnished(t)
	w.lag = true
	w.send(c, zk.Request{Xid: 1, Op: zk.OpSetData, Path: "/own", Version: -1})
	w.send(c, zk.Request{Xid: 2, Op: zk.OpGetData, Path: "/own"})
	w.send(c, zk.Request{Xid: -4, Op: zk.OpAuth, Path: "digest", Data: []byte("ann:secret")})
	w.expect(c, "-4 OK")
	w.send(c, zk.Request{Xid: 3, Op: zk.OpGetData, Path: "/own"})
	w.send(c, zk.Request{Xid: 4, Op: zk.OpSetData, Path: "/own", Version: -1})
	w.sync()
	w.expect(c, "1 NoAuth", "2 NoAuth", "3 OK", "4 OK")
}

func TestEventsGoToWhoMayReadNow(t *testing.T) {
	w, c, ann := furnished(t)
	for _, client := range []request.ClientID{c, ann} {
		w.send(client, addWatch("/own", zk.AddPersistent))
		w.told[client] = nil
	}
	w.send(ann, zk.Request{Xid: 1, Op: zk.OpSetData, Path: "/own", Version: -1})
	w.expect(c)
	w.expect(ann, "NodeDataChanged /own", "1 OK")
	w.send(c, zk.Request{Xid: -4, Op: zk.OpAuth, Path: "digest", Data: []byte("super:test")})
	w.send(ann, zk.Request{Xid: 2, Op: zk.OpSetData, Path: "/own", Version: -1})
	w.expect(c, "-4 OK", "NodeDataChanged /own")
}

func TestAnEnforcedSchemeMustBeProved(t *testing.T) {
	for name, req := range map[string]zk.Request{
		"a read": {Xid: 1, Op: zk.OpExists, Path: "/"}, "a write": {Xid: 1, Op: zk.OpCreate, Path: "/a"}, "the end": {Xid: 1, Op: zk.OpCloseSession},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *replica.Config) { c.EnforceSchemes = []string{auth.SchemeDigest, "sasl"} })
			c := w.watching()
			w.send(c, req)
			w.expect(c, "1 SessionClosedRequireSaslAuth", "closed: auth_required")
			d := w.watching(zk.Request{Op: zk.OpAuth, Path: "ip"}, zk.Request{Op: zk.OpAuth, Path: "digest", Data: []byte("a:b")})
			r := w.send(d, req)
			if r.Err != zk.OK || w.told[d][0] != "1 OK" {
				t.Errorf("with an identity: %v, told %q", r.Err, w.told[d])
			}
		})
	}
}

func TestWhatTheTransportProvedCounts(t *testing.T) {
	w := newWorld(t)
	w.next++
	w.step(replica.Event{Kind: replica.Opened, Client: w.next, Origin: request.Origin{IP: "127.0.0.1", IDs: []zk.ID{{Scheme: "super"}}}})
	w.step(replica.Event{Kind: replica.Connect, Client: w.next, Connect: &zk.ConnectRequest{TimeoutMS: 5000}})
	if r := w.send(w.next, zk.Request{Xid: 1, Op: zk.OpSetData, Path: "/zookeeper/config", Version: -1}); r.Err != zk.OK {
		t.Error(r.Err)
	}
}

func TestWhatAnInspectionSees(t *testing.T) {
	w, c, _ := furnished(t)
	w.lag = true
	w.send(c, zk.Request{Xid: 1, Op: zk.OpDelete, Path: "/e", Version: -1})
	if got, want := w.r.String(), fmt.Sprintf("zxid=%v proposed=%v clients=2 sessions=2 digest=%x", w.r.Tree().Zxid(), w.appended[len(w.appended)-1], w.r.Tree().Digest()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if w.r.SessionOf(999) != 0 || w.r.Sessions() != 2 || w.r.Watches() == nil {
		t.Error("an inspection sees what is not there")
	}
}
