package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

// logDirName is a file in dataDir, beside version-2, that says where the log is while it is elsewhere: a line with dataLogDir. Without it a
// server that is started without dataLogDir would take the snapshots for all there is, and acknowledged writes would be gone.
const logDirName = "paddock.logdir"

// MovedLogError says that the log is, or was, in another directory than the one that is given.
type MovedLogError struct {
	Was, Dir string // dataLogDir as it was, and as it is given
	File     string // a log file in Was; "" if Was does not exist
	Note     string // path of the file that says Was
}

// Error names both directories and the remedy.
func (e *MovedLogError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("dataLogDir was %s, which is not there, and %s has no log: writes would be lost; mount it, or set dataLogDir to where the log is; "+
			"if the log is lost, %s, or remove %s to go on with the snapshot alone", e.Was, e.Dir, remedyRestore, e.Note)
	}
	return fmt.Sprintf("dataLogDir was %s, and %s there is newer than any log in %s: writes would be lost; set dataLogDir=%s, or move the log.* files to %s",
		e.Was, e.File, e.Dir, e.Was, filepath.Join(e.Dir, versionDir))
}

// checkLogDir compares dataLogDir with where the log was. A directory without snapshots begins anew wherever its log was.
func (d *Dir) checkLogDir() error {
	note := filepath.Join(d.opts.Dir, logDirName)
	text, err := vfs.ReadFile(d.opts.FS, note, smallFileBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &AccessError{Key: "dataDir", Dir: d.opts.Dir, Err: err}
	}
	was := strings.TrimSuffix(string(text), "\n")
	if was == "" || was == d.opts.LogDir {
		return nil
	}
	names, err := d.opts.FS.List(d.snaps)
	isSnapshot := func(name string) bool { _, _, ok := snapshot.ParseName(name); return ok }
	if err != nil || !slices.ContainsFunc(names, isSnapshot) {
		return nil
	}
	_, here, err := d.newestLog(d.opts.LogDir)
	if err != nil {
		return err
	}
	moved := &MovedLogError{Was: was, Dir: d.opts.LogDir, Note: note}
	if _, err := d.opts.FS.Stat(filepath.Join(was, versionDir)); errors.Is(err, fs.ErrNotExist) {
		if here < 0 {
			return moved
		}
		return nil
	}
	name, there, err := d.newestLog(was)
	if err != nil {
		return err
	}
	if moved.File = name; there > here {
		return moved
	}
	return nil
}

// newestLog is the log file of a dataLogDir with the highest zxid; that is -1 if there is none.
func (d *Dir) newestLog(dir string) (name string, z zk.Zxid, err error) {
	files, err := wal.List(d.opts.FS, filepath.Join(dir, versionDir))
	if err != nil {
		return "", 0, &AccessError{Key: "dataLogDir", Dir: dir, Err: err}
	}
	if len(files) == 0 {
		return "", -1, nil
	}
	last := files[len(files)-1]
	return last.Name, last.Zxid, nil
}

// noteLogDir keeps where the log is from now on.
func (d *Dir) noteLogDir() error {
	note := filepath.Join(d.opts.Dir, logDirName)
	text, err := vfs.ReadFile(d.opts.FS, note, smallFileBytes)
	missing := errors.Is(err, fs.ErrNotExist)
	want := d.opts.LogDir + "\n"
	switch apart := d.opts.LogDir != d.opts.Dir; {
	case err != nil && !missing:
	case apart && !missing && string(text) == want, !apart && missing:
		return nil
	case apart:
		err = vfs.WriteFileAtomic(d.opts.FS, note, []byte(want))
	default:
		if err = d.opts.FS.Remove(note); err == nil {
			err = d.opts.FS.SyncDir(d.opts.Dir)
		}
	}
	if err != nil {
		return &AccessError{Key: "dataDir", Dir: d.opts.Dir, Err: err}
	}
	return nil
}
