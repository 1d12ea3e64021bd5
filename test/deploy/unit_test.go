package deploy

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// exposureMax is what systemd may find, of 100, where less is better.
const exposureMax = "15"

func TestSystemdFindsNothingInTheUnit(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "systemd")
	name := filepath.Join(t.TempDir(), "paddock.service")
	// The binary must exist where the unit says it is.
	write(t, name, strings.Replace(text(t, "deploy/systemd/paddock.service"), "/usr/local/bin/paddock", paddockBinary(t), 1))
	if out := mustPlay(t, exec.Command(analyze, "verify", "--man=no", name)); strings.TrimSpace(out) != "" {
		t.Error(out)
	}
	mustPlay(t, exec.Command(analyze, "security", "--offline=true", "--threshold="+exposureMax, "--no-pager", name))
}

// Starting again does not help a configuration or a directory that is wrong: these exit codes must be the server's.
func TestTheUnitDoesNotRestartWhatNeedsAHand(t *testing.T) {
	unit := text(t, "deploy/systemd/paddock.service")
	if !strings.Contains(unit, "\nRestartPreventExitStatus=2 3\n") {
		t.Fatal("the unit names other exit codes")
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	for args, want := range map[string]int{"tickTime=fast": 2, "dataDir=" + file: 3} {
		if code, out := play(t, exec.Command(paddockBinary(t), "serve", "clientPort=0", "grpcPort=0", "httpPort=0", args)); code != want {
			t.Errorf("%s: exit code %d, want %d: %s", args, code, want, out)
		}
	}
}
