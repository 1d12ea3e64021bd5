package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"paddock/internal/zk"
)

const (
	// What one transaction of an import or a copy holds at most.
	batchZnodes = 500
	batchBytes  = 256 << 10
)

// runExport writes a znode and all below it as JSON lines.
func runExport(c *call) error {
	root := "/"
	if len(c.args) > 1 {
		root = c.args[1]
	}
	if err := checkPath(root); err != nil {
		return err
	}
	if len(c.args) < 3 || c.args[2] == "-" {
		return c.export(root, c.sh.out)
	}
	// Written beside and renamed at the end: an export that breaks off leaves no file that looks whole.
	partial := c.args[2] + ".partial"
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return failf("%v", err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = c.export(root, w)
	if err == nil {
		err = errors.Join(w.Flush(), f.Sync())
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(partial, c.args[2])
	}
	if err != nil {
		_ = os.Remove(partial) // what failed is told
	}
	return err
}

// exporting is an export that runs.
type exporting struct {
	c       *call
	root    string
	out     *json.Encoder
	begun   bool
	p       *progress
	skipped int
	hidden  int // access lists without the hashes that are in them
}

func (c *call) export(root string, to io.Writer) error {
	e := &exporting{c: c, root: root, out: json.NewEncoder(to)}
	e.out.SetEscapeHTML(false)
	e.p = newProgress(c.sh.errs, "exported", count(c.ctx, c.sh.backend, root))
	var err error
	if m, ok := momentOf(c.sh.backend); ok {
		err = m.Tree(c.ctx, root, e.record)
		err = refusedIf(err, root)
	} else {
		err = e.walk()
	}
	if err != nil {
		return err
	}
	e.p.end(fmt.Sprintf("; %d ephemerals left out", e.skipped))
	c.warnHidden(e.hidden)
	return nil
}

// refusedIf is refused for what may be no error.
func refusedIf(err error, path string) error {
	if err == nil {
		return nil
	}
	return refused(err, path)
}

// left tells whether a znode is left out, and what is below it.
func (e *exporting) left(n *node) bool {
	if system(n.path) && !system(e.root) {
		return true
	}
	if n.ephemeral() && !e.c.has("ephemerals") {
		e.skipped++
		return true
	}
	return false
}

// record writes a znode, after the header if it is the first.
func (e *exporting) record(at zk.Zxid, n *node, mode zk.CreateMode, ttlMS int64) error {
	if !e.begun {
		e.begun = true
		if err := e.out.Encode(header{Format: exportFormat, Root: e.root, Zxid: at.String()}); err != nil {
			return failf("%v", err)
		}
	}
	if e.left(n) {
		return nil
	}
	e.p.add(len(n.data))
	if hidesHashes(n.acl) {
		e.hidden++
	}
	if err := errors.Join(e.out.Encode(newRecord(n, mode, ttlMS)), e.c.sh.out.broken()); err != nil {
		return failf("%v", err)
	}
	return nil
}

// hidesHashes tells of an access list without the hashes of its digests, as who may not administer a znode is shown it.
func hidesHashes(list []zk.ACL) bool {
	return slices.ContainsFunc(list, func(a zk.ACL) bool { return a.ID.Scheme == "digest" && strings.HasSuffix(a.ID.ID, ":x") })
}

// warnHidden tells that so many access lists are not as they are.
func (c *call) warnHidden(n int) {
	if n > 0 {
		c.warn("note: the access lists of %d znodes have digests whose hashes are hidden from you, as you may not administer them; what has these lists shuts their owners out", n)
	}
}

// walk exports znode by znode: each as it is when it is read.
func (e *exporting) walk() error {
	c := e.c
	c.warn("note: ZooKeeper's protocol does not tell containers and TTL znodes from persistent ones; they are exported as these")
	first, err := c.do(&zk.Request{Op: zk.OpExists, Path: e.root})
	if err != nil {
		return err
	}
	w := walker{ctx: c.ctx, b: c.sh.backend, acls: true, deep: -1, see: func(n *node, _ int) (bool, error) {
		mode := zk.Persistent
		if n.ephemeral() {
			mode = zk.Ephemeral
		}
		return !system(n.path) || system(e.root), e.record(first.Zxid, n, mode, 0)
	}}
	return w.walk(e.root)
}

// importer creates what an export holds.
type importer struct {
	ctx      context.Context
	b        Backend
	exists   string // fail, skip, overwrite
	batch    []zk.Request
	lines    []int // from which the batch was read
	bytes    int
	line     int // that is being read, or that failed
	p        *progress
	skipped  int
	replaced int
}

func runImport(c *call) error {
	i := &importer{ctx: c.ctx, b: c.sh.backend, exists: "fail"}
	if c.has("if-exists") {
		i.exists = c.set["if-exists"]
	}
	if i.exists != "fail" && i.exists != "skip" && i.exists != "overwrite" {
		return failf("-if-exists %s is none of fail, skip, overwrite", i.exists)
	}
	from, total := c.sh.streams.In, int64(0)
	if len(c.args) > 1 && c.args[1] != "-" {
		f, err := os.Open(c.args[1])
		if err != nil {
			return failf("%v", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			total = info.Size()
		}
		from = f
	}
	r, err := readRecords(from)
	if err != nil {
		return err
	}
	i.p = newProgress(c.sh.errs, "imported", total)
	to := r.head.Root
	if c.has("to") {
		to = c.set["to"]
	}
	if err := makeParents(c.ctx, c.sh.backend, to, false, zk.OpCreate, zk.Persistent); err != nil {
		return err
	}
	ephemerals, err := i.all(r, to, c.has("ephemerals"))
	if err != nil {
		i.p.end(", then it failed at line " + fmt.Sprint(i.line) + "; run it again with -if-exists skip to go on")
		return err
	}
	i.p.end(fmt.Sprintf("; %d were there and left as they are, %d overwritten; %d ephemerals left out", i.skipped, i.replaced, ephemerals))
	return nil
}

// all imports every record, moved from the root of the export to another. If it fails i.line is the line that did; what is before it has been imported.
func (i *importer) all(r *records, to string, keep bool) (ephemerals int, err error) {
	for {
		var rec record
		err := r.next(&rec)
		i.line = r.line
		if errors.Is(err, io.EOF) {
			return ephemerals, i.flush()
		}
		if err != nil {
			return 0, errors.Join(i.flush(), err)
		}
		if rec.Mode == modeEphemeral && !keep {
			ephemerals++
			continue
		}
		path, err := moved(rec.Path, r.head.Root, to)
		if err != nil {
			return 0, errors.Join(i.flush(), err)
		}
		req, err := rec.request(path)
		if err != nil {
			return 0, errors.Join(i.flush(), err)
		}
		if err := i.add(req); err != nil {
			return 0, err
		}
		i.p.done = r.read
	}
}

// moved is a path below one root as it is below another.
func moved(path, from, to string) (string, error) {
	if path == from {
		return to, nil
	}
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(from, "/")+"/")
	if !ok {
		return "", failf("%s is not below %s", path, from)
	}
	return join(to, rest), nil
}

// add queues a znode.
func (i *importer) add(req *zk.Request) error {
	size := requestBytes(req)
	if len(i.batch) > 0 && (len(i.batch) == batchZnodes || i.bytes+size > batchBytes) {
		if err := i.flush(); err != nil {
			return err
		}
	}
	i.batch, i.lines, i.bytes = append(i.batch, *req), append(i.lines, i.line), i.bytes+size
	return nil
}

// requestBytes is about how long a request is.
func requestBytes(req *zk.Request) int {
	const fixed = 64 // header, lengths, flags
	n := fixed + len(req.Path) + len(req.Data)
	for _, a := range req.ACL {
		n += fixed + len(a.ID.Scheme) + len(a.ID.ID)
	}
	return n
}

// flush creates what is queued, in one transaction if nothing of it is there yet, and one by one if something is.
func (i *importer) flush() error {
	batch, lines := i.batch, i.lines
	i.batch, i.lines, i.bytes = i.batch[:0], i.lines[:0], 0
	if len(batch) == 0 {
		return nil
	}
	_, err := multi(i.ctx, i.b, batch)
	if e, ok := errors.AsType[*codeError](err); err != nil && (!ok || e.why != nil) {
		i.line = lines[0]
		return err
	}
	for k := range batch {
		if err != nil {
			made, err := i.one(&batch[k])
			if err != nil {
				i.line = lines[k]
				return err
			}
			if !made {
				continue
			}
		}
		i.p.znodes, i.p.bytes = i.p.znodes+1, i.p.bytes+int64(len(batch[k].Data))
	}
	i.p.tell()
	return nil
}

// one creates a znode, or does with the one that is there what was asked for; made tells whether it was created.
func (i *importer) one(req *zk.Request) (made bool, err error) {
	err = &codeError{code: zk.NodeExists, path: "/"}
	if req.Path != "/" {
		_, err = do(i.ctx, i.b, req)
	}
	switch {
	case !isCode(err, zk.NodeExists):
		return err == nil, err
	case i.exists == "skip", req.Path == "/" && i.exists == "fail" && req.Data == nil:
		i.skipped++
		return false, nil
	case i.exists == "fail":
		return false, failf("%v; -if-exists skip leaves what is there, -if-exists overwrite replaces it", err)
	}
	i.replaced++
	if _, err := do(i.ctx, i.b, &zk.Request{Op: zk.OpSetData, Path: req.Path, Data: req.Data, Version: -1}); err != nil {
		return false, err
	}
	_, err = do(i.ctx, i.b, &zk.Request{Op: zk.OpSetACL, Path: req.Path, ACL: req.ACL, Version: -1})
	return false, err
}
