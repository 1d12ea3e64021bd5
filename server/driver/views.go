package driver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/storage/tree"
)

// Errors of views and of the history.
var (
	// ErrNotServing tells that the server has nothing to show now: it has no quorum, or keeps out of the way of clients.
	ErrNotServing = errors.New("the server does not serve; ask another, or this one later")
	// ErrViewGone tells that a View was held for too long, or had to make room. What was read in it is true still.
	ErrViewGone = errors.New("the view of the tree is gone; begin anew")
	// ErrViewsBusy tells that there are as many views as there may be, and all are being read.
	ErrViewsBusy = errors.New("too many views of the tree are being read; try again")
)

// What bounds the views that are held: how many there are, how long one may rest, how long it may live in all, and how many bytes
// of memory are kept for their sake, beyond which the oldest end first. A view that must end does so once nobody is reading it.
const (
	viewsMax     = 32
	viewIdleMax  = time.Minute
	viewLifeMax  = 10 * time.Minute
	viewBytesMax = 128 << 20
)

// View is the tree at one moment, held by one caller for as long as it takes to tell somebody all of a list. Views that are asked for while
// nothing changes share one moment. The methods may be called from any goroutine.
type View struct {
	views *views
	of    *frozen // nil once it was released; guarded by views.mu
}

// frozen is a view that was taken of the tree; views.mu guards it.
type frozen struct {
	tree    *tree.Tree
	view    *tree.View
	zxid    zk.Zxid
	holders int
	readers int
	ended   bool // nobody begins to read it any more
	made    time.Time
	used    time.Time // last
}

// views are all that live.
type views struct {
	release func(*tree.View) // has the owner release it

	mu   sync.Mutex // guards the field below, and all that hangs on it
	list []*frozen  // by the moment they were made
}

// View holds the tree as it is at a moment after the call, and finds the given paths in it: refs has one for each, None for what is not
// there. The caller must Release it. The error is ErrNotServing, ErrViewsBusy, or that the server does not answer.
func (d *Driver) View(ctx context.Context, paths ...string) (*View, []tree.Ref, error) {
	type found struct {
		view *View
		refs []tree.Ref
		err  error
	}
	got, err := ask(ctx, d, func(r *replica.Replica) (f found) {
		switch {
		case ctx.Err() != nil:
			f.err = context.Cause(ctx) // nobody would release it
		case !r.Answers():
			f.err = ErrNotServing
		default:
			f.view, f.err = d.views.take(r.Tree(), time.Now())
		}
		if f.err != nil {
			return f
		}
		for _, path := range paths {
			ref, _ := r.Tree().Find(path)
			f.refs = append(f.refs, ref)
		}
		return f
	})
	if err != nil {
		return nil, nil, err
	}
	return got.view, got.refs, got.err
}

// take is called by the owner. It shares the newest view if that shows the tree as it is.
func (vs *views) take(t *tree.Tree, now time.Time) (*View, error) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if n := len(vs.list); n > 0 {
		if f := vs.list[n-1]; f.tree == t && f.zxid == t.Zxid() && !f.ended {
			f.holders++
			f.used = now
			return &View{vs, f}, nil
		}
	}
	if len(vs.list) >= viewsMax && !vs.makeRoom() {
		return nil, ErrViewsBusy
	}
	f := &frozen{tree: t, view: t.FreezeZnodes(), zxid: t.Zxid(), holders: 1, made: now, used: now}
	vs.list = append(vs.list, f)
	return &View{vs, f}, nil
}

// makeRoom ends the view that has rested longest.
func (vs *views) makeRoom() bool {
	var idlest *frozen
	for _, f := range vs.list {
		if f.readers == 0 && (idlest == nil || f.used.Before(idlest.used)) {
			idlest = f
		}
	}
	if idlest != nil {
		vs.end(idlest)
	}
	return idlest != nil
}

// end sees to it that a view is not read any more, and is released once nobody does.
func (vs *views) end(f *frozen) {
	f.ended = true
	if f.readers > 0 || f.view == nil {
		return
	}
	vs.list = slices.DeleteFunc(vs.list, func(other *frozen) bool { return other == f })
	vs.release(f.view)
	f.view = nil
}

// sweep ends the views whose time is over, those of a tree that has been replaced, and the oldest ones while more memory is kept than may
// be. The owner calls it now and then.
func (vs *views) sweep(t *tree.Tree, now time.Time) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	kept := t.ViewBytes() > viewBytesMax
	for _, f := range slices.Clone(vs.list) {
		if kept || f.tree != t || now.Sub(f.made) > viewLifeMax || f.readers == 0 && now.Sub(f.used) > viewIdleMax {
			kept = false // one at a time: what it has kept is known after its release
			vs.end(f)
		}
	}
}

// Zxid is the zxid that the view shows the tree at.
func (v *View) Zxid() zk.Zxid {
	v.views.mu.Lock()
	defer v.views.mu.Unlock()
	if v.of == nil {
		return 0
	}
	return v.of.zxid
}

// Read calls f with the view, which stays as it is until f returns; nothing of it may be kept but copies, access lists and Refs. It
// returns f's error, or ErrViewGone.
func (v *View) Read(f func(*tree.View) error) error {
	of := v.enter()
	if of == nil {
		return ErrViewGone
	}
	defer v.views.leave(of)
	return f(of.view)
}

func (v *View) enter() *frozen {
	v.views.mu.Lock()
	defer v.views.mu.Unlock()
	if v.of == nil || v.of.ended {
		return nil
	}
	v.of.readers++
	return v.of
}

func (vs *views) leave(f *frozen) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	f.readers--
	f.used = time.Now()
	if f.ended || f.holders == 0 {
		vs.end(f)
	}
}

// Release gives the view back. A second time does nothing.
func (v *View) Release() {
	v.views.mu.Lock()
	defer v.views.mu.Unlock()
	f := v.of
	if f == nil {
		return
	}
	v.of = nil
	if f.holders--; f.holders == 0 {
		v.views.end(f)
	}
}
