package cli

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"paddock/internal/zk"
)

const (
	batchDefault = 1000             // znodes that deleteall deletes in one transaction
	syncMost     = 30 * time.Second // how long sync waits
)

// dataText is how ZooKeeper prints data: null is printed as the word.
func dataText(data []byte) string {
	if data == nil {
		return "null"
	}
	return string(data)
}

// printStat prints a stat as ZooKeeper does.
func printStat(w io.Writer, s *zk.Stat) {
	day := func(ms int64) string { return time.UnixMilli(ms).Format("Mon Jan 02 15:04:05 MST 2006") }
	fmt.Fprintf(w, "cZxid = %v\nctime = %s\nmZxid = %v\nmtime = %s\npZxid = %v\ncversion = %d\ndataVersion = %d\naclVersion = %d\n"+
		"ephemeralOwner = 0x%x\ndataLength = %d\nnumChildren = %d\n", s.Czxid, day(s.CtimeMS), s.Mzxid, day(s.MtimeMS), s.Pzxid,
		s.Cversion, s.Version, s.Aversion, uint64(s.EphemeralOwner), s.DataLength, s.NumChildren)
}

// version is the value of -v, -1 without.
func (c *call) version() (int32, error) {
	if !c.has("v") {
		return -1, nil
	}
	n, err := strconv.ParseInt(c.set["v"], 10, 32)
	if err != nil {
		return 0, failf("the version %q is not a number", c.set["v"])
	}
	return int32(n), nil
}

// watched is the old way to ask for a watch: any word behind the path. It is told how to ask now, as in ZooKeeper.
func (c *call) watched(old, now string) bool {
	if len(c.args) > 2 {
		c.warn("'%s path [watch]' has been deprecated. Please use '%s path' instead.", old, now)
		return true
	}
	return c.has("w")
}

func runGet(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	watch := c.watched("get", "get [-s] [-w]")
	r, err := c.do(&zk.Request{Op: zk.OpGetData, Path: c.args[1], Watch: watch})
	if err != nil {
		return err
	}
	switch text := dataText(r.Data); {
	case c.has("x"):
		c.println(hexDump([]byte(text)))
	case c.has("b"):
		c.println(base64.StdEncoding.EncodeToString([]byte(text)))
	default:
		c.println(text)
	}
	if c.has("s") {
		printStat(c.sh.out, &r.Stat)
	}
	return nil
}

// hexDump is the form in which ZooKeeper 3.9 prints bytes, which is netty's.
func hexDump(data []byte) string {
	const rule = "+--------+-------------------------------------------------+----------------+"
	const columns = 16
	if len(data) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("         +-------------------------------------------------+\n" +
		"         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n" + rule)
	for i := 0; i < len(data); i += columns {
		row := data[i:min(i+columns, len(data))]
		fmt.Fprintf(&b, "\n|%08x|", i)
		for _, v := range row {
			b.WriteString(" " + hex.EncodeToString([]byte{v}))
		}
		b.WriteString(strings.Repeat("   ", columns-len(row)) + " |")
		for _, v := range row {
			if v <= 0x1f || v >= 0x7f {
				v = '.'
			}
			b.WriteByte(v)
		}
		b.WriteString(strings.Repeat(" ", columns-len(row)) + "|")
	}
	b.WriteString("\n" + rule)
	return b.String()
}

func runSet(c *call) error {
	if len(c.args) < 3 {
		return c.usage()
	}
	version, err := c.version()
	if err != nil {
		return err
	}
	data := []byte(c.args[2])
	if c.has("b") {
		if data, err = base64.StdEncoding.DecodeString(c.args[2]); err != nil {
			return failf("the data is not base64: %v", err)
		}
	}
	r, err := c.do(&zk.Request{Op: zk.OpSetData, Path: c.args[1], Data: data, Version: version})
	if err != nil {
		return err
	}
	if c.has("s") {
		printStat(c.sh.out, &r.Stat)
	}
	return nil
}

func runStat(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	r, err := c.do(&zk.Request{Op: zk.OpExists, Path: c.args[1], Watch: c.watched("stat", "stat [-w]")})
	if err != nil {
		return err
	}
	printStat(c.sh.out, &r.Stat)
	return nil
}

// createRequest is what the options of create ask for.
func (c *call) createRequest() (*zk.Request, error) {
	req := &zk.Request{Op: zk.OpCreate, TTLMS: -1}
	s, e, container, ttl := c.has("s"), c.has("e"), c.has("c"), c.has("t")
	if container && (e || s) {
		return nil, failf("-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.")
	}
	if ttl {
		var err error
		if req.TTLMS, err = strconv.ParseInt(c.set["t"], 10, 64); err != nil {
			return nil, failf("-t argument must be a long value")
		}
	}
	switch {
	case ttl && e:
		return nil, failf("TTLs cannot be used with Ephemeral znodes")
	case ttl && container:
		return nil, failf("TTLs cannot be used with Container znodes")
	case ttl && (req.TTLMS <= 0 || req.TTLMS > zk.TTLMaxMS):
		return nil, failf("ttl must be positive and cannot be larger than: %d", int64(zk.TTLMaxMS))
	case ttl && s:
		req.Op, req.Mode = zk.OpCreateTTL, zk.PersistentSequentialTTL
	case ttl:
		req.Op, req.Mode = zk.OpCreateTTL, zk.PersistentTTL
	case container:
		req.Op, req.Mode = zk.OpCreateContainer, zk.Container
	case e && s:
		req.Mode = zk.EphemeralSequential
	case e:
		req.Mode = zk.Ephemeral
	case s:
		req.Mode = zk.PersistentSequential
	}
	return req, nil
}

func runCreate(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	req, err := c.createRequest()
	if err != nil {
		return err
	}
	req.Path, req.ACL = c.args[1], zk.OpenACL
	if len(c.args) > 2 {
		req.Data = []byte(c.args[2])
	}
	if len(c.args) > 3 {
		req.ACL = c.parseACL(c.args[3])
	}
	var r *zk.Reply
	if len(req.ACL) == 0 {
		err = &codeError{code: zk.InvalidACL}
	} else {
		r, err = c.do(req)
	}
	if err == nil {
		c.warn("Created %s", r.Path)
		return nil
	}
	switch e := (*codeError)(nil); {
	case isCode(err, zk.EphemeralOnLocalSession):
		c.warn("Unable to create ephemeral node on a local session")
	case isCode(err, zk.InvalidACL):
		e, _ = err.(*codeError)
		c.warn("%s", e.keeper())
	}
	return err
}

func runDelete(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	if len(c.args) > 2 {
		c.warn("'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.")
	}
	version, err := c.version()
	if err != nil {
		return err
	}
	_, err = c.do(&zk.Request{Op: zk.OpDelete, Path: c.args[1], Version: version})
	return err
}

func runDeleteAll(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	batch := batchDefault
	if c.has("b") {
		n, err := strconv.ParseInt(c.set["b"], 10, 32)
		if err != nil {
			return failf("-b argument must be an int value")
		}
		if n < 1 {
			return failf("-b %d is no size of a batch; take 1 or more", n)
		}
		batch = int(n)
	}
	paths, err := c.breadth(c.args[1])
	if err != nil {
		return err
	}
	for len(paths) > 0 {
		n := min(batch, len(paths))
		ops := make([]zk.Request, 0, n)
		for i := len(paths) - 1; i >= len(paths)-n; i-- {
			ops = append(ops, zk.Request{Op: zk.OpDelete, Path: paths[i], Version: -1})
		}
		if _, err := multi(c.ctx, c.sh.backend, ops); err != nil {
			if e, ok := err.(*codeError); !ok || e.why != nil {
				return err // no server has refused it: the connection is lost
			}
			c.warn("Failed to delete some node(s) in the subtree!")
			return nil
		}
		paths = paths[:len(paths)-n]
	}
	return nil
}

// multi does all operations or none. The error is that of the operation that failed.
func multi(ctx context.Context, b Backend, ops []zk.Request) ([]zk.Reply, error) {
	r, err := do(ctx, b, &zk.Request{Op: zk.OpMulti, Ops: ops})
	if err != nil {
		return nil, err
	}
	for i, res := range r.Results {
		if res.Err != zk.OK && res.Err != zk.RuntimeInconsistency && i < len(ops) {
			return nil, &codeError{code: res.Err, path: ops[i].Path}
		}
	}
	return r.Results, nil
}

func runSync(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	ctx, cancel := context.WithTimeout(c.ctx, syncMost)
	defer cancel()
	_, err := do(ctx, c.sh.backend, &zk.Request{Op: zk.OpSync, Path: c.args[1]})
	if e, ok := errors.AsType[*codeError](err); ok {
		c.printf("Sync has failed. rc=%d\n", e.code)
		return nil
	}
	if err == nil {
		c.println("Sync is OK")
	}
	return err
}
