package cclient

import (
	"os/exec"
	"path/filepath"
	"testing"

	"paddock/test/interop/dialogue"
	"paddock/test/interop/target"
)

func TestCClient(t *testing.T) {
	target.Need(t, "gcc libc6-dev libzookeeper-mt-dev", "/usr/bin/gcc", "/usr/include/zookeeper/zookeeper.h")
	sources, err := filepath.Glob("c/*.c")
	if err != nil {
		t.Fatal(err)
	}
	suite := filepath.Join(t.TempDir(), "suite")
	// THREADED is what the header asks of those who link the multi-threaded library.
	options := []string{"-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-DTHREADED", "-I/usr/include/zookeeper", "-o", suite}
	compile := exec.Command("/usr/bin/gcc", append(append(options, sources...), "-lzookeeper_mt", "-lpthread")...)
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", compile, err, out)
	}
	target.Each(t, func(t *testing.T, s *target.Server) {
		dialogue.Run(t, s, exec.Command(suite))
	})
}
