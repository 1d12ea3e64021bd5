//go:build apps

package patroni

import (
	"strings"
	"testing"

	"paddock/test/apps/ensemble"
)

// steps is what happens to a cluster, one after the other. It has settled before and after each.
var steps = []struct {
	name string
	run  func(c *cluster, e *ensemble.Ensemble)
}{
	{"a switchover that was asked for makes another member the primary", func(c *cluster, _ *ensemble.Ensemble) { c.switchover() }},
	{"the primary and its machine are gone: the synchronous standby takes over, and the old one follows it", func(c *cluster, _ *ensemble.Ensemble) {
		before := c.settle()
		timeline := before[primary].state().Timeline
		before[primary].kill()
		c.await("another primary", func() bool { return before[standby].state().Role == "primary" })
		before[primary].launch()
		if after := c.moved(before, timeline); after[primary] != before[standby] {
			c.t.Errorf("%s took over, not the synchronous standby %s", after[primary].name, before[standby].name)
		}
	}},
	{"ZooKeeper's leader is killed and comes back: nothing happens", func(c *cluster, e *ensemble.Ensemble) {
		c.unmoved(func() {
			leader := e.Leader()
			leader.Kill()
			e.Leader()
			c.loops(3, c.members...)
			leader.Launch()
			leader.Await()
		})
	}},
	{"ZooKeeper's servers are restarted in turn: nothing happens", func(c *cluster, e *ensemble.Ensemble) {
		c.unmoved(func() {
			for _, s := range e.Servers {
				e.Restart(s)
				e.Leader()
				c.loops(3, c.members...)
			}
		})
	}},
	{"the primary is cut off from ZooKeeper for longer than the time to live: the standby takes over", func(c *cluster, _ *ensemble.Ensemble) {
		before := c.settle()
		timeline := before[primary].state().Timeline
		before[primary].shut()
		c.await("another primary", func() bool { return before[standby].state().Role == "primary" })
		c.acks.more(c.t, 20)
		before[primary].open()
		c.moved(before, timeline)
	}},
	{"a standby is cut off from ZooKeeper for longer than the time to live: the primary goes on", func(c *cluster, _ *ensemble.Ensemble) {
		c.unmoved(func() {
			roles := c.settle()
			roles[replica].shut()
			c.await("the standby is gone", func() bool { return !strings.Contains(c.ctl("list"), roles[replica].name) })
			c.acks.more(c.t, 20)
			roles[replica].open()
		})
	}},
	{"all of ZooKeeper is down for longer than the time to live: nobody is the primary until it is back", func(c *cluster, e *ensemble.Ensemble) {
		c.settle()
		for _, s := range e.Servers {
			s.Stop()
		}
		for _, m := range c.members {
			c.await(m.name+" takes no writes", func() bool { s := m.state(); return s.Role == "replica" && s.State == "running" })
		}
		for _, s := range e.Servers {
			s.Launch()
		}
		c.check()
	}},
	{"the same in failsafe mode: the primary goes on", func(c *cluster, e *ensemble.Ensemble) {
		c.ctl("edit-config", "--force", "-s", "failsafe_mode=true")
		c.settle()
		c.loops(5, c.members...) // each has told the others where it is
		c.unmoved(func() {
			for _, s := range e.Servers {
				s.Stop()
			}
			c.acks.more(c.t, 1000) // 20 seconds at the least
			for _, s := range e.Servers {
				s.Launch()
			}
			for _, s := range e.Servers {
				s.Await()
			}
			c.loops(5, c.members...)
		})
	}},
	{"while it is paused nobody takes over from a primary that is gone, and then it is started again", func(c *cluster, _ *ensemble.Ensemble) {
		before := c.settle()
		c.ctl("pause", "--wait")
		for _, m := range c.members {
			c.await(m.name+" knows of the pause", func() bool { return m.state().Pause })
		}
		before[primary].killPostgres()
		c.loops(6, before[standby], before[replica])
		for _, role := range []string{standby, replica} {
			if s := before[role].state(); s.Role != "replica" {
				c.t.Errorf("%s is a %s", before[role].name, s.Role)
			}
		}
		c.ctl("resume", "--wait")
		c.check()
	}},
	{"the configuration is edited, and reaches every member", func(c *cluster, _ *ensemble.Ensemble) {
		c.ctl("edit-config", "--force", "-s", "loop_wait=2", "-p", "work_mem=7MB")
		for _, m := range c.members {
			c.await(m.name+" has the configuration", func() bool { return c.query(m, "SHOW work_mem") == "7MB" })
		}
		if text := c.ctl("show-config"); !strings.Contains(text, "loop_wait: 2") || !strings.Contains(text, "work_mem: 7MB") {
			c.t.Errorf("the configuration is\n%s", text)
		}
		c.check()
	}},
	{"a member is made anew from the primary", func(c *cluster, _ *ensemble.Ensemble) {
		c.unmoved(func() {
			m := c.settle()[replica]
			c.ctl("reinit", "--force", "--wait", "paddock", m.name)
			c.settle()
		})
	}},
	{"a restart of the primary that was asked for at once keeps it the primary", func(c *cluster, _ *ensemble.Ensemble) {
		before := c.settle()
		started := before[primary].state().Started
		c.ctl("restart", "--force", "paddock", before[primary].name)
		after := c.check()
		if after[primary] != before[primary] || after[primary].state().Started == started {
			c.t.Errorf("%s was to be restarted; the primary is %s, started %s", before[primary].name, after[primary].name, after[primary].state().Started)
		}
	}},
	{"the history has every timeline", func(c *cluster, _ *ensemble.Ensemble) {
		timeline := c.settle()[primary].state().Timeline
		if text := c.ctl("history", "-f", "tsv"); len(strings.Split(strings.TrimSpace(text), "\n")) != timeline { // a headline, and all that have ended
			c.t.Errorf("the timeline is %d, and the history\n%s", timeline, text)
		}
	}},
	{"a cluster that is removed is gone from ZooKeeper", func(c *cluster, _ *ensemble.Ensemble) {
		for _, m := range c.members {
			m.stop()
		}
		c.ask("paddock\nYes I am aware\n", "remove", "paddock")
		if text := c.ctl("list"); strings.Contains(text, "m1") {
			c.t.Errorf("there still is\n%s", text)
		}
	}},
}

// TestPatroni lets things happen to a cluster, on which no acknowledged row may be lost.
func TestPatroni(t *testing.T) {
	ensemble.Each(t, func(t *testing.T, e *ensemble.Ensemble) {
		c := begin(t, each(e, func(s *ensemble.Server) string { return s.Client }), "")
		for _, step := range steps {
			if !t.Run(step.name, func(t *testing.T) {
				c.within(t, e)
				step.run(c, e)
			}) {
				break // what comes after it expects a cluster that has settled
			}
		}
		c.within(t, e)
	})
}

// switchover makes the synchronous standby the primary.
func (c *cluster) switchover() {
	c.t.Helper()
	before := c.settle()
	timeline := before[primary].state().Timeline
	c.ctl("switchover", "--force", "--leader", before[primary].name, "--candidate", before[standby].name, "paddock")
	if after := c.moved(before, timeline); after[primary] != before[standby] {
		c.t.Errorf("%s is the primary, it was to be %s", after[primary].name, before[standby].name)
	}
}
