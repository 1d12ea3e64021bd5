package datadir

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/vfs"
)

// service is a member's short life of everything that leaders can ask for. allowed is what it may come back with, should it
// end in the middle of what it is doing.
type service struct {
	life    membership
	d       *Dir
	t       *tree.Tree
	allowed []state
	written []state // all there ever were
}

func (s *service) now() state { return state{s.t.Zxid(), s.t.Digest()} }

// write appends txns, each of which may be there or not until all are durable. Those of an epoch that is not current do not count.
func (s *service) write(current int64, zxids ...zk.Zxid) error {
	w := s.d.Log(s.t.Zxid())
	defer w.Close()
	for _, z := range zxids {
		payload := s.life.apply(s.t, z)
		s.written = append(s.written, s.now())
		if z.Epoch() <= current {
			s.allowed = append(s.allowed, s.now())
		}
		if err := w.Append([][]byte{payload}); err != nil {
			return err
		}
	}
	err := w.Sync()
	if err == nil && s.t.Zxid().Epoch() <= current {
		s.allowed = []state{s.now()}
	}
	return err
}

func (s *service) install(current int64, z zk.Zxid) error {
	s.t = tree.New(0)
	s.life.apply(s.t, z)
	if z.Epoch() <= current {
		s.allowed = append(s.allowed, s.now())
	}
	_, err := s.d.Install(context.Background(), s.t.Freeze(), snapshot.WriteOptions{})
	if err == nil && z.Epoch() <= current {
		s.allowed = []state{s.now()}
	}
	return err
}

func (s *service) truncate(target zk.Zxid) error {
	for _, x := range s.written {
		if x.zxid >= target { // whatever is cut off so far
			s.allowed = append(s.allowed, x)
		}
	}
	rec, err := s.d.TruncateAndRecover(target, RecoverOptions{})
	if err != nil {
		return err
	}
	if rec.Untruncated != nil {
		return rec.Untruncated
	}
	s.t = rec.Tree
	s.allowed = []state{s.now()}
	return nil
}

func (s *service) setCurrent(epoch int64) error {
	s.allowed = append(s.allowed, s.now())
	err := s.d.SetCurrentEpoch(epoch)
	if err == nil {
		s.allowed = []state{s.now()}
	}
	return err
}

func (s *service) run(fsys vfs.FS) (err error) {
	s.life.rng = rand.New(rand.NewPCG(9, 9))
	s.allowed = []state{{0, tree.New(0).Digest()}}
	if s.d, err = Open(Options{FS: fsys, Dir: "data", LogDir: "log", PrepareBytes: -1}); err != nil {
		return err
	}
	defer s.d.Close()
	rec, err := s.d.Recover(RecoverOptions{Member: true})
	if err != nil {
		return err
	}
	s.t = rec.Tree
	for _, step := range []func() error{
		func() error { return s.d.SetAcceptedEpoch(1) },
		func() error { return s.setCurrent(1) },
		func() error { return s.write(1, at(1, 1), at(1, 2), at(1, 3)) },
		func() error { return s.write(1, at(1, 4), at(1, 5)) },
		func() error { return s.truncate(at(1, 2)) },
		func() error { return s.d.SetAcceptedEpoch(2) },
		func() error { return s.install(1, at(2, 7)) },
		func() error { return s.write(1, at(2, 8)) },
		func() error { return s.setCurrent(2) },
		func() error { return s.write(2, at(2, 9), at(2, 10)) },
		func() error { return s.d.SetAcceptedEpoch(3) },
		func() error { return s.install(2, at(2, 8)) },
		func() error { return s.write(2, at(3, 1)) },
		func() error { return s.setCurrent(3) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func at(epoch, counter int64) zk.Zxid { return zk.Zxid(epoch<<32 | counter) }

// back is what a directory comes back with, as a member's.
func (s *service) back(m *vfs.Mem) (state, error) {
	d, err := Open(Options{FS: m, Dir: "data", LogDir: "log"})
	if err != nil {
		return state{}, err
	}
	rec, err := d.Recover(RecoverOptions{Member: true})
	if err != nil {
		return state{}, err
	}
	found := state{rec.Tree.Zxid(), rec.Tree.Digest()}
	if !slices.Contains(s.allowed, found) {
		err = fmt.Errorf("came back with %v, allowed are %v", found.zxid, s.allowed)
	}
	return found, errors.Join(err, d.Close())
}

// Whatever operation of a member's disk fails, once or for good: it is reported, and the member comes back with what it may,
// after a power failure as well as started at once. What it then has survives a power failure, whoever wrote it.
func TestEveryFailedOperationOfAMemberIsReportedAndSurvived(t *testing.T) {
	for _, kind := range vfs.Kinds() {
		for nth := 1; ; nth++ {
			for _, forever := range []bool{false, true} {
				m := vfs.NewMem()
				hit := false
				decide := vfs.FailNth(kind, nth, syscall.EIO, forever)
				s := &service{}
				err := s.run(vfs.NewFaulty(m, func(op vfs.Op) *vfs.Fault {
					f := decide(op)
					hit = hit || f != nil
					return f
				}))
				if !hit && err != nil {
					t.Fatalf("without a fault: %v", err)
				}
				if err != nil && !strings.Contains(err.Error(), syscall.EIO.Error()) { // a snapshot that cannot be read is passed over
					t.Errorf("%s %d fails, reported as %v", kind, nth, err)
				}
				m.ReleaseLocks()
				if _, err := s.back(m.CrashClone(uint64(nth))); err != nil {
					t.Fatalf("%s %d fails (for good: %v), and then the power: %v", kind, nth, forever, err)
				}
				found, err := s.back(m)
				if err != nil {
					t.Fatalf("%s %d fails (for good: %v), started again: %v", kind, nth, forever, err)
				}
				if again, err := s.back(m.CrashClone(uint64(nth))); err != nil || again != found {
					t.Fatalf("%s %d fails (for good: %v), started again with %v, then the power fails: %v, %v", kind, nth, forever, found, again, err)
				}
				if !hit {
					goto next
				}
			}
		}
	next:
	}
}
