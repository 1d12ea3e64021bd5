package vfs

import (
	"errors"
	"os"
	"syscall"
)

// fdatasync skips the inode's times, which saves the journal write on an overwrite in place.
func fdatasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
