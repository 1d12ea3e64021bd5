// Package vfs holds the few file operations the storage packages use, behind one interface.
//
// Called by storage/wal, storage/snapshot and storage/datadir, and by the simulator and the crash tests, which run the
// very same storage code over [Mem] in place of [OS].
//
// An FS may be used by many goroutines at once; a File by several as long as they touch different ranges. [Mem] guards
// its whole state with one mutex.
//
// What it guarantees:
//
//   - OS maps each call to one system call (or a small loop of one), and adds the path to the error.
//   - Mem keeps what has been synced apart from what has not, for file contents in 512-byte sectors and for directory
//     entries one operation at a time. [Mem.CrashClone] returns the file system as a power loss might leave it: any
//     un-synced sector and any un-synced create, rename or unlink may be there or not, chosen by a seed. Syncing a file
//     does not make its directory entry durable; [FS.SyncDir] does.
//   - Data whose sync failed counts as lost: it can still be read, but no later sync makes it durable.
//   - [Faulty] fails chosen operations with chosen errors, a short write among them.
//
// What it does not do: permissions, links, directories as open files, times.
package vfs
