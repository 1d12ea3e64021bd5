package grpcapi

import (
	"fmt"
	"path"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
)

func TestPagesAreOfOneMomentWhileWritesGoOn(t *testing.T) {
	r := newRig(t)
	const n = 500
	r.create("/l", "")
	for i := range n {
		r.create(fmt.Sprintf("/l/c%03d", i), "")
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // ends with stop
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			r.znodes.Delete(t.Context(), &paddockv1.DeleteRequest{Path: fmt.Sprintf("/l/c%03d", i%n)})
			r.znodes.Create(t.Context(), &paddockv1.CreateRequest{Path: fmt.Sprintf("/l/x%03d", i)})
			r.znodes.Create(t.Context(), &paddockv1.CreateRequest{Path: fmt.Sprintf("/l/c%03d", i%n)})
		}
	})
	for _, tree := range []bool{false, true} {
		var got []string
		var zxid, version uint64
		token := ""
		for page := 0; page == 0 || token != ""; page++ {
			var znodes []*paddockv1.Znode
			var at uint64
			var next string
			if tree {
				out, err := r.znodes.ListTree(t.Context(), &paddockv1.ListTreeRequest{Path: "/l", WithStat: true, PageSize: 37, PageToken: token})
				if err != nil {
					t.Fatal(err)
				}
				znodes, at, next = out.GetZnodes(), out.GetZxid(), out.GetNextPageToken()
			} else {
				out, err := r.znodes.ListChildren(t.Context(), &paddockv1.ListChildrenRequest{Path: "/l", WithStat: true, PageSize: 37, PageToken: token})
				if err != nil {
					t.Fatal(err)
				}
				znodes, at, next = out.GetChildren(), out.GetZxid(), out.GetNextPageToken()
				version = uint64(out.GetStat().GetNumChildren())
			}
			if page > 0 && at != zxid {
				t.Fatalf("page %d is at %x, the first at %x", page, at, zxid)
			}
			zxid, token = at, next
			for _, z := range znodes {
				if z.GetStat().GetMzxid() > zxid {
					t.Errorf("%s is from %x, after the list's %x", z.GetPath(), z.GetStat().GetMzxid(), zxid)
				}
				got = append(got, path.Base(z.GetPath()))
			}
		}
		if tree {
			got = got[1:] // the znode itself
			version = uint64(len(got))
		}
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) || uint64(len(got)) != version || len(got) < n-1 {
			t.Errorf("tree %v: %d names, %d children, sorted %v", tree, len(got), version, slices.IsSorted(got))
		}
	}
	close(stop)
	wg.Wait()
}

func TestPagesAreForgivingAndStrict(t *testing.T) {
	r := newRig(t)
	for i := range 9 {
		r.create(fmt.Sprintf("/l/%d", i), "")
	}
	ask := func(token string, stat bool) (*paddockv1.ListChildrenResponse, error) {
		return r.znodes.ListChildren(t.Context(), &paddockv1.ListChildrenRequest{Path: "/l", PageSize: 3, WithStat: stat, PageToken: token})
	}
	one, err := ask("", true)
	if err != nil || one.GetNextPageToken() == "" {
		t.Fatalf("first page: %v %v", one, err)
	}
	two, err := ask(one.GetNextPageToken(), true)
	if err != nil || two.GetChildren()[0].GetPath() != "3" {
		t.Fatalf("second page: %v %v", two, err)
	}
	if again, err := ask(one.GetNextPageToken(), true); err != nil || again.GetChildren()[0].GetPath() != "3" || again.GetNextPageToken() != two.GetNextPageToken() {
		t.Errorf("second page once more: %v %v", again, err)
	}
	last, err := ask(two.GetNextPageToken(), true)
	if err != nil || last.GetNextPageToken() != "" || len(last.GetChildren()) != 3 {
		t.Errorf("last page: %v %v", last, err)
	}
	_, err = ask(one.GetNextPageToken(), true)
	expect(t, err, codes.Aborted, "PAGE_GONE")
	_, err = ask(two.GetNextPageToken(), false)
	expect(t, err, codes.InvalidArgument, "BADARGUMENTS")
	_, err = ask("no token", true)
	expect(t, err, codes.InvalidArgument, "BADARGUMENTS")
}

func TestTreeIsListedParentsFirstAsFarAsItMayBeRead(t *testing.T) {
	r := newRig(t)
	for _, p := range []string{"/t/b/x", "/t/a/y", "/t/a/z/w", "/t/secret/inner"} {
		r.create(p, "12")
	}
	mine := []*paddockv1.Acl{{Scheme: "digest", Id: "u:x", Permissions: []paddockv1.Permission{paddockv1.Permission_PERMISSION_READ}}}
	if _, err := r.znodes.SetAcl(t.Context(), &paddockv1.SetAclRequest{Path: "/t/secret", Acl: mine}); err != nil {
		t.Fatal(err)
	}
	list := func(in *paddockv1.ListTreeRequest) (paths []string) {
		out, err := r.znodes.ListTree(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, z := range out.GetZnodes() {
			paths = append(paths, z.GetPath())
		}
		return paths
	}
	for _, row := range []struct {
		name string
		in   *paddockv1.ListTreeRequest
		want []string
	}{
		{"all that may be read", &paddockv1.ListTreeRequest{Path: "/t"}, []string{"/t", "/t/a", "/t/a/y", "/t/a/z", "/t/a/z/w", "/t/b", "/t/b/x"}},
		{"one level", &paddockv1.ListTreeRequest{Path: "/t", Depth: 1}, []string{"/t", "/t/a", "/t/b"}},
		{"below what the filter leaves out", &paddockv1.ListTreeRequest{Path: "/t", Filter: &paddockv1.ListFilter{Glob: "[wx]"}}, []string{"/t/a/z/w", "/t/b/x"}},
		{"no ephemerals", &paddockv1.ListTreeRequest{Path: "/t", Filter: &paddockv1.ListFilter{Kinds: []paddockv1.ZnodeKind{paddockv1.ZnodeKind_ZNODE_KIND_EPHEMERAL}}}, nil},
	} {
		if got := list(row.in); !slices.Equal(got, row.want) {
			t.Errorf("%s: %v", row.name, got)
		}
	}
	_, err := r.znodes.ListTree(t.Context(), &paddockv1.ListTreeRequest{Path: "/t/secret"})
	expect(t, err, codes.PermissionDenied, "NOAUTH")
	count, err := r.znodes.Count(t.Context(), &paddockv1.CountRequest{Path: "/t"})
	if err != nil || count.GetZnodes() != 7 || count.GetDataBytes() != 6 {
		t.Errorf("count: %v %v", count, err)
	}
	_, err = r.znodes.Delete(t.Context(), &paddockv1.DeleteRequest{Path: "/t", Recursive: true})
	expect(t, err, codes.PermissionDenied, "NOAUTH")
	_, err = r.znodes.Delete(t.Context(), &paddockv1.DeleteRequest{Path: "/t/a", Recursive: true, Limit: 3})
	expect(t, err, codes.FailedPrecondition, "TOO_MANY")
	gone, err := r.znodes.Delete(t.Context(), &paddockv1.DeleteRequest{Path: "/t/a", Recursive: true, Limit: 4})
	if err != nil || gone.GetDeleted() != 4 {
		t.Errorf("delete: %v %v", gone, err)
	}
}

func TestGlobsMatchWholeNames(t *testing.T) {
	for _, row := range []struct {
		glob string
		yes  []string
		no   []string
	}{
		{"*", []string{"", "a", "ab"}, nil},
		{"a?c", []string{"abc", "aäc"}, []string{"ac", "abbc", "xabc"}},
		{"a*b*c", []string{"abc", "axxbyybc"}, []string{"ab", "abcd"}},
		{"[a-c]x", []string{"ax", "cx"}, []string{"dx", "x"}},
		{"[^a-c]x", []string{"dx"}, []string{"ax"}},
		{`\*x`, []string{"*x"}, []string{"ax"}},
		{"[]]", []string{"]"}, []string{"["}},
	} {
		g, err := parseGlob(row.glob)
		if err != nil {
			t.Errorf("%s: %v", row.glob, err)
			continue
		}
		for _, name := range row.yes {
			if !g.match(name) {
				t.Errorf("%s does not match %q", row.glob, name)
			}
		}
		for _, name := range row.no {
			if g.match(name) {
				t.Errorf("%s matches %q", row.glob, name)
			}
		}
	}
	for _, bad := range []string{"[", "[a", `\`, "[b-a]", "[]", string(make([]byte, globBytesMax+1)), "*a*a*a*a*a*a*a*a*a"} {
		if _, err := parseGlob(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// FuzzGlob: no pattern makes the matcher panic or take long.
func FuzzGlob(f *testing.F) {
	f.Add("a*[b-c]?\\x", "aabcx")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if g, err := parseGlob(pattern); err == nil {
			g.match(name)
		}
	})
}
