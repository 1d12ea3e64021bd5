package bench

import (
	"context"
	"fmt"
)

// churn is the load of session and ephemeral: each goroutine opens a session, creates its ephemerals if it has any, and
// closes the session, again and again.
type churn struct {
	*site
	lanes []*lane
}

func (c *churn) prepare(context.Context) error { return nil }

func (c *churn) start(g *group) {
	o := c.opt
	for i := range o.Connections {
		var create template
		if o.Workload == Ephemeral {
			create = newTemplate(kindCreate, fmt.Sprintf("%s/e%d-", c.dir, i), data(o.DataBytes), true)
		}
		l := newLane(newLink(o.Servers[i%len(o.Servers)], o.TLS), g.stage, nil, o.Outstanding)
		c.lanes = append(c.lanes, l)
		g.run(func() error { // ends when the stage stops
			for l.phase.Load() != phaseStop {
				if err := c.session(g.ctx, l, create); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// session lives one session on a lane.
func (c *churn) session(ctx context.Context, l *lane, create template) error {
	began := l.now()
	if err := l.dial(ctx); err != nil {
		return err
	}
	l.asked, l.told, l.zxid = 0, 0, 0
	if c.opt.Workload == Ephemeral {
		l.src = &sequence{what: create, end: c.opt.Outstanding}
		if err := pump(l); err != nil {
			l.abandon()
			return err
		}
	}
	if err := l.close(); err != nil {
		return l.lost(err)
	}
	l.live.Add(1)
	if l.phase.Load() == phaseMeasure {
		l.tally.sessions++
		if c.opt.Workload == Session {
			l.tally.latencies.add(l.now()-began, 1)
		}
	}
	return nil
}

func (c *churn) release() {}

func (c *churn) tally() *tally {
	t := new(tally)
	for _, l := range c.lanes {
		t.merge(&l.tally)
	}
	return t
}

func (c *churn) clear(context.Context) error { return nil }
