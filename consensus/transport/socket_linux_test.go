package transport

import (
	"net"
	"syscall"
	"testing"
	"time"

	"paddock/consensus/quorum"
)

// tcpOption reads an option of a connection; false if the system does not know it.
func tcpOption(t *testing.T, c net.Conn, option int) (time.Duration, bool) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ms int
	var optErr error
	if err := raw.Control(func(fd uintptr) { ms, optErr = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, option) }); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ms) * time.Millisecond, optErr == nil
}

// TestElectionConnectionsDoNotSurviveAPartition: both ends give one up whose notifications do not arrive. Whatever is left to wait
// after a partition would else double with each second of it.
func TestElectionConnectionsDoNotSurviveAPartition(t *testing.T) {
	c := ensemble(t, 2)
	nodes := []*node{start(t, 1, c), start(t, 2, c)}
	for _, n := range nodes {
		eventually(t, "it listens", func() bool { return dials(c, n.id) })
	}
	nodes[0].tell(2, 1)
	nodes[1].tell(1, 1)
	eventually(t, "both hear each other", func() bool { return nodes[0].heard(2) == 1 && nodes[1].heard(1) == 1 })
	for i, n := range nodes {
		other := quorum.ServerID(2 - i)
		var conn net.Conn
		got := make(chan struct{})
		n.inbox.post(func(d *desk) { conn = d.peers[other].conn.c; close(got) })
		<-got
		if after, _ := tcpOption(t, conn, tcpUserTimeout); after != unheardMax {
			t.Errorf("server %d: the connection may stand still for %v", n.id, after)
		}
		if pause, ok := tcpOption(t, conn, tcpRTOMaxMS); ok && pause != retransmitMax {
			t.Errorf("server %d: what is lost is sent again after up to %v", n.id, pause)
		}
	}
}
