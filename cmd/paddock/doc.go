// Command paddock is the server and its tools in one binary: serve, cli, status, wal dump, snapshot inspect, bench, version.
//
// Each subcommand is one file. They only parse flags, call the package that does the work, and print; results go to
// the standard output, everything else to the standard error.
package main
