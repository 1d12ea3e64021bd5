package tour

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// commandTimeout bounds one command of the tour.
const commandTimeout = 60 * time.Second

// mark ends the output of a command; the exit code follows it.
const mark = "\x01"

// shell is one bash that plays commands one after the other.
type shell struct {
	bash  *exec.Cmd
	in    io.WriteCloser
	lines chan string // what it prints, until it ends
}

// startShell starts a bash in a directory with the given environment. stop must be called.
func startShell(dir string, env []string) (*shell, error) {
	bash := exec.Command("bash", "--noprofile", "--norc")
	bash.Dir, bash.Env = dir, env
	bash.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := bash.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := bash.StdoutPipe()
	if err != nil {
		return nil, err
	}
	bash.Stderr = bash.Stdout
	if err := bash.Start(); err != nil {
		return nil, err
	}
	s := &shell{bash: bash, in: in, lines: make(chan string)}
	go func() { // ends when bash and all it started have ended, which stop sees to
		defer close(s.lines)
		for r := bufio.NewReader(out); ; {
			line, err := r.ReadString('\n')
			if line != "" {
				s.lines <- strings.TrimSuffix(line, "\n")
			}
			if err != nil {
				return
			}
		}
	}()
	return s, nil
}

// run plays one command, with nothing to read, and returns the lines it printed. A command that fails, or takes too long, is an error.
func (s *shell) run(command string) (printed []string, err error) {
	if _, err := fmt.Fprintf(s.in, "{\n%s\n} </dev/null\nprintf '\\001%%d\\n' $?\n", command); err != nil {
		return nil, err
	}
	deadline := time.NewTimer(commandTimeout)
	defer deadline.Stop()
	for {
		select {
		case <-deadline.C:
			return printed, fmt.Errorf("does not end within %v", commandTimeout)
		case line, ok := <-s.lines:
			if !ok {
				return printed, errors.New("ended the shell")
			}
			text, code, ended := strings.Cut(line, mark)
			if text != "" || !ended {
				printed = append(printed, text)
			}
			if !ended {
				continue
			}
			if n, err := strconv.Atoi(code); err != nil || n != 0 {
				return printed, fmt.Errorf("failed with exit code %s", code)
			}
			return printed, nil
		}
	}
}

// stop ends the shell and everything it started.
func (s *shell) stop() {
	s.in.Close()
	syscall.Kill(-s.bash.Process.Pid, syscall.SIGKILL)
	for range s.lines {
	}
	s.bash.Wait()
}
