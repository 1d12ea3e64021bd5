package auth_test

import (
	"fmt"
	"slices"
	"testing"

	"paddock/internal/jute"
	"paddock/internal/zk"
	"paddock/server/auth"
)

var null = jute.Null()

func TestFixACL(t *testing.T) {
	ids := []zk.ID{{Scheme: "ip", ID: "::1"}, {Scheme: "digest", ID: "a:1"}, {Scheme: "super"}, {Scheme: "digest", ID: "b:2"}}
	world := entry(31, "world", "anyone")
	for _, c := range []struct {
		name string
		acl  []zk.ACL
		want []zk.ACL
		code zk.Code
	}{
		{"a null list is invalid", nil, nil, zk.InvalidACL},
		{"an empty list is invalid", []zk.ACL{}, nil, zk.InvalidACL},
		{"anyone is kept", []zk.ACL{entry(5, "world", "anyone")}, []zk.ACL{entry(5, "world", "anyone")}, zk.OK},
		{"permissions are not judged", []zk.ACL{entry(-7, "world", "anyone")}, []zk.ACL{entry(-7, "world", "anyone")}, zk.OK},
		{"world is for anyone only", []zk.ACL{entry(31, "world", "me")}, nil, zk.InvalidACL},
		{"duplicates go, the first stays", []zk.ACL{world, entry(1, "ip", "::1"), world, entry(1, "ip", "::1")},
			[]zk.ACL{world, entry(1, "ip", "::1")}, zk.OK},
		{"other permissions are no duplicate", []zk.ACL{world, entry(1, "world", "anyone")},
			[]zk.ACL{world, entry(1, "world", "anyone")}, zk.OK},
		{"auth becomes the digests of the asker", []zk.ACL{world, entry(3, "auth", "ignored"), entry(1, "ip", "::1")},
			[]zk.ACL{world, entry(3, "digest", "a:1"), entry(3, "digest", "b:2"), entry(1, "ip", "::1")}, zk.OK},
		{"auth with a null id is auth", []zk.ACL{entry(3, "auth", null)},
			[]zk.ACL{entry(3, "digest", "a:1"), entry(3, "digest", "b:2")}, zk.OK},
		{"duplicates that auth makes stay", []zk.ACL{entry(3, "digest", "a:1"), entry(3, "auth", "")},
			[]zk.ACL{entry(3, "digest", "a:1"), entry(3, "digest", "a:1"), entry(3, "digest", "b:2")}, zk.OK},
		{"one bad entry spoils the list", []zk.ACL{entry(3, "auth", ""), entry(1, "ip", "nowhere")}, nil, zk.InvalidACL},
		{"super is not for lists", []zk.ACL{entry(31, "super", "")}, nil, zk.InvalidACL},
		{"sasl has no provider", []zk.ACL{entry(31, "sasl", "bob")}, nil, zk.InvalidACL},
		{"a null scheme is invalid", []zk.ACL{entry(31, null, "x")}, nil, zk.InvalidACL},
		{"an empty scheme is invalid", []zk.ACL{entry(31, "", "x")}, nil, zk.InvalidACL},
		{"a null id of an unknown scheme is invalid", []zk.ACL{entry(31, "x", null)}, nil, zk.InvalidACL},
		{"a null id of world does not decode", []zk.ACL{entry(31, "world", null)}, nil, zk.MarshallingError},
		{"a null id of digest does not decode", []zk.ACL{entry(31, "digest", null)}, nil, zk.MarshallingError},
		{"a null scheme compared with another does not decode", []zk.ACL{world, entry(31, null, "x")}, nil, zk.MarshallingError},
		{"a null scheme with other permissions is not compared", []zk.ACL{world, entry(1, null, "x")}, nil, zk.InvalidACL},
		{"a null id compared with another does not decode", []zk.ACL{entry(1, "auth", ""), entry(1, "auth", null)}, nil, zk.MarshallingError},
		{"an id compared with a null one is not equal to it", []zk.ACL{entry(1, "auth", null), entry(1, "auth", "")},
			[]zk.ACL{entry(1, "digest", "a:1"), entry(1, "digest", "b:2"), entry(1, "digest", "a:1"), entry(1, "digest", "b:2")}, zk.OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := slices.Clone(c.acl)
			got, code := authority(t, auth.Config{}).FixACL(c.acl, ids)
			if code != c.code || !slices.Equal(got, c.want) {
				t.Errorf("got %v %v, want %v %v", got, code, c.want, c.code)
			}
			if !slices.Equal(before, c.acl) {
				t.Error("the list itself was changed")
			}
		})
	}
}

func TestAuthNeedsAnAuthenticatedIdentity(t *testing.T) {
	acl := []zk.ACL{entry(31, "auth", "")}
	if _, code := authority(t, auth.Config{}).FixACL(acl, []zk.ID{{Scheme: "ip", ID: "::1"}, {Scheme: "super"}}); code != zk.InvalidACL {
		t.Errorf("ip and super stood for auth: %v", code)
	}
	digest := []zk.ID{{Scheme: "digest", ID: "a:1"}}
	if _, code := authority(t, auth.Config{NoDigest: true}).FixACL(acl, digest); code != zk.InvalidACL {
		t.Errorf("a digest stood for auth although digest is off: %v", code)
	}
}

func TestExpansionIsBounded(t *testing.T) {
	var acl []zk.ACL
	for i := range 2000 {
		acl = append(acl, entry(zk.Perms(i), "auth", ""))
	}
	var ids []zk.ID
	for i := range 2000 {
		ids = append(ids, zk.ID{Scheme: "digest", ID: fmt.Sprint("user:", i)})
	}
	if _, code := authority(t, auth.Config{}).FixACL(acl, ids); code != zk.InvalidACL {
		t.Errorf("four million entries gave %v", code)
	}
}

func TestWhichIDsAreValid(t *testing.T) {
	for _, c := range []struct {
		scheme string
		id     string
		valid  bool
	}{
		{"digest", "a:b", true}, {"digest", ":b", true}, {"digest", "a:b:", true}, {"digest", "a:b::", true},
		{"digest", "a", false}, {"digest", "a:", false}, {"digest", "a:b:c", false}, {"digest", "", false},
		{"digest", ":", false}, {"digest", "::b", false},
		{"ip", "1.2.3.4", true}, {"ip", "1.2.3.4/0", true}, {"ip", "1.2.3.4/32", true}, {"ip", "001.2.3.4", true},
		{"ip", "+1.2.3.4", true}, {"ip", "-0.2.3.4", true}, {"ip", "1.2.3.4/+8", true}, {"ip", "1.2.3.4/008", true},
		{"ip", "-1.2.3.4", false}, {"ip", "/8", false}, {"ip", " 1.2.3.4", false}, {"ip", "1.2.3.4/33", false}, {"ip", "1.2.3.4/-1", false}, {"ip", "1.2.3.4/", false}, {"ip", "1.2.3.4/8/8", false},
		{"ip", "1.2.3", false}, {"ip", "1.2.3.4.5", false}, {"ip", "1.2.3.256", false}, {"ip", "1.2.3.", false},
		{"ip", "1.2.3.4.", false}, {"ip", "", false}, {"ip", "a.b.c.d", false}, {"ip", "99999999999999999999.1.1.1", false},
		{"ip", "::", true}, {"ip", "::1/128", true}, {"ip", "1:2:3:4:5:6:7:8", true}, {"ip", "2001:DB8::1", true},
		{"ip", "::1/129", false}, {"ip", "1::2::3", false}, {"ip", "::ffff:1.2.3.4", false}, {"ip", "fe80::1%lo", false},
		{"ip", "12345::", false}, {"ip", "1:2:3:4:5:6:7", false}, {"ip", "1:2:3:4:5:6:7:8:9", false},
	} {
		_, code := authority(t, auth.Config{}).FixACL([]zk.ACL{entry(1, c.scheme, c.id)}, nil)
		if (code == zk.OK) != c.valid || !c.valid && code != zk.InvalidACL {
			t.Errorf("%s:%s: %v, want valid %v", c.scheme, c.id, code, c.valid)
		}
	}
}

func TestAListThatNeedsNoChangeIsNotCopied(t *testing.T) {
	a := authority(t, auth.Config{})
	mixed := []zk.ACL{entry(31, "digest", "a:b"), entry(1, "world", "anyone"), entry(2, "ip", "10.0.0.0/8")}
	for _, acl := range [][]zk.ACL{zk.OpenACL, zk.ReadOnlyACL, mixed} {
		if got, _ := a.FixACL(acl, nil); &got[0] != &acl[0] || len(got) != len(acl) {
			t.Errorf("%v was copied", acl)
		}
		if n := testing.AllocsPerRun(100, func() { a.FixACL(acl, nil) }); n != 0 {
			t.Errorf("%v: %v allocations", acl, n)
		}
	}
}

// FuzzFixACL: no list panics; what is accepted is accepted again and holds nothing that may not be stored; and the
// way long lists are searched for duplicates agrees with the way short ones are.
func FuzzFixACL(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02\x00\x00\x00\x1f\x00\x00\x00\x05world\x00\x00\x00\x06anyone\x00\x00\x00\x01\x00\x00\x00\x04auth\xff\xff\xff\xff"))
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x1f\x00\x00\x00\x06digest\x00\x00\x00\x03a:b"))
	a := authority(f, auth.Config{})
	ids := []zk.ID{{Scheme: "ip", ID: "::1"}, {Scheme: "digest", ID: "a:1"}}
	f.Fuzz(func(t *testing.T, in []byte) {
		var acl []zk.ACL
		c := jute.Reader(in)
		if zk.CodeACL(c, &acl); c.Err() != nil {
			return
		}
		fixed, code := a.FixACL(acl, ids)
		if code == zk.OK {
			checkStorable(t, a, fixed)
		} else if fixed != nil {
			t.Fatalf("%v came with a list", code)
		}
		long := slices.Clone(acl)
		for i := range 20 { // valid, never equal to each other, after all the others
			long = append(long, zk.ACL{Perms: zk.Perms(1000000 + i), ID: zk.AnyoneID})
		}
		again, code2 := a.FixACL(long, ids)
		if len(acl) == 0 {
			return
		}
		if code != code2 || code == zk.OK && !slices.Equal(again[:len(fixed)], fixed) {
			t.Fatalf("%v %v, but as a long list %v %v", fixed, code, again, code2)
		}
	})
}

func checkStorable(t *testing.T, a *auth.Authority, fixed []zk.ACL) {
	t.Helper()
	for _, e := range fixed {
		if !slices.Contains([]string{"world", "ip", "digest"}, e.ID.Scheme) || jute.IsNull(e.ID.ID) {
			t.Fatalf("%v is stored", e)
		}
	}
	if _, code := a.FixACL(fixed, nil); code != zk.OK {
		t.Fatalf("%v was accepted once, then %v", fixed, code)
	}
}
