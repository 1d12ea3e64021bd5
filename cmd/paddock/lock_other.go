//go:build !linux

package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// lockHolder takes the word of the lock file, if the process it names is alive.
func lockHolder(path string) (pid int, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	return pid, err == nil && syscall.Kill(pid, 0) == nil
}
