// Package client is Paddock for Go programs: the services of paddock.v1 as a Go programmer would like them.
//
//	c, err := client.Dial([]string{"zk1:7181", "zk2:7181", "zk3:7181"}, client.Options{})
//	stat, err := c.Put(ctx, "/app/config", data, client.PutOptions{Parents: true})
//	for child, err := range c.Children(ctx, "/app", client.ListOptions{}) { … }
//
// A Client reads and writes znodes without a session. OpenSession gives a Session, which can do the same and owns ephemerals, locks
// and leaderships; it is kept alive, and taken up again on another server, by itself. Watch tells changes, and goes on by itself where it
// was after a connection or a server is lost. Cache is a copy of a subtree that follows the original. Pipeline asks for much without waiting,
// in order.
//
// Calls go to one server until that is of no use, then to the next. Reads are repeated there until their context ends. So are writes of a
// session, which carry an idempotency key: they are done once. A write without a session is not repeated; if its
// connection is lost it may have been done.
//
// Errors of the server are *Error, and errors.Is tells them apart: errors.Is(err, client.ErrNoNode).
//
// Methods may be called from any goroutine. What runs in the background ends with Close.
package client
