package cli

import (
	"fmt"
	"slices"
	"strings"

	"paddock/internal/zk"
)

const (
	// What a copy or a move holds at most that is done in one transaction. ZooKeeper takes requests of 1 MiB.
	atomicZnodes     = 2000
	atomicZnodesGRPC = 500 // each takes two of the 1000 operations that there may be
	atomicBytes      = 900_000
)

// runCopy copies a znode and all below it.
func runCopy(c *call) error { return c.transfer(false) }

// runMove does so and deletes what it has copied.
func runMove(c *call) error { return c.transfer(true) }

func (c *call) transfer(move bool) error {
	if len(c.args) != 3 {
		return c.usage()
	}
	from, to := c.args[1], c.args[2]
	for _, path := range []string{from, to} {
		if err := checkPath(path); err != nil {
			return err
		}
	}
	if to == from || strings.HasPrefix(to, strings.TrimSuffix(from, "/")+"/") {
		return failf("%s lies at or below %s", to, from)
	}
	if move && (from == "/" || system(from)) {
		return failf("%s cannot be moved", from)
	}
	if c.has("p") {
		if err := makeParents(c.ctx, c.sh.backend, to, false, zk.OpCreate, zk.Persistent); err != nil {
			return err
		}
	}
	if c.has("batches") {
		return c.transferInBatches(from, to, move)
	}
	return c.transferAtOnce(from, to, move)
}

// source visits what is to be transferred: requests that create it elsewhere.
func (c *call) source(from, to string, move bool, take func(n *node, req *zk.Request) error) error {
	kinds, known := kindsOf(c.sh.backend)
	hidden := 0
	w := walker{ctx: c.ctx, b: c.sh.backend, acls: true, deep: -1, see: func(n *node, _ int) (bool, error) {
		switch {
		case system(n.path) && !system(from):
			return false, nil
		case n.ephemeral() && move:
			return false, failf("%s is ephemeral: another session owns it, which moving would not keep", n.path)
		case n.ephemeral():
			c.warn("%s is ephemeral and was left out", n.path)
			return false, nil
		}
		path, err := moved(n.path, from, to)
		if err != nil {
			return false, err
		}
		req := &zk.Request{Op: zk.OpCreate, Path: path, Data: n.data, ACL: n.acl, TTLMS: -1}
		if known {
			mode, ttl, err := kinds.Kind(c.ctx, n.path)
			if err != nil {
				return false, refused(err, n.path)
			}
			switch {
			case mode == zk.Container:
				req.Op, req.Mode = zk.OpCreateContainer, mode
			case mode.IsTTL():
				req.Op, req.Mode, req.TTLMS = zk.OpCreateTTL, mode, ttl
			}
		}
		if hidesHashes(n.acl) {
			hidden++
		}
		return true, take(n, req)
	}}
	err := w.walk(from)
	c.warnHidden(hidden)
	return err
}

// transferAtOnce does it all in one transaction, which also checks that nothing has changed since it was read.
func (c *call) transferAtOnce(from, to string, move bool) error {
	var checks, creates, deletes []zk.Request
	bytes, most := 0, atomicZnodes
	if c.sh.connect.grpc {
		most = atomicZnodesGRPC
	}
	err := c.source(from, to, move, func(n *node, req *zk.Request) error {
		creates = append(creates, *req)
		bytes += requestBytes(req) + len(n.path)
		if move {
			deletes = append(deletes, zk.Request{Op: zk.OpDelete, Path: n.path, Version: n.stat.Version})
		} else {
			checks = append(checks, zk.Request{Op: zk.OpCheck, Path: n.path, Version: n.stat.Version})
		}
		if len(creates) > most || bytes > atomicBytes {
			return failf("this is more than fits in one transaction (%d znodes, %s); -batches does it in several", most, sizeText(atomicBytes))
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Reverse(deletes)
	if _, err := multi(c.ctx, c.sh.backend, slices.Concat(checks, creates, deletes)); err != nil {
		return err
	}
	c.warn("%s", c.transferred(move, len(creates)))
	return nil
}

func (c *call) transferred(move bool, n int) string {
	if move {
		return fmt.Sprintf("Moved %d znodes", n)
	}
	return fmt.Sprintf("Copied %d znodes", n)
}

// transferInBatches copies in several transactions, and deletes afterwards what was copied, if it is still as it was.
func (c *call) transferInBatches(from, to string, move bool) error {
	i := &importer{ctx: c.ctx, b: c.sh.backend, exists: "fail", p: newProgress(c.sh.errs, "copied", count(c.ctx, c.sh.backend, from))}
	type was struct {
		path    string
		version int32
	}
	var gone []was // one entry a znode: the names, not the data
	err := c.source(from, to, move, func(n *node, req *zk.Request) error {
		if move {
			gone = append(gone, was{n.path, n.stat.Version})
		}
		i.p.done++
		return i.add(req)
	})
	if err == nil {
		err = i.flush()
	}
	i.p.end("")
	if err != nil {
		return err
	}
	slices.Reverse(gone)
	for part := range slices.Chunk(gone, batchZnodes) {
		ops := make([]zk.Request, len(part))
		for k, g := range part {
			ops[k] = zk.Request{Op: zk.OpDelete, Path: g.path, Version: g.version}
		}
		if _, err := multi(c.ctx, c.sh.backend, ops); err != nil {
			return failf("%v\nall was copied, but not all of %s is deleted: it has changed meanwhile", err, from)
		}
	}
	c.warn("%s", c.transferred(move, int(i.p.znodes)))
	return nil
}
