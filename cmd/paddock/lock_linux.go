package main

import (
	"os"
	"path/filepath"
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
		if len(f) <= file || f[kind] != "FLOCK" || !strings.HasSuffix(f[file], inode) {
			continue
		}
		// The device is not that of stat on every file system, and other file systems have files of the same number.
		if pid, err := strconv.Atoi(f[holder]); err == nil && hasOpen(pid, info) {
			return pid, true
		}
	}
	return 0, false
}

// hasOpen tells whether a process has a file open, or may have: those of other users cannot be looked at.
func hasOpen(pid int, file os.FileInfo) bool {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	list, err := os.ReadDir(dir)
	if err != nil {
		return os.IsPermission(err)
	}
	for _, fd := range list {
		if info, err := os.Stat(filepath.Join(dir, fd.Name())); err == nil && os.SameFile(info, file) {
			return true
		}
	}
	return false
}
