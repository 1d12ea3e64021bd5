package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"paddock/consensus/quorum"
)

// checkServerID reads <dataDir>/myid, or decides what to write there. sound: the server list has no problems.
func (l *loader) checkServerID(sound bool) {
	c := l.c
	if c.DataDir == "" {
		return
	}
	path := c.MyIDPath()
	wanted, hasWanted := l.wantedID()
	data, err := l.src.readFile(path)
	switch {
	case err == nil:
		l.readID(path, string(data), wanted, hasWanted)
	case errors.Is(err, fs.ErrPermission): // of the directory, mostly
		l.problems = append(l.problems, Problem{Problem: fmt.Sprintf("%s cannot be read: %s", path, plain(err)),
			Fix: "check owner and mode of the file and of its directory", Exit: ExitDataDir})
		return
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR): // a dataDir that is a file is found when it is opened
		l.problems = append(l.problems, Problem{Problem: fmt.Sprintf("%s cannot be read: %s", path, plain(err)), Fix: "check its owner and mode"})
		return
	case hasWanted:
		c.ServerID, c.HasServerID, c.WriteMyID = wanted, true, true
	case !c.Members.Standalone && sound && l.parsed("myid") && c.Members.Membership != nil:
		l.problems = append(l.problems, Problem{Problem: path + " is missing", Fix: l.missingFix(path)})
	}
	if c.HasServerID {
		l.checkListed(path, sound)
	}
}

// readID takes the first line of the file. Blanks round it are forgiven.
func (l *loader) readID(path, text string, wanted int64, hasWanted bool) {
	c := l.c
	line, _, _ := strings.Cut(text, "\n")
	line = javaTrim(line)
	id, err := strconv.ParseInt(line, 10, 64)
	switch {
	case err != nil:
		l.problems = append(l.problems, Problem{Problem: fmt.Sprintf("%s contains %q, expected %s", path, cut(line), l.expectedIDs()), Fix: "write this server's id"})
		return
	case id < 0:
		l.problems = append(l.problems, Problem{Problem: fmt.Sprintf("%s is %d, but ids must not be negative", path, id), Fix: "write this server's id"})
		return
	}
	c.ServerID, c.HasServerID = id, true
	if hasWanted && id != wanted && !strings.EqualFold(l.c.settings["myid"].Value, "auto") {
		l.problem(l.at("myid"), fmt.Sprintf("myid %d was asked for, but %s is %d", wanted, path, id), "the file is never overwritten: remove the setting, or the file if it is wrong")
	}
}

// cut shortens text from a file that may hold anything.
func cut(s string) string {
	const charsMax = 80
	if r := []rune(s); len(r) > charsMax {
		return string(r[:charsMax]) + "…"
	}
	return s
}

func (l *loader) expectedIDs() string {
	if m := l.c.Members.Membership; m != nil && len(m.Servers) > 0 {
		return "one of " + m.IDs()
	}
	return "a number"
}

// checkListed refuses ids that the ensemble cannot use. A standalone server may have any.
func (l *loader) checkListed(path string, sound bool) {
	c := l.c
	if c.Members.Standalone {
		return
	}
	if _, ok := c.Members.Membership.Server(quorum.ServerID(c.ServerID)); !ok && sound && c.Members.Membership != nil {
		text := fmt.Sprintf("%s is %d but %s lists %s", path, c.ServerID, l.listFile(), c.Members.Membership.IDs())
		fix := "correct the file, or add this server to the list"
		if c.Members.ReconfigEnabled {
			fix = "correct the file; or, for a server that reconfig is to add (again), add its own line to the list, which says where it listens"
		}
		l.problems = append(l.problems, Problem{Problem: text, Fix: fix})
	}
	if c.Znodes.ExtendedTypes && (c.ServerID > 254 || c.ServerID < 1) {
		l.problems = append(l.problems, Problem{Problem: fmt.Sprintf("server id %d must be 1..254 when extendedTypesEnabled=true", c.ServerID),
			Fix: "give the server another id, or set extendedTypesEnabled=false"})
	}
}

func (l *loader) listFile() string {
	if l.c.Members.DynamicFile != "" {
		return l.c.Members.DynamicFile
	}
	if l.c.File != "" {
		return l.c.File
	}
	return "the command line"
}

// wantedID is the id asked for by the key myid, or by the environment.
func (l *loader) wantedID() (int64, bool) {
	text, e := l.c.settings["myid"].Value, l.at("myid")
	if text == "" {
		text, e = l.src.MyID, entry{key: "myid", origin: Origin{Kind: OriginFlag, Name: "PADDOCK_MYID"}}
	}
	if text == "" {
		return 0, false
	}
	if strings.EqualFold(text, "auto") {
		return l.automaticID(e)
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 0 {
		l.problem(e, fmt.Sprintf("%q is neither a number nor auto", text), "write this server's id")
		return 0, false
	}
	return id, true
}

// automaticID is PADDOCK_MYID, else the ordinal at the end of a StatefulSet's host name plus one.
func (l *loader) automaticID(e entry) (int64, bool) {
	if id, err := strconv.ParseInt(l.src.MyID, 10, 64); err == nil && id >= 0 {
		return id, true
	}
	name, _, _ := strings.Cut(l.src.Hostname, ".")
	_, ordinal, ok := lastCut(name, "-")
	if id, err := strconv.ParseInt(ordinal, 10, 32); ok && err == nil && id >= 0 {
		return id + 1, true
	}
	l.problem(e, fmt.Sprintf("myid=auto, but the host name %q does not end in -<number>", l.src.Hostname), "set PADDOCK_MYID, or write the number")
	return 0, false
}

func lastCut(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// missingFix suggests the id whose address is this host's, when there is exactly one.
func (l *loader) missingFix(path string) string {
	m := l.c.Members.Membership
	var match []quorum.ServerID
	for _, s := range m.Servers {
		if l.isLocal(s) {
			match = append(match, s.ID)
		}
	}
	if len(match) == 1 {
		return fmt.Sprintf("this host's addresses match server.%d, so: echo %d > %s", match[0], match[0], path)
	}
	return fmt.Sprintf("write this server's id, one of %s: echo N > %s", m.IDs(), path)
}

// isLocal reports whether a member's address is one of this host's.
func (l *loader) isLocal(s quorum.Server) bool {
	for _, a := range s.Addresses {
		short, _, _ := strings.Cut(a.Host, ".")
		own, _, _ := strings.Cut(l.src.Hostname, ".")
		if own != "" && (strings.EqualFold(a.Host, l.src.Hostname) || strings.EqualFold(short, own)) {
			return true
		}
		for _, addr := range l.addresses(a.Host) {
			for _, local := range l.src.LocalAddrs {
				if addr == local.Unmap() {
					return true
				}
			}
		}
	}
	return false
}
