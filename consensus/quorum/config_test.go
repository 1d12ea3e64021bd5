package quorum_test

import (
	"strings"
	"testing"

	"paddock/consensus/quorum"
)

func parse(t *testing.T, lines ...string) *quorum.Config {
	t.Helper()
	c, err := quorum.ParseConfig(strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	three = "server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\nversion=0"
	// nine is three groups of three; 9 has no weight of its own.
	nine = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2\nserver.5=e:1:2\nserver.6=f:1:2\n" +
		"server.7=g:1:2\nserver.8=h:1:2\nserver.9=i:1:2\ngroup.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9"
)

func TestConfigIsReadAndWrittenCanonically(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"what a server writes comes back unchanged", three, three},
		{"servers are in order of their ids", "server.10=c:1:2\nserver.9=b:1:2\nversion=100000003",
			"server.9=b:1:2:participant\nserver.10=c:1:2:participant\nversion=100000003"},
		{"a version is not needed", "server.1=a:1:2", "server.1=a:1:2:participant\nversion=0"},
		{"of a repeated key the last counts", "server.1=a:1:2\nserver.1=b:1:2\nversion=1\nversion=2", "server.1=b:1:2:participant\nversion=2"},
		{"blanks and comments do not matter", " \r\n# note\n!x\n server.1 = a:1:2 \r\nserver.2: b:1:2\nserver.3 c:1:2\n",
			"server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\nversion=0"},
		{"groups and weights are kept, and voters without a weight get 1",
			"weight.1=2\ngroup.2=2:1\nserver.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2:observer",
			"server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:observer\ngroup.2=1:2\nweight.1=2\nweight.2=1\nversion=0"},
	} {
		if got := parse(t, tc.in).String(); got != tc.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tc.name, got, tc.want)
		}
		if again := parse(t, tc.want).String(); again != tc.want {
			t.Errorf("%s: %s is not stable: %s", tc.name, tc.want, again)
		}
	}
}

func TestConfigThatIsWrongSaysWhy(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"nothing at all", "", "no participants"},
		{"observers alone", "server.1=a:1:2:observer", "no participants"},
		{"a key of no family", "server.1=a:1:2\nport=3", "line 2: port: unrecognised parameter"},
		{"an id that is no number", "server.x=a:1:2", "unrecognised parameter"},
		{"a negative id", "server.-1=a:1:2", "unrecognised parameter"},
		{"a line that is no server", "server.1=a:1", "line 1: server.1: missing election port"},
		{"a version that is no number", "server.1=a:1:2\nversion=xyz", `"xyz" is not a version`},
		{"a negative version", "server.1=a:1:2\nversion=-1", `"-1" is not a version`},
		{"a weight that is no number", "server.1=a:1:2\nweight.1=x", `"x" is not a weight`},
		{"a weight that could overflow", "server.1=a:1:2\ngroup.1=1\nweight.1=9223372036854775807", "is not a weight"},
		{"a voter without a group", "server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1", "server 2 is not in a group"},
		{"weights without groups", "server.1=a:1:2\nweight.1=1", "server 1 is not in a group"},
		{"a voter in two groups", "server.1=a:1:2\ngroup.1=1\ngroup.2=1", "server 1 is in multiple groups"},
		{"a stranger in a group", "server.1=a:1:2\ngroup.1=1:2", "server 2 of group 1 is not a participant"},
		{"a group of words", "server.1=a:1:2\ngroup.1=a", `"a" is not a server id`},
	} {
		if c, err := quorum.ParseConfig(tc.in); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, %v; want %q", tc.name, c, err, tc.want)
		}
	}
	if _, err := quorum.ParseConfig(strings.Repeat("#", 1<<20)); err == nil {
		t.Error("an endless text was read")
	}
}

func TestMembersOfAConfig(t *testing.T) {
	c := parse(t, "server.3=c:1:2:observer", "server.1=a:1:2", "server.2=b:1:2")
	if s, ok := c.Server(3); !ok || !s.Observer || s.Addresses[0].Election().String() != "c:2" || s.Addresses[0].Quorum().String() != "c:1" {
		t.Errorf("server 3 is %+v", s)
	}
	if _, ok := c.Server(4); ok {
		t.Error("there is a server 4")
	}
	if c.IDs() != "1,2,3" || len(c.Voters()) != 2 || len(c.Observers()) != 1 || !c.IsVoter(1) || c.IsVoter(3) || c.IsVoter(4) {
		t.Errorf("%s: voters %v, observers %v", c.IDs(), c.Voters(), c.Observers())
	}
	var none *quorum.Config
	if _, ok := none.Server(1); ok || none.Voters() != nil || none.Observers() != nil || none.Met(func(quorum.ServerID) bool { return true }) || none.Weight(1) != 1 {
		t.Error("no configuration has members")
	}
	if v := c.WithVersion(7); v.Version != 7 || c.Version != 0 || !v.SameMembers(c) {
		t.Errorf("version %v from %v", v.Version, c.Version)
	}
	if _, err := quorum.NewConfig(0, []quorum.Server{{ID: 1}, {ID: 1}}, nil, nil); err == nil {
		t.Error("a server was listed twice")
	}
	if _, err := quorum.NewConfig(0, []quorum.Server{{ID: 1}}, []quorum.Group{{ID: 1, Servers: []quorum.ServerID{1}}, {ID: 1}}, nil); err == nil {
		t.Error("a group was listed twice")
	}
}

func TestQuorumsOfAConfig(t *testing.T) {
	light := nine + "\nweight.7=0\nweight.8=0\nweight.9=0"
	heavy := "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\ngroup.1=1:2:3\nweight.1=3"
	for _, tc := range []struct {
		name, config string
		have         []quorum.ServerID
		met          bool
	}{
		{"two of three", three, []quorum.ServerID{1, 3}, true},
		{"one of three, whatever observers say", three + "\nserver.4=d:1:2:observer", []quorum.ServerID{1, 4}, false},
		{"two servers in each of two groups", nine, []quorum.ServerID{1, 2, 5, 6}, true},
		{"one whole group", nine, []quorum.ServerID{1, 2, 3}, false},
		{"five of nine, in one group whole and one each in the others", nine, []quorum.ServerID{1, 2, 3, 4, 7}, false},
		{"groups of weight 0 do not count: two groups need both", light, []quorum.ServerID{1, 2, 7, 8}, false},
		{"groups of weight 0 do not count: both are enough", light, []quorum.ServerID{1, 2, 4, 5}, true},
		{"weight decides within a group", heavy, []quorum.ServerID{1}, true},
		{"servers without weight behind them", heavy, []quorum.ServerID{2, 3}, false},
		{"no group that weighs anything", "server.1=a:1:2\ngroup.1=1\nweight.1=0", []quorum.ServerID{1}, false},
	} {
		have := map[quorum.ServerID]bool{}
		for _, id := range tc.have {
			have[id] = true
		}
		if got := parse(t, tc.config).Met(func(id quorum.ServerID) bool { return have[id] }); got != tc.met {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	if c := parse(t, heavy); c.Weight(1) != 3 || c.Weight(2) != 1 || c.Weight(9) != 0 || parse(t, three).Weight(9) != 1 {
		t.Error("weights are wrong")
	}
}

func TestTwoConfigsAtOnce(t *testing.T) {
	old, next := parse(t, three), parse(t, "server.3=c:1:2\nserver.4=d:1:2\nserver.5=e:1:2")
	has := func(ids ...quorum.ServerID) func(quorum.ServerID) bool {
		return func(id quorum.ServerID) bool {
			for _, h := range ids {
				if h == id {
					return true
				}
			}
			return false
		}
	}
	for _, tc := range []struct {
		name    string
		have    []quorum.ServerID
		configs []*quorum.Config
		met     bool
	}{
		{"a quorum of each", []quorum.ServerID{1, 3, 4}, []*quorum.Config{old, next}, true},
		{"a quorum of the old alone", []quorum.ServerID{1, 2, 3}, []*quorum.Config{old, next}, false},
		{"a quorum of the new alone", []quorum.ServerID{3, 4, 5}, []*quorum.Config{old, next}, false},
		{"nothing is asked where there is no second", []quorum.ServerID{1, 2}, []*quorum.Config{old, nil}, true},
		{"no configuration is no quorum", []quorum.ServerID{1, 2}, []*quorum.Config{nil}, false},
	} {
		if got := quorum.AllMet(has(tc.have...), tc.configs...); got != tc.met {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestEqualConfigs(t *testing.T) {
	for _, tc := range []struct {
		name, a, b string
		equal      bool
	}{
		{"the same version makes them equal", "server.1=a:1:2\nversion=5", "server.2=b:1:2\nversion=5", true},
		{"the same members make them equal", "server.1=a:1:2\nversion=5", "server.1=a:1:2\nversion=6", true},
		{"another address", "server.1=a:1:2\nversion=5", "server.1=b:1:2\nversion=6", false},
		{"another role", "server.1=a:1:2\nserver.2=b:1:2\nversion=5", "server.1=a:1:2\nserver.2=b:1:2:observer\nversion=6", false},
		{"another client port", "server.1=a:1:2;3\nversion=5", "server.1=a:1:2;4\nversion=6", false},
		{"one member more", "server.1=a:1:2\nversion=5", "server.1=a:1:2\nserver.2=b:1:2\nversion=6", false},
		{"addresses in another order", "server.1=a:1:2|b:1:2\nversion=5", "server.1=b:1:2|a:1:2\nversion=6", true},
		{"groups on one side", "server.1=a:1:2\ngroup.1=1", "server.1=a:1:2", false},
		{"other weights", "server.1=a:1:2\ngroup.1=1\nversion=1", "server.1=a:1:2\ngroup.1=1\nweight.1=2\nversion=2", false},
		{"other groups", "server.1=a:1:2\ngroup.1=1\nversion=1", "server.1=a:1:2\ngroup.2=1\nversion=2", false},
	} {
		if got := parse(t, tc.a).Equal(parse(t, tc.b)); got != tc.equal {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	var none *quorum.Config
	if !none.Equal(nil) || none.Equal(parse(t, three)) || parse(t, three).Equal(nil) {
		t.Error("no configuration equals itself alone")
	}
}

// FuzzParseConfig: never panics, and what it accepts is stable under writing and reading.
func FuzzParseConfig(f *testing.F) {
	for _, seed := range []string{three, nine, "server.1=[::1]:1:2|a:3:4:observer;;[::]:5\nserver.2=b:1:2\nversion=1f", "group=1\nweight.1", "version=ffffffffffffffff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		c, err := quorum.ParseConfig(in)
		if err != nil {
			return
		}
		again, err := quorum.ParseConfig(c.String())
		if err != nil || again.String() != c.String() || !again.SameMembers(c) || again.Version != c.Version {
			t.Fatalf("%q became %v, then %v (%v)", in, c, again, err)
		}
	})
}
