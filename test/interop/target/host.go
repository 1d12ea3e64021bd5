package target

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
)

// Ports are taken below the range from which Linux gives ports to outgoing connections. Inside it, a client that keeps dialling
// a stopped server could be given the server's own port, connect to itself, and keep the server from listening again.
const (
	portFirst = 12000
	portCount = 20000
	portTries = 100
)

// given counts the ports that were given, so that none is twice. It begins somewhere else in each process.
var given atomic.Uint32

func init() { given.Store(rand.Uint32N(portCount)) }

// loopback returns the address of a port of the loopback interface.
func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// FreePort returns a port of the loopback interface that nobody listens on.
func FreePort(t *testing.T) int {
	t.Helper()
	return freePort(t)
}

// freePort returns a port of the loopback interface that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	var err error
	for range portTries {
		port := portFirst + int(given.Add(1)%portCount)
		var listener net.Listener
		if listener, err = net.Listen("tcp", loopback(port)); err == nil {
			_ = listener.Close() // nothing was accepted
			return port
		}
	}
	t.Fatalf("no free port in %d tries: %v", portTries, err)
	return 0
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
