// Package kazoo plays Debian's kazoo, the Python client, and its recipes against each target. The cases are in suite.py and the
// files it imports; suite.py says what each of them may use.
package kazoo
