//go:build chaos

package chaos

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
)

// ports are the quorum and election addresses of a member.
func (e *ensemble) ports(id int) (quorum, election string) {
	for _, line := range e.members[id-1].extra {
		if rest, ok := strings.CutPrefix(line, fmt.Sprintf("server.%d=", id)); ok {
			parts := strings.Split(rest, ":")
			return net.JoinHostPort(parts[0], parts[1]), net.JoinHostPort(parts[0], parts[2])
		}
	}
	return "", ""
}

// hello is what a server says first on an election port, in the form of ZooKeeper 3.5 and later.
func hello(id int64, address string) []byte {
	b := binary.BigEndian.AppendUint64(nil, 0xffffffffffff0000)
	b = binary.BigEndian.AppendUint64(b, uint64(id))
	b = binary.BigEndian.AppendUint32(b, uint32(len(address)))
	return append(b, address...)
}

// notification is the vote of a server that looks.
func notification(leader, zxid, round, epoch int64) []byte {
	b := binary.BigEndian.AppendUint32(nil, 44)
	b = binary.BigEndian.AppendUint32(b, 0) // LOOKING
	for _, n := range []int64{leader, zxid, round, epoch} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = binary.BigEndian.AppendUint32(b, 2)
	return binary.BigEndian.AppendUint32(b, 0)
}

// saying is the round in a notification that comes on c.
func saying(c net.Conn) (round int64, err error) {
	var length [4]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return 0, err
	}
	b := make([]byte, min(binary.BigEndian.Uint32(length[:]), 512<<10))
	if _, err := io.ReadFull(c, b); err != nil || len(b) < 36 {
		return 0, fmt.Errorf("%d bytes of a notification: %w", len(b), err)
	}
	return int64(binary.BigEndian.Uint64(b[20:])), nil
}
