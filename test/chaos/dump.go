//go:build chaos

package chaos

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// entry is one znode as the protocol shows it.
type entry struct {
	Stat     zk.Stat
	Data     []byte
	Null     bool // data is null, not empty
	ACL      []zk.ACL
	Children []string // sorted
}

// String is for failure reports.
func (e *entry) String() string {
	data := fmt.Sprintf("%q", e.Data)
	if len(e.Data) > 60 {
		data = fmt.Sprintf("%q… (%d bytes)", e.Data[:60], len(e.Data))
	}
	return fmt.Sprintf("%+v data %s null %t acl %+v children %q", e.Stat, data, e.Null, e.ACL, e.Children)
}

// image is what a server shows.
type image struct {
	Znodes     map[string]*entry
	Sessions   []zk.SessionID            // sorted; from the word dump
	Ephemerals map[zk.SessionID][]string // sorted; from the word dump
}

// contextFor ends after d.
func contextFor(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

const dialDeadline = 20 * time.Second

// dial opens a session or takes one up.
func dial(addr string, opt client.Options) (*client.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialDeadline)
	defer cancel()
	return client.Dial(ctx, addr, opt)
}

// dialSuper opens a session for which no ACL counts.
func dialSuper(addr string) (*client.Conn, error) {
	c, err := dial(addr, client.Options{})
	if err != nil {
		return nil, err
	}
	r, err := c.Do(&zk.Request{Xid: zk.XidAuth, Op: zk.OpAuth, Path: "digest", Data: []byte(superUser)})
	if err == nil && r.Err != zk.OK {
		err = fmt.Errorf("the password of the super user: %v", r.Err)
	}
	if err != nil {
		c.Abandon()
		return nil, err
	}
	return c, nil
}

// walk reads every znode. Those that vanish meanwhile are left out.
func walk(c *client.Conn) (map[string]*entry, error) {
	out := map[string]*entry{}
	level := []string{"/"}
	for len(level) > 0 {
		var next []string
		for batch := range slices.Chunk(level, 200) {
			found, err := readAll(c, batch)
			if err != nil {
				return nil, err
			}
			maps.Copy(out, found)
			for path, e := range found {
				for _, name := range e.Children {
					next = append(next, strings.TrimSuffix(path, "/")+"/"+name)
				}
			}
		}
		level = next
	}
	return out, nil
}

// readAll reads some znodes, all requests at once.
func readAll(c *client.Conn, paths []string) (map[string]*entry, error) {
	type answer struct {
		path  string
		reply *zk.Reply
		err   error
	}
	answers := make(chan answer, 3*len(paths))
	ask := func(op zk.OpCode, path string) {
		c.Send(&zk.Request{Op: op, Path: path}, func(r *zk.Reply, err error) { answers <- answer{path, r, err} })
	}
	for _, p := range paths {
		ask(zk.OpGetData, p)
		ask(zk.OpGetACL, p)
		ask(zk.OpGetChildren2, p)
	}
	out, gone := map[string]*entry{}, map[string]bool{}
	for range 3 * len(paths) {
		a := <-answers
		if a.err != nil {
			return nil, fmt.Errorf("read %s: %w", a.path, a.err)
		}
		if a.reply.Err == zk.NoNode {
			gone[a.path] = true
			continue
		}
		if a.reply.Err != zk.OK {
			return nil, fmt.Errorf("read %s: %v", a.path, a.reply.Err)
		}
		e := out[a.path]
		if e == nil {
			e = &entry{}
			out[a.path] = e
		}
		e.Stat = a.reply.Stat
		switch a.reply.Op {
		case zk.OpGetData:
			e.Data, e.Null = a.reply.Data, a.reply.Data == nil
		case zk.OpGetACL:
			e.ACL = a.reply.ACL
		default:
			e.Children = a.reply.Names
			slices.Sort(e.Children)
		}
	}
	for p := range gone {
		delete(out, p)
	}
	return out, nil
}

// take reads a whole server. Sessions that it opens for that, and those in without, are left out.
func take(p *process) (*image, error) {
	c, err := dialSuper(p.addr())
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // nothing depends on it
	out := &image{}
	if out.Znodes, err = walk(c); err != nil {
		return nil, err
	}
	text, err := p.word("dump")
	if err != nil {
		return nil, err
	}
	out.Sessions, out.Ephemerals = parseDump(text)
	out.Sessions = slices.DeleteFunc(out.Sessions, func(s zk.SessionID) bool { return s == c.Session() })
	return out, nil
}

var (
	dumpSession   = regexp.MustCompile(`^\s+0x([0-9a-f]+)$`)
	dumpOwner     = regexp.MustCompile(`^0x([0-9a-f]+):$`)
	dumpEphemeral = regexp.MustCompile(`^\t(/.*)$`)
)

// parseDump reads the answer to the word dump: sessions first, then ephemerals by session.
func parseDump(text string) ([]zk.SessionID, map[zk.SessionID][]string) {
	var sessions []zk.SessionID
	ephemerals := map[zk.SessionID][]string{}
	head, rest, _ := strings.Cut(text, "ephemeral nodes dump:")
	for line := range strings.Lines(head) {
		if m := dumpSession.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			sessions = append(sessions, parseID(m[1]))
		}
	}
	rest, _, _ = strings.Cut(rest, "Connections dump:")
	var owner zk.SessionID
	for line := range strings.Lines(rest) {
		line = strings.TrimRight(line, "\n")
		if m := dumpOwner.FindStringSubmatch(line); m != nil {
			owner = parseID(m[1])
		} else if m := dumpEphemeral.FindStringSubmatch(line); m != nil {
			ephemerals[owner] = append(ephemerals[owner], m[1])
		}
	}
	slices.Sort(sessions)
	for _, list := range ephemerals {
		slices.Sort(list)
	}
	return sessions, ephemerals
}

func parseID(hex string) zk.SessionID {
	var v uint64
	fmt.Sscanf(hex, "%x", &v) //nolint:errcheck // the expression matched
	return zk.SessionID(v)
}

// differences lists how two servers differ, at most a few lines.
func differences(a, b *image) []string {
	const most = 10
	var out []string
	add := func(format string, args ...any) {
		if len(out) < most {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	paths := maps.Clone(a.Znodes)
	maps.Copy(paths, b.Znodes)
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		x, y := a.Znodes[p], b.Znodes[p]
		switch {
		case x == nil || y == nil:
			add("%s: first %v, second %v", p, x, y)
		case x.Stat != y.Stat || x.Null != y.Null || !bytes.Equal(x.Data, y.Data) || !reflect.DeepEqual(x.ACL, y.ACL) ||
			!slices.Equal(x.Children, y.Children):
			add("%s:\n   first %v\n  second %v", p, x, y)
		}
	}
	if !slices.Equal(a.Sessions, b.Sessions) {
		add("sessions: first %v, second %v", a.Sessions, b.Sessions)
	}
	if !reflect.DeepEqual(a.Ephemerals, b.Ephemerals) {
		add("ephemerals: first %v, second %v", a.Ephemerals, b.Ephemerals)
	}
	return out
}
