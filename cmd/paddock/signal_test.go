package main

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestTheFirstSignalEndsAReader, however much it has still to read: here it waits for who reads what it prints.
func TestTheFirstSignalEndsAReader(t *testing.T) {
	c := process(append([]string{"wal", "dump"}, slices.Repeat([]string{modern}, 100)...)...)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 1))
	}
	if err == nil {
		err = c.Process.Signal(os.Interrupt)
	}
	if err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(20*time.Second, func() { c.Process.Kill() })
	defer late.Stop()
	state, err := c.Process.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v", state)
	}
}
