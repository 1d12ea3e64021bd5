package vfs

import (
	"errors"
	"os"
	"syscall"
)

// fdatasync skips the inode's times, which saves the journal write on an overwrite in place. Going through the raw
// connection keeps the descriptor open until it is done, even if the file is closed meanwhile.
func fdatasync(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	cerr := conn.Control(func(fd uintptr) {
		for {
			if err = syscall.Fdatasync(int(fd)); !errors.Is(err, syscall.EINTR) {
				return
			}
		}
	})
	if cerr != nil { // closed already
		return os.ErrClosed
	}
	return err
}
