package cli

import (
	"context"
	"fmt"
	"strings"

	"paddock/internal/zk"
)

func runAddWatch(c *call) error {
	if len(c.args) != 2 {
		return c.usage()
	}
	mode := zk.AddPersistentRecursive
	if c.has("m") {
		switch strings.ToUpper(c.set["m"]) {
		case "PERSISTENT":
			mode = zk.AddPersistent
		case "PERSISTENT_RECURSIVE":
		default:
			return c.usage()
		}
	}
	_, err := c.do(&zk.Request{Op: zk.OpAddWatch, Path: c.args[1], Arg: int32(mode)})
	return err
}

func runRemoveWatches(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	kind := zk.WatcherAny
	switch {
	case c.has("c"):
		kind = zk.WatcherChildren
	case c.has("d"):
		kind = zk.WatcherData
	case c.has("p"):
		kind = zk.WatcherPersistent
	case c.has("r"):
		kind = zk.WatcherPersistentRecursive
	}
	_, err := c.do(&zk.Request{Op: zk.OpRemoveWatches, Path: c.args[1], Arg: int32(kind)})
	if c.has("l") && isCode(err, zk.ConnectionLoss) {
		return nil // there is no server that could remember them
	}
	return err
}

func runClose(c *call) error {
	_ = c.sh.backend.Close() // the session expires if the server does not hear of it
	return nil
}

// printVersion prints the version in ZooKeeper's form.
func (s *Shell) printVersion(_ context.Context, words []string) error {
	if len(words) > 1 {
		return failf("%s", lookup("version").usageLine())
	}
	fmt.Fprintln(s.out, "ZooKeeper CLI version: "+s.version)
	return nil
}
