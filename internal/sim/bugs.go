package sim

import (
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"io"
	"strconv"
	"strings"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

// Bug is a mistake that a run plants around the real code, in the file system below it or in what the driver does with its
// effects, so that the checkers can be seen to find it.
type Bug uint8

// The mistakes.
const (
	NoBug                   Bug = iota
	BugNoDirSync                // directories with logs and snapshots are not synced
	BugParentNotSynced          // nor are those that they are in
	BugAckBeforeSync            // writes are answered when they are handed to the syncer
	BugSyncErrorIgnored         // a failed fsync of the log counts as a good one
	BugRollWithoutSync          // a log file is left without its last fsync
	BugRollLosesPending         // what has gathered when the log rolls is forgotten
	BugRecoveredNotSynced       // what a killed server wrote is not synced by the next
	BugSnapshotRenamedEarly     // a snapshot gets its name before it is synced
	BugSnapshotMisnamed         // a snapshot's name is one zxid ahead of it
	BugTornTailAccepted         // a record is replayed although its checksum does not match
	BugPurgeNeededLog           // the purge takes logs behind the newest snapshot
	BugCloseNotLogged           // a closed session and its ephemerals come back
	BugRequestTwice             // a request is carried out twice
	BugEventAfterReply          // an event follows the reply that shows its change
	BugRepliesSwapped           // a reply overtakes the one before
	BugSessionsByWallClock      // sessions expire by the clock on the wall
	bugs
)

var bugNames = [bugs]string{"no bug", "directories are not synced", "parent directories are not synced", "acknowledged before fsync",
	"fsync error ignored", "roll without fsync", "roll loses what has gathered", "recovered log not synced",
	"snapshot renamed early", "snapshot misnamed", "torn tail accepted", "purge takes a needed log", "closed session comes back",
	"request carried out twice", "event after the reply", "replies swapped", "sessions by the wall clock"}

// String is what is wrong.
func (b Bug) String() string { return bugNames[b] }

// Bugs are all mistakes that can be planted.
func Bugs() []Bug {
	var list []Bug
	for b := NoBug + 1; b < bugs; b++ {
		list = append(list, b)
	}
	return list
}

// stack is the file system under a process: the disk, what fails of it, and the mistakes in using it.
func (w *world) stack(m *vfs.Mem, f *fault) vfs.FS {
	var fsys vfs.FS = m
	if f != nil {
		fsys = vfs.NewFaulty(m, w.decide(f))
	}
	if w.opt.Bug == NoBug {
		return fsys
	}
	return &buggyFS{fsys, w, w.opt.Bug}
}

// decide fails the operations that a fault is about.
func (w *world) decide(f *fault) func(vfs.Op) *vfs.Fault {
	seen := 0
	return func(op vfs.Op) *vfs.Fault {
		if op.Kind != f.kind || f.file != "" && kindOf(op.Path) != f.file {
			return nil
		}
		if seen++; seen < f.n || seen > f.n && !f.forever {
			return nil
		}
		w.stops.failedOp(op)
		return &vfs.Fault{Err: f.err, Short: op.Len / 2}
	}
}

// buggyFS makes the mistakes that concern files.
type buggyFS struct {
	vfs.FS
	w   *world
	bug Bug
}

func (f *buggyFS) SyncDir(dir string) error {
	inner := kindOf(dir) == "version-2"
	if f.bug == BugNoDirSync && inner || f.bug == BugParentNotSynced && !inner || f.bug == BugRecoveredNotSynced && f.w.srv == nil && inner {
		return nil
	}
	return f.FS.SyncDir(dir)
}

func (f *buggyFS) Create(name string) (vfs.File, error) {
	file, err := f.FS.Create(name)
	return f.wrap(file, name), err
}

func (f *buggyFS) OpenReadWrite(name string) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name)
	return f.wrap(file, name), err
}

func (f *buggyFS) wrap(file vfs.File, name string) vfs.File {
	if file == nil {
		return nil
	}
	return &buggyFile{file, f, kindOf(name)}
}

// Open repairs the checksums of a log, for BugTornTailAccepted.
func (f *buggyFS) Open(name string) (vfs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil || f.bug != BugTornTailAccepted || kindOf(name) != "log" {
		return file, err
	}
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if _, err := file.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil, err
	}
	for at := wal.HeaderBytes; at+12 < len(b); {
		n := int(int32(binary.BigEndian.Uint32(b[at+8:])))
		if n < txn.HeaderBytes || at+12+n >= len(b) {
			break
		}
		binary.BigEndian.PutUint64(b[at:], uint64(adler32.Checksum(b[at+12:at+12+n])))
		b[at+12+n] = 'B'
		at += 12 + n + 1
	}
	return &patchedFile{file, b}, nil
}

func (f *buggyFS) Rename(old, new string) error {
	if f.bug == BugSnapshotMisnamed && kindOf(new) == "snapshot" {
		parts := strings.SplitN(new, "snapshot.", 2)
		digits, suffix, _ := strings.Cut(parts[1], ".")
		z, err := strconv.ParseUint(digits, 16, 64)
		if err == nil && z > 0 {
			new = strings.TrimSuffix(fmt.Sprintf("%ssnapshot.%x.%s", parts[0], z+1, suffix), ".")
		}
	}
	err := f.FS.Rename(old, new)
	if err == nil && f.bug == BugSnapshotRenamedEarly && kindOf(new) == "snapshot" {
		var file vfs.File
		if file, err = f.FS.OpenReadWrite(new); err == nil {
			err = file.Sync()
		}
	}
	return err
}

// buggyFile makes the mistakes that concern the syncing of a file.
type buggyFile struct {
	vfs.File
	f    *buggyFS
	kind string
}

func (f *buggyFile) Sync() error {
	b, log := f.f.bug, f.kind == "log" || f.kind == "spare log"
	switch {
	case b == BugSnapshotRenamedEarly && f.kind == "unfinished snapshot":
		return nil
	case b == BugRollWithoutSync && log && f.f.w.rolling, b == BugRecoveredNotSynced && log && f.f.w.srv == nil:
		return nil
	}
	err := f.File.Sync()
	if b == BugSyncErrorIgnored && log {
		return nil
	}
	return err
}

func (f *buggyFile) SyncData() error { return f.Sync() }

// patchedFile is a file that reads as something else.
type patchedFile struct {
	vfs.File
	b []byte
}

func (f *patchedFile) ReadAt(b []byte, off int64) (int, error) {
	if off >= int64(len(f.b)) {
		return 0, io.EOF
	}
	n := copy(b, f.b[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// bugEvent changes an event on its way to the replica.
func (w *world) bugEvent(ev *replica.Event) {
	if w.opt.Bug == BugSessionsByWallClock {
		w.wallMost = max(w.wallMost, ev.WallMS)
		ev.NowMS = w.wallMost - wallStart/2
	}
}

// bugPayload changes a record on its way to the log.
func (w *world) bugPayload(payload []byte) []byte {
	if w.opt.Bug != BugCloseNotLogged {
		return payload
	}
	var rec txn.Record
	if err := rec.Decode(payload); err != nil || rec.Header.Type != zk.OpCloseSession {
		return payload
	}
	rec.Header.Type, rec.HasDigest = zk.OpError, false
	rec.Txn = txn.Txn{Type: zk.OpError, Err: zk.OK}
	return rec.Append(nil)
}

// purgeLog is the purge, with or without its mistake.
func (s *server) purgeDir() error {
	_, err := s.dir.Purge(retained, 0)
	if err == nil && s.w.opt.Bug == BugPurgeNeededLog {
		_, err = wal.Purge(s.disk, s.dir.LogPath(), s.committed)
	}
	return err
}

// Reply implements replica.Effects.
func (s *server) Reply(id request.ClientID, _ int64, r *zk.Reply) {
	if s.w.opt.Bug == BugRepliesSwapped && len(s.held) == 0 {
		late := *r
		s.held = append(s.held, func() { s.replied(id, &late) })
		return
	}
	s.replied(id, r)
	s.releaseHeld()
}

// Event implements replica.Effects.
func (s *server) Event(id request.ClientID, e *zk.Event) {
	if s.w.opt.Bug == BugEventAfterReply {
		late := *e
		s.held = append(s.held, func() { s.told(id, &late) })
		return
	}
	s.told(id, e)
}

// releaseHeld tells what has been held back by a mistake.
func (s *server) releaseHeld() {
	held := s.held
	s.held = nil
	for _, f := range held {
		f()
	}
}
