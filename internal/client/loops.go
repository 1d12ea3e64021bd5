package client

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

const (
	// readBytes is the size of the buffer that replies are read through.
	readBytes = 64 << 10
	// keptBytes is the largest write buffer that is used again.
	keptBytes = 1 << 20
	// pingsPerTimeout is how often a silent connection pings within a session timeout.
	pingsPerTimeout = 3
)

// read takes replies and events until the connection ends, then fails what is outstanding.
func (c *Conn) read() {
	var from io.Reader = c.nc
	if c.opt.Silence > 0 {
		const percent = 100
		from = &impatient{c.nc, c.Timeout() * time.Duration(c.opt.Silence) / percent}
	}
	in := bufio.NewReaderSize(from, readBytes)
	for {
		frame, err := readFrame(in, nil, c.opt.ReplyBytesMax)
		if err == nil {
			err = c.take(frame)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = ErrClosed
			}
			c.end(err)
			break
		}
	}
	c.mu.Lock()
	err, rest := c.err, c.pending[c.head:]
	c.pending, c.head = nil, 0
	c.mu.Unlock()
	for _, p := range rest {
		p.done(nil, err)
	}
	close(c.events)
}

// impatient is a connection that fails when nothing is read for too long.
type impatient struct {
	net.Conn
	most time.Duration
}

// Read implements io.Reader.
func (i *impatient) Read(b []byte) (int, error) {
	if err := i.SetReadDeadline(time.Now().Add(i.most)); err != nil {
		return 0, err
	}
	return i.Conn.Read(b)
}

// take handles one frame. Strings and data of the reply alias it.
func (c *Conn) take(frame []byte) error {
	r := jute.Reader(frame)
	if len(frame) < zk.ReplyHeaderBytes {
		return fmt.Errorf("reply of %d bytes: %w", len(frame), jute.ErrMalformed)
	}
	xid := int32(binary.BigEndian.Uint32(frame))
	if xid == zk.XidNotification {
		var e zk.Event
		if e.Jute(r); r.Err() != nil {
			return fmt.Errorf("event: %w", r.Err())
		}
		if c.opt.OnEvent != nil {
			c.opt.OnEvent(e)
			return nil
		}
		select {
		case c.events <- e:
		case <-c.done:
		}
		return nil
	}
	p, err := c.match(xid)
	if err != nil {
		return err
	}
	reply := &zk.Reply{Op: p.op}
	if reply.Jute(r); r.Err() != nil {
		err := fmt.Errorf("reply to %v: %w", p.op, r.Err())
		p.done(nil, err)
		return err
	}
	c.mu.Lock()
	c.zxid = max(c.zxid, reply.Zxid)
	c.mu.Unlock()
	p.done(reply, nil)
	return nil
}

// match finds the request that a reply answers: the oldest one, save that replies to auth packets and pings may overtake.
func (c *Conn) match(xid int32) (call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := c.head; i < len(c.pending); i++ {
		p := c.pending[i]
		if p.xid != xid {
			if xid == zk.XidAuth || xid == zk.XidPing {
				continue
			}
			return call{}, fmt.Errorf("a reply with xid %d came where %d was due", xid, p.xid)
		}
		copy(c.pending[c.head+1:i+1], c.pending[c.head:i])
		c.pending[c.head] = call{}
		if c.head++; c.head == len(c.pending) {
			c.pending, c.head = c.pending[:0], 0
		} else if c.head > 1024 && c.head > len(c.pending)/2 {
			n := copy(c.pending, c.pending[c.head:])
			clear(c.pending[n:])
			c.pending, c.head = c.pending[:n], 0
		}
		return p, nil
	}
	return call{}, fmt.Errorf("a reply with xid %d came unasked", xid)
}

// write sends what is queued, and pings when nothing was sent for a third of the session timeout.
func (c *Conn) write() {
	every := max(c.Timeout()/pingsPerTimeout, time.Millisecond)
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-c.kick:
		case <-timer.C:
			if !c.opt.NoPing {
				c.send(&zk.Request{Xid: zk.XidPing, Op: zk.OpPing}, false, func(*zk.Reply, error) {})
			}
		}
		c.mu.Lock()
		out := c.out
		c.out, c.recycled = c.recycled[:0], nil
		c.mu.Unlock()
		timer.Reset(every)
		if _, err := c.nc.Write(out); err != nil {
			c.end(err)
			return
		}
		if cap(out) <= keptBytes {
			c.recycled = out[:0]
		}
	}
}
