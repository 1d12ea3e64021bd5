package bench

import (
	"context"
	"fmt"

	"paddock/internal/zk"
)

// pipeline is the load of get, set, mixed and create: a lane for each connection.
type pipeline struct {
	*site
	znodes znodes
	lanes  []*lane
	opened []*link // not yet released
	cycles []*cycle
}

func (p *pipeline) prepare(ctx context.Context) error {
	o := p.opt
	p.znodes = znodes{prefix: p.dir + "/k", data: data(o.DataBytes)}
	if o.Workload == Create {
		p.znodes = znodes{prefix: p.dir + "/c"} // a parent for each connection
	}
	if err := p.fill(ctx, kindCreate, p.znodes, p.count()); err != nil {
		return err
	}
	var err error
	p.opened, err = openLinks(ctx, o, o.Connections)
	return err
}

// count is how many znodes are made before the load begins.
func (p *pipeline) count() int {
	if p.opt.Workload == Create {
		return p.opt.Connections
	}
	return p.opt.Keys
}

// source makes the source of the i-th lane.
func (p *pipeline) source(i int) source {
	o := p.opt
	switch o.Workload {
	case Get:
		return newRandom(p.znodes, 100, o.Keys, uint64(i))
	case Set:
		return newRandom(p.znodes, 0, o.Keys, uint64(i))
	case Mixed:
		return newRandom(p.znodes, o.ReadPercent, o.Keys, uint64(i))
	default:
		own := znodes{prefix: fmt.Sprintf("%s%08d/n", p.znodes.prefix, i), data: data(o.DataBytes)}
		c := newCycle(own, o.Keys/o.Connections)
		p.cycles = append(p.cycles, c)
		return c
	}
}

func (p *pipeline) start(g *group) {
	list := make([]polled, len(p.opened))
	for i, l := range p.opened {
		p.lanes = append(p.lanes, newLane(l, g.stage, p.source(i), p.opt.Outstanding))
		list[i] = p.lanes[i]
	}
	g.drive(list)
}

func (p *pipeline) release() {
	for _, l := range p.opened {
		if l != nil {
			l.abandon()
		}
	}
	p.opened = nil
}

func (p *pipeline) tally() *tally {
	t := new(tally)
	for _, l := range p.lanes {
		t.merge(&l.tally)
	}
	return t
}

func (p *pipeline) clear(ctx context.Context) error {
	var parts []sequence
	for _, c := range p.cycles {
		if c.top > 0 {
			parts = append(parts, sequence{what: c.delete, end: c.top})
		}
	}
	if err := p.sweep(ctx, "clean up", parts, zk.NoNode); err != nil {
		return err
	}
	return p.fill(ctx, kindDelete, znodes{prefix: p.znodes.prefix}, p.count())
}
