package wal

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"paddock/internal/zk"
	"paddock/storage/vfs"
)

// at is a zxid of an epoch.
func at(epoch, counter int64) zk.Zxid { return zk.Zxid(epoch<<32 | counter) }

// run is what one Writer writes: it follows after and rolls before each of the records in rolls.
type run struct {
	after zk.Zxid
	zxids []zk.Zxid
	rolls []zk.Zxid
}

func epoch(e, first, last int64) []zk.Zxid {
	var out []zk.Zxid
	for c := first; c <= last; c++ {
		out = append(out, at(e, c))
	}
	return out
}

func written(t testing.TB, runs ...run) *vfs.Mem {
	t.Helper()
	m := newFS(t)
	for _, r := range runs {
		w := NewWriter(Options{FS: m, Dir: dir, PrepareBytes: 1024}, r.after)
		for _, z := range r.zxids {
			if slices.Contains(r.rolls, z) {
				must(t, w.Roll())
			}
			must(t, w.Append([][]byte{payload(z, 40)}))
			must(t, w.Sync())
			_, err := w.Prepare()
			must(t, err)
		}
		must(t, w.Close())
	}
	return m
}

// ranged reads a range and returns the zxids, and io.EOF or what was wrong.
func ranged(fsys vfs.FS, after, to zk.Zxid) ([]zk.Zxid, error) {
	r, err := OpenRange(fsys, dir, after, to)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []zk.Zxid
	for {
		rec, err := r.Next()
		if err != nil {
			return out, err
		}
		if !bytes.Equal(rec.Payload, payload(rec.Zxid, len(rec.Payload)-payloadBytesMin)) {
			return out, errors.New("other bytes")
		}
		out = append(out, rec.Zxid)
	}
}

// Where history begins is where Find finds all of it, and nothing from before.
func TestHistoryBeginsBehindTheLastGap(t *testing.T) {
	two := slices.Concat(epoch(1, 1, 20), epoch(2, 1, 9))
	for _, row := range []struct {
		name  string
		runs  []run
		begin zk.Zxid
		ok    bool
	}{
		{"a log with all there was", []run{{0, two, []zk.Zxid{at(1, 8), at(2, 1)}}, {at(2, 9), epoch(4, 1, 5), nil}}, 0, true},
		{"that of a server on its own", []run{{0, epoch(0, 1, 20), []zk.Zxid{at(0, 9)}}}, 0, true},
		{"a log that was purged", []run{{at(1, 9), slices.Concat(epoch(1, 10, 20), epoch(2, 1, 3)), []zk.Zxid{at(2, 2)}}}, at(1, 9), true},
		{"a snapshot that begins an epoch", []run{{0, epoch(1, 1, 20), []zk.Zxid{at(1, 8)}}, {at(3, 0), epoch(3, 1, 8), []zk.Zxid{at(3, 4)}}}, at(3, 0), true},
		{"a snapshot within an epoch", []run{{0, epoch(1, 1, 20), nil}, {at(1, 30), epoch(1, 31, 40), nil}}, at(1, 30), true},
		{"records that follow nobody knows what", []run{{unlinked, epoch(1, 1, 20), []zk.Zxid{at(1, 8)}}}, at(1, 1), true},
		{"no log", nil, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := written(t, row.runs...)
			known := map[string]Stretch{}
			for range 2 {
				begin, ok, err := Begins(m, dir, known)
				if err != nil || begin != row.begin || ok != row.ok {
					t.Fatalf("it begins at %v, %v, %v; want %v, %v", begin, ok, err, row.begin, row.ok)
				}
			}
			if !row.ok {
				return
			}
			last := row.runs[len(row.runs)-1].zxids
			until := last[len(last)-1]
			if _, ok, err := Find(m, dir, row.begin, until, 0); err != nil || !ok {
				t.Errorf("it is not all there from %v on: %v", row.begin, err)
			}
			if _, ok, _ := Find(m, dir, row.begin-1, until, 0); ok {
				t.Errorf("it is there from before %v", row.begin)
			}
		})
	}
}

func TestHistoryIsFoundWhereItHasNoGap(t *testing.T) {
	two := slices.Concat(epoch(1, 1, 20), epoch(2, 1, 9))
	whole := []run{{0, two, []zk.Zxid{at(1, 8), at(2, 1)}}, {at(2, 9), epoch(4, 1, 5), nil}}
	installed := []run{{0, epoch(1, 1, 20), nil}, {at(3, 0), epoch(3, 1, 8), nil}} // a snapshot of epoch 3 before any of its txns
	inside := []run{{0, epoch(1, 1, 20), nil}, {at(1, 30), epoch(1, 31, 40), nil}}
	for _, row := range []struct {
		name  string
		runs  []run
		z     zk.Zxid
		until zk.Zxid
		ok    bool
		after zk.Zxid
		n     int
	}{
		{"from a record to the end", whole, at(1, 5), at(4, 5), true, at(1, 5), 15 + 9 + 5},
		{"from the last record of a file", whole, at(1, 7), at(4, 5), true, at(1, 7), 13 + 9 + 5},
		{"up to a record in the middle", whole, at(1, 5), at(2, 3), true, at(1, 5), 15 + 3},
		{"from what another leader wrote and nobody here has", whole, at(1, 25), at(4, 5), true, at(1, 20), 9 + 5},
		{"from the beginning of an epoch", whole, at(4, 0), at(4, 5), true, at(2, 9), 5},
		{"from an epoch without records", whole, at(3, 7), at(4, 5), true, at(2, 9), 5},
		{"from the end", whole, at(4, 5), at(4, 5), true, at(4, 5), 0},
		{"from behind the end", whole, at(4, 9), at(4, 5), true, at(4, 5), 0},
		{"from where the log begins", whole, 0, at(4, 5), true, 0, 20 + 9 + 5},
		{"from where a log that was purged begins", []run{{at(1, 9), epoch(1, 10, 20), nil}}, at(1, 9), at(1, 20), true, at(1, 9), 11},
		{"from before a log that was purged", []run{{at(1, 9), epoch(1, 10, 20), nil}}, at(1, 8), at(1, 20), false, 0, 0},
		{"from the snapshot that a log begins behind", installed, at(3, 0), at(3, 8), true, at(3, 0), 8},
		{"over a snapshot that begins an epoch", installed, at(1, 20), at(3, 8), false, 0, 0},
		{"over such a snapshot, from further before", installed, at(1, 5), at(3, 8), false, 0, 0},
		{"behind such a snapshot", installed, at(3, 1), at(3, 8), true, at(3, 1), 7},
		{"up to before such a snapshot", installed, at(1, 5), at(1, 20), true, at(1, 5), 15},
		{"over a snapshot within an epoch", inside, at(1, 20), at(1, 40), false, 0, 0},
		{"from within what a snapshot replaced", inside, at(1, 25), at(1, 40), false, 0, 0},
		{"up to what is not in the log yet", whole, at(1, 5), at(4, 6), false, 0, 0},
		{"without any log", nil, at(1, 5), at(1, 6), false, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := written(t, row.runs...)
			span, ok, err := Find(m, dir, row.z, row.until, 0)
			if err != nil || ok != row.ok || ok && (span.After != row.after || span.Last != row.until || span.Records != row.n) {
				t.Fatalf("%+v, %v, %v", span, ok, err)
			}
			if !ok {
				if _, err := ranged(m, row.z, row.until); !errors.Is(err, ErrGap) {
					t.Errorf("the range ended with %v", err)
				}
				return
			}
			got, err := ranged(m, span.After, span.Last)
			if !errors.Is(err, io.EOF) || len(got) != row.n {
				t.Errorf("the range gave %v, %v", got, err)
			}
			if _, ok, err := Find(m, dir, row.z, row.until, max(span.Bytes-1, 1)); err != nil || ok != (row.n == 0) {
				t.Errorf("with a limit: %v, %v", ok, err)
			}
		})
	}
}

// ZooKeeper's own files do not tell what they follow: within an epoch the numbers do, between epochs nothing does.
func TestHistoryOfZooKeepersFilesEndsWhereAnEpochBegins(t *testing.T) {
	m := zookeeperLogs(t, "node3")
	if _, ok, err := Find(m, dir, at(1, 8), at(1, 0x1c), 0); !ok || err != nil {
		t.Errorf("within an epoch: %v, %v", ok, err)
	}
	if _, ok, err := Find(m, dir, at(1, 8), at(2, 5), 0); ok || err != nil {
		t.Errorf("between epochs: %v, %v", ok, err)
	}
	if _, ok, err := Find(m, dir, at(2, 1), at(2, 5), 0); !ok || err != nil {
		t.Errorf("in the next epoch: %v, %v", ok, err)
	}
}

// A log of which a part was replaced by a snapshot must not be replayed over that gap either.
func TestALogBehindASnapshotDoesNotFollowTheOneBefore(t *testing.T) {
	m := written(t, run{0, epoch(1, 1, 20), nil}, run{at(3, 0), epoch(3, 1, 8), nil})
	ignore := func(Record) error { return nil }
	if rep, err := Recover(m, dir, ReadOptions{From: at(3, 1)}, ignore); err != nil || rep.Records != 8 {
		t.Fatalf("from the snapshot: %+v, %v", rep, err)
	}
	for _, from := range []zk.Zxid{1, at(1, 5), at(1, 21), at(2, 4)} {
		_, err := Recover(m, dir, ReadOptions{From: from}, ignore)
		if bad, ok := errors.AsType[*CorruptionError](err); !ok || bad.File != join(dir, FileName(at(3, 1))) {
			t.Errorf("from %v: %v", from, err)
		}
	}
}

func TestHistoryIsReadWhileTheLogGrows(t *testing.T) {
	m := newFS(t)
	w := NewWriter(Options{FS: m, Dir: dir, PrepareBytes: 4096}, 0)
	durable := make(chan zk.Zxid, 1000)
	var wg sync.WaitGroup
	wg.Go(func() { // ends with the channel
		for until := range durable {
			from := until - until/3
			if span, ok, err := Find(m, dir, from, until, 0); !ok || err != nil || span.After != from {
				t.Errorf("from %v to %v: %+v, %v, %v", from, until, span, ok, err)
				continue
			}
			if got, err := ranged(m, from, until); !errors.Is(err, io.EOF) || len(got) != int(until-from) {
				t.Errorf("from %v to %v: %v, %v", from, until, got, err)
			}
		}
	})
	for z := zk.Zxid(1); z <= 600; z++ {
		must(t, w.Append([][]byte{payload(z, int(z*37%900))}))
		if z%2 == 0 {
			_, err := w.Prepare()
			must(t, err)
		}
		if z%5 == 0 {
			must(t, w.Sync())
			durable <- z
		}
		if z%90 == 0 {
			must(t, w.Roll())
		}
	}
	close(durable)
	wg.Wait()
	must(t, w.Close())
}

func TestHistoryThatIsPurgedMeanwhileIsAGap(t *testing.T) {
	m := newFS(t)
	manyFiles(t, m)
	r, err := OpenRange(m, dir, 3, 30)
	must(t, err)
	_, err = r.Next()
	must(t, err)
	_, err = Purge(m, dir, 25)
	must(t, err)
	for err == nil {
		_, err = r.Next()
	}
	if !errors.Is(err, ErrGap) {
		t.Errorf("got %v", err)
	}
	if _, ok, err := Find(m, dir, 3, 30, 0); ok || err != nil {
		t.Errorf("found after the purge: %v, %v", ok, err)
	}
}

func TestRecordsBeyondALimitStopTheRecoveryAndChangeNothing(t *testing.T) {
	m := written(t, run{0, slices.Concat(epoch(1, 1, 20), epoch(2, 1, 9)), []zk.Zxid{at(1, 8)}}, run{at(3, 9), epoch(3, 10, 12), nil})
	before := m.Dump()
	ignore := func(Record) error { return nil }
	_, err := Recover(m, dir, ReadOptions{From: 1, Max: at(1, 1<<32-1)}, ignore)
	if b, ok := errors.AsType[*BeyondError](err); !ok || b.First != at(2, 1) || m.Dump() != before {
		t.Fatalf("got %v", err)
	}
	must(t, TruncateAfter(m, dir, at(1, 1<<32-1)))
	rep, err := Recover(m, dir, ReadOptions{From: 1, Max: at(1, 1<<32-1)}, ignore)
	if err != nil || rep.Last != at(1, 20) {
		t.Errorf("%+v, %v", rep, err)
	}
}

// Whatever the crash of a truncation leaves is a log without a gap that ends at the target or behind it.
func TestACrashDuringTruncateAfterLeavesNoGap(t *testing.T) {
	all := slices.Concat(epoch(1, 1, 12), epoch(3, 1, 12))
	for seed := range crashRuns(t) {
		target := []zk.Zxid{0, at(1, 0), at(1, 5), at(1, 8), at(1, 12), at(2, 0), at(2, 9), at(3, 0), at(3, 7), at(3, 12), at(9, 9)}[seed%11]
		want := slices.DeleteFunc(slices.Clone(all), func(z zk.Zxid) bool { return z > target })
		m := written(t, run{0, all, []zk.Zxid{at(1, 5), at(1, 9), at(3, 1), at(3, 8)}})
		check := func(n int, op vfs.Op) read {
			got, _, err := recoverAll(m.CrashClone(seed<<8+uint64(n)), ReadOptions{From: at(1, 1)})
			if err != nil || len(got.zxids) < len(want) || !slices.Equal(got.zxids, all[:len(got.zxids)]) {
				t.Fatalf("seed %d, to %v, before operation %d (%s): %v, %v", seed, target, n, op, got.zxids, err)
			}
			return got
		}
		m.SetHook(func(n int, op vfs.Op) { check(n, op) })
		must(t, TruncateAfter(m, dir, target))
		m.SetHook(nil)
		if got := check(0, vfs.Op{}); len(got.zxids) != len(want) {
			t.Fatalf("truncated after %v: %v", target, got.zxids)
		}
	}
}
