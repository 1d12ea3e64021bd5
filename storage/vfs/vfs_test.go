package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// both runs a test over the operating system and over memory: they must behave alike.
func both(t *testing.T, f func(t *testing.T, fsys FS, dir string)) {
	t.Run("os", func(t *testing.T) { f(t, OS{}, t.TempDir()) })
	t.Run("mem", func(t *testing.T) {
		m := NewMem()
		must(t, m.Mkdir("d"))
		f(t, m, "d")
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, fsys FS, name, data string) File {
	t.Helper()
	f, err := fsys.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte(data), 0)
	must(t, err)
	return f
}

func read(t *testing.T, fsys FS, name string) string {
	t.Helper()
	b, err := ReadFile(fsys, name, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return "(none)"
	}
	must(t, err)
	return string(b)
}

func TestBothFileSystemsBehaveAlike(t *testing.T) {
	both(t, func(t *testing.T, fsys FS, dir string) {
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		f := write(t, fsys, a, "hello")
		_, err := f.WriteAt([]byte("!"), 9)
		must(t, err)
		must(t, f.SyncData())
		if got := read(t, fsys, a); got != "hello\x00\x00\x00\x00!" {
			t.Errorf("a write past the end left %q", got)
		}
		must(t, f.Truncate(3))
		must(t, f.Truncate(6))
		if got := read(t, fsys, a); got != "hel\x00\x00\x00" {
			t.Errorf("cut and grown: %q", got)
		}
		if n, err := f.ReadAt(make([]byte, 10), 4); n != 2 || err != io.EOF {
			t.Errorf("read over the end: %d, %v", n, err)
		}
		must(t, f.Close())
		must(t, write(t, fsys, b, "old").Close())
		must(t, fsys.Rename(a, b))
		must(t, fsys.SyncDir(dir))
		if got := read(t, fsys, b); got != "hel\x00\x00\x00" {
			t.Errorf("after the rename: %q", got)
		}
		names, err := fsys.List(dir)
		must(t, err)
		if !slices.Equal(names, []string{"b"}) {
			t.Errorf("list: %v", names)
		}
		if _, err := fsys.Open(a); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open of a missing file: %v", err)
		}
		if err := fsys.Mkdir(dir); !errors.Is(err, fs.ErrExist) {
			t.Errorf("mkdir of an existing directory: %v", err)
		}
		if _, err := ReadFile(fsys, b, 5); err == nil {
			t.Error("a file over the limit was read")
		}
		must(t, fsys.Remove(b))
		must(t, MkdirAll(fsys, filepath.Join(dir, "x", "y", "z")))
		if st, err := fsys.Stat(filepath.Join(dir, "x", "y", "z")); err != nil || !st.Dir {
			t.Errorf("stat: %+v, %v", st, err)
		}
		if err := fsys.Remove(filepath.Join(dir, "x")); err == nil {
			t.Error("a directory that is not empty was removed")
		}
		if s, err := fsys.Space(dir); err != nil || s.Free <= 0 || s.Total < s.Free {
			t.Errorf("space: %+v, %v", s, err)
		}
	})
}

func TestALockIsHeldOnceAndNamesItsHolder(t *testing.T) {
	both(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, "lock")
		l, err := fsys.Lock(name, "pid 7")
		must(t, err)
		_, err = fsys.Lock(name, "pid 8")
		var held *LockedError
		if !errors.As(err, &held) || held.Owner != "pid 7" {
			t.Fatalf("second lock: %v", err)
		}
		must(t, l.Close())
		l, err = fsys.Lock(name, "pid 9")
		must(t, err)
		must(t, l.Close())
	})
}

func TestRandomAccessMatchesAPlainSlice(t *testing.T) {
	both(t, func(t *testing.T, fsys FS, dir string) {
		rng := rand.New(rand.NewPCG(1, 1))
		f, err := fsys.Create(filepath.Join(dir, "f"))
		must(t, err)
		var want []byte
		for range 500 {
			switch rng.IntN(5) {
			case 0:
				n := rng.IntN(40000)
				must(t, f.Truncate(int64(n)))
				if n < len(want) {
					want = want[:n:n]
				} else {
					want = append(want, make([]byte, n-len(want))...)
				}
			case 1:
				must(t, f.Sync())
			default:
				off, b := rng.IntN(30000), bytes.Repeat([]byte{byte(rng.IntN(3))}, 1+rng.IntN(9000))
				_, err := f.WriteAt(b, int64(off))
				must(t, err)
				if end := off + len(b); end > len(want) {
					want = append(want, make([]byte, end-len(want))...)
				}
				copy(want[off:], b)
			}
			got := make([]byte, len(want))
			if n, err := f.ReadAt(got, 0); n != len(want) || !bytes.Equal(got, want) {
				t.Fatalf("contents differ (%d of %d bytes, %v)", n, len(want), err)
			}
		}
	})
}

func TestFaultsReachEveryKindOfOperation(t *testing.T) {
	m := NewMem()
	for _, kind := range Kinds() {
		hit := false
		fsys := NewFaulty(m, func(op Op) *Fault {
			if op.Kind == kind {
				hit = true
				return &Fault{Err: syscall.EIO}
			}
			return nil
		})
		err := exercise(fsys)
		if !hit || !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: hit %v, error %v", kind, hit, err)
		}
	}
}

func exercise(fsys FS) error {
	var errs []error
	add := func(err error) { errs = append(errs, err) }
	add(fsys.Mkdir("e"))
	f, err := fsys.Create("e/f")
	add(err)
	if err == nil {
		_, err = f.WriteAt([]byte("abc"), 0)
		add(err)
		add(f.Truncate(2))
		add(f.Sync())
		_, err = f.Size()
		add(err)
		add(f.Close())
	}
	if f, err = fsys.Open("e/f"); err == nil {
		_, err = f.ReadAt(make([]byte, 1), 0)
	}
	add(err)
	l, err := fsys.Lock("e/l", "")
	add(err)
	if err == nil {
		add(l.Close())
	}
	add(fsys.Rename("e/f", "e/g"))
	_, err = fsys.List("e")
	add(err)
	_, err = fsys.Stat("e")
	add(err)
	add(fsys.SyncDir("e"))
	add(fsys.Remove("e/g"))
	return errors.Join(errs...)
}

func TestAFailedWriteMayBeShort(t *testing.T) {
	m := NewMem()
	fsys := NewFaulty(m, FailNth(KindWrite, 2, syscall.ENOSPC, false))
	f := write(t, fsys, "f", "1234")
	n, err := f.WriteAt([]byte("5678"), 4)
	if n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("short write: %d, %v", n, err)
	}
	if got := read(t, m, "f"); got != "123456" {
		t.Fatalf("file holds %q", got)
	}
}
