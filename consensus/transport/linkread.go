package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"paddock/consensus"
	"paddock/internal/jute"
)

// inbound reads from a link's connection. Silence beyond the link's limit is an error, unless a long transfer moves in
// the other direction.
type inbound struct{ l *link }

func (in inbound) Read(b []byte) (int, error) {
	l := in.l
	for {
		limit := l.limit()
		l.c.SetReadDeadline(time.Now().Add(limit))
		n, err := l.c.Read(b)
		if n > 0 {
			if l.transfer.Load() {
				l.move()
			}
			return n, nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if moved := l.moved.Load(); moved > 0 && time.Since(l.t0)-time.Duration(moved) < limit {
				continue
			}
			return 0, fmt.Errorf("nothing was heard for %v: %w", limit, err)
		}
		return n, err
	}
}

// batchMessages bounds what is handed over at once, roomMax the memory that is kept for it, in messages as well.
const (
	batchMessages = 512
	roomMax       = 8 * batchMessages
)

// batch is memory for the next messages, of which there are probably about n.
func (l *link) batch(n int) []consensus.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := len(l.batches) - 1; last >= 0 {
		b := l.batches[last]
		l.batches[last] = nil
		l.batches = l.batches[:last]
		l.batchesCap -= cap(b)
		return b
	}
	return make([]consensus.Message, 0, n)
}

// keepBatch keeps the memory of messages that have been dealt with.
func (l *link) keepBatch(b []consensus.Message) {
	clear(b)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.batchesCap+cap(b) <= roomMax {
		l.batches = append(l.batches, b[:0])
		l.batchesCap += cap(b)
	}
}

// incoming is what has come on a link and has not been handed over.
type incoming struct {
	l      *link
	r      *reader
	d      decoder
	memory arena
	batch  []consensus.Message
}

// read hands over what arrives until the connection ends, and tells why. pass has another goroutine read on where this one is held up; then
// ended is false.
func (in *incoming) read(pass func()) (ended bool, err error) {
	for {
		b, ok, err := in.r.message(in.l.t.opt.PacketBytesMax)
		if ok && err == nil {
			err = in.take(b)
		}
		if err != nil {
			return true, err
		}
		if (!ok || len(in.batch) >= batchMessages) && !in.deliver(pass) {
			return false, nil
		}
		if ok {
			continue
		}
		if err := in.r.fill(); err != nil {
			return true, err
		}
	}
}

// take adds the message with the bytes b to the batch. A tree is read, and handed over at once.
func (in *incoming) take(b []byte) error {
	if len(b) > packetBytesMin {
		b = in.memory.keep(b)
	}
	n := len(in.batch)
	in.batch = append(in.batch, consensus.Message{})
	m := &in.batch[n]
	if err := in.d.message(b, m); err != nil {
		return err
	}
	if m.Kind != consensus.MsgSnap {
		return nil
	}
	snap := *m
	in.batch = in.batch[:n]
	in.deliver(nil)
	return in.l.readSnap(in.r, &snap)
}

// deliver hands over the batch. It is false if another goroutine reads on.
func (in *incoming) deliver(pass func()) (on bool) {
	l, batch := in.l, in.batch
	if len(batch) == 0 {
		return true
	}
	l.count(batch)
	if in.batch = l.batch(len(batch)); l.dropped.Load() {
		return true
	}
	return l.t.opt.Handler.Received(l.id, batch, pass)
}

// signature ends the stream of a tree: a string.
const signature = "BenWasHere"

var errSignature = fmt.Errorf("%w: a tree is not followed by its signature", jute.ErrMalformed)

// readSnap reads the tree behind m, and its signature.
func (l *link) readSnap(r *reader, m *consensus.Message) error {
	if !l.dialled {
		return fmt.Errorf("%w: a learner sends a tree", jute.ErrMalformed)
	}
	l.transfer.Store(true)
	defer l.transfer.Store(false)
	t, err := l.t.opt.ReadTree(r, m.Zxid)
	if err != nil {
		return fmt.Errorf("tree at %v: %w", m.Zxid, err)
	}
	var end [4 + len(signature)]byte
	if _, err := io.ReadFull(r, end[:]); err != nil {
		return fmt.Errorf("tree at %v: %w", m.Zxid, noEOF(err))
	}
	if binary.BigEndian.Uint32(end[:]) != uint32(len(signature)) || string(end[4:]) != signature {
		return errSignature
	}
	if !l.dropped.Load() {
		l.t.opt.Handler.ReceivedSnap(l.id, m, t)
	}
	return nil
}

// arena keeps bytes of messages in larger pieces. What is kept of one piece lives as long as any of it is used; messages
// of one link are used and forgotten in about the order in which they come.
type arena struct{ free []byte }

const (
	arenaBytes  = 16 << 10
	arenaAtMost = 4 << 10 // what is longer has a piece of its own
)

func (a *arena) keep(b []byte) []byte {
	if len(b) > arenaAtMost {
		return append([]byte(nil), b...)
	}
	if len(b) > len(a.free) {
		a.free = make([]byte, arenaBytes)
	}
	kept := a.free[:len(b):len(b)]
	a.free = a.free[len(b):]
	copy(kept, b)
	return kept
}
