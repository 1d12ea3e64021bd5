package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files and docs/configuration.md")

// TestGolden loads every testdata/*.cfg and compares notices, problems and the settings that are not defaults.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.cfg")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".cfg")
		t.Run(name, func(t *testing.T) {
			c, notices, err := Load(Source{File: filepath.Base(file), ReadFile: func(path string) ([]byte, error) {
				if filepath.Base(path) == "myid" {
					return os.ReadFile(filepath.Join("testdata", name+".myid"))
				}
				return os.ReadFile(filepath.Join("testdata", path))
			}})
			golden(t, filepath.Join("testdata", name+".golden"), transcript(c, notices, err))
		})
	}
}

// transcript is everything a Load says, one line each, then what differs from the defaults.
func transcript(c *Config, notices []Notice, err error) string {
	var b strings.Builder
	for _, n := range notices {
		fmt.Fprintf(&b, "%-5s %s\n", n.Level, n)
	}
	if err != nil {
		for line := range strings.Lines(err.Error() + "\n") {
			fmt.Fprintf(&b, "stop  %s", line)
		}
		fmt.Fprintf(&b, "exit  %d\n", ExitCode(err))
	}
	fmt.Fprintf(&b, "----\nstandalone=%v id=%d has=%v voters=%v observers=%v\n",
		c.Members.Standalone, c.ServerID, c.HasServerID, c.Members.Membership.Voters(), c.Members.Membership.Observers())
	described, skip := c.Describe(), false
	for line := range strings.Lines(described) {
		if line == "# default\n" {
			skip = true
			continue
		}
		if !skip {
			b.WriteString(line)
		}
		skip = false
	}
	return b.String()
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update rewrites it)\n--- got\n%s\n--- want\n%s", path, got, want)
	}
}
