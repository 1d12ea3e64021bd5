// Package admin answers the four-letter words of ZooKeeper's client port: the state of one server as the text that
// ZooKeeper 3.8.0 prints, for the scripts, probes and dashboards that read it.
//
// The server (package server) makes one Words, hands its Answer to the client port and implements Source, from which a
// word gathers what it prints and nothing else. Source and its structs are plain data: nothing here knows
// where a figure comes from.
//
// State. Words keeps the trace mask that stmk sets and nobody reads but gtmk; it may be used from any number of
// goroutines at once. A Source must allow the same.
//
// What it guarantees: the bytes of ZooKeeper, with its odd spaces and missing line ends; lists that ZooKeeper prints in
// the order of its hash tables are sorted; a word that is not enabled reads no argument and gathers nothing; a
// server that cannot answer now is told of as one that does not serve.
//
// What it does not do: decide which bytes are a word (the client port does), limit who may ask, or count anything.
//
// Source: output of ZooKeeper 3.8.0 under testdata, and docs/compatibility.md for what differs.
package admin
