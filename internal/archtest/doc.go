// Package archtest holds the house rules as tests: which package may import which, what the pure ring may not
// do, what is documented, and how large a file gets.
//
// Nobody imports it; `go test ./internal/archtest` runs it over the whole module. It reads source files and has
// no state. Each rule is a function from a Tree to findings, so that it can be run over small planted trees in
// testdata, which it must find guilty.
//
// The rules as data are in table.go; every exception there has its reason beside it. What it does not judge:
// generated code, testdata, and the modules in tools/ and test/interop/.
//
// Source of the rules: docs/architecture.md and CONTRIBUTING.md.
package archtest
