package vfs

import (
	"strings"
	"syscall"
	"testing"
)

const seeds = 300

// outcomes crashes m with many seeds and returns the set of states that look finds.
func outcomes(m *Mem, look func(m *Mem) string) map[string]bool {
	seen := map[string]bool{}
	for seed := range uint64(seeds) {
		seen[look(m.CrashClone(seed))] = true
	}
	return seen
}

func wantOutcomes(t *testing.T, got map[string]bool, want ...string) {
	t.Helper()
	for _, w := range want {
		if !got[w] {
			t.Errorf("never saw %q after a crash", w)
		}
		delete(got, w)
	}
	for g := range got {
		t.Errorf("impossible state after a crash: %q", g)
	}
}

func TestACrashKeepsWhatWasSynced(t *testing.T) {
	look := func(m *Mem) string { return read(t, m, "f") }
	for _, row := range []struct {
		name string
		do   func(m *Mem) error
		want []string
	}{
		{"nothing is promised without a sync", func(m *Mem) error {
			write(t, m, "f", "x")
			return nil
		}, []string{"(none)", "", "x", "\x00"}},
		{"a synced directory entry stays, its un-synced contents may not", func(m *Mem) error {
			write(t, m, "f", "x")
			return m.SyncDir("")
		}, []string{"", "x", "\x00"}},
		{"synced contents do not make the name durable", func(m *Mem) error {
			return write(t, m, "f", "x").Sync()
		}, []string{"(none)", "x"}},
		{"both synced is safe", func(m *Mem) error {
			if err := write(t, m, "f", "x").Sync(); err != nil {
				return err
			}
			return m.SyncDir("")
		}, []string{"x"}},
		{"an un-synced overwrite leaves the old or the new", func(m *Mem) error {
			f := write(t, m, "f", "x")
			f.Sync()
			m.SyncDir("")
			_, err := f.WriteAt([]byte("y"), 0)
			return err
		}, []string{"x", "y"}},
		{"a rename over a durable file leaves the old or the new", func(m *Mem) error {
			write(t, m, "f", "x").Sync()
			write(t, m, "g", "y").Sync()
			m.SyncDir("")
			return m.Rename("g", "f")
		}, []string{"x", "y"}},
		{"a removal may be undone", func(m *Mem) error {
			write(t, m, "f", "x").Sync()
			m.SyncDir("")
			return m.Remove("f")
		}, []string{"x", "(none)"}},
		{"an atomic write is durable when it returns", func(m *Mem) error {
			return WriteFileAtomic(m, "f", []byte("x"))
		}, []string{"x"}},
		{"a cut that was not synced may be undone", func(m *Mem) error {
			f := write(t, m, "f", "xy")
			f.Sync()
			m.SyncDir("")
			return f.Truncate(1)
		}, []string{"xy", "x", "x\x00"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := NewMem()
			must(t, row.do(m))
			wantOutcomes(t, outcomes(m, look), row.want...)
		})
	}
}

func TestAnySubsetOfUnsyncedSectorsSurvives(t *testing.T) {
	m := NewMem()
	f := write(t, m, "f", strings.Repeat(".", 3*SectorSize))
	must(t, f.Sync())
	must(t, m.SyncDir(""))
	_, err := f.WriteAt([]byte(strings.Repeat("#", 3*SectorSize)), 0)
	must(t, err)
	got := outcomes(m, func(m *Mem) string {
		b := read(t, m, "f")
		return string([]byte{b[0], b[SectorSize], b[2*SectorSize+100]})
	})
	wantOutcomes(t, got, "...", "#..", ".#.", "..#", "##.", "#.#", ".##", "###")
}

func TestDataOfAFailedSyncStaysLost(t *testing.T) {
	m := NewMem()
	fsys := NewFaulty(m, FailNth(KindSync, 2, syscall.EIO, false))
	f := write(t, fsys, "f", "x")
	must(t, f.Sync())
	must(t, fsys.SyncDir(""))
	_, err := f.WriteAt([]byte("y"), 0)
	must(t, err)
	if f.Sync() == nil {
		t.Fatal("the second sync succeeded")
	}
	must(t, f.Sync()) // claims success, as Linux does
	look := func(m *Mem) string { return read(t, m, "f") }
	if look(m) != "y" {
		t.Error("the lost data cannot be read before the crash")
	}
	wantOutcomes(t, outcomes(m, look), "x", "y")
	_, err = f.WriteAt([]byte("z"), 0)
	must(t, err)
	must(t, f.Sync())
	wantOutcomes(t, outcomes(m, look), "z")
}

func TestTheHookRunsBeforeEveryMutation(t *testing.T) {
	m := NewMem()
	var trace []string
	m.SetHook(func(n int, op Op) {
		if n != len(trace)+1 {
			t.Errorf("%s is number %d", op, n)
		}
		trace = append(trace, op.String()+": "+read(t, m.CrashClone(1), "f"))
	})
	must(t, WriteFileAtomic(m, "f", []byte("x")))
	got := strings.Join(trace, "\n")
	want := "create f.tmp: (none)\nwrite f.tmp 0+1: (none)\nsync f.tmp: (none)\nrename f.tmp f: (none)\nsyncdir .: "
	if !strings.HasPrefix(got, want) || m.Ops() != len(trace) {
		t.Errorf("trace:\n%s", got)
	}
}

func TestTheSameSeedGivesTheSameCrash(t *testing.T) {
	m := NewMem()
	for _, name := range []string{"a", "b", "c", "d"} {
		f := write(t, m, name, strings.Repeat(name, 5000))
		if name == "b" {
			must(t, f.Sync())
		}
	}
	must(t, m.Mkdir("dir"))
	for seed := range uint64(20) {
		a, b := m.CrashClone(seed), m.CrashClone(seed)
		if a.Dump() != b.Dump() || read(t, a, "a") != read(t, b, "a") {
			t.Fatalf("seed %d: two clones differ", seed)
		}
	}
}
