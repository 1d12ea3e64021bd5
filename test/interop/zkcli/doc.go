// Package zkcli plays zkCli.sh, the command line of Java's client as Debian ships it, against each target: what it prints and
// the status it exits with are compared with the stories in testdata.
//
// Each story has a server of its own, so that zxids are those of the story. A block of a story is a command and what came of it:
//
//	$ zkCli.sh get /a          one command, given as arguments
//	$ zkCli.sh                 a session, whose commands are piped in, one line each
//	< get /a
//	out| hello                 its standard output
//	err| Node does not exist   its standard error
//	event| WatchedEvent …      what its watcher printed about nodes, whenever it came
//	exit| 0                    its exit status
//
// Times read <time>, session ids <session>, the server's address <server>. Left out are what the watcher prints about the
// connection, for the client may be gone before it does, and what the Java logging library says about having no back end.
// To record the stories anew: go test ./zkcli -args -target=java -rewrite
package zkcli
