// Package curator plays Curator and its recipes, and the calls of Java's own client that Curator has no recipe for, as Debian
// ships them, against each target. The cases are under java; the test compiles them.
package curator
