// Package chaos kills, pauses, starves and misleads real server processes, and then checks what they promised.
//
// `make chaos` runs it; the tests need the build tag chaos, the binary that PADDOCK_BIN names, Debian's package zookeeper
// (the oracle for data directories), haproxy (test/chaos/install.sh) and, for those that mount a small file system or change the user, root.
//
// The tests of replacement and migration (rolling_test.go and its neighbours) run the programs of testdata/migration, whose many
// kazoo and Curator clients hold locks; test/interop/install.sh installs what those need.
//
// The load is made of workers (worker.go). A worker owns one session and one subtree, sends requests ahead of the replies,
// and predicts each reply with a model of the znodes (model.go): values, versions, cversions, zxids, names of sequential
// znodes, error codes. When the server dies a worker knows exactly what was acknowledged, and which requests are in doubt.
// Since a session's requests take effect in order, the tree that the restarted server shows must be the acknowledged state
// followed by a prefix of the requests in doubt: each whole, each once. fleet.go compares.
//
// dump.go reads a whole server over the protocol, so that a data directory can be compared in two servers; stored_test.go
// compares what they then store, since the protocol does not show all of it.
//
// TestFaults and what else runs apart has ensembles in a world of their own: each server in a network namespace and on a file
// system that the test made (network.go, volume.go, faults.go), with a switch between them that cuts, delays and loses. Its
// clients (hands.go) write down what they asked and were told (history.go), and judges (judges.go) look for what no ensemble may
// do: porcupine for an order of writes and synced reads, the others exactly. judges_test.go lies to them.
//
// Each test prints the seed that its choices come from; -seed repeats them, although no two runs have the same timing.
// With -short the tests take about a minute, else about six:
//
//	PADDOCK_BIN=$PWD/bin/paddock go test -tags chaos -short ./test/chaos/...
//	PADDOCK_BIN=$PWD/bin/paddock go test -tags chaos ./test/chaos/... -run TestKill -kills=200 -seed=7
//
// Nothing here survives its test: processes are killed by their id, directories are temporary, mounts live in a namespace
// that ends with the test.
package chaos
