package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// lockHolder finds who has a lock file locked, without trying to lock it, which could get in the way of a server that
// starts. A line of /proc/locks is
//
//	id: FLOCK ADVISORY WRITE pid major:minor:inode start end
func lockHolder(path string) (pid int, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	table, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0, false
	}
	const kind, holder, file = 1, 4, 5
	inode := ":" + strconv.FormatUint(stat.Ino, 10)
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) > file && f[kind] == "FLOCK" && strings.HasSuffix(f[file], inode) {
			pid, err := strconv.Atoi(f[holder])
			return pid, err == nil
		}
	}
	return 0, false
}
