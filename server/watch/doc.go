// Package watch is the table of who wants to hear of changes to which paths.
//
// Called by server/replica, which owns the Table; only the goroutine that owns the replica may touch it. Watches
// belong to a connection (request.ClientID), not to a session: they end with Drop.
//
// What it guarantees:
//
//   - A change tells each connection once per event, whatever number of its watches match, and in an order that
//     depends on nothing but the calls made before: watches at the path itself come first, then recursive ones from
//     the nearest ancestor to the root.
//   - A look-up at a path nobody watches costs one map access and no allocation; ancestors are looked at only at
//     the lengths that some recursive watch has. Dropping a connection costs as much as it has watches.
//   - A watch takes 28 bytes, up to 40 where many watch one path; what is kept per path and per connection is kept once.
//   - Paths are copied when they are first watched, never kept from the caller's buffer.
//
// What it does not do: it judges neither paths nor access lists (a Firing says whose list decides), and sends
// nothing.
//
// Source: the data and child watch tables of ZooKeeper's servers 3.6 to 3.10.
package watch
