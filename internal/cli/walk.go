package cli

import (
	"context"
	"slices"
	"strings"
	"sync"

	"paddock/internal/zk"
)

// readMost is how many znodes are read in one request: few enough for the largest data there can be.
const readMost = 32

// node is a znode as it was read.
type node struct {
	path     string
	data     []byte
	stat     zk.Stat
	children []string // sorted
	acl      []zk.ACL // if asked for
}

// ephemeral tells whether it dies with a session.
func (n *node) ephemeral() bool { return n.stat.EphemeralOwner != 0 }

// system tells whether a path is one that every server has of its own.
func system(path string) bool {
	return path == zk.SystemPath || strings.HasPrefix(path, zk.SystemPath+"/")
}

// read reads several znodes, readMost at most, at one zxid. Those that do not exist are nil. acls reads the access lists too,
// which may be a little newer.
func read(ctx context.Context, b Backend, paths []string, acls bool) ([]*node, error) {
	ops := make([]zk.Request, 0, 2*len(paths))
	for _, p := range paths {
		if err := checkPath(p); err != nil {
			return nil, err
		}
		ops = append(ops, zk.Request{Op: zk.OpGetData, Path: p}, zk.Request{Op: zk.OpGetChildren, Path: p})
	}
	r, err := do(ctx, b, &zk.Request{Op: zk.OpMultiRead, Ops: ops})
	if err != nil {
		return nil, err
	}
	if len(r.Results) != len(ops) {
		return nil, failf("the server answered %d of %d reads; it takes ZooKeeper 3.6 or newer", len(r.Results), len(ops))
	}
	nodes := make([]*node, len(paths))
	for i, p := range paths {
		data, children := &r.Results[2*i], &r.Results[2*i+1]
		if code := max(-data.Err, -children.Err); code != 0 {
			if -code == zk.NoNode {
				continue
			}
			return nil, &codeError{code: -code, path: p}
		}
		slices.Sort(children.Names)
		nodes[i] = &node{path: p, data: data.Data, stat: data.Stat, children: children.Names}
	}
	if acls {
		err = readACLs(ctx, b, nodes)
	}
	return nodes, err
}

// readACLs adds the access lists.
func readACLs(ctx context.Context, b Backend, nodes []*node) error {
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		if n == nil {
			continue
		}
		all.Go(func() { // ends with its request, which is waited for below
			r, err := do(ctx, b, &zk.Request{Op: zk.OpGetACL, Path: n.path})
			if isCode(err, zk.NoNode) {
				nodes[i] = nil
			} else if errs[i] = err; err == nil {
				n.acl = r.ACL
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// walker visits a znode and all below it, parents first, children by name.
type walker struct {
	ctx  context.Context
	b    Backend
	acls bool
	deep int // how many levels below the first; -1 for all
	// see is told of each znode; it may look at it and keep it. If it is not to be descended into, it says so.
	see func(n *node, level int) (descend bool, err error)
}

// walk visits the znode at a path, which must exist, and all below.
func (w *walker) walk(path string) error {
	nodes, err := read(w.ctx, w.b, []string{path}, w.acls)
	if err != nil {
		return err
	}
	if nodes[0] == nil {
		return &codeError{code: zk.NoNode, path: path}
	}
	return w.visit(nodes[0], 0)
}

func (w *walker) visit(n *node, level int) error {
	descend, err := w.see(n, level)
	if err != nil || !descend || level == w.deep {
		return err
	}
	n.data = nil // not held while its children are visited
	for names := range slices.Chunk(n.children, readMost) {
		paths := make([]string, len(names))
		for i, name := range names {
			paths[i] = join(n.path, name)
		}
		nodes, err := read(w.ctx, w.b, paths, w.acls)
		if err != nil {
			return err
		}
		for i, child := range nodes {
			nodes[i] = nil
			if child == nil {
				continue // gone meanwhile
			}
			if err := w.visit(child, level+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// count is about how many znodes there are at and below a path; 0 if the server does not tell.
func count(ctx context.Context, b Backend, path string) int64 {
	r, err := do(ctx, b, &zk.Request{Op: zk.OpGetAllChildrenNumber, Path: path})
	if err != nil {
		return 0
	}
	return int64(r.Number) + 1
}

// makeParents creates what is missing above a path, and with self the path itself, each with the open access list.
func makeParents(ctx context.Context, b Backend, path string, self bool, op zk.OpCode, mode zk.CreateMode) error {
	if err := checkPath(path); err != nil {
		return err
	}
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' || i == len(path) && (!self || path == "/") {
			continue
		}
		_, err := do(ctx, b, &zk.Request{Op: op, Mode: mode, Path: path[:i], ACL: zk.OpenACL, TTLMS: -1})
		if err != nil && !isCode(err, zk.NodeExists) {
			if isCode(err, zk.NoAuth) { // it may exist all the same
				if _, missing := do(ctx, b, &zk.Request{Op: zk.OpExists, Path: path[:i]}); missing == nil {
					continue
				}
			}
			return err
		}
	}
	return nil
}
