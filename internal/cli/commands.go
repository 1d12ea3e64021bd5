package cli

// The groups of the help, in order.
const (
	groupData     = "Znodes"
	groupTree     = "Trees"
	groupWatch    = "Watches"
	groupAccess   = "Access and quotas"
	groupEnsemble = "Ensemble"
	groupTogether = "Working together"
	groupShell    = "Session and shell"
)

var groups = []string{groupData, groupTree, groupWatch, groupAccess, groupEnsemble, groupTogether, groupShell}

// commands are all that there are: ZooKeeper's first, with its usage texts, then those of Paddock. A function, because what
// they run looks commands up.
func commands() []command {
	return append(append(append(zooData(), zooAccess()...), zooSession()...), additions()...)
}

const statHelp = "print the stat too"

// zooData are ZooKeeper's commands about znodes.
func zooData() []command {
	return []command{
		{name: "create", group: groupData, usage: "[-s] [-e] [-c] [-t ttl] path [data] [acl]", short: "Create a znode", run: runCreate,
			long:    "The path that was created is told on the standard error. An access list is written scheme:id:perms,…, such as\nworld:anyone:r,digest:ann:HASH=:cdrwa; permissions are c(reate) d(elete) r(ead) w(rite) a(dmin).",
			options: flags("s", "append a counter to the name", "e", "ephemeral: gone with the session", "c", "container: gone when its last child is", "t ttl", "time to live without children and changes, in milliseconds")},
		{name: "delete", group: groupData, usage: "[-v version] path", short: "Delete a znode without children", run: runDelete,
			options: flags("v version", "only if its data has this version")},
		{name: "deleteall", group: groupData, usage: "path [-b batch size]", short: "Delete a znode and all below it", run: runDeleteAll,
			long:    "Each batch goes in one transaction, the deepest znodes first.",
			options: flags("b size", "znodes in one transaction (1000)")},
		{name: "get", group: groupData, usage: "[-s] [-w] [-b] [-x] path", short: "Print the data of a znode", run: runGet,
			options: flags("s", statHelp, "w", "watch the data", "b", "print it in base64", "x", "print it as a hex dump")},
		{name: "set", group: groupData, usage: "path data [-s] [-v version] [-b]", short: "Set the data of a znode", run: runSet,
			options: flags("s", statHelp, "v version", "only if its data has this version", "b", "the data is given in base64")},
		{name: "stat", group: groupData, usage: "[-w] path", short: "Print the stat of a znode", run: runStat,
			options: flags("w", "watch whether it exists, and its data")},
		{name: "ls", group: groupTree, usage: "[-s] [-w] [-R] path", short: "List the children of a znode", run: runLs,
			options: flags("?", "print this help", "s", statHelp, "w", "watch the children", "R", "list all that is below, one path a line")},
		{name: "getAllChildrenNumber", group: groupTree, usage: "path", short: "Count the znodes below one", run: runChildrenNumber},
		{name: "getEphemerals", group: groupTree, usage: "path", short: "List this session's ephemerals, all or those below a path", run: runEphemerals},
		{name: "sync", group: groupData, usage: "path", short: "Wait until the server has all that the leader has", run: runSync},
	}
}

// zooAccess are ZooKeeper's commands about who may do what, quotas and the ensemble.
func zooAccess() []command {
	quota := func(value string) options {
		if value == "" {
			return flags("n", "the soft limit of znodes", "b", "the soft limit of bytes", "N", "the hard limit of znodes", "B", "the hard limit of bytes").exclusive(false)
		}
		return flags("n val", "num soft quota", "b val", "bytes soft quota", "N val", "num hard quota", "B val", "bytes hard quota").exclusive(true)
	}
	return []command{
		{name: "addauth", group: groupAccess, usage: "scheme auth", short: "Add an identity to this session, such as digest ann:secret", run: runAddAuth},
		{name: "getAcl", group: groupAccess, usage: "[-s] path", short: "Print who may do what to a znode", run: runGetACL, options: flags("s", statHelp)},
		{name: "setAcl", group: groupAccess, usage: "[-s] [-v version] [-R] path acl", short: "Set who may do what to a znode", run: runSetACL,
			options: flags("s", statHelp, "v version", "only if its access list has this version", "R", "all that is below it too")},
		{name: "whoami", group: groupAccess, short: "Print the identities of this session", run: runWhoAmI},
		{name: "setquota", group: groupAccess, usage: "-n|-b|-N|-B val path", short: "Limit how many znodes or bytes are at and below a znode", run: runSetQuota,
			long: "A soft limit that is exceeded is only told in the server's log. A hard one is kept, if the server enforces quotas.", options: quota("val")},
		{name: "listquota", group: groupAccess, usage: "path", short: "Print the limits of a znode and what is used", run: runListQuota},
		{name: "delquota", group: groupAccess, usage: "[-n|-b|-N|-B] path", short: "Remove limits of a znode", run: runDelQuota, options: quota("")},
		{name: "config", group: groupEnsemble, usage: "[-c] [-w] [-s]", short: "Print the members of the ensemble", run: runConfig,
			options: flags("s", statHelp, "w", "watch them", "c", "print their client addresses alone, to connect to")},
		{name: "reconfig", group: groupEnsemble, short: "Change the members of the ensemble", run: runReconfig,
			usage: "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
			options: flags("s", statHelp, "v version", "only if the configuration has this version, in hex", "file path", "take all members from a file",
				"members list", "all members: server.N=…, with commas between", "add list", "members to add or to change", "remove ids", "ids of members to remove")},
	}
}

// zooSession are ZooKeeper's commands about watches, the session and the shell.
func zooSession() []command {
	return []command{
		{name: "addWatch", group: groupWatch, usage: "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is PERSISTENT_RECURSIVE",
			short: "Watch a znode, or all below it, again and again", run: runAddWatch, options: flags("m mode", "PERSISTENT or PERSISTENT_RECURSIVE")},
		{name: "removewatches", group: groupWatch, usage: "path [-c|-d|-a] [-l]", short: "Remove watches of a znode", run: runRemoveWatches,
			options: flags("c", "those of its children", "d", "those of its data", "p", "persistent ones", "r", "persistent ones of all below it", "a", "all, as without an option", "l", "also when there is no connection")},
		{name: "printwatches", group: groupWatch, usage: "on|off", short: "Tell or set whether events are printed", shell: (*Shell).printWatches},
		{name: "close", group: groupShell, short: "Close the session", run: runClose},
		{name: "connect", group: groupShell, usage: "host:port", short: "Connect to another server, or to the same again", shell: (*Shell).reconnect},
		{name: "history", group: groupShell, short: "Print the last commands", shell: (*Shell).printHistory},
		{name: "redo", group: groupShell, usage: "cmdno", short: "Run a command of the history again", shell: (*Shell).redo},
		{name: "quit", group: groupShell, short: "Close the session and leave", shell: (*Shell).quit},
		{name: "version", group: groupShell, short: "Print the version", shell: (*Shell).printVersion, offline: true},
	}
}
