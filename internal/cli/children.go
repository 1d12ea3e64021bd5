package cli

import (
	"slices"
	"strings"

	"paddock/internal/zk"
)

// join is the path of a child.
func join(parent, name string) string {
	if parent == "/" {
		return "/" + name
	}
	return parent + "/" + name
}

// listed is a list as Java prints it.
func listed(names []string) string { return "[" + strings.Join(names, ", ") + "]" }

func runLs(c *call) error {
	if c.has("?") {
		c.cmd.describe(c.sh.out)
	}
	if len(c.args) < 2 {
		return c.usage()
	}
	path, watch := c.args[1], c.watched("ls", "ls [-w]")
	if c.has("R") {
		return c.listBelow(path, watch)
	}
	r, err := c.do(&zk.Request{Op: zk.OpGetChildren2, Path: path, Watch: watch})
	if err != nil {
		return err
	}
	slices.Sort(r.Names)
	c.println(listed(r.Names))
	if c.has("s") {
		printStat(c.sh.out, &r.Stat)
	}
	return nil
}

// listBelow prints a path and all below it, in ZooKeeper's order: the children of a znode, then what is below each.
func (c *call) listBelow(path string, watch bool) error {
	if _, err := c.do(&zk.Request{Op: zk.OpGetData, Path: path, Watch: watch}); err != nil {
		return err
	}
	c.println(path)
	return c.visit(path, watch, func(p string) error { c.println(p); return nil })
}

// visit calls see for all below a path, in ZooKeeper's order. A znode that is gone meanwhile is passed over.
func (c *call) visit(path string, watch bool, see func(path string) error) error {
	r, err := c.do(&zk.Request{Op: zk.OpGetChildren2, Path: path, Watch: watch})
	if isCode(err, zk.NoNode) {
		return nil
	}
	if err != nil {
		return err
	}
	slices.Sort(r.Names)
	for _, name := range r.Names {
		if err := see(join(path, name)); err != nil {
			return err
		}
	}
	for _, name := range r.Names {
		if err := c.visit(join(path, name), watch, see); err != nil {
			return err
		}
	}
	return nil
}

// breadth is a path and all below it, parents first.
func (c *call) breadth(path string) ([]string, error) {
	paths := []string{path}
	for i := 0; i < len(paths); i++ {
		r, err := c.do(&zk.Request{Op: zk.OpGetChildren2, Path: paths[i]})
		if err != nil {
			return nil, err
		}
		for _, name := range r.Names {
			paths = append(paths, join(paths[i], name))
		}
	}
	return paths, nil
}

func runChildrenNumber(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	r, err := c.do(&zk.Request{Op: zk.OpGetAllChildrenNumber, Path: c.args[1]})
	if err == nil {
		c.println(r.Number)
	}
	return err
}

func runEphemerals(c *call) error {
	path := "/"
	if len(c.args) > 1 {
		path = c.args[1]
	}
	r, err := c.do(&zk.Request{Op: zk.OpGetEphemerals, Path: path})
	if err == nil {
		slices.Sort(r.Names)
		c.println(listed(r.Names))
	}
	return err
}
