package gozk

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

func playStat(w *world) {
	c := w.client()
	path := w.create(c, "/abc", zk.FlagPersistent)
	data, first, err := c.Get(path)
	w.must(err)
	equal(w, string(data), "/abc")
	equal(w, *first, zk.Stat{Czxid: first.Czxid, Mzxid: first.Czxid, Pzxid: first.Czxid, Ctime: first.Ctime, Mtime: first.Ctime, DataLength: 4})
	second, err := c.Set(path, []byte("longer than before"), 0)
	w.must(err)
	equal(w, second.Version, 1)
	equal(w, second.DataLength, 18)
	w.create(c, "/abc/x", zk.FlagPersistent)
	w.create(c, "/abc/y", zk.FlagPersistent)
	w.must(c.Delete(path+"/x", 0))
	children, third, err := c.Children(path)
	w.must(err)
	equal(w, strings.Join(children, ","), "y")
	equal(w, third.Cversion, 3)
	equal(w, third.NumChildren, 1)
	equal(w, third.Mzxid, second.Mzxid)
	if third.Pzxid <= second.Mzxid || second.Mzxid <= first.Czxid {
		w.Fatalf("zxids do not grow: %+v", third)
	}
	synced, err := c.Sync(path)
	w.must(err)
	equal(w, synced, path)
}

func playErrors(w *world) {
	c := w.client()
	everyone := zk.WorldACL(zk.PermAll)
	path := w.create(c, "/a", zk.FlagPersistent)
	ephemeral := w.create(c, "/e", zk.FlagEphemeral)
	_, err := c.Create(path, nil, 0, everyone)
	w.is(err, zk.ErrNodeExists)
	_, err = c.Create(path+"/missing/b", nil, 0, everyone)
	w.is(err, zk.ErrNoNode)
	_, err = c.Create(ephemeral+"/child", nil, 0, everyone)
	w.is(err, zk.ErrNoChildrenForEphemerals)
	_, err = c.Create(path+"/x", nil, 0, nil)
	w.is(err, zk.ErrInvalidACL)
	_, err = c.Create(path+"/x", nil, 0, zk.AuthACL(zk.PermAll))
	w.is(err, zk.ErrInvalidACL)
	_, _, err = c.Get(path + "/missing")
	w.is(err, zk.ErrNoNode)
	_, err = c.Set(path, nil, 9)
	w.is(err, zk.ErrBadVersion)
	w.is(c.Delete(path, 9), zk.ErrBadVersion)
	w.create(c, "/a/b", zk.FlagPersistent)
	w.is(c.Delete(path, -1), zk.ErrNotEmpty)
	_, err = c.SetACL(path, everyone, 9)
	w.is(err, zk.ErrBadVersion)
}

func playSequences(w *world) {
	c := w.client()
	equal(w, w.create(c, "/n-", zk.FlagSequence), w.root+"/n-0000000000")
	equal(w, w.create(c, "/", zk.FlagSequence), w.root+"/0000000001")
	w.must(c.Delete(w.root+"/0000000001", -1))
	equal(w, w.create(c, "/e-", zk.FlagEphemeralSequential), w.root+"/e-0000000002")
	protected, err := c.CreateProtectedEphemeralSequential(w.root+"/p-", nil, zk.WorldACL(zk.PermAll))
	w.must(err)
	if !strings.HasSuffix(protected, "-p-0000000003") {
		w.Fatalf("protected node is %s", protected)
	}
}

func playSizes(w *world) {
	c := w.client()
	for _, size := range []int{0, 1, 1000, 100_000, 1_000_000} {
		want := bytes.Repeat([]byte{0, 0xff, 'x', '\n'}, size/4+1)[:size]
		path := fmt.Sprintf("%s/%d", w.root, size)
		_, err := c.Create(path, want, 0, zk.WorldACL(zk.PermAll))
		w.must(err)
		got, stat, err := c.Get(path)
		w.must(err)
		equal(w, int(stat.DataLength), size)
		if !bytes.Equal(got, want) {
			w.Fatalf("%d bytes changed", size)
		}
	}
}

func playPipelining(w *world) {
	const workers, rounds = 50, 20
	c := w.client()
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for round := range rounds {
				path := fmt.Sprintf("%s/%d-%d", w.root, worker, round)
				if _, err := c.Create(path, []byte(path), 0, zk.WorldACL(zk.PermAll)); err != nil {
					w.Error(err)
				}
				if data, _, err := c.Get(path); err != nil || string(data) != path {
					w.Errorf("get %s: %q, %v", path, data, err)
				}
			}
		})
	}
	all.Wait()
	children, _, err := c.Children(w.root)
	w.must(err)
	equal(w, len(children), workers*rounds)
}

func playMulti(w *world) {
	c := w.client()
	everyone := zk.WorldACL(zk.PermAll)
	path := w.create(c, "/a", zk.FlagPersistent)
	results, err := c.Multi(
		&zk.CheckVersionRequest{Path: path, Version: 0},
		&zk.CreateRequest{Path: path + "/b", Data: []byte("1"), Acl: everyone},
		&zk.CreateRequest{Path: path + "/n-", Acl: everyone, Flags: zk.FlagSequence},
		&zk.SetDataRequest{Path: path, Data: []byte("22"), Version: 0},
		&zk.DeleteRequest{Path: path + "/b", Version: 0},
	)
	w.must(err)
	equal(w, len(results), 5)
	equal(w, results[1].String, path+"/b")
	equal(w, results[2].String, path+"/n-0000000001")
	equal(w, results[3].Stat.Version, 1)
	equal(w, results[3].Stat.DataLength, 2)
	// One transaction, one zxid.
	_, stat, err := c.Exists(path + "/n-0000000001")
	w.must(err)
	equal(w, stat.Czxid, results[3].Stat.Mzxid)
	equal(w, w.exists(c, "/a/b"), false)
}

func playMultiRefused(w *world) {
	c := w.client()
	path := w.create(c, "/a", zk.FlagPersistent)
	results, err := c.Multi(
		&zk.CreateRequest{Path: path + "/b", Acl: zk.WorldACL(zk.PermAll)},
		&zk.CheckVersionRequest{Path: path, Version: 9},
		&zk.DeleteRequest{Path: path, Version: -1},
	)
	w.is(err, zk.ErrBadVersion)
	equal(w, len(results), 3)
	w.is(results[0].Error, nil)
	w.is(results[1].Error, zk.ErrBadVersion)
	equal(w, fmt.Sprint(results[2].Error), "unknown error: -2")
	equal(w, w.exists(c, "/a/b"), false)
}

func playDigest(w *world) {
	owner, other := w.client(), w.client()
	w.must(owner.AddAuth("digest", []byte("ann:secret")))
	path, err := owner.Create(w.root+"/mine", nil, 0, zk.AuthACL(zk.PermAll))
	w.must(err)
	acl, _, err := owner.GetACL(path)
	w.must(err)
	if want := zk.DigestACL(zk.PermAll, "ann", "secret"); !slices.Equal(acl, want) {
		w.Fatalf("the ACL is %v, want %v", acl, want)
	}
	_, _, err = other.Get(path)
	w.is(err, zk.ErrNoAuth)
	_, err = other.Set(path, nil, -1)
	w.is(err, zk.ErrNoAuth)
	w.must(other.AddAuth("digest", []byte("ann:secret")))
	_, _, err = other.Get(path)
	w.must(err)
	stat, err := other.SetACL(path, zk.WorldACL(zk.PermRead), 0)
	w.must(err)
	equal(w, stat.Aversion, 1)
	_, _, err = w.client().Get(path)
	w.must(err)
}

func playContainer(w *world) {
	c := w.client()
	everyone := zk.WorldACL(zk.PermAll)
	path, err := c.CreateContainer(w.root+"/c", []byte("x"), zk.FlagContainer, everyone)
	w.must(err)
	equal(w, path, w.root+"/c")
	w.create(c, "/c/child", zk.FlagPersistent)
	found, _, gone, err := c.ExistsW(path)
	w.must(err)
	equal(w, found, true)
	w.must(c.Delete(path+"/child", -1))
	equal(w, w.event(gone).Type, zk.EventNodeDeleted)
}

func playTTL(w *world) {
	c := w.client()
	everyone := zk.WorldACL(zk.PermAll)
	// One that has outlived its time before the sweep, one that has an hour to go.
	_, err := c.CreateTTL(w.root+"/long", nil, zk.FlagTTL, everyone, time.Hour)
	w.must(err)
	path, err := c.CreateTTL(w.root+"/short-", nil, zk.FlagPersistentSequentialWithTTL, everyone, 300*time.Millisecond)
	w.must(err)
	equal(w, path, w.root+"/short-0000000001")
	w.eventually("the node goes", func() bool { return !w.exists(c, "/short-0000000001") })
	equal(w, w.exists(c, "/long"), true)
}

func playLock(w *world) {
	holder := w.client()
	path := w.root + "/lock"
	first := zk.NewLock(holder.Conn, path, zk.WorldACL(zk.PermAll))
	w.must(first.Lock())
	w.is(first.Lock(), zk.ErrDeadlock)
	const waiters = 4
	got := make(chan int, waiters)
	var all sync.WaitGroup
	for waiter := range waiters {
		c := w.client()
		all.Go(func() {
			lock := zk.NewLock(c.Conn, path, zk.WorldACL(zk.PermAll))
			if err := lock.Lock(); err != nil {
				w.Error(err)
				return
			}
			got <- waiter
			if err := lock.Unlock(); err != nil {
				w.Error(err)
			}
		})
		w.eventually("the waiter waits", func() bool {
			children, _, err := holder.Children(path)
			w.must(err)
			return len(children) == waiter+2
		})
	}
	equal(w, len(got), 0)
	w.must(first.Unlock())
	w.is(first.Unlock(), zk.ErrNotLocked)
	all.Wait()
	for waiter := range waiters {
		equal(w, <-got, waiter)
	}
}

func playExclusion(w *world) {
	const workers, rounds = 4, 10
	path := w.create(w.client(), "/n", zk.FlagPersistent)
	last := w.client()
	_, err := last.Set(path, []byte("0"), -1)
	w.must(err)
	var all sync.WaitGroup
	for range workers {
		c := w.client()
		all.Go(func() {
			for range rounds {
				if err := increment(c, w.root+"/lock", path); err != nil {
					w.Error(err)
				}
			}
		})
	}
	all.Wait()
	data, _, err := last.Get(path)
	w.must(err)
	equal(w, string(data), strconv.Itoa(workers*rounds))
}

// increment adds one to the number at path while it holds the lock.
func increment(c *client, lockPath, path string) error {
	lock := zk.NewLock(c.Conn, lockPath, zk.WorldACL(zk.PermAll))
	if err := lock.Lock(); err != nil {
		return err
	}
	data, _, err := c.Get(path)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(data))
	if err != nil {
		return err
	}
	if _, err := c.Set(path, []byte(strconv.Itoa(n+1)), -1); err != nil {
		return err
	}
	return lock.Unlock()
}
