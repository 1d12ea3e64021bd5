package cli

import (
	"context"
	"regexp"
	"strings"
	"testing"
)

var mzxid = regexp.MustCompile(`mZxid = (0x[0-9a-f]+)`)

func TestATreeIsComparedWithWhatItWas(t *testing.T) {
	address, byGRPC := servingBoth(t, true)
	do := func(args ...string) (zxid string) {
		t.Helper()
		must(t, address, args...)
		if got := mzxid.FindStringSubmatch(must(t, address, "get", "-s", args[1])); args[0] != "delete" && got != nil {
			return got[1]
		}
		return ""
	}
	do("create", "/app", "0")
	do("create", "/app/stays", "x")
	do("create", "/app/changes", "old")
	do("create", "/app/goes", "g")
	do("create", "/app/back", "same")
	first := do("create", "/app/again", "1")
	do("set", "/app/changes", "new")
	do("create", "/app/passes", "p")
	do("set", "/app/back", "other")
	second := do("set", "/app/stays", "x")
	must(t, address, "delete", "/app/passes")
	must(t, address, "delete", "/app/goes")
	do("set", "/app/back", "same")
	must(t, address, "delete", "/app/again")
	do("create", "/app/again", "2")
	do("create", "/apple", "elsewhere")
	last := do("create", "/app/comes", "c")
	for name, c := range map[string]struct {
		args []string
		out  string
		code int
		errs string
	}{
		"since then": {[]string{"@" + first, "/app"}, "~ /app/again  data \"1\" before, \"2\" after\n~ /app/changes  data \"old\" before, \"new\" after\n" +
			"+ /app/comes  created, data \"c\"\n- /app/goes  deleted\n", exitDiffers, ""},
		"between two": {[]string{"@" + first + ".." + second, "/app"}, "~ /app/back  data \"same\" before, \"other\" after\n" +
			"~ /app/changes  data \"old\" before, \"new\" after\n+ /app/passes  created, data \"p\"\n", exitDiffers, ""},
		"of a part":                 {[]string{"@" + first, "/app/goes"}, "- /app/goes  deleted\n", exitDiffers, ""},
		"of all":                    {[]string{"@" + second + ".." + last, "/apple"}, "+ /apple  created, data \"elsewhere\"\n", exitDiffers, ""},
		"by the exit code":          {[]string{"-q", "@" + first, "/app"}, "", exitDiffers, ""},
		"where nothing is another":  {[]string{"@" + first, "/app/back"}, "", 0, ""},
		"of no time":                {[]string{"@" + first + ".." + first}, "", 0, ""},
		"since now":                 {[]string{"@" + last, "/app"}, "", 0, ""},
		"of times that are swapped": {[]string{"@" + last + ".." + first}, "", exitTrouble, "backwards"},
		"of a time that is to come": {[]string{"@" + first + "..0x7fffffff"}, "", exitTrouble, "yet to come"},
		"of what is no time":        {[]string{"@yesterday"}, "", exitTrouble, "@0x100000a2c"},
		"with what history has not": {[]string{"-no-acl", "@" + first}, "", exitTrouble, "leave out"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var out, errs text
			code := Main(ctx, append([]string{"--grpc", byGRPC, "diff"}, c.args...), Streams{strings.NewReader(""), &out, &errs}, "test")
			if out.String() != c.out || code != c.code || !strings.Contains(errs.String(), c.errs) {
				t.Errorf("prints %q, ends with %d and says %q; want %q, %d, %q", out.String(), code, errs.String(), c.out, c.code, c.errs)
			}
		})
	}
	if s := run(t, "", address, "diff", "@"+first); s.code != exitTrouble || !strings.Contains(s.errs, "--grpc") {
		t.Errorf("over ZooKeeper's protocol it ends with %d and says %q", s.code, s.errs)
	}
}
