// Package quiet keeps log lines that strangers can cause down to one a minute for each cause.
//
// The doors call it, from any goroutine. A Lines has a mutex of its own and remembers a bounded number of causes; beyond
// that, all further ones share a line. It does not log, and has no clock: the caller says what time it is.
package quiet
