package target

import (
	"os"
	"path/filepath"
	"testing"
)

// environmentBinary names the environment variable that holds the path of the paddock binary; without it bin/paddock at the
// root of the checkout is taken, which is where `make build` puts it.
const environmentBinary = "PADDOCK_BIN"

// paddockCommand returns the command line of the Paddock server under test.
func paddockCommand(t *testing.T, s *Server) []string {
	return []string{Binary(t), "serve", "--config", s.config}
}

// Binary returns the path of the paddock binary. Without one the test fails.
func Binary(t *testing.T) string {
	t.Helper()
	binary := os.Getenv(environmentBinary)
	if binary == "" {
		// A test runs in its package's directory: test/interop/<suite>.
		binary = "../../../bin/paddock"
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("no paddock binary (%v): run `make build`, or set %s to its path", err, environmentBinary)
	}
	return binary
}
