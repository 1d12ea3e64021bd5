package juteapi

import (
	"encoding/binary"
	"slices"
	"time"

	"paddock/internal/jute"
	"paddock/internal/zk"
	"paddock/server/request"
)

// shakeHands reads up to the first complete frame, which is a connect request, or answers a four-letter word. It
// returns when the session is established: until then nothing more is read from the client.
func (c *conn) shakeHands() string {
	first := true
	read := len(c.in.bytes()) > 0 // looking for TLS has read something
	for {
		if !read {
			if why := c.fill(); why != "" {
				return why
			}
		}
		read = false
		b := c.in.bytes()
		if first && len(b) >= frameHeader {
			first = false
			if word, ok := words[binary.BigEndian.Uint32(b)]; ok && c.srv.opt.FourLetter != nil {
				return c.answer(word)
			}
		}
		n, end, need, err := cut(b, c.srv.opt.JuteMaxBuffer, 1)
		if err != nil && n == 0 {
			return c.badLength()
		}
		if n == 1 {
			return c.connect(c.in.take(end))
		}
		c.note(need, false)
	}
}

// answer answers a four-letter word and ends the connection.
func (c *conn) answer(word string) string {
	c.in.take(frameHeader)
	c.mu.Lock()
	c.stats.count(1, frameHeader)
	c.mu.Unlock()
	c.busy.Store(true)
	text := c.srv.opt.FourLetter(word, c.wordArg)
	c.lastIO.Store(c.srv.now())
	c.busy.Store(false)
	if text == nil {
		return endFrame
	}
	c.mu.Lock()
	c.queued = true // the reader itself is the writer now
	c.mu.Unlock()
	c.owe(len(text))
	ok := c.finish(nil, text)
	c.sent(len(text))
	c.mu.Lock()
	c.stats.sent(1, len(text))
	c.queued = false
	c.mu.Unlock()
	if !ok {
		return endSlow
	}
	c.blame(endFourLetter)
	c.linger()
	for c.fill() == "" {
	}
	return endFourLetter
}

// wordArg reads the eight bytes that follow a word.
func (c *conn) wordArg() (int64, bool) {
	c.busy.Store(false) // now it is the client that is waited for
	defer c.busy.Store(true)
	for len(c.in.bytes()) < wordArgBytes {
		c.frameFrom.CompareAndSwap(0, c.srv.now())
		if c.fill() != "" {
			return 0, false
		}
	}
	return int64(binary.BigEndian.Uint64(c.in.take(wordArgBytes))), true
}

// connect asks the handler for a session and waits for it.
func (c *conn) connect(frame []byte) string {
	var req zk.ConnectRequest
	r := jute.Reader(slices.Clip(frame[frameHeader:]))
	if req.Jute(r); r.Err() != nil {
		return endMalformed
	}
	c.srv.opt.Hooks.Connects()
	c.mu.Lock()
	c.stats.connecting(len(frame), c.lastIO.Load(), req.Session == 0)
	c.mu.Unlock()
	c.old.Store(req.Old)
	c.frameFrom.Store(0)
	c.setLimit(min(max(time.Duration(req.TimeoutMS)*time.Millisecond, 1), connectTimeoutMax))
	c.id = c.srv.opt.Handler.Open(c, request.Origin{Addr: c.addr, IP: ipText(c.ip), Secure: c.tls != nil})
	c.srv.opt.Handler.Connect(c.id, &req)
	<-c.established
	c.lastIO.Store(c.srv.now())
	if c.dead.Load() {
		return endBroken // kill has noted why
	}
	return ""
}
