package cli

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// The exit codes of diff, as of the program of that name.
const (
	exitDiffers = 1
	exitTrouble = 2
)

// comparison is a run of diff.
type comparison struct {
	c     *call
	there Backend
	acls  bool
	keep  bool // compare ephemerals too
	root  string
	found int
}

// runDiff compares a tree with the one of another server, or with what it was.
func runDiff(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	if strings.HasPrefix(c.args[1], "@") {
		return runDiffPast(c)
	}
	t, err := c.sh.connect.target(c.args[1])
	if err != nil {
		return trouble(err)
	}
	d := comparison{c: c, root: "/", acls: !c.has("no-acl"), keep: c.has("ephemerals")}
	if len(c.args) > 2 {
		d.root = c.args[2]
	}
	d.there = connect(t, c.sh.connect, func(client.Notice) {})
	defer d.there.Close() // the session expires if the server does not hear of it
	if err := d.pairs([]string{d.root}); err != nil {
		return trouble(err)
	}
	if d.found > 0 {
		return &failure{code: exitDiffers}
	}
	return nil
}

// trouble is a failure to compare.
func trouble(err error) error { return &failure{err.Error(), exitTrouble} }

// say prints a difference.
func (d *comparison) say(mark, path, what string) {
	d.found++
	if d.c.has("q") {
		return
	}
	text := mark + " " + path
	if what != "" {
		text += "  " + what
	}
	d.c.println(text)
}

// pairs compares znodes with the same paths, and all below them.
func (d *comparison) pairs(paths []string) error {
	here, err := read(d.c.ctx, d.c.sh.backend, paths, d.acls)
	if err != nil {
		return err
	}
	there, err := read(d.c.ctx, d.there, paths, d.acls)
	if err != nil {
		return fmt.Errorf("%s: %w", d.c.args[1], err)
	}
	for i, path := range paths {
		a, b := d.counted(here[i]), d.counted(there[i])
		here[i], there[i] = nil, nil
		switch {
		case a == nil && b == nil:
			continue
		case b == nil:
			d.say("-", path, fmt.Sprintf("only here, with %d children", len(a.children)))
			continue
		case a == nil:
			d.say("+", path, fmt.Sprintf("only there, with %d children", len(b.children)))
			continue
		}
		d.contents(a, b)
		names := append(a.children, b.children...)
		slices.Sort(names)
		for part := range slices.Chunk(slices.Compact(names), readMost) {
			below := make([]string, 0, len(part))
			for _, name := range part {
				if p := join(path, name); !system(p) || system(d.root) {
					below = append(below, p)
				}
			}
			if err := d.pairs(below); err != nil {
				return err
			}
		}
		if err := d.c.sh.out.broken(); err != nil {
			return err
		}
	}
	return nil
}

// counted is a znode that is compared at all, or nil.
func (d *comparison) counted(n *node) *node {
	if n != nil && n.ephemeral() && !d.keep {
		return nil
	}
	return n
}

// contents compares what two znodes hold.
func (d *comparison) contents(a, b *node) {
	switch {
	case (a.data == nil) != (b.data == nil) || !bytes.Equal(a.data, b.data):
		d.say("~", a.path, fmt.Sprintf("data %s here, %s there", shown(a.data), shown(b.data)))
	case a.ephemeral() != b.ephemeral():
		d.say("~", a.path, "ephemeral on one side only")
	}
	if d.acls && !slices.Equal(a.acl, b.acl) {
		d.say("~", a.path, fmt.Sprintf("access list %s here, %s there", aclText(a.acl), aclText(b.acl)))
	}
	a.data, b.data = nil, nil
}

// aclText is an access list as it is written on the command line.
func aclText(acl []zk.ACL) string {
	text := ""
	for i, a := range acl {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf("%s:%s:%v", a.ID.Scheme, a.ID.ID, a.Perms)
	}
	return text
}
