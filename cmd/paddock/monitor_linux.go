package main

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// wakeful is the setting of GODEBUG that keeps the monitor thread of Go's scheduler from sleeping while the process waits for
// its next request: https://pkg.go.dev/runtime, schedtrace. In milliseconds, the most there is. docs/adr/0011.
const wakeful = "schedtrace=2147483647"

// keepMonitor begins the process anew with that setting, if args are those of a server: Go reads it only at its start. The process
// keeps its id and everything else. It returns where nothing is to be done, or nothing can be.
func keepMonitor(args []string) {
	if len(args) < 2 || args[1] != "serve" || runtime.GOMAXPROCS(0) == 1 {
		return
	}
	const key = "GODEBUG="
	set := wakeful
	if old := os.Getenv("GODEBUG"); strings.Contains(old, "schedtrace=") {
		return // done, or not wanted
	} else if old != "" {
		set = old + "," + wakeful
	}
	path, err := os.Executable()
	if err != nil {
		return
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, key) })
	_ = syscall.Exec(path, args, append(env, key+set)) // a server that may not serves as well, if slower
}
