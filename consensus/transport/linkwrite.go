package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"paddock/consensus"
	"paddock/internal/zk"
)

// Sizes of what is written with one system call.
const (
	writeBytesMin  = 4 << 10 // of the first buffer
	writeBytes     = 64 << 10
	writeBytesKept = 256 << 10 // a larger buffer goes once it is written
	sparesMax      = 8         // buffers that a link keeps
	// directBytesMax is how much who flushes writes itself. A send takes long if it is large, and then waking a goroutine for it
	// costs little beside that.
	directBytesMax = 32 << 10
)

// outgoing writes the queue of a link, where that may take its time.
type outgoing struct {
	l   *link
	buf []byte // of a tree or the log
}

// write sends what is put into the queue until the link ends.
func (l *link) write() {
	o := outgoing{l: l}
	for {
		select {
		case <-l.closed:
			return
		case <-l.wake:
		}
		items := l.take()
		if items == nil {
			continue
		}
		for i, it := range items {
			if err := o.item(it); err != nil {
				l.end(err)
				l.giveBack(items[i+1:])
				return
			}
			if it.last {
				o.finish()
				return
			}
		}
		l.done()
	}
}

// giveBack returns the views of what will not be sent.
func (l *link) giveBack(items []item) {
	for _, it := range items {
		if it.view != nil {
			l.t.opt.Handler.ViewRead(l.id, it.view)
		}
	}
}

// item sends one item.
func (o *outgoing) item(it item) error {
	var err error
	switch {
	case it.view != nil:
		err = o.snap(it)
		o.l.t.opt.Handler.ViewRead(o.l.id, it.view)
		o.l.sent(packetBytesMin, nil)
	case it.log != nil:
		err = o.log(it.log)
		o.l.sent(packetBytesMin, nil)
	case !it.last:
		if it.synced {
			o.l.synced.Store(true)
		}
		err = o.send(it.messages)
		o.l.sent(len(it.messages), it.messages)
	}
	return err
}

// flush writes the buffer.
func (o *outgoing) flush() error {
	if len(o.buf) == 0 {
		return nil
	}
	err := o.send(o.buf)
	if o.buf = o.buf[:0]; cap(o.buf) > writeBytesKept {
		o.buf = nil
	}
	return err
}

func (o *outgoing) send(b []byte) error {
	limit := o.l.limit()
	o.l.c.SetWriteDeadline(time.Now().Add(limit))
	_, err := o.l.c.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("nothing was taken for %v: %w", limit, err)
	}
	return err
}

// finish tells the other side that nothing follows. The reading half goes on, so that what the other side still sends
// does not make the system throw away what it was sent, until that side closes too or the grace is over.
func (o *outgoing) finish() {
	if c, ok := o.l.c.(*net.TCPConn); ok {
		c.CloseWrite()
	} else {
		o.l.c.Close()
	}
}

// snap sends the tree of a view.
func (o *outgoing) snap(it item) error {
	z := it.view.Zxid()
	o.buf = appendMessage(o.buf, &consensus.Message{Kind: consensus.MsgSnap, Zxid: z})
	if err := o.flush(); err != nil {
		return err
	}
	if err := o.l.t.opt.WriteTree(o.l.ctx, transfer{o}, it.view); err != nil {
		return fmt.Errorf("send the tree at %v: %w", z, err)
	}
	o.buf = binary.BigEndian.AppendUint32(o.buf, uint32(len(signature)))
	o.buf = append(o.buf, signature...)
	return o.flush()
}

// transfer is a writer that gathers pieces, and tells that they move.
type transfer struct{ o *outgoing }

// Write keeps b or sends it, in pieces that a slow line takes within the limit.
func (w transfer) Write(b []byte) (int, error) {
	o, n := w.o, len(b)
	for len(b) > 0 {
		part := b[:min(len(b), writeBytes-len(o.buf))]
		o.buf = append(o.buf, part...)
		b = b[len(part):]
		if len(o.buf) == writeBytes {
			if err := o.flush(); err != nil {
				return 0, err
			}
			o.l.move()
		}
	}
	return n, nil
}

// log sends a part of the log on disk: for each txn its proposal and its commit.
func (o *outgoing) log(r *logRange) error {
	err := o.l.t.opt.ReadLog(o.l.ctx, r.after, r.to, func(z zk.Zxid, payload []byte) error {
		o.buf = appendMessage(o.buf, &consensus.Message{Kind: consensus.MsgProposal, Zxid: z, Payload: payload})
		o.buf = appendMessage(o.buf, &consensus.Message{Kind: consensus.MsgCommit, Zxid: z})
		if len(o.buf) < writeBytes {
			return nil
		}
		err := o.flush()
		o.l.move()
		return err
	})
	if err == nil {
		err = o.flush()
	}
	if err != nil {
		return fmt.Errorf("send the log after %v to %v: %w", r.after, r.to, err)
	}
	return nil
}
