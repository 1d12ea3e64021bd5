package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMigrateImport(t *testing.T) {
	to := filepath.Join(t.TempDir(), "new")
	out, _ := good(t, "migrate", "import", "--from", modern, "--to", to, "--above", "0x500000009", "--myid", "3")
	for _, line := range []string{"old last zxid  0x", "new zxid       0x600000000", "new epoch      6", "sessions       3 kept"} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
	for name, want := range map[string]string{"myid": "3\n", "version-2/acceptedEpoch": "6", "version-2/currentEpoch": "6"} {
		if b, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v, want %q", name, b, err, want)
		}
	}
	if info, _ := good(t, "snapshot", "inspect", to); !strings.Contains(info, "snapshot.600000000") {
		t.Errorf("the snapshot is %s", info)
	}

	to = filepath.Join(t.TempDir(), "new")
	out, _ = good(t, "migrate", "import", "--from", modern, "--to", to, "--sessions", "drop", "--json")
	list := objects[importSummary](t, out)
	if len(list) != 1 || list[0].Sessions != 0 || list[0].DroppedSessions != 3 || list[0].Epoch != 1 || list[0].Ephemerals != 0 {
		t.Errorf("%+v", list)
	}
}

func TestMigrateImportRefuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "notes"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no directory to read", []string{"--to", "x"}, 2, "pass both --from and --to"},
		{"a word that is neither keep nor drop", []string{"--from", modern, "--to", "x", "--sessions", "maybe"}, 2, `--sessions "maybe" is neither keep nor drop`},
		{"a zxid that is none", []string{"--from", modern, "--to", "x", "--above", "five"}, 2, `--above "five" is not a zxid`},
		{"a server id that is none", []string{"--from", modern, "--to", "x", "--myid", "-1"}, 2, "--myid -1 is negative"},
		{"a directory with something in it", []string{"--from", modern, "--to", full}, 1, "is not empty: it has notes; name a new directory"},
		{"a directory that does not exist", []string{"--from", filepath.Join(full, "none"), "--to", filepath.Join(full, "new")}, 1, "no such file or directory"},
	} {
		t.Run(row.name, func(t *testing.T) {
			code, _, errs := paddock(t, append([]string{"migrate", "import"}, row.args...)...)
			if code != row.code || !strings.Contains(errs, row.want) {
				t.Errorf("exit code %d, %q; want %d, %q", code, errs, row.code, row.want)
			}
		})
	}
}

// TestMigrateImportKeepsTheOldDirectoryApart from the new one, whatever they are called; what is there stays.
func TestMigrateImportKeepsTheOldDirectoryApart(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, to := range []string{"old", "new/importing", "logs/sub"} {
		if err := os.CopyFS(at(to), os.DirFS(modern)); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"link": "old", "into": "old/version-2"} {
		if err := os.Symlink(at(to), at(link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct{ from, log, to, want string }{
		{"old", "", "old", "are the same directory"},
		{"old", "", "link", "are the same directory"},
		{"link", "", "old/.", "are the same directory"},
		{"old", "", "old/new", "lies in --from"},
		{"old", "", "old/not/yet/there", "lies in --from"},
		{"old", "", "link/new", "lies in --from"},
		{"link", "", "into/new", "lies in --from"},
		{"new/importing", "", "new", "lies in --to"},
		{"old", "logs", "logs/new", "lies in --from-log"},
		{"old", "logs/sub", "logs", "lies in --to"},
	} {
		args := []string{"migrate", "import", "--from", at(row.from), "--to", at(row.to)}
		if row.log != "" {
			args = append(args, "--from-log", at(row.log))
		}
		if code, _, errs := paddock(t, args...); code != 2 || !strings.Contains(errs, row.want) {
			t.Errorf("%v: exit code %d, %q", row, code, errs)
		}
	}
	for _, from := range []string{"old", "new/importing"} {
		good(t, "migrate", "import", "--from", at(from), "--to", at("beside "+filepath.Base(from)))
	}
}
