// Package driver is the owner of a replica: it gives it events, one after the other, and carries out its effects.
//
// package server makes one Driver; the doors reach it as request.Handler. The owner works in rounds. One is had by who leaves
// a letter while there is none (docs/adr/0009), or else by the goroutine of Run, and a lock is held meanwhile: what is said
// to be the owner's is guarded by that. A round drains the mailbox, steps the
// replica for every letter, hands the log what is to be appended, and then lets every client that was told
// something send it: no lock, channel operation or system call per request. A second goroutine, the syncer,
// writes and fsyncs the log; while one fsync runs the appends of the next gather. At most one more goroutine
// writes a snapshot.
//
// It guarantees that a client is answered only after the fsync its answer depends on, and that after the first
// error of the log nothing is acknowledged any more: Run returns the error and the server stops. A failed fsync
// is never tried again.
//
// It judges nothing and knows neither files nor wire formats.
package driver
