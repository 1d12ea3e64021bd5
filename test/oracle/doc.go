// Package oracle plays the same seeded request sequences against two servers and compares every byte they send back.
//
// Server A is Apache ZooKeeper 3.8.0 as Debian ships it; server B is Paddock, or a second ZooKeeper to prove the
// harness itself. `make interop` runs it; the tests need the build tag interop, because they start Java.
//
// The client side is written on raw sockets with an encoder and a decoder of its own, so that no expectation here
// depends on Paddock's codec. One goroutine, the player's, owns all state; each connection has one reader goroutine that
// only appends frames.
//
// What is compared byte for byte: presence, order and content of every frame on each connection, and every close.
// What is normalised first: session ids (by order of creation), passwords (checked against the id by ZooKeeper's
// published algorithm), times (every time must be the one known for its zxid), the order of children, ephemerals and
// identities, and the order of events of one session close. Zxids are compared as they are: both servers start empty.
// Order between different connections is not compared.
//
// Differences that are meant are listed in explained.go, each with a narrow predicate, and are counted. Those that would
// set the two histories apart for good are asked of each server alone (divergent_test.go), as are a few requests that
// ZooKeeper 3.8.0 does not survive. Hand-written scenes (directed_test.go) state the answer that both must give.
//
// Which sets of servers are quorums is asked of ZooKeeper's own classes, without a server (quorums_test.go, which needs javac).
//
// To play 200 seeds, or one seed again:
//
//	PADDOCK_BIN=$PWD/bin/paddock go test -tags interop ./test/oracle -run Differential -seeds=200 -requests=400
//	PADDOCK_BIN=$PWD/bin/paddock go test -tags interop ./test/oracle -run Differential -seed=17 -seeds=1
//
// ORACLE_B=java puts a second ZooKeeper in Paddock's place; then nothing may differ at all. PADDOCK_ARGS adds arguments to
// `paddock serve`. Packages needed: Debian's zookeeper.
//
// Source of the rules: the ZooKeeper client protocol as documented by its jute schema, and the behaviour of the
// reference server itself.
package oracle
