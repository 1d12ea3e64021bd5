package cli

import (
	"encoding/json"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// noticesMost is how many notices wait for the command that takes them; when they do, the connection waits.
const noticesMost = 1024

// tap has the notices of the session told to the returned channel instead of being printed, until stop is called.
func (s *Shell) tap() (notices <-chan client.Notice, stop func()) {
	ch, done := make(chan client.Notice, noticesMost), make(chan struct{})
	take := func(n client.Notice) {
		select {
		case ch <- n:
		case <-done:
		}
	}
	s.taken.Store(&take)
	return ch, func() { s.taken.Store(nil); close(done) }
}

// change is what watch prints, as JSON.
type change struct {
	Time string  `json:"time"`
	Type string  `json:"type"`
	Path string  `json:"path"`
	Zxid string  `json:"zxid,omitempty"`
	Text *string `json:"text,omitempty"`
	Data []byte  `json:"data,omitempty"`
}

// runWatch follows the changes of a znode, or of all below it, until it is interrupted.
func runWatch(c *call) error {
	if len(c.args) != 2 {
		return c.usage()
	}
	left, err := c.number("n", 1, -1)
	if err != nil {
		return err
	}
	notices, stop := c.sh.tap()
	defer stop()
	mode, kind, path := zk.AddPersistent, zk.WatcherPersistent, c.args[1]
	if c.has("r") {
		mode, kind = zk.AddPersistentRecursive, zk.WatcherPersistentRecursive
	}
	if _, err := c.do(&zk.Request{Op: zk.OpAddWatch, Path: path, Arg: int32(mode)}); err != nil {
		return err
	}
	c.warn("watching %s", path)
	lost := false // since it was last connected
	for left != 0 {
		select {
		case <-c.ctx.Done():
			if c.sh.session { // the session goes on: it shall not watch for ever
				_, _ = do(withoutEnd(c.ctx), c.sh.backend, &zk.Request{Op: zk.OpRemoveWatches, Path: path, Arg: int32(kind)})
			}
			return nil
		case n := <-notices:
			if n.Type == client.EventNone {
				if lost, err = c.connection(n, lost); err != nil {
					return err
				}
				continue
			}
			if err := c.follow(n); err != nil {
				return err
			}
			left--
		}
	}
	return nil
}

// connection tells of a connection that is lost and comes back; lost is whether it is lost.
func (c *call) connection(n client.Notice, lost bool) (bool, error) {
	switch n.Keeper {
	case client.KeeperDisconnected:
		c.warn("the connection is lost; trying to connect again")
		return true, nil
	case client.KeeperSyncConnected, client.KeeperConnectedReadOnly:
		if lost {
			c.warn("connected again; changes that were made meanwhile are not told")
		}
		return false, nil
	default:
		return false, failf("the session is over (%v)", n.Keeper)
	}
}

// follow prints a change.
func (c *call) follow(n client.Notice) error {
	out := change{Time: time.Now().Format(time.RFC3339Nano), Type: n.TypeName(), Path: n.Path}
	if n.Zxid > 0 {
		out.Zxid = n.Zxid.String()
	}
	var data []byte
	if c.has("d") && (n.Type == zk.NodeCreated || n.Type == zk.NodeDataChanged) {
		r, err := c.do(&zk.Request{Op: zk.OpGetData, Path: n.Path})
		if err != nil && !isCode(err, zk.NoNode) && !isCode(err, zk.NoAuth) {
			return err
		}
		if err == nil {
			data = r.Data
		}
	}
	if c.has("json") {
		if text := string(data); data != nil && readable(data) {
			out.Text = &text
		} else {
			out.Data = data
		}
		line, err := json.Marshal(out)
		if err != nil {
			return err
		}
		c.println(string(line))
	} else {
		c.printf("%s %s %s", time.Now().Format("15:04:05.000"), out.Type, n.Path)
		if data != nil {
			c.printf(" %s", shown(data))
		}
		c.println()
	}
	c.sh.out.flush()
	return c.sh.out.broken()
}
