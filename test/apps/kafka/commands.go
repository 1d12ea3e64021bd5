//go:build apps

package kafka

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The classes behind Kafka's scripts.
const (
	topicsClass   = "org.apache.kafka.tools.TopicCommand"                       // kafka-topics.sh
	configsClass  = "kafka.admin.ConfigCommand"                                 // kafka-configs.sh
	aclsClass     = "kafka.admin.AclCommand"                                    // kafka-acls.sh
	reassignClass = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand" // kafka-reassign-partitions.sh
	electClass    = "org.apache.kafka.tools.LeaderElectionCommand"              // kafka-leader-election.sh
	shellClass    = "org.apache.zookeeper.ZooKeeperMainWithTlsSupportForKafka"  // zookeeper-shell.sh
	toolHeap      = "-Xmx128m"
)

// try runs a command of Kafka's to its end and returns what it said.
func (c *cluster) try(class string, args ...string) (string, error) {
	c.t.Helper()
	out, err := java(c.t, toolHeap, class, args...).CombinedOutput()
	return string(out), err
}

// run is try of a command that has to succeed, and to say something.
func (c *cluster) run(class, says string, args ...string) {
	c.t.Helper()
	out, err := c.try(class, args...)
	if err != nil || !strings.Contains(out, says) {
		c.t.Fatalf("%s %s: %v; want %q in\n%s", class, strings.Join(args, " "), err, says, out)
	}
}

// comes repeats a command until what it says is right.
func (c *cluster) comes(what string, right func(out string, err error) bool, class string, args ...string) {
	c.t.Helper()
	for end := time.Now().Add(deadline); ; <-time.After(pollEvery) {
		out, err := c.try(class, args...)
		if right(out, err) {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("after %v still not: %s; %s: %v\n%s", deadline, what, class, err, out)
		}
	}
}

// through are the arguments of a command that asks the brokers.
func (c *cluster) through(args ...string) []string {
	return append([]string{"--bootstrap-server", c.bootstrap()}, args...)
}

// flow is a producer and a consumer at work (java/Flow.java).
type flow struct {
	c     *cluster
	topic string
	in    io.WriteCloser
	out   *bufio.Scanner
	cmd   *exec.Cmd
	errs  string // file
}

// begin starts a flow through a topic that exists, and returns when it flows.
func (c *cluster) begin(topic string, partitions int) *flow {
	t := c.t
	t.Helper()
	dir := c.whole.TempDir()
	class := compile(t, dir)
	f := &flow{c: c, topic: topic, errs: filepath.Join(dir, "flow.log")}
	f.cmd = java(t, toolHeap, "Flow", c.bootstrap(), topic, fmt.Sprint(partitions))
	for i, arg := range f.cmd.Args {
		if arg == "-cp" {
			f.cmd.Args[i+1] += ":" + class
		}
	}
	errs, err := os.Create(f.errs)
	if err != nil {
		t.Fatal(err)
	}
	defer errs.Close()
	f.cmd.Stderr = errs
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if f.in, err = f.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.whole.Cleanup(func() {
		_ = f.cmd.Process.Kill() // it may have ended by itself
		_ = f.cmd.Wait()
	})
	f.out = bufio.NewScanner(out)
	f.more()
	return f
}

// compile returns the directory with the program's class in it.
func compile(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command("javac", "-proc:none", "-d", dir, "-cp", filepath.Join(library(t), "*"), "java/Flow.java")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: test/apps/kafka/install.sh installs it\n%s", err, out)
	}
	return dir
}

// more waits until many more messages went through, each once and in order.
func (f *flow) more() {
	f.c.t.Helper()
	f.ask("more 300")
}

// finish ends the flow when the consumer has read all that the producer sent.
func (f *flow) finish() {
	f.c.t.Helper()
	f.ask("finish")
}

func (f *flow) ask(command string) {
	t := f.c.t
	t.Helper()
	if _, err := fmt.Fprintln(f.in, command); err != nil {
		t.Fatal(err)
	}
	answer := make(chan string, 1)
	go func() { // ends with the line, or with the program
		if f.out.Scan() {
			answer <- f.out.Text()
		}
		close(answer)
	}()
	select {
	case line := <-answer:
		if !strings.HasPrefix(line, "ok ") {
			text, _ := os.ReadFile(f.errs)
			t.Fatalf("messages: %q\n%s", line, text[max(0, len(text)-8<<10):])
		}
		t.Logf("messages: %s", strings.TrimPrefix(line, "ok "))
	case <-time.After(4 * time.Minute): // the program gives up before that
		_ = f.cmd.Process.Signal(syscall.SIGKILL)
		t.Fatal("messages: no answer")
	}
}
