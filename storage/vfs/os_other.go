//go:build !linux

package vfs

import "os"

// fdatasync is a full sync where the system has nothing cheaper.
func fdatasync(f *os.File) error { return f.Sync() }
