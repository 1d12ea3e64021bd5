package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDirUser lets another process have files of a data directory open, or be configured for it.
func TestDirUser(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(filepath.Join(data, "version-2"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"data/version-2/log.1", "data/paddock.lock", "data/notes"} {
		if err := os.WriteFile(filepath.Join(dir, path), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "zoo.cfg"), []byte("tickTime=1\ndataDir = "+data+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		script string
		args   []string
		used   bool
	}{
		{"a log file is open", "exec 3<data/version-2/log.1", nil, true},
		{"the lock file is open", "exec 3<data/paddock.lock", nil, true},
		{"another file is open", "exec 3<data/notes", nil, false},
		{"a ZooKeeper has a configuration that names it", "", []string{"org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg"}, true},
		{"a ZooKeeper was given the directory", "", []string{"org.apache.zookeeper.server.ZooKeeperServerMain", "2181", data}, true},
		{"another program was given the directory", "", []string{"ls", data}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			cmd := exec.Command("/bin/sh", append([]string{"-c", row.script + "\necho there; read end"}, row.args...)...)
			cmd.Dir = dir
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait() //nolint:errcheck // the script ends when its input does
			defer in.Close()
			if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "there\n" {
				t.Fatalf("%q, %v", line, err)
			}
			who, used := dirUser(data)
			if used != row.used || used && !strings.Contains(who, "(sh)") && !strings.Contains(who, "(dash)") {
				t.Errorf("used %t by %q, want %t", used, who, row.used)
			}
		})
	}
	if who, used := dirUser(data); used {
		t.Errorf("still used by %s", who)
	}
}
