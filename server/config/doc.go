// Package config turns a ZooKeeper configuration (zoo.cfg, its dynamic file, the -D words of the
// JVM flags, key=value arguments) into one validated Config.
//
// Callers: cmd/paddock loads a Config and hands it to package server; every other package gets
// plain values and never sees a key's name. All keys, their spellings, units, defaults and
// what becomes of them are rows of one registry (Keys); docs/configuration.md is generated from it.
//
// A Config is built by one call of Load in one goroutine and is not changed afterwards.
//
// Guarantees: every problem is found in one pass and reported with file, line, key and remedy; a
// value that ZooKeeper would read in a surprising way is read the same way and a notice says so; a
// key that asks for protection the server cannot give yet (SASL, revocation of certificates) stops the start instead of
// being dropped. Input is bounded: files beyond 1 MiB are refused.
//
// It does not open ports, create directories or log: notices and problems are values. The only I/O of Load is
// reading the configuration files and <dataDir>/myid through Source.ReadFile, and name look-ups through
// Source.LookupHost when a host name has to be compared. Files writes what a reconfiguration changes.
//
// Syntax: java.util.Properties (load from a Latin-1 stream). Rules: ZooKeeper's administrator's
// guide and the behaviour of its 3.8 server.
package config
