package grpcapi

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"paddock/internal/zk"
	"paddock/server/driver"
	"paddock/storage/tree"
)

// Bounds of the lists of which a client may want another page. Those left for longest end first.
const (
	cursorsMax    = 256
	cursorRefsMax = 16 << 20 // znodes that places name, in all; a single list may go beyond it
	pageKept      = time.Minute
)

// cursor is a list of which there are more pages.
type cursor struct {
	id   uint64
	view *driver.View
	zxid zk.Zxid
	want string // which list it is
	asks string // whose
	top  tree.Ref

	mu   sync.Mutex // guards the fields below; held while a page is made
	seq  uint32     // of the page that comes next
	next place
	last place // where the page before began, as it may be asked for again

	used time.Time // guarded by cursors.mu
	refs int       // likewise
}

// cursors are the lists of which there are more pages.
type cursors struct {
	door *door

	mu    sync.Mutex // guards the fields below
	all   map[uint64]*cursor
	refs  int
	sweep *time.Timer // runs while there are any
}

// key tells lists apart whose pages are not each other's.
func (w *listing) key() string {
	return fmt.Sprintf("%q %q %v %v %v %v %v %d %v", w.path, w.filter.prefix, w.filter.glob, w.filter.kinds, w.withStat, w.withData, w.withACL, w.depth, w.whole)
}

// asksOf tells callers apart who must not see each other's pages.
func asksOf(a *asker) string { return fmt.Sprint(a.ids) }

// refsOf is how many znodes a place names.
func (p place) refsOf() (n int) {
	for i := range p {
		n += len(p[i].refs)
	}
	return n
}

// first makes the first page of a list, and keeps the list if there are more. It takes the view over.
func (cs *cursors) first(ctx context.Context, a *asker, want *listing, view *driver.View, top tree.Ref) (listPage, error) {
	c := &cursor{id: rand.Uint64(), view: view, zxid: view.Zxid(), want: want.key(), asks: asksOf(a), top: top}
	page := listPage{zxid: c.zxid}
	err := c.read(ctx, a, want, func(l *lister) (err error) {
		page.stat = l.Stat(top)
		start := place{{refs: []tree.Ref{top}}}
		if !want.whole {
			if start[0].refs, err = l.children(top, true); err != nil {
				return err
			}
		}
		c.last = start
		c.next, err = l.fill(start, &page)
		return err
	})
	if err != nil || c.next == nil {
		view.Release()
		return page, err
	}
	c.seq = 1
	page.token = c.token(c.seq)
	cs.keep(c)
	return page, nil
}

// read lets f see the cursor's view.
func (c *cursor) read(ctx context.Context, a *asker, want *listing, f func(*lister) error) error {
	err := c.view.Read(func(v *tree.View) error {
		return f(&lister{View: v, ctx: ctx, want: want, may: a.door.opt.Allowed, ids: a.ids})
	})
	if err != nil {
		return viewStatus(ctx, err)
	}
	return nil
}

// token names a page.
func (c *cursor) token(seq uint32) string {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], c.id)
	binary.BigEndian.PutUint32(b[8:], seq)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// page makes the page that a token stands for: the next one, or the last one once more.
func (cs *cursors) page(ctx context.Context, a *asker, want *listing, token string) (listPage, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != 12 {
		return listPage{}, invalid(want.path, "page_token %.40q is none that this call has given", token)
	}
	seq := binary.BigEndian.Uint32(b[8:])
	cs.mu.Lock()
	c := cs.all[binary.BigEndian.Uint64(b)]
	if c != nil {
		c.used = time.Now()
	}
	cs.mu.Unlock()
	if c == nil || c.asks != asksOf(a) {
		return listPage{}, pageGone()
	}
	if c.want != want.key() {
		return listPage{}, invalid(want.path, "page_token is of a list with other parameters")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	from := c.next
	switch {
	case seq+1 == c.seq:
		from = c.last
	case seq != c.seq || c.next == nil:
		return listPage{}, pageGone()
	}
	page := listPage{zxid: c.zxid}
	var next place
	err = c.read(ctx, a, want, func(l *lister) (err error) {
		page.stat = l.Stat(c.top)
		next, err = l.fill(from, &page)
		return err
	})
	if err != nil {
		return listPage{}, err
	}
	c.last, c.next, c.seq = from, next, seq+1
	if next != nil {
		page.token = c.token(c.seq)
	}
	cs.weigh(c)
	return page, nil
}

// keep adds a list.
func (cs *cursors) keep(c *cursor) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.door.stopping.Load() {
		c.view.Release()
		return
	}
	if cs.all == nil {
		cs.all = map[uint64]*cursor{}
	}
	c.used = time.Now()
	cs.all[c.id] = c
	c.refs = max(c.next.refsOf(), c.last.refsOf())
	cs.refs += c.refs
	for len(cs.all) > cursorsMax || cs.refs > cursorRefsMax && len(cs.all) > 1 {
		var idlest *cursor
		for _, other := range cs.all {
			if other != c && (idlest == nil || other.used.Before(idlest.used)) {
				idlest = other
			}
		}
		cs.drop(idlest)
	}
	if cs.sweep == nil {
		cs.sweep = time.AfterFunc(pageKept, cs.expire)
	}
}

// weigh notes how much a list takes now.
func (cs *cursors) weigh(c *cursor) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.all[c.id] == c {
		cs.refs -= c.refs
		c.refs = max(c.next.refsOf(), c.last.refsOf())
		cs.refs += c.refs
	}
}

// drop ends a list. cs.mu is held.
func (cs *cursors) drop(c *cursor) {
	delete(cs.all, c.id)
	cs.refs -= c.refs
	c.view.Release()
}

// expire ends the lists that were left for too long, and comes again as long as there are others.
func (cs *cursors) expire() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.all {
		if time.Since(c.used) >= pageKept {
			cs.drop(c)
		}
	}
	cs.sweep = nil
	if len(cs.all) > 0 {
		cs.sweep = time.AfterFunc(pageKept/4, cs.expire)
	}
}

// close ends all lists.
func (cs *cursors) close() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.sweep != nil {
		cs.sweep.Stop()
	}
	for _, c := range cs.all {
		cs.drop(c)
	}
}
