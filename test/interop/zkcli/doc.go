// Package zkcli plays zkCli.sh, the command line of Java's client as Debian ships it, against each target: what it prints and
// the status it exits with are compared with the stories in testdata. Then it plays `paddock cli` in its place, which has to
// say the same.
//
// Each story has a server of its own, so that zxids are those of the story. A block of a story is a command and what came of it:
//
//	$ zkCli.sh get /a          one command, given as arguments
//	$ zkCli.sh/part …          the same, with /part as the root
//	$ zkCli.sh                 a session, whose commands are piped in, one line each
//	< get /a
//	out| hello                 its standard output
//	err| Node does not exist   its standard error
//	event| WatchedEvent …      what its watcher printed about nodes, whenever it came
//	exit| 0                    its exit status
//
// Times read <time>, session ids <session>, the server's address <server>. Left out are what the watcher prints about the
// connection, for the client may be gone before it does, what the Java logging library says about having no back end, the names
// of Java classes, and the list of all commands that follows one that is not known.
// To record the stories anew: go test ./zkcli -args -target=java -rewrite
package zkcli
