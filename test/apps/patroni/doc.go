// Package patroni runs Patroni, which keeps one of several PostgreSQL servers the primary by a lock in ZooKeeper: three members, each with a
// PostgreSQL of its own, and a writer whose acknowledged rows have to be there after whatever happens. Its tests need the build tag apps.
package patroni
