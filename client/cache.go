package client

import (
	"context"
	"errors"
	"path"
	"slices"
	"sync"
)

// Cached is a znode in a Cache.
type Cached struct {
	Data  []byte // not to be modified
	Mzxid uint64 // of the change that brought the data
}

// Cache is a copy of a subtree that follows the original, as far as the caller may read it. What it holds was all true at one zxid, which
// never goes back.
type Cache struct {
	root   string
	cancel context.CancelFunc
	ended  chan struct{} // closed when follow has returned

	mu       sync.RWMutex // guards all below
	znodes   map[string]Cached
	children map[string]map[string]struct{} // names, by path
	zxid     uint64
	changed  chan struct{} // closed and replaced with every change
	err      error
}

// Cache makes a copy of the subtree at path, which need not exist, and returns it once it is complete. It follows until ctx ends, or
// Close; if the history that it needs is gone, it begins anew by itself.
func (z *Znodes) Cache(ctx context.Context, root string) (*Cache, error) {
	ctx, cancel := context.WithCancel(ctx)
	c := &Cache{root: root, cancel: cancel, ended: make(chan struct{}), changed: make(chan struct{})}
	w, err := c.load(ctx, z, 0)
	if err != nil {
		cancel()
		return nil, err
	}
	go c.follow(ctx, z, w) // ends with ctx
	return c, nil
}

// Close ends it; the copy stays as it is.
func (c *Cache) Close() {
	c.cancel()
	<-c.ended
}

// Err is why the cache does not follow any more; nil while it does. ErrZxidAhead: the ensemble has lost what the copy holds.
func (c *Cache) Err() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.err
}

// Get returns a znode of the copy.
func (c *Cache) Get(p string) (Cached, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n, ok := c.znodes[p]
	return n, ok
}

// Children are the names of a znode's children, sorted.
func (c *Cache) Children(p string) []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := make([]string, 0, len(c.children[p]))
	for name := range c.children[p] {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// Zxid is the one that the copy is true at, and a channel that is closed when it is true at a later one.
func (c *Cache) Zxid() (uint64, <-chan struct{}) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.zxid, c.changed
}

// Wait returns once the copy is true at zxid or a later one: that of a write that is to be seen.
func (c *Cache) Wait(ctx context.Context, zxid uint64) error {
	for {
		at, changed := c.Zxid()
		if at >= zxid {
			return nil
		}
		select {
		case <-changed:
		case <-c.ended:
			return c.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// load fills the copy, with what is true at least or later, and returns a watch of what follows.
func (c *Cache) load(ctx context.Context, z *Znodes, least uint64) (*Watch, error) {
	z = z.notBefore(least)
	for {
		znodes, children, at, err := c.list(ctx, z)
		if errors.Is(err, ErrPageGone) {
			continue // the server is gone, or slow; the next list is on another
		}
		if err != nil {
			return nil, err
		}
		w, err := z.Watch(ctx, c.root, WatchOptions{Scope: Recursive, After: at, FromStart: true, Data: true, ACL: true, Progress: progressEvery})
		if errors.Is(err, ErrHistoryGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		c.znodes, c.children, c.zxid = znodes, children, at
		c.tell()
		c.mu.Unlock()
		return w, nil
	}
}

func (c *Cache) list(ctx context.Context, z *Znodes) (map[string]Cached, map[string]map[string]struct{}, uint64, error) {
	znodes, children, at := map[string]Cached{}, map[string]map[string]struct{}{}, uint64(0)
	for n, err := range z.Walk(ctx, c.root, ListOptions{Stat: true, Data: true}) {
		if errors.Is(err, ErrNoNode) {
			var e *Error
			if errors.As(err, &e) { // without a zxid there has been no transaction at all
				return znodes, children, e.Zxid, nil
			}
		}
		if err != nil {
			return nil, nil, 0, err
		}
		at = n.Zxid
		znodes[n.Path] = Cached{Data: n.Data, Mzxid: n.Stat.Mzxid}
		if n.Path != c.root {
			link(children, n.Path)
		}
	}
	return znodes, children, at, nil
}

func link(children map[string]map[string]struct{}, p string) {
	parent := path.Dir(p)
	if children[parent] == nil {
		children[parent] = map[string]struct{}{}
	}
	children[parent][path.Base(p)] = struct{}{}
}

// follow applies what the watch tells.
func (c *Cache) follow(ctx context.Context, z *Znodes, w *Watch) {
	defer close(c.ended)
	for {
		whole := true
		least, _ := c.Zxid()
		for e := range w.C {
			least = e.Zxid
			if whole = complete(e); !whole {
				w.Close()
				break
			}
			c.apply(e)
		}
		var err error
		if whole {
			err = w.Err()
		}
		if !whole || errors.Is(err, ErrHistoryGone) {
			if w, err = c.load(ctx, z, least); err == nil {
				continue
			}
		}
		c.mu.Lock()
		c.err = err
		c.mu.Unlock()
		return
	}
}

// complete tells whether an event has all that the copy needs. It has no data where the log of a server does not tell that any more, nor where
// an access list was set, by which more can be read now, or less.
func complete(e Event) bool {
	return !slices.ContainsFunc(e.Changes, func(ch Change) bool { return ch.Type != Deleted && ch.Data == nil })
}

func (c *Cache) apply(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range e.Changes {
		if ch.Type == Deleted {
			delete(c.znodes, ch.Path)
			delete(c.children, ch.Path)
			delete(c.children[path.Dir(ch.Path)], path.Base(ch.Path))
			continue
		}
		c.znodes[ch.Path] = Cached{Data: ch.Data, Mzxid: ch.Zxid}
		if ch.Path != c.root {
			link(c.children, ch.Path)
		}
	}
	c.zxid = e.Zxid
	c.tell()
}

func (c *Cache) tell() {
	close(c.changed)
	c.changed = make(chan struct{})
}
