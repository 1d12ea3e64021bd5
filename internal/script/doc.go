// Package script runs stories told as text: commands, a line of dashes, and what they are expected to print.
//
// Tests of pure packages call it with a function that carries out one command and returns what is to be seen. A file
// in testdata is a list of such pairs, separated by blank lines; lines that begin with # are comments:
//
//	# The server with the newest history leads.
//	start 1 zxid=0x100000002
//	settle
//	----
//	1: leading
//
// It has no state. With -rewrite the expectations are replaced by what was printed, for review like any other change.
package script
