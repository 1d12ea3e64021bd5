package driver

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

var (
	secretACL = []zk.ACL{{Perms: zk.PermAll &^ zk.PermRead, ID: zk.ID{Scheme: "world", ID: "anyone"}}}
	publicACL = zk.OpenACL
)

// What the log tells of access lists counts for the changes after it; the tree's counts only where it must be the one of then.
func TestChangesOfTheLogAreJudgedByTheAccessListsOfThen(t *testing.T) {
	secret := func(path, data string) zk.Request {
		return zk.Request{Op: zk.OpCreate, Path: path, Data: []byte(data), ACL: secretACL, TTLMS: -1}
	}
	public := func(path, data string) zk.Request {
		return zk.Request{Op: zk.OpCreate, Path: path, Data: []byte(data), ACL: publicACL, TTLMS: -1}
	}
	set := func(path, data string) zk.Request {
		return zk.Request{Op: zk.OpSetData, Path: path, Data: []byte(data), Version: -1}
	}
	remove := func(path string) zk.Request { return zk.Request{Op: zk.OpDelete, Path: path, Version: -1} }
	access := func(path string, acl []zk.ACL) zk.Request {
		return zk.Request{Op: zk.OpSetACL, Path: path, ACL: acl, Version: -1}
	}
	for name, c := range map[string]struct {
		before, then []zk.Request // the watch is from between them
		want         string       // + = - ! for what has happened, s or p for the list, the one before it where it is another, and the data
	}{
		"a znode that was secret is gone":                         {nil, []zk.Request{secret("/n", "x"), set("/n", "y"), remove("/n")}, `+s"x" =s"y" -s`},
		"a secret is wiped before its znode is public":            {nil, []zk.Request{secret("/n", "x"), set("/n", "y"), access("/n", publicACL), set("/n", "z")}, `+s"x" =s"y" !s>p =p"z"`},
		"a public znode becomes secret":                           {nil, []zk.Request{public("/n", "x"), access("/n", secretACL), set("/n", "y")}, `+p"x" !p>s =s"y"`},
		"a name is used again, for a secret":                      {nil, []zk.Request{public("/n", "x"), remove("/n"), secret("/n", "y")}, `+p"x" -p +s"y"`},
		"a name is used again, for a public znode":                {nil, []zk.Request{secret("/n", "x"), remove("/n"), public("/n", "y")}, `+s"x" -s +p"y"`},
		"a public znode from before is still as it was":           {[]zk.Request{public("/n", "x")}, []zk.Request{set("/n", "y")}, `=p"y"`},
		"a secret znode from before is still as it was":           {[]zk.Request{secret("/n", "x")}, []zk.Request{set("/n", "y")}, `=s"y"`},
		"a secret znode from before is gone":                      {[]zk.Request{secret("/n", "x")}, []zk.Request{set("/n", "y"), remove("/n")}, `=p withheld -p`},
		"a name from before is used again":                        {[]zk.Request{secret("/n", "x")}, []zk.Request{set("/n", "y"), remove("/n"), public("/n", "z")}, `=p withheld -p +p"z"`},
		"a secret znode from before becomes public":               {[]zk.Request{secret("/n", "x")}, []zk.Request{set("/n", "y"), access("/n", publicACL), set("/n", "z")}, `=p withheld !?>p =p"z"`},
		"lists are set, and set again":                            {nil, []zk.Request{secret("/n", "x"), access("/n", publicACL), access("/n", publicACL), access("/n", secretACL)}, `+s"x" !s>p !p>p !p>s`},
		"a list is set of a name that is used again":              {nil, []zk.Request{secret("/n", "x"), remove("/n"), public("/n", "y"), access("/n", secretACL)}, `+s"x" -s +p"y" !p>s`},
		"a list was set before and is set again":                  {[]zk.Request{secret("/n", "x"), access("/n", publicACL)}, []zk.Request{access("/n", secretACL), access("/n", publicACL)}, `!?>s !s>p`},
		"a znode from before whose list was set before is unsure": {[]zk.Request{secret("/n", "x"), access("/n", publicACL)}, []zk.Request{set("/n", "y")}, `=p withheld`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const filler = 3000 // more than memory holds
				fake := &fakeLog{}
				log := &rememberingLog{fakeLog: fake}
				r := newRig(t, fake, func(o *Options, _ *replica.Config) { o.Log, o.ReadLog, o.FeedBytes = log, log.read, 36<<10 }).run()
				peer := r.open() // which is zxid 1
				xid := int32(0)
				send := func(q zk.Request) {
					xid++
					q.Xid = xid
					peer.send(q)
				}
				for _, q := range append(c.before, c.then...) {
					send(q)
				}
				for i := range filler {
					send(public(fmt.Sprint("/filler", i), ""))
				}
				var got []string
				want := func(_ zk.EventType, path string) bool { return path == "/n" }
				_, err := r.d.Feed().ReadLog(t.Context(), zk.Zxid(1+len(c.before)), want, func(list []request.Change) error {
					for _, ch := range list {
						got = append(got, told(ch))
					}
					return nil
				})
				if text := strings.Join(got, " "); err != nil || text != c.want {
					t.Errorf("%s, %v; want %s", text, err, c.want)
				}
				r.stop()
			})
		})
	}
}

func told(ch request.Change) string {
	list := func(acl []zk.ACL) string {
		if acl[0].Perms&zk.PermRead != 0 {
			return "p"
		}
		return "s"
	}
	text := map[zk.EventType]string{zk.NodeCreated: "+", zk.NodeDataChanged: "=", zk.NodeDeleted: "-", zk.NodeACLChanged: "!"}[ch.Kind]
	switch {
	case ch.Kind == zk.NodeACLChanged && ch.PreviousKnown:
		text += list(ch.PreviousACL) + ">"
	case ch.Kind == zk.NodeACLChanged:
		text += "?>"
	}
	text += list(ch.ACL)
	if ch.Data != nil {
		text += fmt.Sprintf("%q", ch.Data)
	}
	if ch.Guessed && ch.Kind != zk.NodeDeleted {
		text += " withheld"
	}
	return text
}

// A log of very many znodes is read in bounded memory.
func TestKnownAccessListsAreBounded(t *testing.T) {
	var k knownACLs
	for i := range 200_000 {
		k.set(fmt.Sprintf("/%0100d", i), []zk.ACL{{Perms: zk.Perms(1 + i%2), ID: zk.ID{Scheme: "world", ID: "anyone"}}})
		if len(k.of)*(100+knownACLBytes) > knownACLsBytes {
			t.Fatalf("%d entries after %d", len(k.of), i)
		}
		if list := k.of[fmt.Sprintf("/%0100d", i)]; len(list) != 1 || list[0].Perms != zk.Perms(1+i%2) {
			t.Fatalf("entry %d is %v", i, list)
		}
	}
}
