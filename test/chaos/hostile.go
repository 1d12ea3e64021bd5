//go:build chaos

package chaos

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

const (
	hostileTimeout = 4 * time.Second        // of the sessions that hostile clients open
	again          = 250 * time.Millisecond // until a hostile client that was thrown out comes back
	dropByte       = 200 * time.Millisecond // between two bytes of one that is slow
	watchesMax     = 5000                   // that one connection sets before it begins anew
	fatPath        = "/fat"                 // a large znode to ask for
	fatBytes       = 500_000
	busyPath       = "/busy" // below it the healthy clients write
)

// hostile is a client that means no good. It returns when the server ends the connection, or when stop closes it.
type hostile func(c *net.TCPConn, rng *rand.Rand, stop <-chan struct{})

// hostiles are the ways to misbehave.
var hostiles = map[string]hostile{
	"sends garbage": func(c *net.TCPConn, rng *rand.Rand, _ <-chan struct{}) {
		b := make([]byte, 1+rng.IntN(4000))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		c.Write(b) //nolint:errcheck // the server may have had enough
		drain(c)
	},
	"promises a huge frame":   promise(0x7fffffff),
	"promises a large frame":  promise(1_000_000), // which is allowed, and does not come
	"sends a negative length": promise(0xffffffff),
	"sends a byte now and then": func(c *net.TCPConn, _ *rand.Rand, stop <-chan struct{}) {
		for _, b := range connectFrame() {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(dropByte):
			}
		}
		drain(c)
	},
	"says nothing": func(c *net.TCPConn, _ *rand.Rand, _ <-chan struct{}) { drain(c) },
	"closes its half at once": func(c *net.TCPConn, _ *rand.Rand, _ <-chan struct{}) {
		c.CloseWrite() //nolint:errcheck // it may be gone
		drain(c)
	},
	"closes its half in a session": func(c *net.TCPConn, _ *rand.Rand, _ <-chan struct{}) {
		if open(c) == nil {
			c.Write(frame(&zk.Request{Xid: 1, Op: zk.OpGetData, Path: fatPath})) //nolint:errcheck // as above
			c.CloseWrite()                                                       //nolint:errcheck // as above
		}
		drain(c)
	},
	"asks for much and never reads": func(c *net.TCPConn, _ *rand.Rand, _ <-chan struct{}) {
		if open(c) != nil {
			return
		}
		for i := int32(1); ; i++ { // blocks when all buffers are full, until the server ends it
			if _, err := c.Write(frame(&zk.Request{Xid: i, Op: zk.OpGetData, Path: fatPath})); err != nil {
				return
			}
		}
	},
	"watches all and never reads": func(c *net.TCPConn, _ *rand.Rand, stop <-chan struct{}) {
		if open(c) != nil {
			return
		}
		c.Write(frame(&zk.Request{Xid: 1, Op: zk.OpAddWatch, Path: busyPath, Arg: int32(zk.AddPersistentRecursive)})) //nolint:errcheck // as above
		ping := frame(&zk.Request{Xid: zk.XidPing, Op: zk.OpPing})
		for { // stays alive without reading
			if _, err := c.Write(ping); err != nil {
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(hostileTimeout / 4):
			}
		}
	},
	"floods with watches": func(c *net.TCPConn, rng *rand.Rand, _ <-chan struct{}) {
		if open(c) != nil {
			return
		}
		go drain(c) // ends with the connection
		prefix := fmt.Sprintf("/none/%x-", rng.Uint64())
		for i := int32(1); i <= watchesMax; i++ {
			if _, err := c.Write(frame(&zk.Request{Xid: i, Op: zk.OpExists, Path: fmt.Sprint(prefix, i), Watch: true})); err != nil {
				return
			}
		}
	},
	"sends requests that do not decode": func(c *net.TCPConn, rng *rand.Rand, _ <-chan struct{}) {
		if open(c) != nil {
			return
		}
		go drain(c) // ends with the connection
		for range 100 {
			b := make([]byte, 8+rng.IntN(60))
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			binary.BigEndian.PutUint32(b, uint32(len(b)-4))
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	},
	"asks for words and never reads": func(c *net.TCPConn, _ *rand.Rand, stop <-chan struct{}) {
		c.Write([]byte("dump")) //nolint:errcheck // as above
		select {
		case <-stop:
		case <-time.After(dropByte):
		}
	},
}

// promise sends a length and the beginning of a frame.
func promise(length uint32) hostile {
	return func(c *net.TCPConn, _ *rand.Rand, _ <-chan struct{}) {
		c.Write(binary.BigEndian.AppendUint32(nil, length)) //nolint:errcheck // as above
		c.Write(make([]byte, 1000))                         //nolint:errcheck // as above
		drain(c)
	}
}

// drain reads until the connection ends.
func drain(c *net.TCPConn) { io.Copy(io.Discard, c) } //nolint:errcheck // any end will do

// open opens a session and reads nothing but the answer.
func open(c *net.TCPConn) error {
	if _, err := c.Write(connectFrame()); err != nil {
		return err
	}
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(head[:])))
	return err
}

func connectFrame() []byte {
	return frame(&zk.ConnectRequest{TimeoutMS: int32(hostileTimeout.Milliseconds()), Password: make([]byte, zk.PasswordBytes)})
}

// frame is a record with its length before it.
func frame(r interface{ Jute(*jute.Coder) }) []byte {
	w := jute.Writer(make([]byte, 4))
	r.Jute(w)
	b := w.Bytes()
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}
