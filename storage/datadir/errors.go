package datadir

import (
	"fmt"
	"path/filepath"
	"strings"

	"paddock/internal/zk"
)

// InUseError says that another server has the directory open.
type InUseError struct {
	Dir string
	PID int // 0 if unknown
}

// Error names the directory and its holder.
func (e *InUseError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is in use by another server", e.Dir)
	}
	return fmt.Sprintf("%s is in use by pid %d", e.Dir, e.PID)
}

// MissingError says that a directory does not exist and may not be created.
type MissingError struct {
	Key string // dataDir or dataLogDir
	Dir string
}

// Error names setting and directory.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%s: %s does not exist and autocreate is off", e.Key, e.Dir)
}

// AccessError says that a directory cannot be created, listed or written.
type AccessError struct {
	Key string // dataDir or dataLogDir
	Dir string
	Err error
}

// Error names setting, directory and cause.
func (e *AccessError) Error() string { return fmt.Sprintf("%s %s: %v", e.Key, e.Dir, e.Err) }

// Unwrap returns the cause.
func (e *AccessError) Unwrap() error { return e.Err }

// SwappedError says that a directory holds files of the other kind.
type SwappedError struct {
	Key  string // the setting that names the wrong directory
	File string // a file that does not belong there
}

// Error names the file and the remedy.
func (e *SwappedError) Error() string {
	other, files := "dataLogDir", "log.*"
	if e.Key == other {
		other, files = "dataDir", "snapshot.*"
	}
	return fmt.Sprintf("%s: %s does not belong here; are dataDir and dataLogDir swapped? If %s is new, move the %s files to its version-2",
		e.Key, e.File, other, files)
}

// LegacyError says that the directory holds data of a server before ZooKeeper 3.0.
type LegacyError struct {
	File string
}

// Error names the file and the remedy.
func (e *LegacyError) Error() string {
	if dir := filepath.Dir(e.File); filepath.Base(dir) == "version-2" {
		return fmt.Sprintf("%s is what a data directory has inside; name the one above, %s", dir, filepath.Dir(dir))
	}
	return fmt.Sprintf("%s is from before ZooKeeper 3.0 (not in version-2); start the directory once with ZooKeeper 3.4 to convert it", e.File)
}

// NoFileError says that something has the name of a file that a server keeps, and is none.
type NoFileError struct {
	Path, Is, Remedy string
}

// Error names what it is and the remedy.
func (e *NoFileError) Error() string {
	return fmt.Sprintf("%s is %s instead of a file; %s", e.Path, e.Is, e.Remedy)
}

// UnfinishedImportError says that the data that were to be imported into the directory are not in it.
type UnfinishedImportError struct {
	Dir, Staging string
}

// Error names the directory and the remedies.
func (e *UnfinishedImportError) Error() string {
	return fmt.Sprintf("an import into %s has not come to its end, so the directory holds none of the data; run paddock migrate import again, "+
		"or remove %s to begin without data", e.Dir, e.Staging)
}

// BadSnapshot is a snapshot that cannot be used.
type BadSnapshot struct {
	File   string // path
	Zxid   zk.Zxid
	Offset int64 // where it is damaged
	Reason string
	// Unfinished tells that it has the look of an interrupted write, so that nobody can have relied on it.
	Unfinished bool
}

// String names file, offset and reason.
func (b BadSnapshot) String() string {
	return fmt.Sprintf("%s: offset %d: %s", b.File, b.Offset, b.Reason)
}

// NoSnapshotError says that the state cannot be restored for want of a snapshot.
type NoSnapshotError struct {
	Dir    string
	Bad    []BadSnapshot // newest first; empty if there is none at all
	Reason string
	Remedy string
}

// Error is one line with every damaged file.
func (e *NoSnapshotError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Dir, e.Reason)
	for _, s := range e.Bad {
		fmt.Fprintf(&b, " (%s)", s)
	}
	return b.String() + "; " + e.Remedy
}
