package cli

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// Backend is what commands need of a session with a server, whatever the protocol. *client.Session is one.
type Backend interface {
	// Do sends a request and waits for its reply. Errors are those of client.Session.Do; a reply with an error code is none.
	Do(ctx context.Context, req *zk.Request) (*zk.Reply, error)
	// Await waits until the session is connected, or can never be.
	Await(ctx context.Context) error
	// State is how the session is now.
	State() client.State
	// ID is the session's id; 0 before the first connection.
	ID() zk.SessionID
	// Timeout is the session timeout that was granted.
	Timeout() time.Duration
	// Server is the address of the server connected to, "" if there is none yet.
	Server() string
	// Close closes the session. Abandon leaves it to expire.
	Close() error
	Abandon()
}

// Kinds is what a Backend also has if it can tell containers and znodes with a time to live from other persistent ones.
type Kinds interface {
	// Kind is the create mode of a znode, one that is not sequential, and its time to live in milliseconds if it has one.
	Kind(ctx context.Context, path string) (zk.CreateMode, int64, error)
}

// Moment is what a Backend also has if it can list a tree as it is at one moment.
type Moment interface {
	// Tree has see told of a znode and all below it, parents first, as of the zxid at. If one may not be read, that is an error.
	Tree(ctx context.Context, path string, see func(at zk.Zxid, n *node, mode zk.CreateMode, ttlMS int64) error) error
}

// connectOptions are how to connect.
type connectOptions struct {
	grpc     bool // to the gRPC ports of Paddock servers
	timeout  time.Duration
	readOnly bool
	secure   *tls.Config
}

// The port of a server that is named without one.
const (
	portDefault     = 2181
	portDefaultGRPC = 7181
)

// target is a connect string taken apart: host:port,host:port/chroot.
type target struct {
	servers []string
	chroot  string // "" for none
}

// target takes a connect string apart as ZooKeeper's clients do.
func (o connectOptions) target(text string) (target, error) {
	port := portDefault
	if o.grpc {
		port = portDefaultGRPC
	}
	hosts, chroot := text, ""
	if i := strings.IndexByte(text, '/'); i >= 0 {
		hosts, chroot = text[:i], text[i:]
	}
	t := target{chroot: strings.TrimSuffix(chroot, "/")}
	if t.chroot != "" && t.chroot == chroot {
		if err := checkPath(chroot); err != nil {
			return target{}, err
		}
	} else if len(chroot) > 1 {
		return target{}, checkPath(chroot) // it ends with a slash
	}
	for host := range strings.SplitSeq(hosts, ",") {
		host = strings.TrimSpace(host)
		if host == "" {
			continue
		}
		address, err := withPort(host, port)
		if err != nil {
			return target{}, err
		}
		t.servers = append(t.servers, address)
	}
	if t.servers == nil {
		return target{}, failf("%q names no server; write host:port, or several with commas between", text)
	}
	return t, nil
}

// withPort adds the default port to a host without one.
func withPort(host string, otherwise int) (string, error) {
	name, port := host, strconv.Itoa(otherwise)
	if strings.HasPrefix(host, "[") || strings.Count(host, ":") == 1 {
		if h, p, err := net.SplitHostPort(host); err == nil {
			name = h
			if p != "" {
				port = p
			}
		} else {
			name = strings.Trim(host, "[]")
		}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", failf("the port of %q is not a number from 1 to 65535", host)
	}
	return net.JoinHostPort(name, port), nil
}

// connect opens a session. notify is told of events; it may be nil.
func connect(t target, o connectOptions, notify func(client.Notice)) Backend {
	if notify != nil && t.chroot != "" {
		told := notify
		notify = func(n client.Notice) { n.Path = outside(t.chroot, n.Path); told(n) }
	}
	var session Backend
	if o.grpc {
		session = newRemote(t.servers, o, notify)
	} else {
		session = client.NewSession(client.SessionOptions{Servers: t.servers, Timeout: o.timeout, ReadOnly: o.readOnly, TLS: o.secure, Notify: notify})
	}
	if t.chroot == "" {
		return session
	}
	return &rooted{Backend: session, root: t.chroot}
}

// rooted is a Backend whose paths begin at a chroot.
type rooted struct {
	Backend
	root string
}

// inside is a path as the server knows it.
func inside(root, path string) string {
	if path == "/" {
		return root
	}
	return root + path
}

// outside is a path of the server as the user knows it.
func outside(root, path string) string {
	rest, ok := strings.CutPrefix(path, root)
	switch {
	case !ok || rest != "" && rest[0] != '/':
		return path
	case rest == "":
		return "/"
	default:
		return rest
	}
}

// Do implements Backend. Lists of ephemerals keep the server's paths, as in ZooKeeper.
func (r *rooted) Do(ctx context.Context, req *zk.Request) (*zk.Reply, error) {
	copied := *req
	r.enter(&copied)
	reply, err := r.Backend.Do(ctx, &copied)
	if err != nil {
		return nil, err
	}
	reply.Path = outside(r.root, reply.Path)
	for i := range reply.Results {
		reply.Results[i].Path = outside(r.root, reply.Results[i].Path)
	}
	return reply, nil
}

// enter puts the chroot before the paths of a request.
func (r *rooted) enter(req *zk.Request) {
	switch req.Op {
	case zk.OpAuth, zk.OpReconfig, zk.OpWhoAmI:
		return
	case zk.OpMulti, zk.OpMultiRead:
		ops := make([]zk.Request, len(req.Ops))
		for i := range req.Ops {
			ops[i] = req.Ops[i]
			r.enter(&ops[i])
		}
		req.Ops = ops
	default:
		req.Path = inside(r.root, req.Path)
	}
}

// unrooted is the Backend without its chroot.
func unrooted(b Backend) Backend {
	if r, ok := b.(*rooted); ok {
		return r.Backend
	}
	return b
}

// kindsOf is the Backend as one that can tell kinds, if it is.
func kindsOf(b Backend) (Kinds, bool) {
	if r, ok := b.(*rooted); ok {
		k, ok := r.Backend.(Kinds)
		return rootedKinds{k, r.root}, ok
	}
	k, ok := b.(Kinds)
	return k, ok
}

// rootedKinds are Kinds whose paths begin at a chroot.
type rootedKinds struct {
	Kinds
	root string
}

// Kind implements Kinds.
func (r rootedKinds) Kind(ctx context.Context, path string) (zk.CreateMode, int64, error) {
	return r.Kinds.Kind(ctx, inside(r.root, path))
}

// momentOf is the Backend as one that can list a tree as it is at one moment, if it is.
func momentOf(b Backend) (Moment, bool) {
	if r, ok := b.(*rooted); ok {
		m, ok := r.Backend.(Moment)
		return rootedMoment{m, r.root}, ok
	}
	m, ok := b.(Moment)
	return m, ok
}

// rootedMoment is a Moment whose paths begin at a chroot.
type rootedMoment struct {
	Moment
	root string
}

// Tree implements Moment.
func (r rootedMoment) Tree(ctx context.Context, path string, see func(zk.Zxid, *node, zk.CreateMode, int64) error) error {
	return r.Moment.Tree(ctx, inside(r.root, path), func(at zk.Zxid, n *node, mode zk.CreateMode, ttlMS int64) error {
		n.path = outside(r.root, n.path)
		return see(at, n, mode, ttlMS)
	})
}
