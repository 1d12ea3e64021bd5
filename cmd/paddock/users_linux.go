package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// dirUser finds a process that works in a data directory: one of ours by its lock, any other by its open files, and a ZooKeeper
// that has none open yet by the configuration that its command line names. What this process may not look at is not found.
func dirUser(dir string) (who string, used bool) {
	if dir == "" {
		return "", false
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", false
	}
	pids, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return "", false
	}
	self := fmt.Sprint("/proc/", os.Getpid())
	for _, p := range pids {
		if p != self && (serverFileOpen(p, dir) || isConfigured(p, dir)) {
			name, _ := os.ReadFile(filepath.Join(p, "comm")) //nolint:errcheck // it is for the message only
			return fmt.Sprintf("pid %s (%s)", filepath.Base(p), bytes.TrimSpace(name)), true
		}
	}
	return "", false
}

// serverFileOpen tells whether a process has a file open that only servers open.
func serverFileOpen(process, dir string) bool {
	fds, _ := filepath.Glob(filepath.Join(process, "fd", "*")) //nolint:errcheck // the pattern is well formed
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil || !strings.HasPrefix(target, dir+"/") {
			continue
		}
		switch name := strings.TrimPrefix(target, dir+"/"); {
		case strings.HasPrefix(name, "version-2/"), name == "paddock.lock":
			return true
		}
	}
	return false
}

// isConfigured tells whether a process is a ZooKeeper server of the directory.
func isConfigured(process, dir string) bool {
	const classes = "org.apache.zookeeper.server."
	line, err := os.ReadFile(filepath.Join(process, "cmdline"))
	if err != nil || !bytes.Contains(line, []byte(classes)) {
		return false
	}
	_, after, _ := strings.Cut(string(line), classes)
	args := strings.Split(strings.TrimSuffix(after, "\x00"), "\x00")
	for _, arg := range args[1:] {
		if !filepath.IsAbs(arg) {
			cwd, err := os.Readlink(filepath.Join(process, "cwd"))
			if err != nil {
				continue
			}
			arg = filepath.Join(cwd, arg)
		}
		if sameDir(arg, dir) {
			return true // a server on its own, whose arguments are a port and a directory
		}
		text, err := os.ReadFile(arg)
		if err != nil {
			continue
		}
		for l := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(l), "=")
			if key = strings.TrimSpace(key); (key == "dataDir" || key == "dataLogDir") && sameDir(strings.TrimSpace(value), dir) {
				return true
			}
		}
	}
	return false
}

// sameDir tells whether path leads to dir, which has no links in it.
func sameDir(path, dir string) bool {
	real, err := filepath.EvalSymlinks(path)
	return err == nil && real == dir
}
