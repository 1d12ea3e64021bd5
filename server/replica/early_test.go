package replica_test

import (
	"testing"

	"paddock/internal/zk"
)

func TestRequestsBeforeTheSessionIsOpenWaitForIt(t *testing.T) {
	w := newWorld(t)
	w.lag = true
	c := w.ask(zk.ConnectRequest{TimeoutMS: 8000})
	w.create(c, "/a", zk.Ephemeral)
	w.send(c, zk.Request{Xid: 2, Op: zk.OpExists, Path: "/a"})
	w.send(c, zk.Request{Xid: 3, Op: zk.OpExists, Path: "/b"})
	w.expect(c)
	w.sync()
	w.expect(c, "connected 8000", "1 OK", "2 OK", "3 NoNode")
}

func TestWhatWaitsForTheSessionEndsWithTheConnection(t *testing.T) {
	w := newWorld(t)
	w.lag = true
	c := w.ask(zk.ConnectRequest{TimeoutMS: 8000})
	w.send(c, zk.Request{Xid: 1, Op: 77})
	w.create(c, "/a", zk.Persistent)
	w.sync()
	w.expect(c, "connected 8000", "1 Unimplemented", "closed: unknown_op")
	if w.exists("/a") {
		t.Error("a request behind the end of the connection was carried out")
	}
}
