package dialogue

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	_ "paddock/test/interop/target" // defines the flag that `go test ./... -args -target=…` hands to every package
)

// environmentScript names the environment variable that holds what the program of TestProgram is to say, as a shell script.
const environmentScript = "DIALOGUE_SCRIPT"

// fakeServer notes what is done to it, and cannot be killed.
type fakeServer struct{ done []string }

func (s *fakeServer) note(what string) error { s.done = append(s.done, what); return nil }

func (*fakeServer) Addr() string     { return "127.0.0.1:1" }
func (s *fakeServer) Start() error   { return s.note("start") }
func (s *fakeServer) Stop() error    { return s.note("stop") }
func (s *fakeServer) Restart() error { return s.note("restart") }
func (*fakeServer) Kill() error      { return errors.New("it is\nimmortal") }

// TestProgram plays one script; TestOutcomes runs it in a process of its own for scripts that must fail.
func TestProgram(t *testing.T) {
	script := os.Getenv(environmentScript)
	deadline := 500 * time.Millisecond
	if script == "" {
		script = `echo "case the address is the last argument"; test "$1" = 127.0.0.1:1 && echo pass`
		deadline = caseDeadline
	}
	run(t, &fakeServer{}, exec.Command("/bin/sh", "-c", script, "sh"), deadline)
}

func TestOutcomes(t *testing.T) {
	for _, row := range []struct {
		name, script string
		passes       bool
		says         string
	}{
		{"a case that passes is a subtest that passes", `echo case fine; echo pass`, true, "--- PASS: TestProgram/fine"},
		{"a case that fails is a subtest that fails with the reason", `echo case bad; echo fail it broke`, false, "it broke"},
		{"what is said inside a failed case is shown", `echo case bad; echo so far so good; echo fail`, false, "so far so good"},
		{"standard error of a failed case is shown", `echo case bad; echo trace >&2; sleep 0.1; echo fail`, false, "trace"},
		{"a case after a failed one is still played", `echo case a; echo fail; echo case b; echo pass`, false, "--- PASS: TestProgram/b"},
		{"a program without cases fails", `true`, false, "announced no case"},
		{"a program that ends inside a case fails", `echo case half`, false, "ended or was killed"},
		{"a program that exits with a status fails", `echo case fine; echo pass; exit 3`, false, "exit status 3"},
		{"an outcome outside of a case fails", `echo pass; echo case fine; echo pass`, false, "outside of a case"},
		{"a case that hangs is killed with all its processes", `echo case stuck; sleep 1000 & wait`, false, "ended or was killed"},
		{"a request to the server is done and answered", `echo case a; echo server restart; read r; test "$r" = done && echo pass`, true, ""},
		{"a request that fails is answered with the reason on one line",
			`echo case a; echo server kill; read r; test "$r" = "error it is immortal" && echo pass`, true, ""},
		{"a request nobody knows is answered with an error", `echo case a; echo server paint; read r; echo fail $r`, false, "error cannot"},
	} {
		t.Run(row.name, func(t *testing.T) {
			self := exec.Command(os.Args[0], "-test.run=^TestProgram$", "-test.v")
			self.Env = append(os.Environ(), environmentScript+"="+row.script)
			out, err := self.CombinedOutput()
			if (err == nil) != row.passes || !strings.Contains(string(out), row.says) {
				t.Fatalf("got %v, want passing %v and to read %q:\n%s", err, row.passes, row.says, out)
			}
		})
	}
}
