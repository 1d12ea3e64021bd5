package zk

import (
	"fmt"

	"paddock/internal/jute"
)

// Zxid orders every change of an ensemble: the epoch in the high 32 bits, a counter in the low.
type Zxid int64

// Epoch is the leadership the zxid was given out in; 0 on a standalone server.
func (z Zxid) Epoch() int64 { return int64(z) >> 32 }

// Counter is the place within the epoch, from 1.
func (z Zxid) Counter() uint32 { return uint32(z) }

// String is the form ZooKeeper prints: 0x100000002.
func (z Zxid) String() string { return fmt.Sprintf("0x%x", uint64(z)) }

// Jute codes a long.
func (z *Zxid) Jute(c *jute.Coder) { c.Int64((*int64)(z)) }

// SessionID names a session. Its top byte is the low byte of the id of the server that opened it.
type SessionID int64

// String is the form ZooKeeper prints: 0x10000a1b2c3d0001.
func (s SessionID) String() string { return fmt.Sprintf("0x%x", uint64(s)) }

// Jute codes a long.
func (s *SessionID) Jute(c *jute.Coder) { c.Int64((*int64)(s)) }

// PasswordBytes is the length of a session's password.
const PasswordBytes = 16

// Password is the password of a session: a checksum that every server computes from the id alone, so that
// sessions move between servers. Source: java.util.Random seeded with id ^ 0xB3415C00.
func (s SessionID) Password() [PasswordBytes]byte {
	const mask = 1<<48 - 1
	seed := ((uint64(s) ^ 0xB3415C00) ^ 0x5DEECE66D) & mask
	var p [PasswordBytes]byte
	for i := 0; i < PasswordBytes; i += 4 {
		seed = (seed*0x5DEECE66D + 0xB) & mask
		v := uint32(seed >> 16)
		p[i], p[i+1], p[i+2], p[i+3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
	}
	return p
}

// FirstSessionID is where a server with the given id starts to count sessions: the low byte of the id, 40 bits
// of wallMS (milliseconds since 1970, so that a restart gives out no id twice), 16 zero bits.
func FirstSessionID(serverID int64, wallMS int64) SessionID {
	id := (uint64(wallMS)<<24)>>8 | uint64(serverID)<<56
	if Owner(id) == ContainerOwner {
		id++
	}
	return SessionID(id)
}
