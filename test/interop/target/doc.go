// Package target starts the servers that the client suites are played against: Apache ZooKeeper as Debian ships it, and Paddock.
//
// The suites under test/interop call it; nothing else does. A Server belongs to the test that started it and is used from that
// test's goroutine alone. It listens on a port of the loopback interface which stays the same over Stop, Kill and Start, keeps its
// data in a fresh directory of the test, and never outlives the test.
//
// Both kinds of server are given the same configuration file, and a suite cannot ask which one it talks to: what is expected is
// written once. A server or a package that is missing fails the test with the command that provides it; nothing is skipped.
package target
