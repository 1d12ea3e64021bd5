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
