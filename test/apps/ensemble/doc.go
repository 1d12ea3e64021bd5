// Package ensemble starts three servers of ZooKeeper's or of Paddock's for the tests of whole applications: real processes on free ports of
// the loopback interface, whose data outlives a restart. Both kinds are given the same configuration, and what is expected of an application
// is written once. What it starts ends with the test.
package ensemble
