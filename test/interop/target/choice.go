package target

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// environmentTargets names the environment variable that chooses the targets when the flag is not given.
const environmentTargets = "INTEROP_TARGETS"

var targetFlag = flag.String("target", "", "servers to play the suite against, separated by commas: java, paddock (default $"+environmentTargets+", else both)")

// kinds holds every server a suite can be played against, by the name the flag takes.
var kinds = map[string]func(t *testing.T, s *Server) (command []string){
	"java":    javaCommand,
	"paddock": paddockCommand,
}

// Each plays suite once against each chosen target, in order, as a subtest of its name, on a server that is already serving.
func Each(t *testing.T, suite func(t *testing.T, s *Server)) {
	t.Helper()
	EachKind(t, func(t *testing.T, kind string) { suite(t, New(t, kind)) })
}

// EachKind is Each for a suite that starts its servers itself, with New.
func EachKind(t *testing.T, suite func(t *testing.T, kind string)) {
	t.Helper()
	names, err := choice(*targetFlag, os.Getenv(environmentTargets))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { suite(t, name) })
	}
}

// choice returns the names of the targets chosen by the flag, else by the environment, else all of them.
func choice(flagged, environment string) ([]string, error) {
	chosen := flagged
	if chosen == "" {
		chosen = environment
	}
	if chosen == "" {
		chosen = "java,paddock"
	}
	var names []string
	for name := range strings.SplitSeq(chosen, ",") {
		name = strings.TrimSpace(name)
		if kinds[name] == nil {
			return nil, fmt.Errorf("unknown target %q: choose java, paddock or both with a comma between", name)
		}
		names = append(names, name)
	}
	return names, nil
}
