// Package zk is the vocabulary of ZooKeeper: ids, paths, access lists, stats, opcodes, error codes, and the
// records that clients and servers exchange.
//
// Every part of the server speaks in these types. They hold data and the rules that belong to one value
// (is this path valid, what owner does this number mean); what an operation does to the tree is decided
// in server/prep and done in storage/tree.
//
// Nothing here has state. Values decoded from the wire alias the buffer they came from (see package jute);
// whoever keeps one longer than the buffer copies it.
//
// Source: the client protocol of ZooKeeper 3.5 to 3.10.
package zk
