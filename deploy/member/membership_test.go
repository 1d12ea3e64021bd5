package main

import (
	"slices"
	"strings"
	"testing"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

const pods = naming("paddock-%d.paddock-servers.prod.svc.cluster.local:2888:3888;2181")

// play runs the command line as the chart does and returns the exit code and what it printed.
func play(t *testing.T, password string, args ...string) (int, string) {
	t.Helper()
	var out strings.Builder
	code := run(t.Context(), args, password, &out)
	return code, out.String()
}

// scale is what the two jobs of an upgrade do.
func scale(t *testing.T, e *ensemble, servers string) {
	t.Helper()
	for _, command := range []string{"leave", "join"} {
		if code, out := play(t, e.password, command, "--servers="+servers, "--member="+string(pods), "--ensemble="+e.addr); code != 0 {
			t.Fatalf("%s: exit code %d\n%s", command, code, out)
		}
	}
}

func TestMembersFollowTheNumberOfPods(t *testing.T) {
	e := listen(t, pods, 1, "secret")
	e.outcomes = []zk.Code{zk.NewConfigNoQuorum, zk.ReconfigInProgress} // both pass
	for _, step := range []struct{ servers, want string }{{"3", "1,2,3"}, {"5", "1,2,3,4,5"}, {"3", "1,2,3"}, {"3", "1,2,3"}, {"1", "1"}} {
		scale(t, e, step.servers)
		if got := e.config.IDs(); got != step.want || len(e.config.Voters()) != len(e.config.Servers) {
			t.Fatalf("scaled to %s: members %s, voters %v", step.servers, got, e.config.Voters())
		}
	}
	want := []change{ // refused twice, then one by one; removed together
		{joining: line(2)}, {joining: line(2)}, {joining: line(2)}, {joining: line(3)}, {joining: line(4)}, {joining: line(5)},
		{leaving: "4,5"}, {leaving: "2,3"},
	}
	if got := visible(e.asked); !slices.Equal(got, want) {
		t.Errorf("asked for\n%q\nwant\n%q", got, want)
	}
}

// line is a member as it joins.
func line(id quorum.ServerID) string {
	s, err := pods.server(id, false)
	if err != nil {
		panic(err)
	}
	return "server." + string(rune('0'+id)) + "=" + s.String()
}

// visible has no null strings.
func visible(all []change) []change {
	var out []change
	for _, c := range all {
		out = append(out, change{strings.TrimLeft(c.joining, "\x00"), strings.TrimLeft(c.leaving, "\x00")})
	}
	return out
}

func TestAnObserverOfAnEarlierTryBecomesAVoter(t *testing.T) {
	e := listen(t, pods, 1, "secret")
	first, _ := pods.server(1, false)
	second, _ := pods.server(2, true)
	e.set(t, []quorum.Server{first, second})
	scale(t, e, "2")
	if !e.config.IsVoter(2) {
		t.Errorf("voters are %v", e.config.Voters())
	}
}

func TestWhatNoRepetitionChangesEndsAtOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		outcome  zk.Code
		password string
		args     []string
		code     int
		says     string
	}{
		"a wrong password":             {password: "guess", code: exitFailed, says: "superDigest is not that of the password"},
		"reconfiguration is off":       {outcome: zk.ReconfigDisabled, password: "secret", code: exitFailed, says: "set reconfigEnabled=true"},
		"the members make no sense":    {outcome: zk.BadArguments, password: "secret", code: exitFailed, says: "log of the leader"},
		"nobody would be left":         {args: []string{"--servers=0"}, code: exitUsage, says: "at least one must stay"},
		"a member without an ordinal":  {args: []string{"--member=paddock:2888:3888;2181"}, code: exitUsage, says: "needs %d"},
		"a member without client port": {args: []string{"--member=paddock-%d:2888:3888"}, code: exitUsage, says: "has no client port"},
		"a word that is no flag":       {args: []string{"now"}, code: exitUsage, says: `"now" is no flag`},
	} {
		t.Run(name, func(t *testing.T) {
			e := listen(t, pods, 1, "secret")
			if tc.outcome != 0 {
				e.outcomes = []zk.Code{tc.outcome}
			}
			args := append([]string{"join", "--servers=2", "--member=" + string(pods), "--ensemble=" + e.addr}, tc.args...)
			code, out := play(t, tc.password, args...)
			if code != tc.code || !strings.Contains(out, tc.says) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, tc.code, tc.says, out)
			}
		})
	}
}

func TestLeavingKeepsAVoter(t *testing.T) {
	e := listen(t, pods, 1, "secret")
	first, _ := pods.server(1, true)
	second, _ := pods.server(2, false)
	e.set(t, []quorum.Server{first, second})
	code, out := play(t, "secret", "leave", "--servers=1", "--member="+string(pods), "--ensemble="+e.addr)
	if code != exitFailed || !strings.Contains(out, "none of the first 1 votes") || len(e.asked) > 0 {
		t.Errorf("exit code %d, asked for %v:\n%s", code, e.asked, out)
	}
}

func TestGivingUpSaysWhy(t *testing.T) {
	e := listen(t, pods, 1, "secret")
	for range 100 {
		e.outcomes = append(e.outcomes, zk.NewConfigNoQuorum)
	}
	code, out := play(t, "secret", "join", "--servers=2", "--member="+string(pods), "--ensemble="+nobody+","+e.addr, "--timeout=50ms")
	if code != exitFailed || !strings.Contains(out, "gave up: reconfiguration: NewConfigNoQuorum") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

func TestMembersAreListedAsAServerHasThem(t *testing.T) {
	e := listen(t, pods, 2, "secret")
	code, out := play(t, "", "list", "--ensemble="+e.addr)
	if want := line(1) + "\n" + line(2) + "\nversion=100000000\n"; code != 0 || out != want {
		t.Errorf("exit code %d:\n%swant\n%s", code, out, want)
	}
	if code, out := play(t, "", "list", "--ensemble="+nobody); code != exitFailed || !strings.Contains(out, "refused") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestUnknownCommandsAreRefusedWithTheUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"serve"}} {
		if code, out := play(t, "", args...); code != exitUsage || !strings.Contains(out, usage) {
			t.Errorf("%q: exit code %d, %s", args, code, out)
		}
	}
}
