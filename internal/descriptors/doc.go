// Package descriptors keeps file descriptors for what a server cannot do without: its log and snapshots, and the other servers.
//
// The doors ask it about each connection that they have accepted, from any goroutine. It keeps no state. A system gives out the
// lowest free number, so a connection with a high one tells how few are left below the limit of open files. Where there
// is no such limit to ask for, nothing is scarce.
package descriptors
