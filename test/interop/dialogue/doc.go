// Package dialogue runs a client program written in another language and turns what it says into subtests.
//
// The suites under test/interop call it. The program is given the server's address as its last argument and speaks on its
// standard output, one line each:
//
//	case a lock is handed to the next waiter     a case begins; its name is a sentence
//	server stop|start|kill|restart               asks for this to be done to the server
//	pass                                         the case ends well
//	fail it was never released                   the case ends badly, and why
//
// A server line is answered on standard input, once it is done, with "done" or with "error" and the reason. What the program
// writes to standard error, and every other line, is kept and shown if a case fails. A program that ends inside a case, says no
// case at all, exits with a status other than 0, or outlives its deadline fails the test. Whatever processes it started are
// killed with it.
package dialogue
