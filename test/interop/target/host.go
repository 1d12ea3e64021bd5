package target

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
)

// Ports are taken below the range from which Linux gives ports to outgoing connections. Inside it, a client that keeps dialling
// a stopped server could be given the server's own port, connect to itself, and keep the server from listening again.
//
// They are divided into blocks. Whoever listens on the first port of a block may give the others, so packages that are tested side by side
// are never given the same.
const (
	portFirst  = 10_000
	portBlocks = 220
	portBlock  = 100
)

// ports are those of this process.
var ports struct {
	mu        sync.Mutex
	held      []net.Listener // on the first port of each block, for as long as the process lives
	next, end int            // of the newest block, what was not given
}

// loopback returns the address of a port of the loopback interface.
func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// FreePort returns a port of the loopback interface that nobody listens on, and that is given once.
func FreePort(t *testing.T) int {
	t.Helper()
	ports.mu.Lock()
	defer ports.mu.Unlock()
	for {
		if ports.next == ports.end && !claimPorts() {
			t.Fatal("all blocks of ports are taken by processes that run tests")
		}
		port := ports.next
		ports.next++
		if listener, err := net.Listen("tcp", loopback(port)); err == nil {
			_ = listener.Close() // nothing was accepted
			return port
		}
	}
}

// claimPorts takes a block that no process has; false if there is none.
func claimPorts() bool {
	for _, i := range rand.Perm(portBlocks) {
		port := portFirst + i*portBlock
		if listener, err := net.Listen("tcp", loopback(port)); err == nil {
			ports.held = append(ports.held, listener)
			ports.next, ports.end = port+1, port+portBlock
			return true
		}
	}
	return false
}

// tail returns the last bytes of file, at most most of them.
func tail(file *os.File, most int64) string {
	info, err := file.Stat()
	if err != nil {
		return err.Error()
	}
	from := max(0, info.Size()-most)
	text := make([]byte, info.Size()-from)
	n, err := file.ReadAt(text, from)
	if n < len(text) {
		return fmt.Sprintf("%s\n%v", text[:n], err)
	}
	return string(text)
}
