//go:build tour

package tour

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The tour in README.md works, command by command, as it is printed there.
func TestTour(t *testing.T) {
	binary := os.Getenv("PADDOCK_BIN")
	if binary == "" {
		t.Fatal("PADDOCK_BIN is not set to a paddock binary; `make tour` builds one and sets it")
	}
	document, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	steps, err := Steps(string(document), "A five-minute tour")
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "LC_ALL=C", "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
	s, err := startShell(t.TempDir(), env)
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	for _, step := range steps {
		got, err := s.run(step.Command)
		if err == nil {
			err = Match(step.Want, got)
		}
		if err != nil {
			t.Fatalf("README.md:%d: $ %s\n%v\nprinted:\n%s", step.Line, step.Command, err, strings.Join(got, "\n"))
		}
	}
}
