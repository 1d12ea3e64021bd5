package target

import (
	"os"
	"strings"
	"testing"
)

// Need fails the test, with the command that installs what is missing, unless every path exists.
// Packages are Debian's; they may be empty when paths come from install.sh alone.
func Need(t *testing.T, packages string, paths ...string) {
	t.Helper()
	var missing []string
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			missing = append(missing, path)
		}
	}
	if missing == nil {
		return
	}
	command := "test/interop/install.sh"
	if packages != "" {
		command = "apt-get install -y --no-install-recommends " + packages
	}
	t.Fatalf("missing %s; install it with: %s", strings.Join(missing, ", "), command)
}
