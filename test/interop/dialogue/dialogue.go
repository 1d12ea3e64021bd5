package dialogue

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// caseDeadline bounds one case, whatever the machine is busy with: a client that hangs is killed when it is over.
	caseDeadline = 90 * time.Second
	// stderrTailBytes is how much of the program's standard error is shown when a case failed.
	stderrTailBytes = 8 << 10
)

// Server is what a program may ask for to be done to the server it talks to.
type Server interface {
	Addr() string
	Start() error
	Stop() error
	Kill() error
	Restart() error
}

// Run starts command, adding the server's address as its last argument, and plays its cases as subtests of t until it exits.
func Run(t *testing.T, s Server, command *exec.Cmd) {
	t.Helper()
	run(t, s, command, caseDeadline)
}

func run(t *testing.T, s Server, command *exec.Cmd, deadline time.Duration) {
	t.Helper()
	command.Args = append(command.Args, s.Addr())
	p := &program{server: s, command: command, deadline: deadline}
	command.Stderr = &p.stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p.stdin, p.stdout = stdin, bufio.NewScanner(stdout)
	p.watchdog = time.AfterFunc(deadline, p.kill)
	p.play(t)
	p.watchdog.Stop()
	_, _ = io.Copy(io.Discard, stdout) // a program that stopped speaking may still have to exit
	err = command.Wait()
	p.kill() // what the program started and left behind
	if err != nil {
		t.Errorf("the program ended: %v", err)
	}
	if p.cases == 0 {
		t.Error("the program announced no case")
	}
	if t.Failed() {
		t.Logf("end of its standard error:\n%s", p.stderr.tail(stderrTailBytes))
	}
}

// program is one running client program; it is used from the test's goroutine, except for what its fields say otherwise.
type program struct {
	server   Server
	command  *exec.Cmd
	stdin    io.Writer
	stdout   *bufio.Scanner
	stderr   buffer        // written by the goroutine that copies standard error
	deadline time.Duration // of one case
	watchdog *time.Timer   // kills the program when it is over
	cases    int
}

// play reads lines until the program closes its standard output.
func (p *program) play(t *testing.T) {
	for p.stdout.Scan() {
		line := p.stdout.Text()
		name, isCase := strings.CutPrefix(line, "case ")
		if !isCase {
			if word, _, _ := strings.Cut(line, " "); word == "pass" || word == "fail" || word == "server" {
				t.Errorf("%q outside of a case", line)
			}
			continue
		}
		p.cases++
		p.watchdog.Reset(p.deadline)
		played := false
		t.Run(name, func(t *testing.T) {
			played = true
			p.playCase(t)
		})
		if !played { // the -run flag left it out; the program plays it all the same
			p.playCase(nil)
		}
	}
	if err := p.stdout.Err(); err != nil {
		t.Errorf("read from the program: %v", err)
	}
}

// playCase reads lines until the running case ends. With a nil t the outcome is ignored.
func (p *program) playCase(t *testing.T) {
	var said []string
	outcome := "the program ended or was killed at its deadline inside the case"
	for p.stdout.Scan() {
		line := p.stdout.Text()
		word, rest, _ := strings.Cut(line, " ")
		if word == "server" {
			_, _ = fmt.Fprintln(p.stdin, p.serve(rest)) // a program that no longer listens is noticed by its silence
			continue
		}
		if word == "pass" {
			return
		}
		if word == "fail" {
			outcome = rest
			break
		}
		said = append(said, line)
	}
	if t == nil {
		return
	}
	t.Errorf("%s\nit said:\n%s\nend of its standard error:\n%s", outcome, strings.Join(said, "\n"), p.stderr.tail(stderrTailBytes))
}

// serve does to the server what the program asked for, and returns the answer.
func (p *program) serve(what string) string {
	actions := map[string]func() error{"start": p.server.Start, "stop": p.server.Stop, "kill": p.server.Kill, "restart": p.server.Restart}
	action := actions[what]
	if action == nil {
		return fmt.Sprintf("error cannot %q a server", what)
	}
	if err := action(); err != nil {
		return "error " + strings.ReplaceAll(err.Error(), "\n", " ")
	}
	return "done"
}

// kill ends the program and every process of its group. It may be called from any goroutine, and more than once.
func (p *program) kill() {
	_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL) // gone already: then all is well
}

// buffer collects output that one goroutine writes and another may look at.
type buffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) tail(most int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.text.Bytes()
	return string(text[max(0, len(text)-most):])
}
