package vfs

import "fmt"

// Kind is the kind of an operation, for hooks and fault injection.
type Kind uint8

// The kinds of operation. Those up to KindLock change something; the others only read.
const (
	KindCreate   Kind = iota // FS.Create
	KindWrite                // File.WriteAt
	KindTruncate             // File.Truncate
	KindSync                 // File.Sync and File.SyncData
	KindRename               // FS.Rename
	KindRemove               // FS.Remove
	KindMkdir                // FS.Mkdir
	KindSyncDir              // FS.SyncDir
	KindLock                 // FS.Lock
	KindOpen                 // FS.Open and FS.OpenReadWrite
	KindRead                 // File.ReadAt
	KindList                 // FS.List
	KindStat                 // FS.Stat, File.Size and FS.Space
	kinds
)

var kindNames = [kinds]string{"create", "write", "truncate", "sync", "rename", "remove", "mkdir", "syncdir", "lock", "open", "read", "list", "stat"}

// String is the lower-case name, as in "rename".
func (k Kind) String() string {
	if k >= kinds {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// Kinds returns every kind, mutating ones first.
func Kinds() []Kind {
	out := make([]Kind, kinds)
	for i := range out {
		out[i] = Kind(i)
	}
	return out
}

// Op describes one operation about to happen.
type Op struct {
	Kind Kind
	Path string
	To   string // new name of a rename
	Off  int64  // offset of a read or write, new size of a truncate
	Len  int    // bytes of a read or write
}

// String is one line for traces: "write version-2/log.1 16+93".
func (o Op) String() string {
	switch o.Kind {
	case KindWrite, KindRead:
		return fmt.Sprintf("%s %s %d+%d", o.Kind, o.Path, o.Off, o.Len)
	case KindRename:
		return fmt.Sprintf("%s %s %s", o.Kind, o.Path, o.To)
	case KindTruncate:
		return fmt.Sprintf("%s %s %d", o.Kind, o.Path, o.Off)
	default:
		return fmt.Sprintf("%s %s", o.Kind, o.Path)
	}
}
