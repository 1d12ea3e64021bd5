// Package target starts the servers that the client suites are played against: Apache ZooKeeper as Debian ships it, and Paddock.
//
// The suites under test/interop call it; nothing else does. A Server belongs to the test that started it and is used from that
// test's goroutine alone. Clients reach it at one loopback address which stays the same over Stop, Kill and Start and is open
// only while the server serves. Its data lies in a fresh directory of the test, and it never outlives the test.
//
// Both kinds of server are given the same configuration file, and a suite cannot ask which one it talks to: what is expected is
// written once. A server or a package that is missing fails the test with the command that provides it; nothing is skipped.
package target
