package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"paddock/internal/zk"
)

// The exit codes of lock and elect, beside those of the command that they run; as of timeout(1).
const (
	exitWaited     = 124 // it was not got within -w
	exitHoldFailed = 125 // it could not be got, or was lost
	exitCannotRun  = 126
	exitNoProgram  = 127
)

// The environment of the command.
const (
	holdPathEnv  = "PADDOCK_LOCK_PATH"
	holdTokenEnv = "PADDOCK_LOCK_TOKEN"
)

// killDefault is how long a command has to end by itself after it was told that the lock is lost.
const killDefault = 5 * time.Second

// runLock runs a command while it holds a lock.
func runLock(c *call) error { return c.hold("-lock-", owner()) }

// runElect runs a command while it is the leader.
func runElect(c *call) error {
	id := owner()
	if c.has("id") {
		id = []byte(c.set["id"])
	}
	return c.hold("-latch-", id)
}

// hold queues up, runs the command, and leaves the queue.
func (c *call) hold(mark string, id []byte) error {
	if len(c.args) < 3 {
		return &failure{c.cmd.usageLine(), exitHoldFailed}
	}
	program, err := exec.LookPath(c.args[2])
	if err != nil {
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			return &failure{err.Error(), exitNoProgram}
		}
		return &failure{err.Error(), exitCannotRun}
	}
	wait, err := c.number("w", 0, -1)
	if err != nil {
		return err
	}
	kill, err := c.number("k", 0, int64(killDefault/time.Second))
	if err != nil {
		return err
	}
	ctx, calm := hangups(c.ctx)
	defer calm()
	c.ctx = ctx
	notices, stop := c.sh.tap()
	defer stop()
	q, err := newClaim(c, c.args[1], mark, id, notices)
	if err != nil {
		return &failure{err.Error(), exitHoldFailed}
	}
	defer q.release()
	if err := q.awaitFor(wait); err != nil {
		return err
	}
	if c.has("v") {
		c.warn("%s is held, token %d", q.path, int64(q.zxid))
	}
	return c.runHolding(q, program, time.Duration(kill)*time.Second)
}

// awaitFor waits for a number of seconds, or for ever if it is negative.
func (q *claim) awaitFor(seconds int64) error {
	ctx := q.c.ctx
	if seconds == 0 {
		names, err := q.queue()
		if err == nil && (len(names) == 0 || names[0] != zk.BaseName(q.path)) {
			return &failure{"another holds " + q.dir, exitWaited}
		}
		if err != nil {
			return &failure{err.Error(), exitHoldFailed}
		}
		return nil
	}
	if seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
		defer cancel()
	}
	err := q.await(ctx)
	switch {
	case err == nil:
		return nil
	case q.c.ctx.Err() != nil:
		return &failure{"interrupted", exitInterrupted}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{fmt.Sprintf("%s was not got within %d seconds", q.dir, seconds), exitWaited}
	default:
		return &failure{err.Error(), exitHoldFailed}
	}
}

// runHolding runs the command. When the claim is lost, or the user interrupts or hangs up, the command is told by SIGTERM, and killed if it
// goes on for too long.
func (c *call) runHolding(q *claim, program string, kill time.Duration) error {
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(ctx, program, c.args[3:]...)
	cmd.Args[0] = c.args[2]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.sh.streams.In, c.sh.streams.Out, c.sh.streams.Err
	cmd.Env = append(os.Environ(), holdPathEnv+"="+q.path, fmt.Sprintf("%s=%d", holdTokenEnv, int64(q.zxid)))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = kill
	runtime.LockOSThread() // the command is tied to the thread that starts it
	defer runtime.UnlockOSThread()
	endWithUs(cmd)
	if err := cmd.Start(); err != nil {
		return &failure{err.Error(), exitCannotRun}
	}
	watched := make(chan struct{})
	guard, stop := context.WithCancel(c.ctx)
	go func() { // ends with guard; waited for below
		defer close(watched)
		if err := q.lost(guard); err != nil {
			cancel(err)
		}
	}()
	err := cmd.Wait()
	stop()
	<-watched
	if lost := context.Cause(ctx); lost != nil && c.ctx.Err() == nil {
		return &failure{fmt.Sprintf("%s: %v; the command was told to end", q.dir, lost), exitHoldFailed}
	}
	return ended(cmd.ProcessState, err)
}

// ended is the failure that carries the exit code of a command, or nil for 0.
func ended(state *os.ProcessState, err error) error {
	const signalled = 128
	if state == nil {
		return &failure{err.Error(), exitCannotRun}
	}
	code := state.ExitCode()
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = signalled + int(status.Signal())
	}
	if code == exitOK {
		return nil
	}
	return &failure{code: code}
}
