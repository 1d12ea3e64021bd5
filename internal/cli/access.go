package cli

import (
	"os"
	"strconv"
	"strings"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

// parseACL reads an access list as ZooKeeper's command line does: what is not understood is told and left out.
func (c *call) parseACL(text string) []zk.ACL {
	var list []zk.ACL
	for entry := range strings.SplitSeq(strings.TrimRight(text, ","), ",") {
		first, last := strings.IndexByte(entry, ':'), strings.LastIndexByte(entry, ':')
		if first == last {
			c.warn("%s does not have the form scheme:id:perm", entry)
			continue
		}
		a := zk.ACL{ID: zk.ID{Scheme: entry[:first], ID: entry[first+1 : last]}}
		for _, letter := range entry[last+1:] {
			perm := permOf(letter)
			if perm == 0 {
				c.warn("Unknown perm type: %c", letter)
			}
			a.Perms |= perm
		}
		list = append(list, a)
	}
	return list
}

// permOf is the permission of a letter; 0 for none.
func permOf(letter rune) zk.Perms {
	switch letter {
	case 'r':
		return zk.PermRead
	case 'w':
		return zk.PermWrite
	case 'c':
		return zk.PermCreate
	case 'd':
		return zk.PermDelete
	case 'a':
		return zk.PermAdmin
	default:
		return 0
	}
}

func runGetACL(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	r, err := c.do(&zk.Request{Op: zk.OpGetACL, Path: c.args[1]})
	if err != nil {
		return err
	}
	for _, a := range r.ACL {
		c.printf("'%s,'%s\n: %v\n", a.ID.Scheme, a.ID.ID, a.Perms)
	}
	if c.has("s") {
		printStat(c.sh.out, &r.Stat)
	}
	return nil
}

func runSetACL(c *call) error {
	if len(c.args) < 3 {
		return c.usage()
	}
	acl := c.parseACL(c.args[2])
	version, err := c.version()
	if err != nil {
		return err
	}
	set := func(path string) (*zk.Reply, error) {
		if len(acl) == 0 {
			return nil, &codeError{code: zk.InvalidACL}
		}
		return c.do(&zk.Request{Op: zk.OpSetACL, Path: path, ACL: acl, Version: version})
	}
	path := c.args[1]
	if !c.has("R") {
		r, err := set(path)
		if err == nil && c.has("s") {
			printStat(c.sh.out, &r.Stat)
		}
		return err
	}
	if _, err := c.do(&zk.Request{Op: zk.OpGetData, Path: path}); err != nil {
		return err
	}
	each := func(p string) error {
		_, err := set(p)
		if e, ok := err.(*codeError); ok && e.why == nil {
			c.printf("%s", e.keeper()) // without a line's end, as in ZooKeeper
			return nil
		}
		return err
	}
	if err := each(path); err != nil {
		return err
	}
	return c.visit(path, false, each)
}

func runAddAuth(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	req := &zk.Request{Op: zk.OpAuth, Path: c.args[1]}
	if len(c.args) > 2 {
		req.Data = []byte(c.args[2])
	}
	_, err := c.do(req)
	return err
}

func runWhoAmI(c *call) error {
	r, err := c.do(&zk.Request{Op: zk.OpWhoAmI})
	if err != nil {
		return err
	}
	c.println("Auth scheme: User")
	for _, id := range r.IDs {
		c.printf("%s: %s\n", id.Scheme, id.ID)
	}
	return nil
}

func runConfig(c *call) error {
	r, err := do(c.ctx, unrooted(c.sh.backend), &zk.Request{Op: zk.OpGetData, Path: zk.ConfigPath, Watch: c.has("w")})
	if err != nil {
		return err
	}
	if c.has("c") {
		c.println(clientAddresses(dataText(r.Data)))
	} else {
		c.println(dataText(r.Data))
	}
	if c.has("s") {
		printStat(c.sh.out, &r.Stat)
	}
	return nil
}

// clientAddresses is a configuration in one line: its version, and what each member's clients connect to.
func clientAddresses(text string) string {
	version := ""
	var addresses []string
	for line := range strings.SplitSeq(text, "\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case key == "version":
			version = value
		case strings.HasPrefix(key, "server."):
			_, client, _ := strings.Cut(value, ";")
			if client, _, _ = strings.Cut(client, ";"); client != "" && !strings.Contains(client, ":") {
				client = "0.0.0.0:" + client
			}
			addresses = append(addresses, client)
		}
	}
	return version + " " + strings.Join(addresses, ",")
}

func runReconfig(c *call) error {
	req, err := c.reconfigRequest()
	if err != nil {
		return err
	}
	r, err := do(c.ctx, unrooted(c.sh.backend), req)
	if err != nil {
		return err
	}
	c.println("Committed new configuration:\n" + string(r.Data))
	if c.has("s") {
		printStat(c.sh.out, &r.Stat)
	}
	return nil
}

// reconfigRequest is what the options of reconfig ask for.
func (c *call) reconfigRequest() (*zk.Request, error) {
	file, members, add, remove := c.has("file"), c.has("members"), c.has("add"), c.has("remove")
	m := &zk.Members{Joining: jute.Null(), Leaving: jute.Null(), Whole: jute.Null(), Version: -1}
	if !file && !members && !add && !remove {
		return nil, c.usage()
	}
	if c.has("v") {
		v, err := strconv.ParseInt(c.set["v"], 16, 64)
		if err != nil {
			return nil, failf("-v must be followed by a long (configuration version)")
		}
		m.Version = v
	}
	if (file || members) && (add || remove) {
		return nil, failf("Can't use -file or -members together with -add or -remove (mixing incremental and non-incremental modes is not allowed)")
	}
	if file && members {
		return nil, failf("Can't use -file and -members together (conflicting non-incremental modes)")
	}
	if add {
		m.Joining = strings.ToLower(c.set["add"])
	}
	if remove {
		m.Leaving = strings.ToLower(c.set["remove"])
	}
	if members {
		m.Whole = strings.ToLower(c.set["members"])
	}
	if file {
		text, err := os.ReadFile(c.set["file"])
		if err != nil {
			return nil, failf("Error processing %s%v", c.set["file"], err)
		}
		if m.Whole = membership(string(text)); m.Whole == "" {
			return nil, failf("Error processing %s: it has no line server.N=host:port:port", c.set["file"])
		}
	}
	return &zk.Request{Op: zk.OpReconfig, Members: m}, nil
}

// membership are the lines of a configuration file that say who is a member.
func membership(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		for _, key := range [...]string{"server.", "group.", "weight."} {
			if strings.HasPrefix(line, key) {
				lines = append(lines, line)
			}
		}
	}
	return strings.Join(lines, "\n")
}
