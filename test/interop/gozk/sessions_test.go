package gozk

import (
	"fmt"

	"github.com/go-zookeeper/zk"
)

func playClose(w *world) {
	c, other := w.client(), w.client()
	path := w.create(c, "/e", zk.FlagEphemeral)
	_, stat, gone, err := other.ExistsW(path)
	w.must(err)
	equal(w, stat.EphemeralOwner, c.SessionID())
	c.Close()
	equal(w, w.event(gone).Type, zk.EventNodeDeleted)
}

func playConnectionLost(w *world) {
	c, other := w.client(), w.client()
	w.create(c, "/e", zk.FlagEphemeral)
	session := c.SessionID()
	for range 5 {
		c.gate.cut(false)
		w.await(c, zk.StateDisconnected)
		w.await(c, zk.StateHasSession)
		equal(w, c.SessionID(), session)
	}
	equal(w, w.exists(other, "/e"), true)
}

func playExpiry(w *world) {
	c, other := w.clientFor(fleeting), w.client()
	path := w.create(c, "/e", zk.FlagEphemeral)
	session := c.SessionID()
	_, _, gone, err := other.ExistsW(path)
	w.must(err)
	_, _, lost, err := c.GetW(path)
	w.must(err)
	c.gate.cut(true)
	equal(w, w.event(gone).Type, zk.EventNodeDeleted)
	c.gate.open()
	w.await(c, zk.StateExpired)
	w.is((<-lost).Err, zk.ErrSessionExpired)
	w.await(c, zk.StateHasSession)
	if c.SessionID() == session {
		w.Fatalf("session %#x lives on", session)
	}
	w.create(c, "/e", zk.FlagEphemeral)
}

func playRestart(w *world) {
	c := w.client()
	path := w.create(c, "/a", zk.FlagPersistent)
	ephemeral := w.create(c, "/e", zk.FlagEphemeral)
	session := c.SessionID()
	_, _, changed, err := c.GetW(path)
	w.must(err)
	_, _, children, err := c.ChildrenW(path)
	w.must(err)
	_, _, created, err := c.ExistsW(w.root + "/later")
	w.must(err)
	w.must(w.server.Restart())
	w.await(c, zk.StateDisconnected)
	w.await(c, zk.StateHasSession)
	equal(w, c.SessionID(), session)
	found, stat, err := c.Exists(ephemeral)
	w.must(err)
	equal(w, found, true)
	equal(w, stat.EphemeralOwner, session)
	other := w.client()
	_, err = other.Set(path, nil, 0)
	w.must(err)
	w.create(other, "/a/b", zk.FlagPersistent)
	w.create(other, "/later", zk.FlagPersistent)
	equal(w, w.event(changed).Type, zk.EventNodeDataChanged)
	equal(w, w.event(children).Type, zk.EventNodeChildrenChanged)
	equal(w, w.event(created).Type, zk.EventNodeCreated)
}

func playMissedChange(w *world) {
	c, other := w.client(), w.client()
	path := w.create(c, "/a", zk.FlagPersistent)
	doomed := w.create(c, "/doomed", zk.FlagPersistent)
	_, _, changed, err := c.GetW(path)
	w.must(err)
	_, _, children, err := c.ChildrenW(path)
	w.must(err)
	_, _, deleted, err := c.GetW(doomed)
	w.must(err)
	_, _, created, err := c.ExistsW(w.root + "/later")
	w.must(err)
	_, _, quietly, err := c.ExistsW(w.root + "/never")
	w.must(err)
	c.gate.cut(true)
	w.await(c, zk.StateDisconnected)
	_, err = other.Set(path, nil, 0)
	w.must(err)
	w.create(other, "/a/b", zk.FlagPersistent)
	w.must(other.Delete(doomed, -1))
	w.create(other, "/later", zk.FlagPersistent)
	c.gate.open()
	equal(w, w.event(changed).Type, zk.EventNodeDataChanged)
	equal(w, w.event(children).Type, zk.EventNodeChildrenChanged)
	equal(w, w.event(deleted).Type, zk.EventNodeDeleted)
	equal(w, w.event(created).Type, zk.EventNodeCreated)
	equal(w, len(quietly), 0)
}

func playCrash(w *world) {
	c := w.client()
	const nodes = 200
	for n := range nodes {
		w.create(c, fmt.Sprintf("/n-%d", n), zk.FlagPersistent)
	}
	w.must(w.server.Kill())
	w.must(w.server.Start())
	w.await(c, zk.StateDisconnected)
	w.await(c, zk.StateHasSession)
	children, _, err := c.Children(w.root)
	w.must(err)
	equal(w, len(children), nodes)
	for n := range nodes {
		data, _, err := c.Get(fmt.Sprintf("%s/n-%d", w.root, n))
		w.must(err)
		equal(w, string(data), fmt.Sprintf("/n-%d", n))
	}
}

func playAuthAgain(w *world) {
	c := w.client()
	w.must(c.AddAuth("digest", []byte("ann:secret")))
	path, err := c.Create(w.root+"/mine", nil, 0, zk.AuthACL(zk.PermAll))
	w.must(err)
	w.must(w.server.Restart())
	w.await(c, zk.StateDisconnected)
	w.await(c, zk.StateHasSession)
	_, _, err = c.Get(path)
	w.must(err)
	_, _, err = w.client().Get(path)
	w.is(err, zk.ErrNoAuth)
}

func playExpiryOverRestart(w *world) {
	c, other := w.clientFor(fleeting), w.client()
	w.create(c, "/e", zk.FlagEphemeral)
	c.gate.cut(true)
	w.must(w.server.Kill())
	w.must(w.server.Start())
	w.await(other, zk.StateDisconnected)
	w.await(other, zk.StateHasSession)
	// A server that is back gives every session its whole timeout again before it takes it away.
	w.eventually("the ephemeral goes", func() bool { return !w.exists(other, "/e") })
}
