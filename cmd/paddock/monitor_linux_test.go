package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"paddock/internal/freeport"
)

// TestKeepMonitor begins servers and looks at what became of their processes.
func TestKeepMonitor(t *testing.T) {
	for _, row := range []struct {
		name string
		env  []string
		want string // GODEBUG of the server
	}{
		{name: "nothing is set", want: wakeful},
		{name: "others are set", env: []string{"GODEBUG=madvdontneed=1"}, want: "madvdontneed=1," + wakeful},
		{name: "it is set", env: []string{"GODEBUG=schedtrace=0"}, want: "schedtrace=0"},
		{name: "one processor", env: []string{"GOMAXPROCS=1"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			args := []string{"serve", "--log-format", "json", "dataDir=" + t.TempDir(), fmt.Sprint("clientPort=", freeport.Take(t)), "grpcPort=0", "httpPort=0", "admin.enableServer=false"}
			cmd := process(args...)
			cmd.Env = append(append(cmd.Env, "GODEBUG=", "GOMAXPROCS=2"), row.env...) // the last of a name counts
			said := &lines{more: make(chan struct{})}
			cmd.Stderr = said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill() // if it does not serve
			late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
			defer late.Stop()
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			if err, over := await(t, said, `"message":"serving"`, ended); over {
				t.Fatalf("it ended with %v:\n%s", err, said.text.String())
			}
			of := func(name string) string {
				b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, name))
				if err != nil {
					t.Error(err)
				}
				return string(b)
			}
			var got string
			for v := range strings.SplitSeq(of("environ"), "\x00") {
				if rest, ok := strings.CutPrefix(v, "GODEBUG="); ok {
					got = rest
				}
			}
			if got != row.want {
				t.Errorf("GODEBUG is %q, not %q", got, row.want)
			}
			if got := strings.Split(strings.TrimSuffix(of("cmdline"), "\x00"), "\x00"); !slices.Equal(got[1:], args) {
				t.Errorf("its arguments are %q", got)
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Errorf("it ended with %v:\n%s", err, said.text.String())
			}
		})
	}
}
