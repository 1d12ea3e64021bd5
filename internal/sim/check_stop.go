package sim

import (
	"errors"
	"slices"

	"paddock/storage/vfs"
)

// stopRules checks what a failing disk does to a server: a failed operation of the log ends its service, with the reason,
// and whatever else fails is told.
type stopRules struct {
	w       *world
	life    *life
	hit     []vfs.Op // operations that were failed
	inSync  bool     // one of them was the log's
	stopped int
}

func (r *stopRules) begin(l *life) { r.life, r.hit, r.inSync = l, nil, false }

// failedOp is called for every operation that the disk refuses.
func (r *stopRules) failedOp(op vfs.Op) {
	w := r.w
	w.failures.add(crashPoint{op.Kind, kindOf(op.Path)})
	r.hit = append(r.hit, op)
	t := w.disk.running
	r.inSync = r.inSync || t != nil && (t.name == taskSync || t.name == taskPrepare && op.Kind == vfs.KindSync && kindOf(op.Path) == "log")
	w.trace.add("the disk fails: %v: %v", op, r.life.fault.err)
}

// reason tells whether err is the disk's own error.
func (r *stopRules) reason(err error) bool {
	return r.life.fault != nil && errors.Is(err, r.life.fault.err)
}

// syncEnded is told how a batch of the log ended.
func (r *stopRules) syncEnded(err error) {
	switch {
	case r.w.disk.dead:
	case err == nil && r.inSync:
		r.w.fail("a batch of the log is reported durable after %v failed", r.hit)
	case err != nil && !r.reason(err):
		r.w.fail("the log ended with %v, failed operations were %v", err, r.hit)
	case err != nil:
		r.stopped++
	}
}

// upkeepEnded is told how a snapshot or a purge ended.
func (r *stopRules) upkeepEnded(name string, err error) {
	if err != nil && !r.w.disk.dead && !r.reason(err) {
		r.w.fail("%s: %v, failed operations were %v", name, err, r.hit)
	}
}

// notStarted is told why a server did not start: the disk must have failed.
func (r *stopRules) notStarted(err error) {
	if len(r.hit) == 0 {
		r.w.fail("always starts: %w\n%s", err, r.w.mem.Dump())
		return
	}
	if !r.reason(err) && !slices.ContainsFunc(r.hit, func(op vfs.Op) bool { return op.Kind == vfs.KindRead }) {
		r.w.fail("the server does not start and names no reason: %w (failed: %v)", err, r.hit)
	}
}

// stoppedWell is told how a stop in good order went, and whether it may be relied on.
func (r *stopRules) stoppedWell(s *server, err error) bool {
	if r.w.disk.dead {
		return false
	}
	if err != nil && !r.reason(err) {
		r.w.fail("stop: %w (failed: %v)", err, r.hit)
	}
	return err == nil && s.failed == nil
}
