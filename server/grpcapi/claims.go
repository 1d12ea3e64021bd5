package grpcapi

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"paddock/internal/zk"
)

// What a claim's name has before its number: of a lock and of an election by Curator's recipes, and of kazoo's lock. All of them queue.
const (
	markLock  = "lock-"
	markLatch = "latch-"
	markKazoo = "__lock__"
)

// contender is the number of a child that is a claim. Numbers of one parent are in the order of creation, and go on below zero after
// the largest.
func contender(name string) (number int32, ok bool) {
	for _, mark := range []string{markLock, markLatch, markKazoo} {
		i := strings.LastIndex(name, mark)
		if i < 0 || len(name)-i-len(mark) < numberDigits {
			continue
		}
		if n, err := strconv.ParseInt(name[i+len(mark):], 10, 32); err == nil {
			return int32(n), true
		}
	}
	return 0, false
}

// numberDigits is the least length of the number in the name of a sequential znode.
const numberDigits = 10

// contenders are the children that are claims, in their order.
func contenders(names []string) (queue []string) {
	numbers := map[string]int32{}
	for _, name := range names {
		if n, ok := contender(name); ok {
			numbers[name] = n
			queue = append(queue, name)
		}
	}
	slices.SortFunc(queue, func(x, y string) int { return int(numbers[x] - numbers[y]) })
	return queue
}

// claimant begins the names of a session's claims. It follows from the session alone, so that any server finds a claim again whose
// creation was never answered. The form is that of Curator's protected znodes.
func claimant(id zk.SessionID) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("claim of session "), uint64(id)))
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80 // version 8, of one's own making
	return fmt.Sprintf("_c_%x-%x-%x-%x-%x-", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// claimsWaitingMax is how many calls may wait in all queues of this door, those among them that still take their claim back.
const claimsWaitingMax = 10_000

// How long and how often it is tried to take back the claim of who has given up, while the server cannot.
const (
	takeBackMax   = time.Minute
	takeBackTry   = 5 * time.Second // once
	takeBackEvery = 200 * time.Millisecond
)

// queues are the claims that calls of this door wait for.
type queues struct {
	door    *door
	lookout lookout
	done    chan struct{}
	wg      sync.WaitGroup // who takes claims back

	mu      sync.Mutex // guards the fields below
	claims  map[claimKey]*claim
	waiting int
	closed  bool
}

func newQueues(d *door) *queues {
	return &queues{door: d, done: make(chan struct{}), claims: map[claimKey]*claim{}}
}

// close ends what waits by the lookout, and stops taking back.
func (q *queues) close() {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return
	}
	q.closed = true
	q.mu.Unlock()
	close(q.done)
	q.lookout.close()
	q.wg.Wait()
}

// take counts a call that waits; it is followed by a give.
func (q *queues) take() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting >= claimsWaitingMax {
		return fault(codes.ResourceExhausted, "TOO_MANY", "as many calls as may wait on this server; ask another, or later", retrySoon)
	}
	q.waiting++
	return nil
}

func (q *queues) give() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting--
}

// claimKey names a claim: a session has one in a queue.
type claimKey struct {
	session zk.SessionID
	path    string
}

// claim is a session's claim for as long as calls of this door wait for it.
type claim struct {
	key     claimKey
	mark    string
	revoked chan struct{} // closed when the session has given it up by another call
	over    chan struct{} // closed when the last call has left

	// Guarded by queues.mu.
	calls   int
	granted bool

	mu      sync.Mutex // guards the fields below, and is held while the claim is made
	znode   string     // its name below key.path; "" before it is known
	token   zk.Zxid    // at which it was created
	version int32      // of its data, as whoever gives up must find it: another server that has taken it up counts it on
	found   bool       // it was there before
	unsure  bool       // it may have been created, but its name has not come back
}

// path is where the claim is.
func (c *claim) path() string { return below(c.key.path, c.znode) }

// below is the path of a child.
func below(parent, name string) string {
	if parent == zk.RootPath {
		return parent + name
	}
	return parent + "/" + name
}

// held is a claim that has come first.
type held struct {
	path  string
	token zk.Zxid
}

// patience is how long a call waits.
type patience struct {
	none bool          // not at all
	most time.Duration // 0 for as long as the call lasts
}

// acquire waits until the session's claim on path is the first of its queue. data is what others see of it.
func (q *queues) acquire(ctx context.Context, a *asker, path, mark string, data []byte, wait patience) (held, error) {
	key := claimKey{a.session.id, path}
	req := key.request(mark, data)
	if err := fits(&req, q.door.requestBytesMax()); err != nil {
		return held{}, err
	}
	if err := q.take(); err != nil {
		return held{}, err
	}
	c := q.join(key, mark)
	if wait.most > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wait.most)
		defer cancel()
	}
	got, err := q.await(ctx, a, c, data, wait.none)
	if err == nil && ctx.Err() != nil {
		err = contextStatus(ctx) // nobody would know
	}
	// A client whose connection is gone may be about to ask again, here or elsewhere: its claim stays as long as its session.
	gaveUp := err != nil && (ctx.Err() != nil || wait.none && isLate(err)) && !a.conn.isClosed()
	q.leave(a, c, err == nil, gaveUp)
	return got, err
}

// late is the failure of who does not want to wait, or no longer.
func late(path string) error {
	return fault(codes.DeadlineExceeded, reasonOf(zk.OperationTimeout), path+": it was not free in time", about{path: path})
}

// join counts a call among those that wait for a claim.
func (q *queues) join(key claimKey, mark string) *claim {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.claims[key]
	if c == nil {
		c = &claim{key: key, mark: mark, revoked: make(chan struct{}), over: make(chan struct{})}
		q.claims[key] = c
	}
	c.calls++
	return c
}

// leave ends a call's part in a claim. The claim of who has given up is taken back, unless another call has it or waits for it.
func (q *queues) leave(a *asker, c *claim, granted, gaveUp bool) {
	q.mu.Lock()
	c.calls--
	c.granted = c.granted || granted
	last := c.calls == 0
	if last {
		close(c.over) // nobody joins it any more
		if q.claims[c.key] == c {
			delete(q.claims, c.key)
		}
	}
	back := last && gaveUp && !c.granted && !q.closed
	if back {
		q.wg.Add(1) // while not closed
	}
	q.mu.Unlock()
	if !back {
		q.give()
		return
	}
	if q.takeBack(a, c) {
		q.give()
		q.wg.Done()
		return
	}
	go func() { // ends with queues.close at the latest, which waits for it
		defer q.wg.Done()
		defer q.give()
		again := time.NewTicker(takeBackEvery)
		defer again.Stop()
		for end := time.Now().Add(takeBackMax); time.Now().Before(end); {
			select {
			case <-again.C:
				if q.takeBack(a, c) {
					return
				}
			case <-q.done:
				return
			}
		}
	}()
}

// hold keeps a claim from being taken back by who gives up.
func (q *queues) hold(c *claim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.granted = true
}

// revoke ends the calls that wait for a session's claim, since it is given up, and waits until they have ended: none of them makes
// the claim after that.
func (q *queues) revoke(ctx context.Context, key claimKey) error {
	q.mu.Lock()
	c := q.claims[key]
	if c != nil {
		delete(q.claims, key)
		close(c.revoked)
	}
	q.mu.Unlock()
	if c == nil {
		return nil
	}
	select {
	case <-c.over:
		return nil
	case <-ctx.Done():
		return contextStatus(ctx)
	}
}

// isRevoked tells whether the session has given the claim up.
func (c *claim) isRevoked() bool {
	select {
	case <-c.revoked:
		return true
	default:
		return false
	}
}

// givenUp is the failure of a call whose claim was revoked.
func givenUp(path string) error {
	return fault(codes.Aborted, "GIVEN_UP", path+": the session has given it up by another call", about{path: path})
}

// takeBack deletes the znode of a claim unless another server has taken the claim up, by the door's own session: the claim's may have
// gone elsewhere. false: it is to be tried again.
func (q *queues) takeBack(a *asker, c *claim) bool {
	ctx, cancel := context.WithTimeout(context.Background(), takeBackTry)
	defer cancel()
	ask := func(req zk.Request) (zk.Reply, bool) {
		l, err := q.door.own.writer(ctx, a.handler)
		if err != nil {
			return zk.Reply{}, false
		}
		req.IDs = a.ids
		rep, err := l.ask(ctx, &req)
		return rep, err == nil && rep.Err != zk.NotReadOnly && rep.Err != zk.ConnectionLoss
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	names, version := []string{c.znode}, c.version
	if c.znode == "" {
		if !c.unsure {
			return true
		}
		if _, ok := ask(zk.Request{Op: zk.OpSync, Path: c.key.path}); !ok {
			return false
		}
		rep, ok := ask(zk.Request{Op: zk.OpGetChildren, Path: c.key.path})
		if !ok {
			return false
		}
		names, version = ownOf(contenders(rep.Names), c.key.session), 0 // as it is created
	}
	for _, name := range names {
		if _, ok := ask(zk.Request{Op: zk.OpDelete, Path: below(c.key.path, name), Version: version}); !ok {
			return false
		}
	}
	return true
}

// ownOf are those of a queue that a session has.
func ownOf(queue []string, id zk.SessionID) (own []string) {
	begin := claimant(id)
	for _, name := range queue {
		if strings.HasPrefix(name, begin) {
			own = append(own, name)
		}
	}
	return own
}
