package cli

// additions are the commands that ZooKeeper does not have.
func additions() []command {
	all := append(treeAdditions(), []command{
		{name: "watch", group: groupWatch, usage: "[-r] [-d] [-json] [-n count] path", short: "Follow the changes of a znode until interrupted", run: runWatch,
			long:    "Each change is a line. The data that -d prints is that of the moment it is read, which may be a later one.",
			options: flags("r", "of all below it too", "d", "print the new data", "json", "print JSON", "n count", "end after so many changes")},
		{name: "members", group: groupEnsemble, short: "List the servers of the ensemble, and how each is", run: runMembers,
			long: "Asks each with the four-letter word srvr, which has to be allowed there (it is by default)."},
		{name: "lock", group: groupTogether, usage: "[-w seconds] [-k seconds] [-v] path -- command [argument...]", short: "Run a command while holding a lock", run: runLock, options: holding(),
			long: "Ends with the exit code of the command; 124 if the lock was not got in time, 125 if it could not be got or was lost.\n" +
				"The command finds the znode that stands for the lock in " + holdPathEnv + " and in " + holdTokenEnv + " a number that is greater\n" +
				"for each later holder: a store that refuses smaller ones than it has seen is safe even from a holder that is late.\n" +
				"When the lock is lost the command gets SIGTERM, and later SIGKILL. Curator's InterProcessMutex waits in the same queue."},
		{name: "elect", group: groupTogether, usage: "[-w seconds] [-k seconds] [-v] [-id text] path -- command [argument...]", short: "Run a command while being the leader", run: runElect,
			options: options{list: append(holding().list, option{name: "id", value: "text", help: "what others see of this candidate (host:pid)"})},
			long:    "As lock, in the queue of Curator's LeaderLatch. Leadership ends with the command."},
		{name: "help", group: groupShell, usage: "[command]", short: "Tell about all commands, or more about one", shell: (*Shell).help, offline: true},
		{name: "exit", group: groupShell, short: "Close the session and leave", shell: (*Shell).quit},
	}...)
	for i := range all {
		all[i].own = true
	}
	return all
}

// holding are the options of lock and elect.
func holding() options {
	return flags("w seconds", "how long to wait; 0 for not at all (for ever)", "k seconds", "from SIGTERM to SIGKILL when it is lost (5)", "v", "tell when it is held")
}

// treeAdditions are those about trees.
func treeAdditions() []command {
	return []command{
		{name: "tree", group: groupTree, usage: "[-L depth] [-s] [-d] [path]", short: "Draw a znode and all below it", run: runTree,
			options: flags("L depth", "this many levels below it", "s", "with the size of the data", "d", "with the data")},
		{name: "find", group: groupTree, usage: "[-name glob] [-path glob] [-prefix text] [-kind kind] [-size N] [-age N] [-depth N] [-l] [path]",
			short: "List the znodes at and below one that fit", run: runFind,
			long: "Globs: * any text without a slash, ? one character, [a-z] one of several.",
			options: flags("name glob", "what the last name is like", "path glob", "what the whole path is like", "prefix text", "what the path begins with",
				"kind kind", "persistent, ephemeral, container, ttl, or leaf: without children", "size N", "bytes of data: 100, 2k; +1M for more, -1k for less",
				"age N", "since the data was last set: +2d for longer ago, -5m for less", "depth N", "this many levels below", "l", "with size and time")},
		{name: "export", group: groupTree, usage: "[-ephemerals] [path [file]]", short: "Write a znode and all below it as lines of JSON", run: runExport,
			long: "Without a file, to the standard output. Data, access lists and, where the protocol tells them, kinds are kept;\n" +
				"times and versions are not. With -grpc it is of one moment; otherwise what changes while it runs may be in it or not.",
			options: flags("ephemerals", "ephemerals too, which are left out otherwise")},
		{name: "import", group: groupTree, usage: "[-to path] [-if-exists fail|skip|overwrite] [-ephemerals] [file]", short: "Create what an export holds", run: runImport,
			long: "Without a file, from the standard input. What broke off goes on where it was with -if-exists skip.",
			options: flags("to path", "at another path than it was exported from", "if-exists what", "what to do about znodes that are there: fail, skip, overwrite (fail)",
				"ephemerals", "ephemerals too, as persistent znodes")},
		{name: "cp", group: groupTree, usage: "[-p] [-batches] source destination", short: "Copy a znode and all below it", run: runCopy, options: copying(),
			long: "In one transaction, which fails if something has changed since it was read. Ephemerals are left out."},
		{name: "mv", group: groupTree, usage: "[-p] [-batches] source destination", short: "Move a znode and all below it", run: runMove, options: copying(),
			long: "In one transaction, which fails if something has changed since it was read. There may be no ephemerals."},
		{name: "diff", group: groupTree, usage: "[-q] [-no-acl] [-ephemerals] host:port[/chroot]|@zxid[..zxid] [path]", short: "Compare a tree with another server's, or with what it was", run: runDiff,
			long: "Prints - for what is only here, + for what is only there, ~ for what differs. Exit code 0 if nothing does, 1 if something\ndoes, 2 if it could not be told.\n" +
				"With @zxid, over gRPC: - for what was deleted since, + for what was created, ~ for other data or access lists; with @zxid..zxid\nbetween the two. As far back as the server's history goes.",
			options: flags("q", "tell by the exit code alone", "no-acl", "leave access lists out", "ephemerals", "ephemerals too")},
	}
}

// copying are the options of cp and mv.
func copying() options {
	return flags("p", "create what is missing above the destination", "batches", "in several transactions, as is needed for much")
}
