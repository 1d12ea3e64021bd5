// Package watches tests that watches tell every change once and in order, with real servers, whatever happens to connections, servers and
// readers: over gRPC, with the Go client and with server-sent events. Writers keep a record of what they wrote; a judge compares what each
// watcher was told with it.
package watches
