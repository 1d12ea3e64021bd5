package auth_test

import (
	"net/netip"
	"slices"
	"testing"

	"paddock/internal/zk"
	"paddock/server/auth"
)

func entry(perms zk.Perms, scheme, id string) zk.ACL {
	return zk.ACL{Perms: perms, ID: zk.ID{Scheme: scheme, ID: id}}
}

func TestCheck(t *testing.T) {
	bob := []zk.ID{{Scheme: "ip", ID: "10.1.2.3"}, {Scheme: "digest", ID: "bob:hash"}}
	super := append([]zk.ID{{Scheme: "super"}}, bob...)
	for _, c := range []struct {
		name string
		cfg  auth.Config
		acl  []zk.ACL
		perm zk.Perms
		ids  []zk.ID
		want bool
	}{
		{"the open list lets anyone in", auth.Config{}, zk.OpenACL, zk.PermWrite, nil, true},
		{"a null list lets anyone in", auth.Config{}, nil, zk.PermWrite, nil, true},
		{"an empty list lets anyone in", auth.Config{}, []zk.ACL{}, zk.PermWrite, nil, true},
		{"read-only refuses a write", auth.Config{}, zk.ReadOnlyACL, zk.PermWrite, bob, false},
		{"super passes everything", auth.Config{}, zk.ReadOnlyACL, zk.PermWrite, super, true},
		{"skipped lists let anyone in", auth.Config{SkipACL: true}, zk.ReadOnlyACL, zk.PermWrite, nil, true},
		{"the digest's user gets in", auth.Config{}, []zk.ACL{entry(31, "digest", "bob:hash")}, zk.PermWrite, bob, true},
		{"another password does not", auth.Config{}, []zk.ACL{entry(31, "digest", "bob:other")}, zk.PermWrite, bob, false},
		{"no digest matches once digest is off", auth.Config{NoDigest: true}, []zk.ACL{entry(31, "digest", "bob:hash")}, zk.PermRead, bob, false},
		{"any of several permissions is enough", auth.Config{}, []zk.ACL{entry(16, "digest", "bob:hash")}, zk.PermRead | zk.PermAdmin, bob, true},
		{"a later entry counts", auth.Config{}, []zk.ACL{entry(2, "ip", "10.9.9.9"), entry(2, "world", "anyone")}, zk.PermWrite, bob, true},
		{"world is for anyone only", auth.Config{}, []zk.ACL{entry(31, "world", "someone")}, zk.PermRead, bob, false},
		{"an unknown scheme matches nobody", auth.Config{}, []zk.ACL{entry(31, "x", "y")}, zk.PermRead, []zk.ID{{Scheme: "x", ID: "y"}}, false},
		{"a list with permission for nothing refuses", auth.Config{}, []zk.ACL{entry(0, "world", "anyone")}, zk.PermRead, bob, false},
		{"an id of another scheme does not match", auth.Config{}, []zk.ACL{entry(31, "digest", "10.1.2.3")}, zk.PermRead, bob, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := authority(t, c.cfg).Check(c.acl, c.perm, c.ids); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestAddressesMatchTheirNetworks(t *testing.T) {
	a := authority(t, auth.Config{})
	for _, c := range []struct {
		name, network, addr string
		want                bool
	}{
		{"the same address", "10.1.2.3", "10.1.2.3", true},
		{"another address", "10.1.2.3", "10.1.2.4", false},
		{"inside the network", "10.1.0.0/16", "10.1.200.3", true},
		{"bits beyond the mask do not count", "10.1.2.3/16", "10.1.200.3", true},
		{"outside the network", "10.1.0.0/16", "10.2.0.1", false},
		{"no bits at all is everybody", "1.2.3.4/0", "200.1.1.1", true},
		{"no bits at all is not the other family", "1.2.3.4/0", "::1", false},
		{"a mask that is not whole bytes", "10.0.0.0/9", "10.127.0.1", true},
		{"IPv6", "2001:db8::1", "2001:db8:0:0:0:0:0:1", true},
		{"an IPv6 network", "2001:db8::/33", "2001:db8:7fff::1", true},
		{"outside an IPv6 network", "2001:db8::/33", "2001:db8:8000::1", false},
		{"too many bits", "10.1.2.3/33", "10.1.2.3", false},
		{"not an address", "10.1.2", "10.1.2.0", false},
		{"an address that is not one", "10.1.2.3", "somewhere", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := a.Check([]zk.ACL{entry(1, "ip", c.network)}, zk.PermRead, []zk.ID{{Scheme: "ip", ID: c.addr}})
			if got != c.want {
				t.Errorf("%s in %s: %v, want %v", c.addr, c.network, got, c.want)
			}
		})
	}
}

func TestChecksDoNotAllocate(t *testing.T) {
	a := authority(t, auth.Config{})
	acl := []zk.ACL{entry(31, "digest", "bob:hash"), entry(31, "ip", "10.0.0.0/8"), entry(1, "ip", "2001:db8::/32")}
	ids := []zk.ID{{Scheme: "digest", ID: "eve:hash"}, {Scheme: "ip", ID: "192.0.2.7"}, {Scheme: "ip", ID: "2001:db9::1"}}
	if n := testing.AllocsPerRun(100, func() { a.Check(acl, zk.PermRead, ids) }); n != 0 {
		t.Errorf("%v allocations per check", n)
	}
}

func TestRedactHidesHashes(t *testing.T) {
	plain := []zk.ACL{entry(31, "world", "anyone"), entry(1, "ip", "::1"), entry(1, "digest", "nocolon")}
	if got := auth.Redact(plain); &got[0] != &plain[0] {
		t.Error("a list without hashes was copied")
	}
	if got := auth.Redact(nil); got != nil {
		t.Errorf("redacting nothing gave %v", got)
	}
	list := []zk.ACL{entry(1, "ip", "::1"), entry(31, "digest", "bob:hash"), entry(3, "digest", "a:b:c")}
	want := []zk.ACL{entry(1, "ip", "::1"), entry(31, "digest", "bob:x"), entry(3, "digest", "a:x")}
	if got := auth.Redact(list); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if list[1].ID.ID != "bob:hash" {
		t.Error("the list itself was changed")
	}
}

// FuzzIPMatch compares matching with net/netip for everything that package reads; what only ZooKeeper reads must not panic.
func FuzzIPMatch(f *testing.F) {
	for _, s := range [][2]string{
		{"10.0.0.0/8", "10.1.2.3"}, {"::/0", "::1"}, {"2001:db8::/32", "2001:db8::1"}, {"010.0.0.1/+8", "10.0.0.1"},
		{"1.2.3.4/", "1.2.3.4"}, {"::ffff:1.2.3.4", "1.2.3.4"}, {"fe80::1%eth0", "fe80::1"}, {"1.2.3.4/8/9", "1.2.3.4"},
	} {
		f.Add(s[0], s[1])
	}
	a := authority(f, auth.Config{})
	f.Fuzz(func(t *testing.T, network, addr string) {
		acl := []zk.ACL{entry(1, "ip", network)}
		got := a.Check(acl, zk.PermRead, []zk.ID{{Scheme: "ip", ID: addr}})
		if _, code := a.FixACL(acl, nil); got && code != zk.OK {
			t.Fatalf("%q matches %q although it is not valid", network, addr)
		}
		p, err := netip.ParsePrefix(network)
		ip, err2 := netip.ParseAddr(addr)
		if err != nil || err2 != nil || ip.Zone() != "" || p.Addr().Is4In6() || ip.Is4In6() || embedded(network) || embedded(addr) {
			return
		}
		if want := p.Contains(ip); got != want {
			t.Fatalf("%q in %q: %v, want %v", addr, network, got, want)
		}
	})
}

// embedded tells whether an IPv6 address is written with a dotted quad, which ZooKeeper does not read.
func embedded(s string) bool {
	return slices.Contains([]byte(s), ':') && slices.Contains([]byte(s), '.')
}

func BenchmarkCheckIP(b *testing.B) {
	a := authority(b, auth.Config{})
	acl := []zk.ACL{entry(31, "ip", "10.0.0.0/8")}
	ids := []zk.ID{{Scheme: "ip", ID: "10.1.2.3"}}
	for b.Loop() {
		a.Check(acl, zk.PermRead, ids)
	}
}
