package driver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
)

// Feed tells those who follow the changes what was applied; see its methods, which any goroutine may call.
type Feed struct{ d *Driver }

// Feed returns the feed of changes.
func (d *Driver) Feed() Feed { return Feed{d} }

// Now is the present state, and a channel that is closed once that is another.
func (f Feed) Now() (request.FeedState, <-chan struct{}) { return f.d.feed.now() }

// Read calls fn for each txn after the given zxid that has changed something and is in memory, oldest first, for no more than most
// txns, with all the changes of the txn. upTo is where to go on: nothing else has changed up to there. ok is false if memory does
// not go back to after; fn has not been called then. fn must not keep the slice.
func (f Feed) Read(after zk.Zxid, most int, fn func([]request.Change)) (upTo zk.Zxid, ok bool) {
	return f.d.feed.read(after, most, fn)
}

// ReadLog does so for what memory no longer holds, from the log on disk: for those changes that want asks for, and up to where Read
// can go on. The error is a *request.HistoryGoneError, fn's, or why the log cannot be read; fn may have been called by then.
func (f Feed) ReadLog(ctx context.Context, after zk.Zxid, want func(zk.EventType, string) bool, fn func([]request.Change) error) (upTo zk.Zxid, err error) {
	state, _ := f.Now()
	if after >= state.Oldest {
		return after, nil
	}
	if f.d.opt.ReadLog == nil {
		return after, &request.HistoryGoneError{Oldest: state.Oldest}
	}
	l := logFollower{ctx: ctx, d: f.d, want: want, fn: fn}
	err = f.d.opt.ReadLog(ctx, after, state.Oldest, l.record)
	if err == nil {
		err = l.flush()
	}
	switch {
	case errors.Is(err, errUnlisted):
		return after, &request.HistoryGoneError{Oldest: l.at}
	case err == ErrHistoryGone: // and nothing of the caller's
		return after, &request.HistoryGoneError{Oldest: state.Oldest}
	case err != nil:
		return after, err
	}
	return state.Oldest, nil
}

// errUnlisted tells of the end of a session whose ephemerals the log does not list.
var errUnlisted = errors.New("the log does not tell what a session that ended has left behind")

// How many changes from the log are judged by the tree at once, and how many bytes wait for it.
const (
	followBatch      = 128
	followBatchBytes = 1 << 20
)

// logFollower turns records of the log into changes.
type logFollower struct {
	ctx  context.Context
	d    *Driver
	want func(zk.EventType, string) bool
	fn   func([]request.Change) error
	at   zk.Zxid     // of the record that was read last
	list []logChange // that are wanted, of whole txns
	size int         // of their data
	acls knownACLs   // as the log goes on
}

// logChange is a change from the log.
type logChange struct {
	request.Change
	sure, parentSure bool // the log has told what ACL, ParentACL are
}

// record takes one txn.
func (l *logFollower) record(z zk.Zxid, payload []byte) error {
	l.at = z
	var rec txn.Record
	if err := rec.Decode(payload); err != nil {
		return fmt.Errorf("transaction log: %w", err)
	}
	for c := range rec.Changes {
		if c.Inferred {
			return errUnlisted
		}
		l.change(&c)
	}
	if len(l.list) < followBatch && l.size < followBatchBytes {
		return nil
	}
	return l.flush()
}

// clone keeps the difference between null and empty.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

// change takes one change, or access list.
func (l *logFollower) change(c *txn.Change) {
	wanted := l.want(c.Event, c.Path)
	before, known := l.acls.of[c.Path]
	if c.ACL == nil {
		c.ACL = zk.OpenACL // as the tree takes it
	}
	if (c.Event == zk.NodeACLChanged || c.Event == zk.NodeCreated) && (wanted || l.want(zk.NodeCreated, c.Path)) { // so is whatever happens to it later
		l.acls.set(c.Path, c.ACL)
	}
	if !wanted {
		return
	}
	ch := logChange{Change: request.Change{Kind: c.Event, Path: strings.Clone(c.Path), Zxid: c.Zxid, Session: c.Session, Data: clone(c.Data)}}
	ch.ACL, ch.sure = l.acls.of[ch.Path]
	if c.Event == zk.NodeACLChanged {
		ch.parentSure, ch.PreviousACL, ch.PreviousKnown = true, before, known // nobody asks for the parent's
		l.append(ch)
		return
	}
	ch.ParentACL, ch.parentSure = l.acls.of[zk.ParentPath(ch.Path)]
	if c.Event == zk.NodeDeleted {
		l.acls.forget(ch.Path)
	}
	l.append(ch)
}

func (l *logFollower) append(ch logChange) {
	l.list = append(l.list, ch)
	l.size += len(ch.Data)
}

// flush hands over what has gathered.
func (l *logFollower) flush() error {
	if len(l.list) == 0 {
		return nil
	}
	list := make([]request.Change, len(l.list))
	if !l.d.Inspect(l.ctx, func(r *replica.Replica, _ *Stats) {
		for i := range l.list {
			l.list[i].judge(r.Tree())
			list[i] = l.list[i].Change
		}
	}) {
		return fmt.Errorf("the server does not answer: %w", context.Cause(l.ctx))
	}
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].Zxid == list[0].Zxid {
			n++
		}
		if err := l.fn(list[:n:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	clear(l.list)
	l.list, l.size = l.list[:0], 0
	return nil
}

// judge takes from the tree what the log has not told of access lists. Unless that is certain the data is withheld: who may read a
// znode now, or what was above it, need not be who might read what it held then.
func (c *logChange) judge(t *tree.Tree) {
	if !c.sure {
		c.ACL, c.sure = aclAt(t, c.Path, c.Zxid)
	}
	if !c.parentSure {
		c.ParentACL, _ = aclAt(t, zk.ParentPath(c.Path), c.Zxid)
	}
	if !c.sure {
		c.Data, c.Guessed = nil, true
	}
}

// aclAt is the access list that a znode had at a zxid if that is sure: it is still there and its list is its first one. Otherwise it is
// the one that the znode has now, or its nearest ancestor.
func aclAt(t *tree.Tree, path string, z zk.Zxid) (list []zk.ACL, sure bool) {
	ref, there := t.Find(path)
	if there {
		s, first := t.Stored(ref), int32(0)
		if path == zk.ConfigPath {
			first--
		}
		return t.ACL(ref), s.Czxid <= z && s.Aversion == first
	}
	for !there {
		path = zk.ParentPath(path)
		ref, there = t.Find(path)
	}
	return t.ACL(ref), false
}

// knownACLsBytes bounds the access lists that are remembered of the log, roughly.
const knownACLsBytes = 4 << 20

// knownACLs are the access lists that the log has told, of znodes by their paths. It forgets all when they are too many.
type knownACLs struct {
	of    map[string][]zk.ACL
	last  []zk.ACL // which the next is likely to be like
	bytes int
}

// knownACLBytes is what an entry takes beside its path, or an identity beside its text.
const knownACLBytes = 64

// set takes the list of a znode.
func (k *knownACLs) set(path string, list []zk.ACL) {
	if !slices.Equal(list, k.last) {
		k.last = slices.Clone(list)
		for i := range k.last {
			id := &k.last[i].ID
			id.Scheme, id.ID = strings.Clone(id.Scheme), strings.Clone(id.ID)
			k.bytes += knownACLBytes + len(id.Scheme) + len(id.ID)
		}
	}
	if _, again := k.of[path]; !again {
		k.bytes += knownACLBytes + len(path)
	}
	if k.of == nil || k.bytes > knownACLsBytes {
		k.of, k.bytes = map[string][]zk.ACL{}, knownACLBytes+len(path)
	}
	k.of[strings.Clone(path)] = k.last
}

// forget tells that a znode is gone.
func (k *knownACLs) forget(path string) {
	if _, there := k.of[path]; there {
		k.bytes -= knownACLBytes + len(path)
		delete(k.of, path)
	}
}
