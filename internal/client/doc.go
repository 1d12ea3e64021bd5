// Package client is a small client of ZooKeeper's protocol: one connection, one session, requests as zk records.
//
// Tests, the command line and the load generator call it. Do asks and waits; Send asks and is told later, with a
// bounded number of requests outstanding. Watch events arrive on a channel. Pings are sent when the connection is
// otherwise silent. There is no reconnecting: when the connection is lost the Conn is done, and whoever wants the
// session back dials with its id and password.
//
// A Conn has two goroutines: one reads replies and calls back, the other writes and pings. Both end with the
// connection; Close and Abandon wait for them. All methods may be called from any goroutine.
package client
