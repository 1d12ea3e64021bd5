package gozk

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

func playWatches(w *world) {
	c, other := w.client(), w.client()
	path := w.root + "/a"
	found, _, created, err := c.ExistsW(path)
	w.must(err)
	equal(w, found, false)
	w.create(other, "/a", zk.FlagPersistent)
	equal(w, w.event(created), zk.Event{Type: zk.EventNodeCreated, State: zk.StateSyncConnected, Path: path})
	_, _, changed, err := c.GetW(path)
	w.must(err)
	_, _, children, err := c.ChildrenW(path)
	w.must(err)
	_, err = other.Set(path, nil, -1)
	w.must(err)
	_, err = other.Set(path, nil, -1)
	w.must(err)
	equal(w, w.event(changed).Type, zk.EventNodeDataChanged)
	if e, more := <-changed; more {
		w.Fatalf("the watch fired again: %v", e)
	}
	w.create(other, "/a/b", zk.FlagPersistent)
	equal(w, w.event(children), zk.Event{Type: zk.EventNodeChildrenChanged, State: zk.StateSyncConnected, Path: path})
	_, _, deleted, err := c.GetW(path + "/b")
	w.must(err)
	w.must(other.Delete(path+"/b", -1))
	equal(w, w.event(deleted), zk.Event{Type: zk.EventNodeDeleted, State: zk.StateSyncConnected, Path: path + "/b"})
	if _, _, none, err := c.GetW(path + "/b"); err == nil || none != nil {
		w.Fatalf("a watch was set on data that is not there: %v", err)
	}
}

func playEventBeforeReply(w *world) {
	c, other := w.client(), w.client()
	path := w.create(c, "/a", zk.FlagPersistent)
	for round := range 50 {
		_, _, changed, err := c.GetW(path)
		w.must(err)
		_, err = other.Set(path, []byte(strconv.Itoa(round)), -1)
		w.must(err)
		w.eventually("the change shows", func() bool {
			data, _, err := c.Get(path)
			w.must(err)
			return string(data) == strconv.Itoa(round)
		})
		select {
		case e := <-changed: // the client hands out events in the order in which frames come
			equal(w, e.Type, zk.EventNodeDataChanged)
		default:
			w.Fatal("an answer showed the change before the event came")
		}
	}
}

func playManyWatchers(w *world) {
	const clients, each = 10, 100
	writer := w.client()
	path := w.create(writer, "/a", zk.FlagPersistent)
	var watches []<-chan zk.Event
	for range clients {
		c := w.client()
		for n := range each {
			child := path + "/" + strconv.Itoa(n)
			_, _, watch, err := c.ExistsW(child)
			w.must(err)
			watches = append(watches, watch)
		}
		_, _, watch, err := c.ChildrenW(path)
		w.must(err)
		watches = append(watches, watch)
	}
	var ops []any
	for n := range each {
		ops = append(ops, &zk.CreateRequest{Path: path + "/" + strconv.Itoa(n), Acl: zk.WorldACL(zk.PermAll)})
	}
	_, err := writer.Multi(ops...)
	w.must(err)
	for _, watch := range watches {
		if kind := w.event(watch).Type; kind != zk.EventNodeCreated && kind != zk.EventNodeChildrenChanged {
			w.Fatalf("a watch fired %v", kind)
		}
	}
}

func playWords(w *world) {
	c := w.client()
	before := w.status()
	w.create(c, "/a", zk.FlagPersistent)
	after := w.status()
	equal(w, after["Mode"], "standalone")
	equal(w, after["Outstanding"], "0")
	for key, by := range map[string]int64{"Node count": 1, "Zxid": 1} {
		was, err := strconv.ParseInt(before[key], 0, 64)
		w.must(err)
		is, err := strconv.ParseInt(after[key], 0, 64)
		w.must(err)
		equal(w, is, was+by)
	}
	equal(w, zk.FLWRuok([]string{w.server.Addr()}, deadline)[0], true)
	connections, _ := zk.FLWCons([]string{w.server.Addr()}, deadline)
	if connections[0].Error != nil {
		w.Fatalf("cons was not understood: %+v", connections[0])
	}
	for _, connection := range connections[0].Clients {
		if connection.SessionID == c.SessionID() {
			equal(w, connection.Timeout, int32(lasting/time.Millisecond))
			equal(w, connection.LastOperation, "CREA")
			equal(w, strings.HasPrefix(connection.Addr, "127.0.0.1:"), true)
			return
		}
	}
	w.Fatalf("cons does not list session %#x", c.SessionID())
}

// status returns the lines of the word srvr by their keys. The client has a parser for it too, but of releases before 3.7,
// which wrote the time of their build differently.
func (w *world) status() map[string]string {
	w.Helper()
	answer, err := w.server.Word("srvr")
	w.must(err)
	lines := map[string]string{}
	for line := range strings.Lines(answer) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		lines[key] = value
	}
	return lines
}
