package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// stallTicks is after how many ticks without any reply a run fails.
	stallTicks = 10
	// drainTimeout is how long the last replies may take once the load has ended.
	drainTimeout = 10 * time.Second
	// clearTimeout bounds the deletion of what the run made.
	clearTimeout = 5 * time.Minute
)

// load is a workload at work.
type load interface {
	// prepare makes the znodes and opens the connections that the load needs.
	prepare(ctx context.Context) error
	// start starts the goroutines, which end when the stage stops.
	start(g *group)
	// release ends what connections are left, once the goroutines have ended.
	release()
	// tally is what was counted, once the goroutines have ended.
	tally() *tally
	// clear deletes the znodes that the load knows of.
	clear(ctx context.Context) error
}

// Run measures one workload. It blocks for the warm-up, the duration, and the time to make and delete the znodes needed.
//
// An error without a Result says what is wrong with the options, the server or a connection. With a Result it says that
// some replies were errors, or that ctx ended while measuring, and the Result covers the time until then. Cleaning up is
// not cut short by ctx; what could not be deleted is named in the error.
func Run(ctx context.Context, opt Options) (*Result, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := openSite(ctx, &opt)
	if err != nil {
		return nil, err
	}
	ld := newLoad(s)
	res, err := measure(ctx, &opt, ld)
	clearing, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTimeout)
	defer cancel()
	if left := s.clear(clearing, ld); left != nil {
		left = fmt.Errorf("%s was left behind, delete it with deleteall: %w", s.dir, left)
		if err != nil {
			left = fmt.Errorf("%w; %w", err, left)
		}
		return res, left
	}
	return res, err
}

// newLoad is the load that the options ask for.
func newLoad(s *site) load {
	switch s.opt.Workload {
	case Session, Ephemeral:
		return &churn{site: s}
	case Watch:
		return &fanout{site: s}
	default:
		return &pipeline{site: s}
	}
}

// measure runs the load.
func measure(ctx context.Context, opt *Options, ld load) (*Result, error) {
	g := newGroup(context.WithoutCancel(ctx), opt.Progress)
	defer g.cancel(nil)
	early := context.AfterFunc(ctx, func() { g.cancel(context.Cause(ctx)) })
	defer ld.release()
	if err := ld.prepare(g.ctx); err != nil {
		return nil, err
	}
	if !early() {
		return nil, context.Cause(ctx)
	}
	ld.start(g)
	g.during(ctx, "warm up", opt.Warmup)
	server, err := serversCPU(opt.PIDs)
	own, began := ownCPU(), time.Now()
	g.stage.phase.Store(phaseMeasure)
	if err != nil {
		g.cancel(err)
	}
	g.during(ctx, "measure", opt.Duration)
	g.stage.phase.Store(phaseStop)
	took := time.Since(began)
	own = ownCPU() - own
	if after, err := serversCPU(opt.PIDs); err != nil {
		g.cancel(err)
	} else {
		server = after - server
	}
	if err := g.drain(); err != nil {
		return nil, err
	}
	res, err := newResult(opt, ld.tally(), took, server, own), answered(ld.tally())
	if ctx.Err() != nil {
		err = fmt.Errorf("interrupted after %v: %w", took.Round(time.Millisecond), context.Cause(ctx))
	}
	return res, err
}

// Fill creates znodes of dataBytes bytes under root, which must not exist, spread over a few parents, as fast as the
// server takes them. Nothing is deleted, save by the caller. progress may be nil.
func Fill(ctx context.Context, server, root string, count, dataBytes int, progress func(Progress)) error {
	opt, err := Options{Servers: []string{server}, Keys: count, DataBytes: dataBytes, Progress: progress}.withDefaults()
	if err != nil {
		return err
	}
	s := &site{opt: &opt}
	defer s.release()
	if err := s.connect(ctx); err != nil {
		return err
	}
	if err := s.create(root); err != nil {
		return err
	}
	var parts []sequence
	for i, p := range split(count, fillLanes) {
		parent := fmt.Sprintf("%s/p%d", root, i)
		if err := s.create(parent); err != nil {
			return err
		}
		z := znodes{prefix: parent + "/k", data: data(opt.DataBytes)}
		parts = append(parts, sequence{what: newTemplate(kindCreate, z.prefix, z.data, false), end: p.end - p.at})
	}
	return s.sweep(ctx, "fill", parts, 0)
}

// errUnanswered ends a run whose last replies do not come.
var errUnanswered = errors.New("requests are still unanswered 10 s after the load ended; the server's log may say why")

// errStalled ends a run that gets no replies.
var errStalled = errors.New("no reply came for 10 s; the server's log may say why")
