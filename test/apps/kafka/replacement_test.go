//go:build apps

package kafka

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"paddock/test/apps/ensemble"
)

// TestReplacement replaces three ZooKeeper servers in place, one by one, as docs/operations/migration.md says, while brokers, a producer and a
// consumer run: by ZooKeeper servers, which shows what is asked of Paddock, by Paddock servers, and back.
func TestReplacement(t *testing.T) {
	c := newCluster(t, ensemble.Start(t, ensemble.Java, 3))
	var f *flow
	c.step("three brokers on three ZooKeeper servers", func() {
		c.assemble()
		f = c.flow()
	})
	for _, kind := range []string{ensemble.Java, ensemble.Paddock, ensemble.Java} {
		c.step("servers are replaced by those of "+kind, func() {
			c.unmoved(func() {
				leader := c.e.Leader()
				order := slices.DeleteFunc(slices.Clone(c.e.Servers), func(s *ensemble.Server) bool { return s == leader })
				for _, s := range append(order, leader) {
					c.replace(s, kind)
					f.more()
				}
			})
		})
		c.step("the controller still does its work on "+kind, func() {
			c.run(topicsClass, "Created topic made.", c.through("--create", "--topic", "made", "--partitions", "3", "--replication-factor", "3")...)
			c.led("made", 3, brokersN, 0)
			c.run(topicsClass, "", c.through("--delete", "--topic", "made")...)
			c.await("the topic is gone", func() bool { return !c.exists("/brokers/topics/made") })
		})
	}
	c.step("a broker is killed and comes back", func() { c.leave(f, c.follower(), (*broker).kill) })
	c.step("no message is lost, twice or out of order", f.finish)
}

// replace does what an operator does with one member, and returns when the next may follow.
func (c *cluster) replace(s *ensemble.Server, kind string) {
	c.t.Helper()
	s.Stop()
	s.Become(kind)
	s.Launch()
	s.Await()
	paddock := func(args ...string) (string, error) {
		out, err := exec.Command(os.Getenv("PADDOCK_BIN"), args...).CombinedOutput()
		return string(out), err
	}
	if kind == ensemble.Paddock {
		c.await("paddock status says that it serves", func() bool {
			out, err := paddock("status", "--config", s.Config)
			return err == nil && strings.Contains(out, "serving")
		})
	}
	var out string
	c.t.Cleanup(func() {
		if c.t.Failed() {
			c.t.Logf("migrate check: %s", out)
		}
	})
	c.await("migrate check lets the next be replaced", func() bool {
		var err error
		out, err = paddock("migrate", "check", c.e.Addresses())
		return err == nil
	})
}
