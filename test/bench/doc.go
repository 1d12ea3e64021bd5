// Package bench measures Paddock and Apache ZooKeeper side by side, goal by goal, and prints a table.
//
// `make bench` runs it; the tests need the build tag bench, because they start Java and take half an hour. Server A is
// ZooKeeper as Debian ships it, server B is Paddock. Both have their data on the same disk and sync every write. Rounds
// are interleaved: each goal is measured on A and on B, one right after the other while the other is stopped by a signal,
// then the next goal, and all of it again in the next round with the order turned round. The table has the median of each
// side and the median of the ratios of the rounds.
//
// The goal doors compares gRPC and HTTP with those of etcd instead, which etcd.sh builds from the Go proxy.
//
// Nothing here fails for being slow. A test fails when a server does not start, drops a connection, or answers wrong.
//
// Settings, all from the environment:
//
//	PADDOCK_BIN     the binary
//	PADDOCK_ARGS    more arguments for `paddock serve`
//	BENCH_A         what to compare with: "java", the default, or another Paddock binary
//	BENCH_B         what to measure: a Paddock binary, by default that of PADDOCK_BIN, or "java"
//	ETCD_BIN        etcd 3.7, instead of what etcd.sh builds
//	BENCH_ROUNDS    rounds; default 5
//	BENCH_TRIES     how often a load is run again, at most, when other processes took more than 5 % of the machine; default 1
//	BENCH_DURATION  of measuring each load on each side in each round; default 4s
//	BENCH_LOAD      part of the names of the loads of doors to run, such as "gRPC: get"; default all
//	BENCH_ZNODES    znodes of the tests of memory, start and snapshots; default 1000000
//	BENCH_DIR       where the data directories are made; default the directory for temporary files
//	BENCH_OUT       file that the table is written to
//
// With -short everything is run once and small, which tells only that it runs. One goal alone is -run, for instance
// 'Goals/loads' or 'Goals/snapshot'.
//
// Method and results: docs/benchmarks.md.
package bench
