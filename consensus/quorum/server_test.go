package quorum_test

import (
	"reflect"
	"strings"
	"testing"

	"paddock/consensus/quorum"
)

func TestServerLineIsReadAndWrittenCanonically(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"role and client address have defaults", "h:2888:3888", "h:2888:3888:participant"},
		{"a bare client port is on all interfaces", "h:2888:3888;2181", "h:2888:3888:participant;0.0.0.0:2181"},
		{"an observer says so", "h:2888:3888:observer;h:2181", "h:2888:3888:observer;h:2181"},
		{"the role may be in any case", "h:2888:3888:OBSERVER", "h:2888:3888:observer"},
		{"IPv6 hosts keep their brackets", "[2001:db8::1]:2888:3888;[::1]:2181", "[2001:db8::1]:2888:3888:participant;[::1]:2181"},
		{"several addresses are ordered by host", "b:1:2|a:3:4:observer", "a:3:4|b:1:2:observer"},
		{"IPv6 and names mix", "[::1]:1:2|a:3:4;2181", "[::1]:1:2|a:3:4:participant;0.0.0.0:2181"},
		{"a trailing semicolon is harmless", "h:2888:3888;", "h:2888:3888:participant"},
		{"a secure port may follow the plain one", "h:1:2;2181;2281", "h:1:2:participant;0.0.0.0:2181;0.0.0.0:2281"},
		{"an empty middle part means secure only", "h:1:2;;s:2281", "h:1:2:participant;;s:2281"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := quorum.ParseServer(1, tc.in, true)
			if err != nil {
				t.Fatal(err)
			}
			if s.String() != tc.want {
				t.Fatalf("got %s, want %s", s, tc.want)
			}
			again, err := quorum.ParseServer(1, s.String(), true)
			if err != nil || again.String() != tc.want {
				t.Fatalf("%s became %s (%v)", s, again, err)
			}
		})
	}
}

func TestServerLineThatIsWrongSaysWhy(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"nothing at all", "", "has no address"},
		{"a host alone", "h", "missing quorum and election port"},
		{"one port only", "127.0.0.1:2888", "missing election port"},
		{"an IPv6 host without brackets", "2001:db8::1:2888:3888", "too many parts"},
		{"a port that is no number", "h:2888:abc", `"abc" is not a port`},
		{"a port beyond 65535", "h:2888:65536", `"65536" is not a port`},
		{"port 0", "h:0:3888", `"0" is not a port`},
		{"the same port twice", "h:2888:2888", "both 2888"},
		{"an unknown role", "h:2888:3888:boss", `unknown role "boss"`},
		{"two roles", "a:1:2:observer|b:1:2:participant", "two roles"},
		{"a bracket that never closes", "[::1:2888:3888", "no closing bracket"},
		{"no port after the bracket", "[::1]2888:3888", "no port after the bracket"},
		{"a bracket round no address", "[zz:1]:2888:3888", "is not a host name or address"},
		{"a client port that is no number", "h:1:2;x", `"x" is not a port`},
		{"three client addresses", "h:1:2;1;2;3", "more than two client addresses"},
		{"a client address of three parts", "h:1:2;a:b:3", "is not a client address"},
		{"no host", ":1:2", "has no host"},
		{"a blank in the host", "a b:1:2", "is not a host name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if s, err := quorum.ParseServer(1, tc.in, true); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %s, %v; want %q", s, err, tc.want)
			}
		})
	}
	if _, err := quorum.ParseServer(1, "a:1:2|b:3:4", false); err == nil {
		t.Fatal("several addresses accepted without multiAddress")
	}
}

// FuzzParseServer: never panics, and what it accepts is stable under writing and reading.
func FuzzParseServer(f *testing.F) {
	for _, seed := range []string{"h:2888:3888;2181", "[::1]:1:2|a:3:4:observer;;[::]:5", "a:1:2:participant", ";;;", "[]:1:2", "[fe80::1%eth0]:1:2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s, err := quorum.ParseServer(1, in, true)
		if err != nil {
			return
		}
		again, err := quorum.ParseServer(1, s.String(), true)
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q became %q, then %q (%v)", in, s, again, err)
		}
		if again.Client != s.Client || again.Secure != s.Secure || again.Observer != s.Observer {
			t.Fatalf("%+v became %+v", s, again)
		}
		if len(s.Addresses) == 1 && !reflect.DeepEqual(s.Addresses, again.Addresses) {
			t.Fatalf("%+v became %+v", s.Addresses, again.Addresses)
		}
	})
}
