package sim

import (
	"fmt"

	"paddock/server/replica"
	"paddock/storage/datadir"
	"paddock/storage/vfs"
)

// Bug is a mistake that a run plants around the real code, so that the checkers can be seen to find it.
type Bug uint8

// The mistakes.
const (
	NoBug Bug = iota
	BugAckBeforeSync
	BugEventAfterReply
	bugs
)

type heldEvent struct{}

// stack is the file system under a process: the disk, what fails of it, and the mistakes in using it.
func (w *world) stack(m *vfs.Mem, f *fault) vfs.FS {
	var fsys vfs.FS = m
	if f != nil {
		fsys = vfs.NewFaulty(m, w.decide(f))
	}
	return fsys
}

// decide fails the operations that a fault is about.
func (w *world) decide(f *fault) func(vfs.Op) *vfs.Fault {
	seen := 0
	return func(op vfs.Op) *vfs.Fault {
		if op.Kind != f.kind || f.file != "" && kindOf(op.Path) != f.file {
			return nil
		}
		if seen++; seen < f.n || seen > f.n && !f.forever {
			return nil
		}
		w.stops.failedOp(op)
		return &vfs.Fault{Err: f.err, Short: op.Len / 2}
	}
}

func (f *fault) String() string {
	if f == nil {
		return "no fault"
	}
	s := fmt.Sprintf("%v at %v %d", f.err, f.kind, f.n)
	if f.file != "" {
		s += " of " + f.file
	}
	if f.forever {
		s += " and later"
	}
	return s
}

func (w *world) bugAfterRecovery(*datadir.Recovered) error { return nil }
func (w *world) bugEvent(*replica.Event)                   {}
func (w *world) bugPayload(p []byte) []byte                { return p }
func (w *world) bugPurge(s *server) error {
	_, err := s.dir.Purge(retained)
	return err
}
func (s *server) releaseHeld() {}
