// Package server wires the parts to one running server, starts them and stops them in order.
//
// cmd/paddock calls Run with a checked configuration. Run opens the data directory, recovers the state, starts the
// driver that owns it, and then the doors: the client port, the gRPC port and its socket in the data directory, and
// the HTTP port. It returns when its context ends, with everything acknowledged on the disk, or when the server can no
// longer keep its promises, with the reason.
//
// Its goroutines are the driver's, the doors', one that writes zeros ahead in the log, one that turns what the
// replica notes into log lines and metrics, and one for upkeep: purging, disk space, the size of the heap.
//
// It has no behaviour of its own: what a request does is decided in server/replica, what a byte means in the doors.
package server
