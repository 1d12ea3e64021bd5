package transport

import (
	"encoding/binary"
	"errors"
	"fmt"

	"paddock/consensus/election"
	"paddock/internal/jute"
)

// A message on the election port, in both directions, after the handshake:
//
//	int32   length of what follows, 1 to 524288
//	 0  int32  role of the sender
//	 4  int64  leader voted for
//	12  int64  zxid of that leader
//	20  int64  round of the election
//	28  int64  epoch of that leader
//	36  int32  version: 2
//	40  int32  length of the configuration
//	44  its text
//
// Older servers send less: 28 bytes, or 40 of which the last four are no version.
const (
	frameBytesMax     = 512 << 10
	lengthBytes       = 4
	notificationMin   = 28 // up to ZooKeeper 3.3: no epoch, no version
	notification34    = 40 // ZooKeeper 3.4: no version that is meant
	notificationBytes = 44 // without the text
)

var errShortNotification = errors.New("a notification that ends early")

// appendNotification appends the frame of n to b, always in version 2.
func appendNotification(b []byte, n *election.Notification) []byte {
	be := binary.BigEndian
	b = be.AppendUint32(b, uint32(notificationBytes+len(n.Config)))
	b = be.AppendUint32(b, uint32(n.Role))
	b = be.AppendUint64(b, uint64(n.Vote.Leader))
	b = be.AppendUint64(b, uint64(n.Vote.Zxid))
	b = be.AppendUint64(b, uint64(n.Vote.Round))
	b = be.AppendUint64(b, uint64(n.Vote.Epoch))
	b = be.AppendUint32(b, election.Version)
	b = be.AppendUint32(b, uint32(len(n.Config)))
	return append(b, n.Config...)
}

// decodeNotification reads a frame without its length. It keeps nothing of b.
func decodeNotification(b []byte) (election.Notification, error) {
	var n election.Notification
	if len(b) < notificationMin {
		return n, errShortNotification
	}
	c := jute.Reader(b)
	c.Int32((*int32)(&n.Role))
	c.Int64((*int64)(&n.Vote.Leader))
	n.Vote.Zxid.Jute(c)
	c.Int64(&n.Vote.Round)
	if len(b) == notificationMin {
		n.Vote.Epoch = n.Vote.Zxid.Epoch()
		return n, nil
	}
	c.Int64(&n.Vote.Epoch)
	if len(b) == notification34 {
		return n, c.Err()
	}
	if c.Int32(&n.Version); n.Version > 1 {
		var text []byte
		if c.Buffer(&text); text == nil {
			c.Fail("no configuration")
		}
		n.Config = string(text)
	}
	if c.Err() != nil {
		return election.Notification{}, fmt.Errorf("%w: %w", errShortNotification, c.Err())
	}
	return n, nil
}

// frameLength reads the length of a frame.
func frameLength(b []byte) (int, error) {
	n := int32(binary.BigEndian.Uint32(b))
	if n < 1 || n > frameBytesMax {
		return 0, fmt.Errorf("a frame of %d bytes", n)
	}
	return int(n), nil
}

// nextFrame returns the next frame, without its length, if the buffer has it whole. As message, for the election port.
func (r *reader) nextFrame() (b []byte, ok bool, err error) {
	have := r.buf[r.r:r.w]
	if len(have) < lengthBytes {
		return nil, false, nil
	}
	n, err := frameLength(have)
	if err != nil || len(have) < lengthBytes+n {
		return nil, false, err
	}
	r.r += lengthBytes + n
	return have[lengthBytes : lengthBytes+n], true, nil
}
