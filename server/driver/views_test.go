package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/storage/tree"
)

// viewing is a rig that ticks every second, and a client of it.
func viewing(t *testing.T) (*rig, *peer) {
	r := newRig(t, &fakeLog{}, func(o *Options, _ *replica.Config) { o.TickEvery = time.Second }).run()
	return r, r.open()
}

func (r *rig) view(paths ...string) (*View, []tree.Ref) {
	r.t.Helper()
	v, refs, err := r.d.View(r.t.Context(), paths...)
	if err != nil {
		r.t.Fatal(err)
	}
	return v, refs
}

// living is how many views the tree keeps things for.
func (r *rig) living() int {
	synctest.Wait()
	r.d.views.mu.Lock()
	defer r.d.views.mu.Unlock()
	return len(r.d.views.list)
}

func TestAViewShowsItsMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := viewing(t)
		c.send(create(1, "/a"), create(2, "/a/b"))
		v, refs := r.view("/a", "/no", "/a/b")
		c.send(zk.Request{Xid: 3, Op: zk.OpDelete, Path: "/a/b", Version: -1}, create(4, "/a/c"), zk.Request{Xid: 5, Op: zk.OpSetData, Path: "/a", Data: []byte("new"), Version: -1})
		err := v.Read(func(tv *tree.View) error {
			found, _ := tv.Find("/a/b")
			if refs[0] == tree.None || refs[1] != tree.None || refs[2] != found || tv.Children(refs[0]) != 1 || len(tv.Data(refs[0])) != 0 {
				return fmt.Errorf("refs %v, %d children, data %q", refs, tv.Children(refs[0]), tv.Data(refs[0]))
			}
			return nil
		})
		if err != nil || v.Zxid() != 3 { // the session is zxid 1
			t.Errorf("at %v: %v", v.Zxid(), err)
		}
		v.Release()
		v.Release()
		if err := v.Read(nil); !errors.Is(err, ErrViewGone) || r.living() != 0 {
			t.Errorf("after its release: %v, %d live", err, r.living())
		}
		r.stop()
	})
}

func TestViewsOfOneMomentAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := viewing(t)
		a, _ := r.view()
		b, _ := r.view()
		if r.living() != 1 {
			t.Errorf("%d views of one moment", r.living())
		}
		c.send(create(1, "/a"))
		later, _ := r.view()
		if r.living() != 2 || later.Zxid() != 2 {
			t.Errorf("%d views, the newest at %v", r.living(), later.Zxid())
		}
		a.Release()
		a.Release()
		if err := b.Read(func(*tree.View) error { return nil }); err != nil {
			t.Errorf("the other holder: %v", err)
		}
		b.Release()
		later.Release()
		if r.living() != 0 {
			t.Errorf("%d views after the last release", r.living())
		}
		r.stop()
	})
}

func TestAViewThatIsForgottenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := viewing(t)
		idle, _ := r.view()
		c.send(create(1, "/a"))
		used, _ := r.view()
		look := func(v *View) error { return v.Read(func(*tree.View) error { return nil }) }
		for range viewLifeMax / (viewIdleMax / 2) {
			time.Sleep(viewIdleMax / 2)
			if err := look(used); err != nil {
				t.Fatalf("the view that is read: %v", err)
			}
		}
		if err := look(idle); !errors.Is(err, ErrViewGone) || r.living() != 1 {
			t.Errorf("the one that is not: %v, %d live", err, r.living())
		}
		time.Sleep(2 * time.Second)
		if err := look(used); !errors.Is(err, ErrViewGone) || r.living() != 0 {
			t.Errorf("after its time: %v, %d live", err, r.living())
		}
		r.stop()
	})
}

func TestTheViewThatRestedLongestMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := viewing(t)
		var all []*View
		for i := range viewsMax {
			c.send(create(int32(i), fmt.Sprint("/n", i)))
			v, _ := r.view()
			all = append(all, v)
			time.Sleep(time.Millisecond)
		}
		all[0].Read(func(*tree.View) error { return nil })
		c.send(create(100, "/more"))
		more, _ := r.view()
		if errors.Is(all[0].Read(func(*tree.View) error { return nil }), ErrViewGone) || !errors.Is(all[1].Read(nil), ErrViewGone) || r.living() != viewsMax {
			t.Errorf("%d live", r.living())
		}
		stop := make(chan struct{})
		var readers sync.WaitGroup
		for _, v := range append(all, more) {
			readers.Go(func() { v.Read(func(*tree.View) error { <-stop; return nil }) })
		}
		synctest.Wait()
		c.send(create(101, "/most"))
		if _, _, err := r.d.View(t.Context()); !errors.Is(err, ErrViewsBusy) {
			t.Errorf("with all being read: %v", err)
		}
		close(stop)
		readers.Wait()
		r.view()
		r.stop()
	})
}

func TestViewsEndWhenTheyKeepTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := viewing(t)
		c.send(create(1, "/a"))
		old, _ := r.view()
		c.send(create(2, "/b"))
		entered, leave := make(chan struct{}), make(chan struct{})
		reading, _ := r.view()
		var reader sync.WaitGroup
		reader.Go(func() { reading.Read(func(*tree.View) error { close(entered); <-leave; return nil }) })
		<-entered
		big := make([]byte, 1<<20)
		for i := range viewBytesMax>>20 + 2 {
			c.send(zk.Request{Xid: int32(i), Op: zk.OpSetData, Path: "/a", Data: big, Version: -1})
		}
		time.Sleep(2 * time.Second)
		if err := old.Read(nil); !errors.Is(err, ErrViewGone) {
			t.Errorf("the oldest: %v", err)
		}
		time.Sleep(2 * time.Second)
		if r.living() != 1 {
			t.Errorf("%d live", r.living())
		}
		close(leave)
		reader.Wait()
		if err := reading.Read(nil); !errors.Is(err, ErrViewGone) || r.living() != 0 {
			t.Errorf("the one that was being read: %v, %d live", err, r.living())
		}
		r.stop()
	})
}

func TestThereAreNoViewsOfAServerThatDoesNotServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := viewing(t)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if v, _, err := r.d.View(gone); v != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("who has left: %v", err)
		}
		r.stop()
		if _, _, err := r.d.View(t.Context()); !errors.Is(err, ErrNotServing) {
			t.Errorf("of a server that has stopped: %v", err)
		}
	})
}

// TestViewsAreReadWhileTheOwnerWrites is for the race detector, and for the digest that each view must have.
func TestViewsAreReadWhileTheOwnerWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := viewing(t)
		for i := range 200 {
			c.send(create(int32(i), fmt.Sprint("/n", i)))
		}
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for range 50 {
					v, refs, err := r.d.View(t.Context(), "/")
					if err != nil {
						t.Error(err)
						return
					}
					count := func() (n, bytes int) {
						_ = v.Read(func(tv *tree.View) error {
							for c := tv.FirstChild(refs[0]); c != tree.None; c = tv.NextSibling(c) {
								n++
								bytes += len(tv.Data(c)) + len(tv.Name(c)) + int(tv.Stat(c).Version)
							}
							return nil
						})
						return n, bytes
					}
					n, bytes := count()
					if again, same := count(); again != n || same != bytes {
						t.Errorf("%d children with %d, then %d with %d", n, bytes, again, same)
					}
					v.Release()
				}
			})
		}
		for i := range 500 {
			r.d.Submit(c.id, []zk.Request{
				{Xid: int32(i), Op: zk.OpSetData, Path: fmt.Sprint("/n", i%200), Data: make([]byte, i), Version: -1}, create(int32(i), fmt.Sprint("/more", i)),
				{Xid: int32(i), Op: zk.OpDelete, Path: fmt.Sprint("/more", i-3), Version: -1}}, nil)
		}
		readers.Wait()
		if r.living() != 0 {
			t.Errorf("%d live", r.living())
		}
		r.stop()
	})
}
