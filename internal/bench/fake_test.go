package bench

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

// fake is a server of the jute protocol that knows just enough: a flat map of znodes, one-shot and persistent watches on
// data, and ephemerals. Tests bend it.
type fake struct {
	t    *testing.T
	addr string

	mu sync.Mutex // guards all below
	hooks
	conns  int
	open   map[net.Conn]bool
	zxid   zk.Zxid
	znodes map[string]znode
	most   int // znodes at a time
	asked  map[zk.OpCode]int
	loops  sync.WaitGroup
}

// hooks make the fake misbehave. Each may be nil.
type hooks struct {
	// refuse tells whether to close a connection at once, the n-th from 1, when so many are open.
	refuse func(n, open int) bool
	// answer may change a reply before it is sent; false drops the connection in its place.
	answer func(req *zk.Request, reply *zk.Reply) bool
}

// bend sets the hooks.
func (f *fake) bend(h hooks) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hooks = h
}

// znode is what the fake keeps of one.
type znode struct {
	data     []byte
	owner    *peer
	watchers map[*peer]bool // true for persistent
}

// peer is one connection of the fake.
type peer struct {
	nc  net.Conn
	mu  sync.Mutex // guards out
	out *bufio.Writer
}

// newFake starts a server, which ends with the test.
func newFake(t *testing.T) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, addr: l.Addr().String(), open: map[net.Conn]bool{}, znodes: map[string]znode{"/": {}, "/app": {}},
		asked: map[zk.OpCode]int{}}
	f.loops.Go(func() { // ends when the listener is closed
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			f.loops.Go(func() { f.serve(nc) }) // ends when the connection is closed
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.mu.Lock()
		for nc := range f.open {
			nc.Close()
		}
		f.mu.Unlock()
		f.loops.Wait()
	})
	return f
}

// serve answers one connection.
func (f *fake) serve(nc net.Conn) {
	defer nc.Close()
	f.mu.Lock()
	f.conns++
	n, hooks := f.conns, f.hooks
	f.open[nc] = true
	open := len(f.open)
	f.mu.Unlock()
	p := &peer{nc: nc, out: bufio.NewWriter(nc)}
	defer f.gone(p)
	if hooks.refuse != nil && hooks.refuse(n, open) {
		return
	}
	in := bufio.NewReader(nc)
	if _, ok := frame(in); !ok {
		return
	}
	p.send(&zk.ConnectResponse{TimeoutMS: sessionTimeoutMS, Session: zk.SessionID(n), Password: zk.SessionID(n).Password()}, true)
	for {
		b, ok := frame(in)
		if !ok {
			return
		}
		var req zk.Request
		if req.Jute(jute.Reader(b)); req.Malformed {
			f.t.Errorf("a request that does not decode: %x", b)
			return
		}
		reply := f.apply(p, &req)
		if hooks.answer != nil && !hooks.answer(&req, reply) {
			return
		}
		p.send(reply, in.Buffered() == 0)
		if req.Op == zk.OpCloseSession {
			return
		}
	}
}

func frame(in *bufio.Reader) ([]byte, bool) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, false
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(in, b)
	return b, err == nil
}

func (p *peer) send(r record, flush bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Write(appendFrame(nil, r))
	if flush {
		p.out.Flush()
	}
}

// gone forgets a connection, its watches and its ephemerals.
func (f *fake) gone(p *peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, p.nc)
	f.drop(p)
}

func (f *fake) drop(p *peer) {
	for path, z := range f.znodes {
		if z.owner == p {
			delete(f.znodes, path)
		}
		delete(z.watchers, p)
	}
}

// apply does what a request asks.
func (f *fake) apply(p *peer, req *zk.Request) *zk.Reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[req.Op]++
	reply := &zk.Reply{Xid: req.Xid, Op: req.Op, Path: req.Path}
	z, found := f.znodes[req.Path]
	if req.Op.IsWrite() {
		f.zxid++
	}
	reply.Zxid = f.zxid
	switch req.Op {
	case zk.OpCreate:
		if found {
			reply.Err = zk.NodeExists
			return reply
		}
		z = znode{data: req.Data, watchers: map[*peer]bool{}}
		if req.Mode.IsEphemeral() {
			z.owner = p
		}
		f.znodes[req.Path] = z
		f.most = max(f.most, len(f.znodes))
	case zk.OpGetChildren:
		reply.Names = f.children(req.Path)
	case zk.OpCloseSession:
		f.drop(p)
	case zk.OpPing:
	default:
		if !found {
			reply.Err = zk.NoNode
			return reply
		}
		f.change(p, req, z, reply)
	}
	return reply
}

// change does what is asked of a znode that exists.
func (f *fake) change(p *peer, req *zk.Request, z znode, reply *zk.Reply) {
	switch req.Op {
	case zk.OpDelete:
		if len(f.children(req.Path)) > 0 {
			reply.Err = zk.NotEmpty
			return
		}
		delete(f.znodes, req.Path)
	case zk.OpGetData:
		reply.Data = z.data
		if req.Watch {
			z.watchers[p] = false
		}
	case zk.OpAddWatch:
		z.watchers[p] = true
	case zk.OpSetData:
		for w, persistent := range z.watchers {
			w.send(&zk.Event{Zxid: f.zxid, Type: zk.NodeDataChanged, Path: req.Path}, true)
			if !persistent {
				delete(z.watchers, w)
			}
		}
		z.data = req.Data
		f.znodes[req.Path] = z
	}
}

func (f *fake) children(parent string) []string {
	names := []string{}
	for path := range f.znodes {
		if len(path) > len(parent)+1 && path[:len(parent)+1] == parent+"/" {
			names = append(names, path[len(parent)+1:])
		}
	}
	return names
}

// left are the paths that a run must not leave behind.
func (f *fake) left() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var paths []string
	for path := range f.znodes {
		if path != "/" && path != "/app" {
			paths = append(paths, path)
		}
	}
	return paths
}

// count is how often an operation was asked.
func (f *fake) count(op zk.OpCode) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[op]
}
