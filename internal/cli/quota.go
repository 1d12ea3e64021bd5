package cli

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"paddock/internal/zk"
)

// The znodes below /zookeeper/quota that hold the limits of a path and what is used.
const (
	limitsName = "zookeeper_limits"
	statsName  = "zookeeper_stats"
)

func limitsPath(path string) string { return zk.QuotaPath + path + "/" + limitsName }
func statsPath(path string) string  { return zk.QuotaPath + path + "/" + statsName }

// track is the data of those znodes: numbers by name. -1 is no limit.
type track map[string]int64

// The names in a track, by the options of setquota.
var trackNames = map[string]string{"n": "count", "b": "bytes", "N": "countHardLimit", "B": "byteHardLimit"}

// parseTrack reads count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=-1.
func parseTrack(data []byte) (track, error) {
	t := track{}
	for pair := range strings.FieldsFuncSeq(string(data), func(r rune) bool { return r == ',' || r == ';' }) {
		key, value, _ := strings.Cut(pair, "=")
		value = strings.TrimRight(value, "=")
		if value == "" {
			value = "-1"
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, failf("the quota %q is not understood", data)
		}
		t[key] = n
	}
	return t, nil
}

// get is a number, -1 if it is not there.
func (t track) get(name string) int64 {
	if n, ok := t[name]; ok {
		return n
	}
	return -1
}

// String is the form in which ZooKeeper stores a track. The equals sign before the first semicolon keeps its old readers from
// looking further.
func (t track) String() string {
	text := "count=" + strconv.FormatInt(t.get("count"), 10) + ",bytes=" + strconv.FormatInt(t.get("bytes"), 10)
	mark := "="
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if name != "count" && name != "bytes" {
			text += mark + ";" + name + "=" + strconv.FormatInt(t[name], 10)
			mark = ""
		}
	}
	return text
}

// track reads the track at a path.
func (c *call) track(path string) (track, error) {
	r, err := c.do(&zk.Request{Op: zk.OpGetData, Path: path})
	if err != nil {
		return nil, err
	}
	return parseTrack(r.Data)
}

func runListQuota(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	path := c.args[1]
	c.warn("absolute path is %s", limitsPath(path))
	limits, err := c.track(limitsPath(path))
	var used track
	if err == nil {
		used, err = c.track(statsPath(path))
	}
	if isCode(err, zk.NoNode) {
		c.warn("quota for %s does not exist.", path)
		return nil
	}
	if err != nil {
		return err
	}
	c.printf("Output quota for %s %v\nOutput stat for %s %v\n", path, limits, path, used)
	return nil
}

func runDelQuota(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	err := c.deleteQuota(c.args[1])
	if isCode(err, zk.NoNode) {
		c.warn("quota for %s does not exist.", c.args[1])
		return nil
	}
	return err
}

func (c *call) deleteQuota(path string) error {
	limits, err := c.track(limitsPath(path))
	if isCode(err, zk.NoNode) {
		c.printf("Quota does not exist for %s\n", path)
		return nil
	}
	if err != nil {
		return err
	}
	if len(c.set) > 0 {
		for letter := range c.set {
			limits[trackNames[letter]] = -1
		}
		_, err = c.do(&zk.Request{Op: zk.OpSetData, Path: limitsPath(path), Data: []byte(limits.String()), Version: -1})
		return err
	}
	children, err := c.do(&zk.Request{Op: zk.OpGetChildren2, Path: zk.QuotaPath + path})
	if err != nil {
		return err
	}
	for _, name := range children.Names {
		if _, err := c.do(&zk.Request{Op: zk.OpDelete, Path: zk.QuotaPath + path + "/" + name, Version: -1}); err != nil {
			return err
		}
	}
	for at := zk.QuotaPath + path; at != zk.QuotaPath; at = zk.ParentPath(at) {
		r, err := c.do(&zk.Request{Op: zk.OpGetChildren2, Path: at})
		if err != nil || len(r.Names) > 0 {
			return err
		}
		if _, err := c.do(&zk.Request{Op: zk.OpDelete, Path: at, Version: -1}); err != nil {
			return err
		}
	}
	return nil
}

func runSetQuota(c *call) error {
	if len(c.args) < 2 {
		return c.usage()
	}
	path := c.args[1]
	if strings.HasPrefix(path, zk.QuotaPath) {
		c.warn("cannot set a quota under the path: %s", zk.QuotaPath)
		return nil
	}
	wanted := track{"count": -1, "bytes": -1, "countHardLimit": -1, "byteHardLimit": -1}
	for letter, text := range c.set {
		bits, least, complaint := 64, int64(0), "the bytes quota must be greater than or equal to zero"
		if letter == "n" || letter == "N" {
			bits, least, complaint = 32, 1, "the num quota must be greater than zero"
		}
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			complaint = "NumberFormatException happens when parsing the option value"
		}
		if err != nil || n < least {
			c.warn("%s", complaint)
			return nil
		}
		wanted[trackNames[letter]] = n
	}
	if err := c.quotaAllowed(path); err != nil {
		return err
	}
	return c.putQuota(path, wanted)
}

// quotaAllowed refuses a quota on what does not exist, and one above or below another.
func (c *call) quotaAllowed(path string) error {
	if _, err := c.do(&zk.Request{Op: zk.OpExists, Path: path}); isCode(err, zk.NoNode) {
		return failf("%s does not exist.", path)
	} else if err != nil {
		return err
	}
	mine := zk.QuotaPath + path
	below := func(p string) error {
		if zk.BaseName(p) == limitsName && zk.ParentPath(p) != mine {
			return failf("%s has a child %s which has a quota", path, strings.TrimPrefix(zk.ParentPath(p), zk.QuotaPath))
		}
		return nil
	}
	if err := c.visit(mine, false, below); err != nil {
		return err
	}
	at := zk.QuotaPath
	names := strings.Split(path, "/")
	for _, name := range names[1 : len(names)-1] {
		at += "/" + name
		switch _, err := c.do(&zk.Request{Op: zk.OpExists, Path: at + "/" + limitsName}); {
		case err == nil:
			return failf("%s has a parent %s which has a quota", path, strings.TrimPrefix(at, zk.QuotaPath))
		case !isCode(err, zk.NoNode):
			return err
		}
	}
	return nil
}

// putQuota stores limits: -1 leaves one as it is.
func (c *call) putQuota(path string, wanted track) error {
	limits, err := c.track(limitsPath(path))
	if isCode(err, zk.NoNode) {
		return c.createQuota(path, wanted)
	}
	if err != nil {
		return err
	}
	for name, n := range wanted {
		if n > -1 {
			limits[name] = n
		}
	}
	used, err := c.track(statsPath(path))
	if err != nil {
		return err
	}
	c.exceeded(limits, used)
	_, err = c.do(&zk.Request{Op: zk.OpSetData, Path: limitsPath(path), Data: []byte(limits.String()), Version: -1})
	return err
}

// createQuota stores limits where there were none.
func (c *call) createQuota(path string, limits track) error {
	at := zk.QuotaPath
	create := func(path, data string) error {
		req := &zk.Request{Op: zk.OpCreate, Path: path, ACL: zk.OpenACL, TTLMS: -1}
		if data != "" {
			req.Data = []byte(data)
		}
		_, err := c.do(req)
		return err
	}
	for name := range strings.SplitSeq(path[1:], "/") {
		at += "/" + name
		if _, err := c.do(&zk.Request{Op: zk.OpExists, Path: at}); isCode(err, zk.NoNode) {
			err = create(at, "")
			if err != nil && !isCode(err, zk.NodeExists) {
				return err
			}
		} else if err != nil {
			return err
		}
	}
	if err := create(limitsPath(path), limits.String()); err != nil {
		return err
	}
	if err := create(statsPath(path), track{"count": 0, "bytes": 0}.String()); err != nil {
		return err
	}
	used, err := c.track(statsPath(path))
	if err == nil {
		c.exceeded(limits, used)
	}
	return err
}

// exceeded warns of limits that are exceeded already.
func (c *call) exceeded(limits, used track) {
	for _, of := range [...]struct{ name, soft, hard string }{{"count", "count", "countHardLimit"}, {"bytes", "bytes", "byteHardLimit"}} {
		n := used.get(of.name)
		over := func(limit int64) bool { return limit > -1 && limit < n }
		if over(limits.get(of.soft)) || over(limits.get(of.hard)) {
			c.printf("[Warning]: the %s quota you create is less than the existing %s:%d\n", of.name, of.name, n)
		}
	}
}
