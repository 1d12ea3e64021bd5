//go:build chaos

package chaos

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// checkEnsemble runs migrate check.
func checkEnsemble(t *testing.T, args ...string) (code int, text string) {
	t.Helper()
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(bin, append([]string{"migrate", "check"}, args...)...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(out)
}

// TestMigrateCheck examines a ZooKeeper ensemble of which one member keeps to itself what it can.
func TestMigrateCheck(t *testing.T) {
	e := assemble(t, []string{java, java, java})
	quiet := e.members[0]
	quiet.extra = append(append([]string{}, quiet.extra...), "4lw.commands.whitelist=srvr")
	e.launch(t)
	e.await(t)
	expect := func(what string, code int, says []string, args ...string) string {
		t.Helper()
		var got int
		var text string
		for deadline := time.Now().Add(startDeadline); time.Now().Before(deadline); <-time.After(pollEvery) {
			got, text = checkEnsemble(t, args...)
			good := got == code
			for _, s := range says {
				good = good && strings.Contains(text, s)
			}
			if good {
				return text
			}
		}
		t.Fatalf("%s: exit code %d, want %d and %q:\n%s", what, got, code, says, text)
		return ""
	}
	text := expect("one member is quiet", 1, []string{quiet.addr() + ": does not answer mntr", "4lw.commands.whitelist=srvr,mntr,conf,hash", "Look at the warnings first."}, e.addrs()...)
	if last := strings.LastIndex(text, e.leader(t).addr()); last < strings.LastIndex(text, ", follower: stop ZooKeeper") {
		t.Errorf("the leader is not the last to be replaced:\n%s", text)
	}
	expect("one member is not named", 1, []string{"server.1 (127.0.0.1) is a member and was not asked"}, e.addrs()[1:]...)
	expect("with a directory", 1, []string{e.members[1].data + ": 4 znodes"}, append(e.addrs(), "--data-dir", e.members[1].data)...)

	quiet.extra = e.members[1].extra
	quiet.end()
	expect("one member is down", 2, []string{quiet.addr() + ": no answer", "Something stands in the way."}, e.addrs()...)
	quiet.kind = paddock
	e.launch(t)
	e.await(t)
	expect("one member is replaced, and all is well", 0, []string{"-paddock", "Nothing stands in the way."}, e.addrs()...)
	expect("as JSON", 0, []string{`"steps": [`, `"mode": "leader"`}, append(e.addrs(), "--json")...)
}
