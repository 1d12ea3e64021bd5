//go:build doors

package suite

import (
	"context"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
	"paddock/test/doors/rig"
)

// juteDoor is ZooKeeper's own protocol.
type juteDoor struct{}

// juteCaller is a connection of it.
type juteCaller struct{ *client.Conn }

func (juteDoor) open(t *testing.T, s *rig.Server, timeout time.Duration) caller {
	t.Helper()
	return &juteCaller{dialJute(t, s, timeout)}
}

// dialJute opens a session.
func dialJute(t *testing.T, s *rig.Server, timeout time.Duration) *client.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	c, err := client.Dial(ctx, s.Jute, client.Options{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Abandon)
	return c
}

func (c *juteCaller) id() int64 { return int64(c.Session()) }

func (c *juteCaller) close(t *testing.T) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func (c *juteCaller) ask(s *step) (answer, error) {
	rep, err := c.Do(s.request())
	if err != nil {
		return answer{}, err
	}
	a := answered(rep)
	switch s.op {
	case "sync", "auth", "ephemerals", "whoami":
		a.Path = ""
	case "multi", "batch":
		for i, r := range rep.Results {
			a.Results = append(a.Results, answered(&rep.Results[i]))
			if r.Err != zk.OK && r.Err != zk.RuntimeInconsistency && s.op == "multi" {
				return answer{Reason: reasonOf(r.Err), Path: s.steps[i].path, Zxid: a.Zxid}, nil
			}
		}
	}
	if s.op == "auth" || s.op == "whoami" {
		a.Zxid = 0 // the other doors have none
	}
	return a, nil
}

// answered is what a reply says.
func answered(r *zk.Reply) answer {
	a := answer{Reason: reasonOf(r.Err), Zxid: uint64(r.Zxid)}
	if r.Err != zk.OK {
		return a
	}
	a.Path, a.Data, a.Stat, a.Children, a.ACL = r.Path, string(r.Data), r.Stat, slices.Clone(r.Names), r.ACL
	for _, id := range r.IDs {
		a.Who = append(a.Who, id.Scheme+":"+id.ID)
	}
	return a
}

// request is the step as a record.
func (s *step) request() *zk.Request {
	version := s.at
	if s.any {
		version = -1
	}
	r := &zk.Request{Path: s.path, Data: []byte(s.data), Version: version, ACL: s.acl, TTLMS: -1}
	switch s.op {
	case "create":
		r.Op, r.Mode = zk.OpCreate2, s.mode
		if s.mode == zk.Container {
			r.Op = zk.OpCreateContainer
		} else if s.mode.IsTTL() {
			r.Op, r.TTLMS = zk.OpCreateTTL, s.ttl
		}
		if r.ACL == nil {
			r.ACL = zk.OpenACL
		}
	case "multi", "batch":
		r.Op = map[string]zk.OpCode{"multi": zk.OpMulti, "batch": zk.OpMultiRead}[s.op]
		for i := range s.steps {
			op := s.steps[i].request()
			switch op.Op { // as clients have them in a multi
			case zk.OpCreate2:
				op.Op = zk.OpCreate
			case zk.OpGetChildren2:
				op.Op = zk.OpGetChildren
			}
			r.Ops = append(r.Ops, *op)
		}
	case "auth":
		r.Xid = zk.XidAuth
		r.Op = zk.OpAuth
	default:
		r.Op = map[string]zk.OpCode{"set": zk.OpSetData, "get": zk.OpGetData, "exists": zk.OpExists, "delete": zk.OpDelete,
			"children": zk.OpGetChildren2, "acl": zk.OpGetACL, "setacl": zk.OpSetACL, "sync": zk.OpSync, "check": zk.OpCheck,
			"whoami": zk.OpWhoAmI, "ephemerals": zk.OpGetEphemerals}[s.op]
	}
	return r
}

// resumeJute takes up a session of another door.
func resumeJute(t *testing.T, s *rig.Server, of *serviceCaller) *client.Conn {
	t.Helper()
	password, err := hex.DecodeString(of.session.GetPassword())
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(t.Context(), s.Jute, client.Options{Timeout: 30 * time.Second, Session: zk.SessionID(of.id()), Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Abandon)
	return c
}
