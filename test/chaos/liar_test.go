//go:build chaos

package chaos

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

// liar passes everything between clients and a server, except that once in a while it answers a request by a reply of before.
type liar struct {
	listener net.Listener
	server   string
	op       zk.OpCode // what it lies about
	wg       sync.WaitGroup

	mu   sync.Mutex // guards all below
	told int        // replies seen
	lies int
	old  map[string][]byte // a reply's body, by path
}

// oneIn is how many replies there are to one that is not true.
const oneIn = 40

func newLiar(t *testing.T, server string, op zk.OpCode) *liar {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{listener: listener, server: server, op: op, old: map[string][]byte{}}
	l.wg.Go(func() { // ends when the listener is closed
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			l.wg.Go(func() { l.serve(client) }) // ends with the connection
		}
	})
	t.Cleanup(func() {
		listener.Close()
		l.wg.Wait()
	})
	return l
}

// serve is one connection.
func (l *liar) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", l.server)
	if err != nil {
		return
	}
	defer server.Close()
	var mu sync.Mutex
	asked := map[int32]string{} // xid -> path, of requests to lie about
	var wg sync.WaitGroup
	wg.Go(func() { // ends with either connection
		defer server.Close()
		first := true
		for {
			frame, err := wholeFrame(client)
			if err != nil {
				return
			}
			if !first {
				var r zk.Request
				if r.Jute(jute.Reader(frame[4:])); r.Op == l.op {
					mu.Lock()
					asked[r.Xid] = r.Path
					mu.Unlock()
				}
			}
			first = false
			if _, err := server.Write(frame); err != nil {
				return
			}
		}
	})
	for first := true; ; first = false {
		frame, err := wholeFrame(server)
		if err != nil {
			break
		}
		if !first && len(frame) > 4+zk.ReplyHeaderBytes {
			mu.Lock()
			path := asked[int32(binary.BigEndian.Uint32(frame[4:]))]
			mu.Unlock()
			frame = l.lie(path, frame)
		}
		if _, err := client.Write(frame); err != nil {
			break
		}
	}
	client.Close()
	wg.Wait()
}

// lie returns the reply to be given instead of frame: mostly frame.
func (l *liar) lie(path string, frame []byte) []byte {
	const head = 4 + zk.ReplyHeaderBytes
	if path == "" {
		return frame
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.old[path]
	l.told++
	if l.told%oneIn == 0 && old != nil {
		l.lies++
		frame = append(frame[:head:head], old...)
		binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
		return frame
	}
	if l.told%(oneIn/4) == 0 || old == nil {
		l.old[path] = frame[head:]
	}
	return frame
}

// wholeFrame is a frame with its length.
func wholeFrame(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	frame := append(head, make([]byte, binary.BigEndian.Uint32(head))...)
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}

// TestJudgesFindLies has crews work through a liar, which the judges must notice, and with an honest one.
func TestJudgesFindLies(t *testing.T) {
	e := assemble(t, []string{paddock})
	p := e.members[0]
	p.extra = nil // on its own
	e.launch(t)
	e.await(t)
	for i, test := range []struct {
		op   zk.OpCode
		want string // "" for no lie
	}{{0, ""}, {zk.OpGetData, "no order explains"}, {zk.OpGetChildren, "no order explains"}} {
		l := newLiar(t, p.addr(), test.op)
		door := &process{kind: paddock, port: l.listener.Addr().(*net.TCPAddr).Port}
		if err := plantObjects([]*process{p}, i); err != nil {
			t.Fatal(err)
		}
		c := newCrew([]*process{door}, i, 1)
		for deadline := time.Now().Add(startDeadline); time.Now().Before(deadline); <-time.After(pollEvery) {
			l.mu.Lock()
			enough := test.op == 0 || l.lies >= 10
			l.mu.Unlock()
			if enough {
				break
			}
		}
		progress := c.progress(60)
		err := c.end()
		switch {
		case progress != nil:
			t.Error(progress)
		case test.want == "" && err != nil:
			t.Errorf("an honest server: %v", err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%d lies about %v: found %v", l.lies, test.op, err)
		}
	}
}
