//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

const (
	depth          = 8                // requests that a worker sends ahead of the replies
	workerTimeout  = 60 * time.Second // of a worker's session: longer than any restart
	sharedMax      = 40               // znodes that a worker keeps below sharedPath
	sequentialsMax = 20               // and in each directory of its own
)

// worker is one client with its session and its subtree. One goroutine at a time uses it.
type worker struct {
	name     string
	root     string
	addr     string
	rng      *rand.Rand
	conn     *client.Conn // nil while there is none
	session  zk.SessionID
	password []byte
	seen     zk.Zxid // the highest zxid that a reply told of

	acked    *model          // after the requests that were answered
	ahead    *model          // after those that were sent
	pending  []*op           // sent and not answered, in order
	deleting map[string]bool // tags whose delete was sent
	tags     int             // given out
	numbers  []string        // paths below sharedPath that this worker is known to have created since the last look
	replies  chan answer
	counts   map[string]int // answers by kind, for the log
}

// answer is the outcome of a request.
type answer struct {
	reply *zk.Reply
	err   error
}

func newWorker(name, addr string, rng *rand.Rand) *worker {
	root := "/" + name
	m := &model{nodes: map[string]*znode{}, shared: map[string]string{}}
	return &worker{name: name, root: root, addr: addr, rng: rng, acked: m, ahead: m.clone(), deleting: map[string]bool{},
		replies: make(chan answer, depth+1), counts: map[string]int{}}
}

// errRefused says that a server that should know a session does not.
var errRefused = errors.New("session refused")

// connect opens a session, or takes up the one there is.
func (w *worker) connect() error {
	c, err := dial(w.addr, client.Options{Timeout: workerTimeout, Session: w.session, Password: w.password, LastZxid: w.seen, Outstanding: depth + 1})
	if errors.Is(err, client.ErrExpired) {
		return fmt.Errorf("%w: %v", errRefused, w.session)
	}
	if err != nil {
		return err
	}
	if w.session == 0 {
		w.session, w.password = c.Session(), c.Password()
		w.acked.open, w.ahead.open = true, true
	}
	w.conn = c
	return nil
}

// plant creates the worker's subtree; all of it is acknowledged, or the error says why not.
func (w *worker) plant() error {
	if err := w.connect(); err != nil {
		return err
	}
	for _, path := range []string{w.root, w.root + "/q", w.root + "/e"} {
		r, err := w.conn.Do(&zk.Request{Op: zk.OpCreate2, Path: path, ACL: zk.OpenACL, TTLMS: -1})
		if err != nil {
			return err
		}
		if r.Err != zk.OK {
			return fmt.Errorf("create %s: %v", path, r.Err)
		}
		o := &op{req: zk.Request{Op: zk.OpCreate2, Path: path}}
		if w.acked.nodes[zk.ParentPath(path)] == nil { // the root of the subtree
			w.acked.nodes[path] = &znode{czxid: r.Zxid, mzxid: r.Zxid, pzxid: r.Zxid, kids: map[string]bool{}}
			continue
		}
		w.acked.step(o, w.session, r.Zxid)
	}
	w.ahead = w.acked.clone()
	return nil
}

// run sends requests until stop is closed or the connection ends, and reports each acknowledgement. What is then unanswered
// is in doubt and stays in pending. An error tells of an answer that the model does not explain.
func (w *worker) run(stop <-chan struct{}, acked func()) error {
	defer w.hangUp()
	for {
		stopping := false
		select {
		case <-stop:
			stopping = true
		default:
		}
		if w.conn == nil {
			if stopping || w.connect() != nil {
				return nil // the server is gone; whether the session lives is looked at when it is back
			}
		}
		for !stopping && w.ahead.open && len(w.pending) < depth {
			o := w.generate()
			w.pending = append(w.pending, o)
			w.conn.Send(&o.req, func(r *zk.Reply, err error) { w.replies <- answer{r, err} })
		}
		if len(w.pending) == 0 {
			if stopping {
				return nil
			}
			w.conn.Abandon() // the session is closed
			w.conn, w.session, w.password = nil, 0, nil
			continue
		}
		a := <-w.replies
		if a.err != nil {
			return nil
		}
		if err := w.answered(a.reply); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		acked()
	}
}

// hangUp ends the connection and forgets the replies that did not come.
func (w *worker) hangUp() {
	if w.conn == nil {
		return
	}
	w.conn.Abandon()
	w.conn = nil
	for len(w.replies) > 0 {
		<-w.replies // all say that the connection ended: a reply would have been first in line
	}
}

// answered takes the reply to the oldest request and compares it with the model.
func (w *worker) answered(r *zk.Reply) error {
	o := w.pending[0]
	w.pending = w.pending[1:]
	w.seen = max(w.seen, r.Zxid)
	w.acked.step(o, w.session, r.Zxid)
	w.counts[fmt.Sprint(o.req.Op, " ", o.code)]++
	if o.req.Op == zk.OpMulti {
		return w.answeredMulti(o, r)
	}
	if r.Err != o.code {
		return fmt.Errorf("%v %s version %d was answered with %v, want %v", o.req.Op, o.req.Path, o.req.Version, r.Err, o.code)
	}
	if r.Err != zk.OK {
		return nil
	}
	switch {
	case o.tag != "" && o.req.Op.IsCreate():
		w.acked.shared[o.tag] = r.Path
		w.numbers = append(w.numbers, r.Path)
	case o.req.Op.IsCreate():
		if r.Path != o.made[0] {
			return fmt.Errorf("create %s made %s, want %s", o.req.Path, r.Path, o.made[0])
		}
		return explain(r.Path, w.acked.nodes[r.Path].compare(&r.Stat, o.req.Data))
	case o.req.Op == zk.OpSetData:
		return explain(o.req.Path, w.acked.nodes[o.req.Path].compare(&r.Stat, o.req.Data))
	}
	return nil
}

func explain(path, diff string) error {
	if diff == "" {
		return nil
	}
	return fmt.Errorf("reply about %s: %s", path, diff)
}

func (w *worker) answeredMulti(o *op, r *zk.Reply) error {
	if r.Err != zk.OK || len(r.Results) != len(o.req.Ops) {
		return fmt.Errorf("multi was answered with %v and %d results, want %d", r.Err, len(r.Results), len(o.req.Ops))
	}
	made := o.made
	for i, res := range r.Results {
		switch {
		case o.code != zk.OK && (res.Op != zk.OpError || i == o.bad && res.Err != o.code):
			return fmt.Errorf("multi that must fail at %d with %v: result %d is %v %v", o.bad, o.code, i, res.Op, res.Err)
		case o.code == zk.OK && res.Err != zk.OK:
			return fmt.Errorf("multi that must succeed: result %d (%v %s) is %v", i, o.req.Ops[i].Op, o.req.Ops[i].Path, res.Err)
		case o.code == zk.OK && res.Op.IsCreate():
			if res.Path != made[0] {
				return fmt.Errorf("multi made %s, want %s", res.Path, made[0])
			}
			made = made[1:]
		}
	}
	return nil
}

// settle finds out which requests in doubt a restarted server did: none, or some from the first on.
func (w *worker) settle(v *view) error {
	state := w.acked.clone()
	var first string
	for i := 0; ; i++ {
		diff := state.compare(v)
		if diff == "" {
			state.adopt(v)
			w.learn(state)
			return nil
		}
		if i == 0 {
			first = diff
		}
		if i == len(w.pending) {
			return fmt.Errorf("%s: neither what was acknowledged nor that with any of the %d requests in doubt;\n  acknowledged:\n    %s\n  with all:\n    %s",
				w.name, len(w.pending), first, diff)
		}
		state.step(w.pending[i], w.session, 0)
	}
}

// learn begins anew from a state that was found.
func (w *worker) learn(state *model) {
	for tag, path := range state.shared {
		if w.acked.shared[tag] == "" {
			w.numbers = append(w.numbers, path)
		}
	}
	w.acked, w.ahead, w.pending = state, state.clone(), nil
	clear(w.deleting)
	if !state.open {
		w.session, w.password = 0, nil
	}
}

// generate makes the next request and takes the model ahead.
func (w *worker) generate() *op {
	o := &op{}
	switch n := w.rng.IntN(1000); {
	case n < 4:
		o.req = zk.Request{Op: zk.OpCloseSession}
	case n < 120:
		w.generateShared(o)
	case n < 250:
		o.req.Op = zk.OpMulti
		for range 1 + w.rng.IntN(4) {
			o.req.Ops = append(o.req.Ops, w.single(true))
		}
	default:
		o.req = w.single(false)
	}
	w.ahead.step(o, w.session, 0)
	return o
}

// generateShared creates a sequential znode beside those of the other workers, or deletes one that is known to be there.
func (w *worker) generateShared(o *op) {
	if len(w.acked.shared) > w.rng.IntN(sharedMax) {
		for _, tag := range slices.Sorted(maps.Keys(w.acked.shared)) {
			if !w.deleting[tag] {
				w.deleting[tag] = true
				o.tag, o.req = tag, zk.Request{Op: zk.OpDelete, Path: w.acked.shared[tag], Version: -1}
				return
			}
		}
	}
	w.tags++
	o.tag = fmt.Sprintf("%s.%d", w.name, w.tags)
	o.req = zk.Request{Op: zk.OpCreate2, Path: sharedPath + "/s-", Data: []byte(o.tag), ACL: zk.OpenACL, Mode: zk.PersistentSequential, TTLMS: -1}
}

// single makes one operation on the own subtree. Some will fail: the names are few.
func (w *worker) single(inMulti bool) zk.Request {
	path := fmt.Sprintf("%s/a%d", w.root, w.rng.IntN(6))
	if w.rng.IntN(3) == 0 {
		path += fmt.Sprintf("/b%d", w.rng.IntN(3))
	}
	if w.rng.IntN(4) == 0 {
		path = fmt.Sprintf("%s/e/x%d", w.root, w.rng.IntN(8))
	}
	n := w.rng.IntN(100)
	switch {
	case n < 15:
		dir := w.root + []string{"/q", "/e"}[w.rng.IntN(2)]
		for kid := range w.ahead.nodes[dir].kids {
			if len(w.ahead.nodes[dir].kids) < sequentialsMax {
				break
			}
			return zk.Request{Op: zk.OpDelete, Path: dir + "/" + kid, Version: -1}
		}
		mode := zk.PersistentSequential
		if dir == w.root+"/e" {
			mode = zk.EphemeralSequential
		}
		return zk.Request{Op: zk.OpCreate2, Path: dir + "/s-", Data: w.bytes(), ACL: zk.OpenACL, Mode: mode, TTLMS: -1}
	case n < 45:
		mode := zk.Persistent
		if zk.ParentPath(path) == w.root+"/e" {
			mode = zk.Ephemeral
		}
		return zk.Request{Op: zk.OpCreate2, Path: path, Data: w.bytes(), ACL: zk.OpenACL, Mode: mode, TTLMS: -1}
	case n < 65:
		return zk.Request{Op: zk.OpDelete, Path: path, Version: w.version(path)}
	case n < 75 && inMulti:
		return zk.Request{Op: zk.OpCheck, Path: path, Version: w.version(path)}
	default:
		return zk.Request{Op: zk.OpSetData, Path: path, Data: w.bytes(), Version: w.version(path)}
	}
}

// version is the right one mostly, else any or a wrong one.
func (w *worker) version(path string) int32 {
	n := w.ahead.nodes[path]
	switch pick := w.rng.IntN(8); {
	case n == nil || pick == 0:
		return -1
	case pick == 1:
		return n.version + 1
	default:
		return n.version
	}
}

// bytes are data that no other request has.
func (w *worker) bytes() []byte {
	b := fmt.Appendf(nil, "%s %x ", w.name, w.rng.Uint64())
	if w.rng.IntN(50) == 0 {
		b = append(b, make([]byte, w.rng.IntN(20_000))...)
	}
	return b
}
