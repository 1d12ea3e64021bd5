//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// volume is a small file system of one server, that can be filled, and that can stop: then whoever writes waits.
//
// It is an ext4 in a file of a tmpfs: what is written to it costs no real disk anything. Stopping is the kernel's freezing of a file
// system; it ends when whoever asked for it is gone, so that nobody waits for ever.
type volume struct {
	root   string
	keeper *exec.Cmd
	orders io.WriteCloser
	told   io.Reader
}

const volumeBytes = 96 << 20

// newVolume mounts a volume at root. The mounts must be those of a namespace that ends with the test.
func newVolume(root string) (*volume, error) {
	v := &volume{root: root}
	store := root + ".store"
	image := filepath.Join(store, "image")
	if err := errors.Join(os.MkdirAll(root, 0o755), os.MkdirAll(store, 0o755)); err != nil {
		return nil, err
	}
	if err := syscall.Mount("chaos", store, "tmpfs", 0, fmt.Sprint("size=", volumeBytes+1<<20)); err != nil {
		return nil, fmt.Errorf("mount a tmpfs: %w", err)
	}
	err := os.WriteFile(image, nil, 0o600)
	if err == nil {
		err = os.Truncate(image, volumeBytes)
	}
	if err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"mkfs.ext4", "-q", "-F", "-m", "0", image}, {"mount", "-o", "loop,nodiscard", image, root}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	v.keeper = exec.Command(os.Args[0])
	v.keeper.Env = append(os.Environ(), childVariable+"=freezer", "CHAOS_VOLUME="+root)
	v.keeper.Stderr = os.Stderr
	if v.orders, err = v.keeper.StdinPipe(); err != nil {
		return nil, err
	}
	if v.told, err = v.keeper.StdoutPipe(); err != nil {
		return nil, err
	}
	return v, v.keeper.Start()
}

// freeze stops the volume, thaw lets it go on. They must come in turn.
func (v *volume) freeze() error { return v.order('f') }
func (v *volume) thaw() error   { return v.order('t') }

func (v *volume) order(b byte) error {
	if _, err := v.orders.Write([]byte{b}); err != nil {
		return err
	}
	var answer [1]byte
	_, err := io.ReadFull(v.told, answer[:])
	return err
}

// keepFrozen obeys the orders on the standard input, each of one byte, and answers with a byte. When it ends the volume goes on.
func keepFrozen() error {
	const freeze, thaw = 0xc0045877, 0xc0045878 // FIFREEZE, FITHAW
	d, err := os.Open(os.Getenv("CHAOS_VOLUME"))
	if err != nil {
		return err
	}
	defer d.Close()
	defer syscall.Syscall(syscall.SYS_IOCTL, d.Fd(), thaw, 0) //nolint:errcheck // it may not be frozen
	var order [1]byte
	for {
		if _, err := io.ReadFull(os.Stdin, order[:]); err != nil {
			return nil
		}
		what := uintptr(freeze)
		if order[0] == 't' {
			what = thaw
		}
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, d.Fd(), what, 0); errno != 0 {
			return fmt.Errorf("freeze or thaw: %w", errno)
		}
		if _, err := os.Stdout.Write(order[:]); err != nil {
			return nil
		}
	}
}

// ballast is the file that fills a volume.
func (v *volume) ballast() string { return filepath.Join(v.root, "ballast") }

// fill leaves so many bytes free. What the server gives back can be taken by filling again.
func (v *volume) fill(free int64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(v.root, &s); err != nil {
		return err
	}
	f, err := os.OpenFile(v.ballast(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	have, err := f.Stat()
	size := int64(s.Bavail)*s.Bsize - free
	if err != nil || size <= 0 {
		return err
	}
	if err := syscall.Fallocate(int(f.Fd()), 0, have.Size(), size); !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return nil // the server was faster
}

// empty gives the room back, if it was taken.
func (v *volume) empty() error { return os.RemoveAll(v.ballast()) }

// end unmounts the volume; nobody may use it any more.
func (v *volume) end() error {
	v.orders.Close()
	return errors.Join(v.keeper.Wait(), syscall.Unmount(v.root, syscall.MNT_DETACH), syscall.Unmount(v.root+".store", syscall.MNT_DETACH))
}
