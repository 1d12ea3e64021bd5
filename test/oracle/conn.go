//go:build interop

package oracle

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// framesBytesMax bounds a frame read from a server; anything larger is a broken server.
const framesBytesMax = 64 << 20

// conn is one raw client connection. Its reader goroutine appends whole frames; the player takes them.
type conn struct {
	c net.Conn

	mu     sync.Mutex // guards frames, ended, tail
	frames [][]byte
	ended  bool   // the server closed or reset the connection
	tail   []byte // bytes of an incomplete frame before the end

	changed chan struct{} // holds one token when frames or ended changed
	done    sync.WaitGroup
}

// dial connects to addr and starts the reader; close stops it.
func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	k := &conn{c: c, changed: make(chan struct{}, 1)}
	k.done.Go(k.read) // stopped and awaited by close
	return k, nil
}

func (k *conn) read() {
	for {
		f, tail, err := readFrame(k.c)
		k.mu.Lock()
		if err != nil {
			k.ended, k.tail = true, tail
		} else {
			k.frames = append(k.frames, f)
		}
		k.mu.Unlock()
		select {
		case k.changed <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// readFrame reads one frame. On an error it returns the bytes that came before it.
func readFrame(r io.Reader) (payload, tail []byte, err error) {
	head := make([]byte, 4)
	if n, err := io.ReadFull(r, head); err != nil {
		return nil, head[:n], err
	}
	size := binary.BigEndian.Uint32(head)
	if size > framesBytesMax {
		return nil, head, errShort
	}
	payload = make([]byte, size)
	if n, err := io.ReadFull(r, payload); err != nil {
		return nil, append(head, payload[:n]...), err
	}
	return payload, nil, nil
}

// close closes the socket and waits for the reader.
func (k *conn) close() {
	k.c.Close()
	k.done.Wait()
}

// send writes p in pieces of chunk bytes, or at once if chunk is 0; an error only means that the server has closed, which
// the reader reports.
func (k *conn) send(p []byte, chunk int) {
	k.c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if chunk == 0 {
		chunk = max(len(p), 1)
	}
	for piece := range slices.Chunk(p, chunk) {
		if _, err := k.c.Write(piece); err != nil {
			return
		}
	}
}

// await blocks until ok holds for the frames so far, the connection ends, or the deadline passes.
// It reports whether ok held.
func (k *conn) await(deadline time.Time, ok func(frames [][]byte) bool) bool {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		k.mu.Lock()
		good, ended := ok(k.frames), k.ended
		k.mu.Unlock()
		if good || ended {
			return good
		}
		select {
		case <-k.changed:
		case <-timer.C:
			return false
		}
	}
}

// awaitEnd blocks until the server closes the connection or the deadline passes, and reports which.
func (k *conn) awaitEnd(deadline time.Time) bool {
	k.await(deadline, func([][]byte) bool { return false })
	return k.over()
}

// over reports whether the server has closed the connection.
func (k *conn) over() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ended
}

// take returns the frames since the last take, whether the connection ended, and a torn last frame.
func (k *conn) take() (frames [][]byte, ended bool, tail []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	frames, k.frames = k.frames, nil
	return frames, k.ended, k.tail
}
