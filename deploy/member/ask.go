package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"paddock/consensus/quorum"
	"paddock/internal/jute"
	"paddock/internal/zk"
)

// configPath is the znode that holds the list of members.
const configPath = "/zookeeper/config"

const (
	sessionTimeout = 10 * time.Second
	callTimeout    = 30 * time.Second // one exchange; a reconfiguration waits for a quorum of the new members
	replyBytesMax  = 1 << 20
)

// codeError is an outcome other than OK.
type codeError zk.Code

// Error implements error.
func (e codeError) Error() string { return zk.Code(e).String() }

// session is a connection to one server, used by one goroutine.
type session struct {
	nc  net.Conn
	xid int32
}

// open connects to the first of some servers that serves and, with a password, becomes superuser.
func open(ctx context.Context, addrs, password string) (s *session, err error) {
	for addr := range strings.SplitSeq(addrs, ",") {
		if s, err = openAt(ctx, addr, password); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func openAt(ctx context.Context, addr, password string) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, sessionTimeout)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &session{nc: nc}
	if err := s.begin(password); err != nil {
		nc.Close()
		return nil, fmt.Errorf("open a session at %s: %w", addr, err)
	}
	return s, nil
}

func (s *session) begin(password string) error {
	req := zk.ConnectRequest{TimeoutMS: int32(sessionTimeout.Milliseconds()), Password: make([]byte, zk.PasswordBytes)}
	frame, err := s.exchange(req.Jute)
	if err != nil {
		return err
	}
	var res zk.ConnectResponse
	r := jute.Reader(frame)
	if res.Jute(r); r.Err() != nil {
		return r.Err()
	}
	if res.TimeoutMS <= 0 {
		return errors.New("no session was granted")
	}
	if password == "" {
		return nil
	}
	_, err = s.call(zk.OpAuth, (&zk.Request{Xid: zk.XidAuth, Op: zk.OpAuth, Path: "digest", Data: []byte(superuser + ":" + password)}).Jute)
	return err
}

// close ends the session, as far as the server is still there.
func (s *session) close() {
	s.call(zk.OpCloseSession, (&zk.Request{Op: zk.OpCloseSession}).Jute) // the session expires if it fails
	s.nc.Close()
}

// exchange sends one record and reads one frame.
func (s *session) exchange(record func(*jute.Coder)) ([]byte, error) {
	w := jute.Writer(make([]byte, 4))
	record(w)
	b := w.Bytes()
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	s.nc.SetDeadline(time.Now().Add(callTimeout))
	if _, err := s.nc.Write(b); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(s.nc, head[:]); err != nil {
		return nil, err
	}
	n := int32(binary.BigEndian.Uint32(head[:]))
	if n < 0 || n > replyBytesMax {
		return nil, fmt.Errorf("a reply of %d bytes", n)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(s.nc, frame)
	return frame, err
}

// call is one request whose reply has the body of op.
func (s *session) call(op zk.OpCode, request func(*jute.Coder)) (zk.Reply, error) {
	reply := zk.Reply{Op: op}
	frame, err := s.exchange(request)
	if err != nil {
		return reply, err
	}
	r := jute.Reader(frame)
	if reply.Jute(r); r.Err() != nil {
		return reply, r.Err()
	}
	if reply.Err != 0 {
		return reply, codeError(reply.Err)
	}
	return reply, nil
}

// config asks for the members.
func (s *session) config() (*quorum.Config, error) {
	s.xid++
	reply, err := s.call(zk.OpGetData, (&zk.Request{Xid: s.xid, Op: zk.OpGetData, Path: configPath}).Jute)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", configPath, err)
	}
	c, err := quorum.ParseConfig(string(reply.Data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", configPath, err)
	}
	return c, nil
}

// reconfig asks the ensemble to change the members, if their version is still the one given.
func (s *session) reconfig(joining, leaving string, version zk.Zxid) error {
	s.xid++
	_, err := s.call(zk.OpGetData, func(c *jute.Coder) { // the reply has the body of getData's
		xid, op, from := s.xid, int32(zk.OpReconfig), int64(version)
		members := jute.Null() // of a list that would replace the present one
		if joining == "" {
			joining = jute.Null()
		}
		if leaving == "" {
			leaving = jute.Null()
		}
		c.Int32(&xid)
		c.Int32(&op)
		c.String(&joining)
		c.String(&leaving)
		c.String(&members)
		c.Int64(&from)
	})
	return err
}

// askUntil asks for the members of an ensemble until it answers or ctx ends. The last reason is printed when it changes.
func askUntil(ctx context.Context, addr string, out io.Writer) (*quorum.Config, error) {
	said := ""
	for {
		c, err := askOnce(ctx, addr)
		if err == nil {
			return c, nil
		}
		if ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			fmt.Fprintf(out, "%s does not answer: %v\n", addr, err)
		}
		if !pause(ctx, askEvery) {
			return nil, fmt.Errorf("%s does not answer: %w", addr, err)
		}
	}
}

func askOnce(ctx context.Context, addr string) (*quorum.Config, error) {
	s, err := open(ctx, addr, "")
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.config()
}

// pause waits; false means that ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
