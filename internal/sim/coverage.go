package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"paddock/storage/vfs"
)

// crashPoint is a kind of operation on a kind of file.
type crashPoint struct {
	op   vfs.Kind
	file string // as kindOf names it
}

// Coverage counts crashes by the operation that they came before, or failures by the operation that failed.
type Coverage map[crashPoint]int

// mustCrash are the operations that a server makes on its files. A crash before each must be tried out.
var mustCrash = []crashPoint{
	{vfs.KindMkdir, "directory"}, {vfs.KindMkdir, "version-2"}, {vfs.KindLock, "lock"},
	{vfs.KindSyncDir, "directory"}, {vfs.KindSyncDir, "version-2"},
	{vfs.KindCreate, "log"}, {vfs.KindWrite, "log"}, {vfs.KindSync, "log"}, {vfs.KindTruncate, "log"}, {vfs.KindRemove, "log"},
	{vfs.KindCreate, "spare log"}, {vfs.KindWrite, "spare log"}, {vfs.KindSync, "spare log"}, {vfs.KindRename, "spare log"},
	{vfs.KindRemove, "spare log"},
	{vfs.KindCreate, "unfinished snapshot"}, {vfs.KindWrite, "unfinished snapshot"}, {vfs.KindSync, "unfinished snapshot"},
	{vfs.KindRename, "unfinished snapshot"}, {vfs.KindRemove, "unfinished snapshot"},
	{vfs.KindRemove, "snapshot"}, {vfs.KindRemove, "initialize"},
}

// mustFail are the operations that the disk must have refused at least once.
var mustFail = []crashPoint{
	{vfs.KindMkdir, "directory"}, {vfs.KindMkdir, "version-2"}, {vfs.KindLock, "lock"}, {vfs.KindList, "version-2"},
	{vfs.KindSyncDir, "directory"}, {vfs.KindSyncDir, "version-2"},
	{vfs.KindCreate, "log"}, {vfs.KindWrite, "log"}, {vfs.KindSync, "log"}, {vfs.KindTruncate, "log"},
	{vfs.KindOpen, "log"}, {vfs.KindRead, "log"}, {vfs.KindStat, "log"},
	{vfs.KindCreate, "spare log"}, {vfs.KindWrite, "spare log"}, {vfs.KindSync, "spare log"}, {vfs.KindRename, "spare log"},
	{vfs.KindRemove, "spare log"},
	{vfs.KindCreate, "unfinished snapshot"}, {vfs.KindWrite, "unfinished snapshot"}, {vfs.KindSync, "unfinished snapshot"},
	{vfs.KindRename, "unfinished snapshot"}, {vfs.KindOpen, "snapshot"}, {vfs.KindRead, "snapshot"}, {vfs.KindStat, "snapshot"},
	{vfs.KindRemove, "log"}, {vfs.KindRemove, "snapshot"},
}

func (c *Coverage) add(p crashPoint) {
	if *c == nil {
		*c = Coverage{}
	}
	(*c)[p]++
}

// Merge adds the counts of another run.
func (c *Coverage) Merge(other Coverage) {
	for p, n := range other {
		if *c == nil {
			*c = Coverage{}
		}
		(*c)[p] += n
	}
}

// MissingCrashes are the operations that no crash has come before, though the server makes them.
func (c Coverage) MissingCrashes() []string { return c.missing(mustCrash) }

// MissingFailures are those that have never failed.
func (c Coverage) MissingFailures() []string { return c.missing(mustFail) }

func (c Coverage) missing(points []crashPoint) []string {
	var missing []string
	for _, p := range points {
		if c[p] == 0 {
			missing = append(missing, fmt.Sprintf("%v of %s", p.op, p.file))
		}
	}
	return missing
}

// Total is the sum.
func (c Coverage) Total() int {
	total := 0
	for _, n := range c {
		total += n
	}
	return total
}

// String is a table, one operation and file a line.
func (c Coverage) String() string {
	points := make([]crashPoint, 0, len(c))
	for p := range c {
		points = append(points, p)
	}
	slices.SortFunc(points, func(a, b crashPoint) int {
		return cmp.Or(cmp.Compare(a.op, b.op), cmp.Compare(a.file, b.file))
	})
	var b strings.Builder
	for _, p := range points {
		fmt.Fprintf(&b, "%8d %v of %s\n", c[p], p.op, p.file)
	}
	return b.String()
}
