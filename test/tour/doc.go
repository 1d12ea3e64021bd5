// Package tour runs the commands that README.md and docs/api.md show, as a reader would, and compares what they print.
//
// Its test, with the build tag `tour`, takes every ```console block of the section "A five-minute tour" and plays the
// lines that begin with "$ " in one bash, in a directory that looks like a checkout after `make build`. What stands below
// a command is what it must print: "..." stands for any text within a line, and for any number of lines when it is alone.
// Each command must succeed. Whatever is still running at the end is killed.
//
// Beside it, the sample configuration in deploy/ is loaded.
//
// The tour uses Paddock's default ports, as a reader would: nothing else may listen on them meanwhile.
package tour
