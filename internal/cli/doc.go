// Package cli is the command line of a client: every command of ZooKeeper's zkCli.sh with its syntax, its output streams and its
// exit codes, and commands for trees, files, locks and other servers beside them.
//
// cmd/paddock calls Main, with the arguments behind `paddock cli`. A Shell reads commands from its arguments, from a pipe or from a
// terminal and runs them one at a time in the caller's goroutine; only what watches report is printed from another, by the
// screen, which is safe for that. Commands are rows of a table (commands.go); each sees a call: its options, its arguments, and
// the Backend, which takes requests as zk records. A command holds at most a few hundred znodes of a tree at a time,
// whatever the size of the tree, save where its help says otherwise.
//
// What zkCli.sh prints and exits with is the measure (ZooKeeperMain and org.apache.zookeeper.cli of 3.8, options as commons-cli
// reads them); differences that were chosen are listed in docs/compatibility.md.
package cli
