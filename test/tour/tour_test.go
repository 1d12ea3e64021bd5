//go:build tour

package tour

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkout makes a directory that looks like a checkout after `make build`, in which files may be left behind.
func checkout(t *testing.T, binary string) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(root, "[a-zA-Z]*"))
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]string{filepath.Join(dir, "bin", "paddock"): binary}
	for _, name := range names {
		if base := filepath.Base(name); base != "bin" && base != "data" {
			links[filepath.Join(dir, base)] = name
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	for link, target := range links {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The tour in README.md works, command by command, as it is printed there.
func TestTour(t *testing.T) { follow(t, "README.md", "A five-minute tour") }

// So do the examples of REST.
func TestREST(t *testing.T) { follow(t, "docs/api.md", "REST by example") }

// follow runs the commands of a section of a document.
func follow(t *testing.T, name, section string) {
	binary := os.Getenv("PADDOCK_BIN")
	if binary == "" {
		t.Fatal("PADDOCK_BIN is not set to a paddock binary; `make tour` builds one and sets it")
	}
	document, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	steps, err := Steps(string(document), section)
	if err != nil {
		t.Fatal(err)
	}
	s, err := startShell(checkout(t, binary), append(os.Environ(), "LC_ALL=C", "HOME="+t.TempDir()))
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
			t.Fatalf("%s:%d: $ %s\n%v\nprinted:\n%s", name, step.Line, step.Command, err, strings.Join(got, "\n"))
		}
	}
}
