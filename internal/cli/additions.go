package cli

// additions are the commands that ZooKeeper does not have.
func additions() []command {
	all := []command{
		{name: "help", group: groupShell, usage: "[command]", short: "Tell about all commands, or more about one", shell: (*Shell).help, offline: true},
		{name: "exit", group: groupShell, short: "Close the session and leave", shell: (*Shell).quit},
	}
	for i := range all {
		all[i].own = true
	}
	return all
}
