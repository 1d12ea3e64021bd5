package main

import (
	"os"
	"runtime"
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
	const key = "GODEBUG"
	old := os.Getenv(key)
	if strings.Contains(old, "schedtrace=") {
		return // done, or not wanted
	}
	if path, err := os.Executable(); err == nil {
		os.Setenv(key, strings.TrimPrefix(old+","+wakeful, ","))
		_ = syscall.Exec(path, args, os.Environ()) // a server that may not serves as well, if slower
	}
}
