package datadir

import (
	"errors"
	"testing"

	"paddock/storage/vfs"
)

// TestALogThatIsLeftBehindStopsTheOpen: a server that is started without the dataLogDir that it had would lose what it has acknowledged.
func TestALogThatIsLeftBehindStopsTheOpen(t *testing.T) {
	had := func(t *testing.T, m *vfs.Mem, logs ...string) { // a server with its log in old
		d, err := Open(Options{FS: m, Dir: "data", LogDir: "old"})
		must(t, err)
		_, err = d.Recover(RecoverOptions{})
		must(t, err)
		must(t, d.Close())
		for _, path := range logs {
			put(t, m, path, "")
		}
	}
	for _, row := range []struct {
		name   string
		before func(t *testing.T, m *vfs.Mem)
		logDir string
		file   string // "-" if it is opened
	}{
		{"dataLogDir is gone", func(t *testing.T, m *vfs.Mem) { had(t, m, "old/version-2/log.1", "old/version-2/log.5") }, "", "log.5"},
		{"dataLogDir is another", func(t *testing.T, m *vfs.Mem) { had(t, m, "old/version-2/log.1") }, "new", "log.1"},
		{"some logs were moved", func(t *testing.T, m *vfs.Mem) { had(t, m, "old/version-2/log.5", "new/version-2/log.1") }, "new", "log.5"},
		{"the directory is gone with all logs", func(t *testing.T, m *vfs.Mem) {
			had(t, m)
			must(t, errors.Join(m.Remove("old/version-2"), m.Remove("old/paddock.lock"), m.Remove("old")))
		}, "", ""},
		{"the logs were moved", func(t *testing.T, m *vfs.Mem) { had(t, m, "new/version-2/log.5") }, "new", "-"},
		{"the logs were moved with their directory", func(t *testing.T, m *vfs.Mem) {
			had(t, m, "new/version-2/log.5")
			must(t, errors.Join(m.Remove("old/version-2"), m.Remove("old/paddock.lock"), m.Remove("old")))
		}, "new", "-"},
		{"the logs were copied", func(t *testing.T, m *vfs.Mem) { had(t, m, "old/version-2/log.5", "new/version-2/log.5") }, "new", "-"},
		{"the logs were moved to the snapshots", func(t *testing.T, m *vfs.Mem) { had(t, m, "data/version-2/log.5") }, "", "-"},
		{"there never was a log", func(t *testing.T, m *vfs.Mem) { had(t, m) }, "", "-"},
		{"the data were moved away", func(t *testing.T, m *vfs.Mem) {
			had(t, m, "old/version-2/log.5")
			must(t, m.Remove("data/version-2/snapshot.0"))
		}, "", "-"},
		{"nothing has changed", func(t *testing.T, m *vfs.Mem) { had(t, m, "old/version-2/log.5") }, "old", "-"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := vfs.NewMem()
			row.before(t, m)
			d, err := Open(Options{FS: m, Dir: "data", LogDir: row.logDir})
			moved, ok := errors.AsType[*MovedLogError](err)
			if row.file == "-" {
				must(t, err)
				must(t, d.Close())
			} else if !ok || moved.File != row.file || moved.Was != "old" {
				t.Fatalf("%v", err)
			}
			_, err = Import(t.Context(), ImportOptions{FS: m, From: "data", FromLog: row.logDir, To: "imported"})
			if errors.As(err, &moved) == (row.file == "-") {
				t.Errorf("import: %v", err)
			}
			if row.file == "-" { // what was found right is what counts from now on
				d, err = Open(Options{FS: m, Dir: "data", LogDir: row.logDir})
				must(t, err)
				must(t, d.Close())
				return
			}
			must(t, m.Remove(moved.Note)) // the way out that the message names
			d, err = Open(Options{FS: m, Dir: "data", LogDir: row.logDir})
			must(t, err)
			must(t, d.Close())
		})
	}
}
