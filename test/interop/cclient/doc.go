// Package cclient plays ZooKeeper's multi-threaded C client, as Debian ships it, against each target. The cases are under c; the
// test compiles them.
package cclient
