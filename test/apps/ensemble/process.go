package ensemble

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// Process is a program that a test has started, until it has ended it.
type Process struct {
	// Exited is closed when the program has ended, by itself or not.
	Exited <-chan struct{}

	cmd *exec.Cmd
}

// Run starts cmd.
func Run(cmd *exec.Cmd) (*Process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited := make(chan struct{})
	go func() { // ends with the process
		defer close(exited)
		_ = cmd.Wait()
	}()
	return &Process{Exited: exited, cmd: cmd}, nil
}

// Signal sends a signal, if the program still runs.
func (p *Process) Signal(signal syscall.Signal) { _ = p.cmd.Process.Signal(signal) }

// State tells how the program has ended; it has.
func (p *Process) State() string { return p.cmd.ProcessState.String() }

// End sends a signal and returns when the program has ended. One that still runs after a while fails the test, and is killed.
func (p *Process) End(t testing.TB, name string, signal syscall.Signal, within time.Duration) {
	t.Helper()
	p.Signal(signal)
	select {
	case <-p.Exited:
	case <-time.After(within):
		p.Signal(syscall.SIGKILL)
		<-p.Exited
		t.Errorf("%s still ran %v after it was sent %v", name, within, signal)
	}
}
