package main

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"paddock/consensus/quorum"
	"paddock/internal/jute"
	"paddock/internal/zk"
)

// ensemble is a server that knows its members, changes them, and nothing else.
type ensemble struct {
	addr, password string

	mu       sync.Mutex // guards all below
	config   *quorum.Config
	outcomes []zk.Code // of the next reconfigurations, before any succeeds
	asked    []change
}

// listen starts an ensemble of the first n members.
func listen(t *testing.T, member naming, n int, password string) *ensemble {
	t.Helper()
	servers, err := member.first(n)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &ensemble{addr: l.Addr().String(), password: password}
	e.set(t, servers)
	var conns sync.WaitGroup
	t.Cleanup(func() { l.Close(); conns.Wait() })
	conns.Go(func() { // ends with the listener
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { e.serve(nc) }) // ends with the client
		}
	})
	return e
}

func (e *ensemble) set(t *testing.T, servers []quorum.Server) {
	t.Helper()
	version := zk.Zxid(0x100000000)
	if e.config != nil {
		version = e.config.Version + 1
	}
	c, err := quorum.NewConfig(version, servers, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.config = c
}

func (e *ensemble) serve(nc net.Conn) {
	defer nc.Close()
	if _, err := receive(nc); err != nil {
		return
	}
	res := zk.ConnectResponse{TimeoutMS: 10000, Session: 1}
	send(nc, res.Jute)
	super := false
	for {
		frame, err := receive(nc)
		if err != nil {
			return
		}
		r := jute.Reader(frame)
		var xid, op int32
		r.Int32(&xid)
		r.Int32(&op)
		reply := zk.Reply{Xid: xid, Op: zk.OpCode(op)}
		switch zk.OpCode(op) {
		case zk.OpAuth:
			var req zk.Request
			req.Jute(jute.Reader(frame))
			super = string(req.Data) == "super:"+e.password
		case zk.OpGetData:
			e.mu.Lock()
			reply.Data = []byte(e.config.String())
			e.mu.Unlock()
		case zk.OpReconfig:
			var c change
			var members string
			var from int64
			r.String(&c.joining)
			r.String(&c.leaving)
			r.String(&members)
			r.Int64(&from)
			reply.Op = zk.OpGetData
			reply.Err = e.reconfig(c, zk.Zxid(from), super && jute.IsNull(members) && r.Left() == 0)
		}
		send(nc, reply.Jute)
		if zk.OpCode(op) == zk.OpCloseSession {
			return
		}
	}
}

// reconfig does what a leader does.
func (e *ensemble) reconfig(c change, from zk.Zxid, super bool) zk.Code {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, c)
	if !super {
		return zk.NoAuth
	}
	if len(e.outcomes) > 0 {
		code := e.outcomes[0]
		e.outcomes = e.outcomes[1:]
		return code
	}
	if from != e.config.Version {
		return zk.BadVersion
	}
	var stay []string
	for line := range strings.Lines(e.config.String()) {
		line = strings.TrimSpace(line)
		gone := strings.HasPrefix(line, "version")
		for id := range strings.SplitSeq(c.leaving, ",") {
			gone = gone || !jute.IsNull(c.leaving) && strings.HasPrefix(line, "server."+id+"=")
		}
		if name, _, _ := strings.Cut(c.joining, "="); !gone && !strings.HasPrefix(line, name+"=") {
			stay = append(stay, line)
		}
	}
	if !jute.IsNull(c.joining) {
		stay = append(stay, c.joining)
	}
	config, err := quorum.ParseConfig(strings.Join(stay, "\n"))
	if err != nil {
		return zk.BadArguments
	}
	e.config = config.WithVersion(e.config.Version + 1)
	return zk.OK
}

func receive(r io.Reader) ([]byte, error) {
	var n int32
	if err := binary.Read(r, binary.BigEndian, &n); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

func send(nc net.Conn, record func(*jute.Coder)) {
	w := jute.Writer(make([]byte, 4))
	record(w)
	b := w.Bytes()
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	nc.Write(b)
}
