package cli

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// A backup that leaves out what may not be read, and does not say so, is none.
func TestAnExportThatMayNotReadAllFails(t *testing.T) {
	const anns = "digest:ann:RYbu6l5aZwqon8VWmkcGvezdzfc=" // of ann:pw
	address, byGRPC := servingBoth(t, true)
	must(t, address, "create", "/app", "a")
	must(t, address, "create", "/app/open", "o")
	must(t, address, "create", "/app/open/deep", "d")
	must(t, address, "create", "/app/open/deep/secret", "s", anns+":cdrwa")
	must(t, address, "create", "/app/shown", "x", "world:anyone:r,"+anns+":cdrwa")
	for door, args := range map[string][]string{"jute": {"-server", address}, "gRPC": {"--grpc", byGRPC}} {
		t.Run(door, func(t *testing.T) {
			export := func(script string) (said, int) {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				var out, errs text
				code := Main(ctx, args, Streams{strings.NewReader(script), &out, &errs}, "test")
				return said{out.String(), errs.String(), code}, strings.Count(out.String(), `{"path":`)
			}
			if s, _ := export("export /app\n"); s.code == 0 || !strings.Contains(s.errs, "Insufficient permission : /app/open/deep/secret") {
				t.Errorf("without an identity: %+v", s)
			}
			if s, n := export("export /app/shown\n"); s.code != 0 || n != 1 || !strings.Contains(s.errs, "the access lists of 1 znodes have digests whose hashes are hidden") {
				t.Errorf("without the hashes: %+v", s)
			}
			if s, n := export("addauth digest ann:pw\nexport /app\n"); s.code != 0 || n != 5 || strings.Contains(s.errs, "hidden") {
				t.Errorf("by who may read all: %+v", s)
			}
			if s, n := export("addauth digest ann:pw\nexport /\n"); s.code != 0 || n != 6 {
				t.Errorf("of all but what is the server's own: %+v", s)
			}
		})
	}
}

func TestALineageTellsOfChildrenThatAreMissing(t *testing.T) {
	var l lineage
	var short []string
	for _, n := range []struct {
		path     string
		children int32
	}{{"/", 3}, {"/a", 2}, {"/a/b", 1}, {"/a/b/c", 0}, {"/a/d", 1}, {"/ab", 0}} {
		short = append(short, l.enter(n.path, n.children)...)
	}
	short = append(short, l.leave("")...)
	if want := []string{"/a/d", "/"}; !slices.Equal(short, want) {
		t.Errorf("short of children: %q, want %q", short, want)
	}
}

// Whose claims these are is no matter: two who both hold a lock would not know of each other.
func TestClaimsOfOtherLibrariesCount(t *testing.T) {
	names := []string{"_c_x-lock-2147483647", "abc__lock__0000000003", "lock-0000000001", "_c_y-latch--2147483648", "_c_z-lock-0000000002"}
	want := []string{"lock-0000000001", "_c_z-lock-0000000002", "abc__lock__0000000003", "_c_x-lock-2147483647"}
	var got []string
	for _, name := range names {
		if place.MatchString(name) {
			got = append(got, name)
		}
	}
	slices.SortFunc(got, func(a, b string) int { return int(numberOf(a) - numberOf(b)) })
	if !slices.Equal(got, append(want, "_c_y-latch--2147483648")) {
		t.Errorf("in the order %q", got)
	}
	for _, name := range []string{"lock-", "lock-1", "other-0000000001", "lock-0000000001x"} {
		if place.MatchString(name) {
			t.Errorf("%q is no claim", name)
		}
	}
}
