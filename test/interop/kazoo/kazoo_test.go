package kazoo

import (
	"os/exec"
	"testing"

	"paddock/test/interop/dialogue"
	"paddock/test/interop/target"
)

func TestKazoo(t *testing.T) {
	target.Need(t, "python3-kazoo", "/usr/bin/python3", "/usr/lib/python3/dist-packages/kazoo")
	target.Each(t, func(t *testing.T, s *target.Server) {
		// Debian's interpreter and no other, isolated from packages that the environment or the user adds.
		dialogue.Run(t, s, exec.Command("/usr/bin/python3", "-B", "-s", "-E", "suite.py"))
	})
}
