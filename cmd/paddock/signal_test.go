package main

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestTheFirstSignalEndsAReader, however much it has still to read: here it waits for who reads what it prints.
func TestTheFirstSignalEndsAReader(t *testing.T) {
	if os.Getenv("PADDOCK_TEST_READS") != "" {
		os.Args = append([]string{"paddock", "wal", "dump"}, slices.Repeat([]string{modern}, 100)...)
		main()
	}
	c := exec.Command(os.Args[0], "-test.run=^TestTheFirstSignalEndsAReader$")
	c.Env = append(os.Environ(), "PADDOCK_TEST_READS=yes")
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
