//go:build chaos

package chaos

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

const (
	hostileTimeout = 4 * time.Second        // of the sessions that hostile clients open
	dropByte       = 200 * time.Millisecond // between two bytes of one that is slow
	watchesMax     = 5000                   // that one connection sets before it begins anew
	burst          = 50                     // requests of a flood that are sent at once
	fatPath        = "/fat"                 // a large znode to ask for
	fatBytes       = 500_000
	busyPath       = "/busy" // below it the healthy clients write
)

// hostile is a client that means no good. It returns when the server ends the connection, or when stop closes it.
type hostile func(f *foe)

// foe is one hostile connection.
type foe struct {
	*net.TCPConn
	rng  *rand.Rand
	stop <-chan struct{}
	rate rate
	did  *deeds
}

// rate is how hard the hostile clients work.
type rate struct {
	Pause time.Duration // until one that was thrown out comes back
	Flood int           // requests a second of each connection that floods, 0 for as many as it can
}

// deeds count what hostile clients did.
type deeds struct {
	Connections, Requests, Writes, Sent, Read count // the last two in bytes
}

// count is a number that travels as JSON.
type count struct{ atomic.Int64 }

func (c *count) MarshalJSON() ([]byte, error) { return json.Marshal(c.Load()) }
func (c *count) UnmarshalJSON(b []byte) error {
	var n int64
	err := json.Unmarshal(b, &n)
	c.Store(n)
	return err
}

// Write counts.
func (f *foe) Write(b []byte) (int, error) {
	n, err := f.TCPConn.Write(b)
	f.did.Writes.Add(1)
	f.did.Sent.Add(int64(n))
	return n, err
}

// ask sends a request.
func (f *foe) ask(r *zk.Request) error {
	f.did.Requests.Add(1)
	_, err := f.Write(frame(r))
	return err
}

// flood sends what next returns in bursts, up to most times, at the rate of a flood. It ends early with the connection.
func (f *foe) flood(most int, next func(i int32) []byte) {
	var b []byte
	for i := 1; i <= most; {
		b = b[:0]
		n := 0
		for ; n < burst && i <= most; n++ {
			b = append(b, next(int32(i))...)
			i++
		}
		f.did.Requests.Add(int64(n))
		if _, err := f.Write(b); err != nil {
			return
		}
		if f.rate.Flood > 0 && !f.wait(time.Duration(n)*time.Second/time.Duration(f.rate.Flood)) {
			return
		}
	}
}

// wait waits, unless everything is over.
func (f *foe) wait(d time.Duration) bool {
	select {
	case <-f.stop:
		return false
	case <-time.After(d):
		return true
	}
}

// hostiles are the ways to misbehave.
var hostiles = map[string]hostile{
	"sends garbage": func(f *foe) {
		f.Write(garbage(f.rng, 1+f.rng.IntN(4000))) //nolint:errcheck // the server may have had enough
		f.drain()
	},
	"promises a huge frame":   promise(0x7fffffff),
	"promises a large frame":  promise(1_000_000), // which is allowed, and does not come
	"sends a negative length": promise(0xffffffff),
	"sends a byte now and then": func(f *foe) {
		for _, b := range connectFrame() {
			if _, err := f.Write([]byte{b}); err != nil || !f.wait(dropByte) {
				return
			}
		}
		f.drain()
	},
	"says nothing": (*foe).drain,
	"closes its half at once": func(f *foe) {
		f.CloseWrite() //nolint:errcheck // it may be gone
		f.drain()
	},
	"closes its half in a session": func(f *foe) {
		if f.open() == nil {
			f.ask(&zk.Request{Xid: 1, Op: zk.OpGetData, Path: fatPath}) //nolint:errcheck // as above
			f.CloseWrite()                                              //nolint:errcheck // as above
		}
		f.drain()
	},
	"asks for much and never reads": func(f *foe) {
		if f.open() == nil { // then it blocks when all buffers are full, until the server ends it
			f.flood(math.MaxInt32, func(i int32) []byte { return frame(&zk.Request{Xid: i, Op: zk.OpGetData, Path: fatPath}) })
		}
	},
	"watches all and never reads": func(f *foe) {
		if f.open() != nil {
			return
		}
		f.ask(&zk.Request{Xid: 1, Op: zk.OpAddWatch, Path: busyPath, Arg: int32(zk.AddPersistentRecursive)}) //nolint:errcheck // as above
		for f.ask(&zk.Request{Xid: zk.XidPing, Op: zk.OpPing}) == nil && f.wait(hostileTimeout/4) {
		} // stays alive without reading
	},
	"floods with watches": func(f *foe) {
		if f.open() != nil {
			return
		}
		go f.drain() // ends with the connection
		prefix := fmt.Sprintf("/none/%x-", f.rng.Uint64())
		f.flood(watchesMax, func(i int32) []byte {
			return frame(&zk.Request{Xid: i, Op: zk.OpExists, Path: fmt.Sprint(prefix, i), Watch: true})
		})
	},
	"sends requests that do not decode": func(f *foe) {
		if f.open() != nil {
			return
		}
		go f.drain() // ends with the connection
		f.flood(watchesMax, func(int32) []byte {
			b := garbage(f.rng, 8+f.rng.IntN(60))
			binary.BigEndian.PutUint32(b, uint32(len(b)-4))
			return b
		})
	},
	"asks for words and never reads": func(f *foe) {
		f.Write([]byte("dump")) //nolint:errcheck // as above
		f.wait(dropByte)
	},
}

// promise sends a length and the beginning of a frame.
func promise(length uint32) hostile {
	return func(f *foe) {
		f.Write(binary.BigEndian.AppendUint32(nil, length)) //nolint:errcheck // as above
		f.Write(make([]byte, 1000))                         //nolint:errcheck // as above
		f.drain()
	}
}

func garbage(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// drain reads until the connection ends.
func (f *foe) drain() {
	n, _ := io.Copy(io.Discard, f.TCPConn) // any end will do
	f.did.Read.Add(n)
}

// open opens a session and reads nothing but the answer.
func (f *foe) open() error {
	if _, err := f.Write(connectFrame()); err != nil {
		return err
	}
	var head [4]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, f, int64(binary.BigEndian.Uint32(head[:])))
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
