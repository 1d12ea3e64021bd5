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
		"since there was nothing":   {[]string{"@0", "/app/comes"}, "+ /app/comes  created, data \"c\"\n", exitDiffers, ""},
		"of no time":                {[]string{"@" + first + ".." + first}, "", 0, ""},
		"since now":                 {[]string{"@" + last, "/app"}, "", 0, ""},
		"of times that are swapped": {[]string{"@" + last + ".." + first}, "", exitTrouble, "backwards"},
		"of a time that is to come": {[]string{"@" + first + "..0x7fffffff"}, "", exitTrouble, "yet to come"},
		"of what is no time":        {[]string{"@yesterday"}, "", exitTrouble, "@0x100000a2c"},
		"with what history has not": {[]string{"-ephemerals", "@" + first}, "", exitTrouble, "leave out"},
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

// Access lists are compared with what they were, as far as whoever asks may see them.
func TestAccessListsAreComparedWithWhatTheyWere(t *testing.T) {
	address, byGRPC := servingBoth(t, true)
	const (
		everyone = "world:anyone:cdrwa"
		reading  = "world:anyone:r"
		anns     = "digest:ann:RYbu6l5aZwqon8VWmkcGvezdzfc=:cdrwa" // of ann:pw
		others   = "digest:ann:NTeNePzLy2pGcWeYdJIzk76Syrw=:cdrwa" // of ann:other
	)
	at := func() string {
		t.Helper()
		must(t, address, "set", "/clock", "t")
		return mzxid.FindStringSubmatch(must(t, address, "get", "-s", "/clock"))[1]
	}
	must(t, address, "create", "/clock", "t")
	must(t, address, "create", "/app", "0")
	for _, name := range []string{"opens", "closes", "same", "again", "data", "hash"} {
		must(t, address, "create", "/app/"+name, "x")
	}
	must(t, address, "setAcl", "/app/opens", reading+","+anns)
	must(t, address, "setAcl", "/app/hash", reading+","+anns)
	first := at()
	as := func(commands ...string) {
		t.Helper()
		if s := run(t, "addauth digest ann:pw\n"+strings.Join(commands, "\n")+"\n", address); s.code != 0 {
			t.Fatalf("%v: %+v", commands, s)
		}
	}
	as("setAcl /app/opens "+everyone, "setAcl /app/hash "+reading+","+others)
	must(t, address, "setAcl", "/app/same", reading+","+anns)
	as("setAcl /app/same " + everyone)
	must(t, address, "setAcl", "/app/closes", anns)
	must(t, address, "delete", "/app/again")
	must(t, address, "create", "/app/again", "x", reading)
	must(t, address, "set", "/app/data", "y")
	middle := at()
	as("setAcl /app/closes " + reading)
	// Without ADMIN hashes are hidden.
	seen := func(list string) string {
		return strings.NewReplacer("RYbu6l5aZwqon8VWmkcGvezdzfc=", "x", "NTeNePzLy2pGcWeYdJIzk76Syrw=", "x").Replace(list)
	}
	again := "~ /app/again  access list " + everyone + " before, " + reading + " after\n"
	data := "~ /app/data  data \"x\" before, \"y\" after\n"
	for name, c := range map[string]struct {
		script string
		want   string
	}{
		"by one who may administer": {"addauth digest ann:pw\ndiff @" + first + ".." + middle + " /app\n", again +
			"~ /app/closes  access list " + everyone + " before, " + anns + " after\n" + data +
			"~ /app/hash  access list " + reading + "," + anns + " before, " + seen(reading+","+others) + " after\n" +
			"~ /app/opens  access list " + reading + "," + anns + " before, " + everyone + " after\n"},
		"by one who may not see all": {"diff @" + first + ".." + middle + " /app\n", again +
			"~ /app/closes  access list " + everyone + " before\n" + data +
			"~ /app/hash  access list " + seen(reading+","+anns) + ", perhaps with other hashes, which are hidden\n" +
			"~ /app/opens  access list " + seen(reading+","+anns) + " before, " + everyone + " after\n"},
		"without lists":     {"diff -no-acl @" + first + ".." + middle + " /app\n", data},
		"of the later part": {"diff @" + middle + " /app\n", "~ /app/closes  access list " + reading + " after\n"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var out, errs text
			code := Main(ctx, []string{"--grpc", byGRPC}, Streams{strings.NewReader(c.script), &out, &errs}, "test")
			if _, got, _ := strings.Cut(out.String(), "type:None path:null\n"); got != c.want || code != exitDiffers {
				t.Errorf("ends with %d and prints\n%s%s\nwant\n%s", code, got, errs.String(), c.want)
			}
		})
	}
}

// What the log tells of a change has nothing of what was before; the log has that too, further back.
func TestWhatWasBeforeIsLookedForInTheLog(t *testing.T) {
	const reading, anns = "world:anyone:r", "digest:ann:RYbu6l5aZwqon8VWmkcGvezdzfc=:cdrwa" // of ann:pw
	address, byGRPC := servingBoth(t, true, "historyBytes=1")
	for _, name := range []string{"/app", "/app/data", "/app/list", "/app/both", "/app/fresh"} {
		must(t, address, "create", name, "old")
	}
	must(t, address, "set", "/app/data", "older")
	must(t, address, "setAcl", "/app/list", "world:anyone:ra")
	must(t, address, "setAcl", "/app/both", anns) // and what it holds is anybody's guess but ann's
	must(t, address, "set", "/app/fresh", "x")
	first := mzxid.FindStringSubmatch(must(t, address, "get", "-s", "/app/fresh"))[1]
	must(t, address, "set", "/app/data", "new")
	must(t, address, "setAcl", "/app/list", reading)
	if s := run(t, "addauth digest ann:pw\nset /app/both seen\nsetAcl /app/both world:anyone:cdrwa\n", address); s.code != 0 {
		t.Fatal(s)
	}
	must(t, address, "set", "/app/both", "new")
	// More than memory holds.
	for range 3 {
		must(t, address, "create", "/filler", strings.Repeat("x", 600_000))
		must(t, address, "delete", "/filler")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs text
	code := Main(ctx, []string{"--grpc", byGRPC, "diff", "@" + first, "/app"}, Streams{strings.NewReader(""), &out, &errs}, "test")
	want := "~ /app/both  data \"new\" after\n~ /app/both  access list world:anyone:cdrwa after\n" +
		"~ /app/data  data \"older\" before, \"new\" after\n" +
		"~ /app/list  access list world:anyone:ra before, " + reading + " after\n"
	if code != exitDiffers || out.String() != want {
		t.Errorf("ends with %d, prints\n%s%s\nwant\n%s", code, out.String(), errs.String(), want)
	}
}
