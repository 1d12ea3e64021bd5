package grpcapi

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/server/driver"
	"paddock/server/replica"
	"paddock/server/request"
)

// testPatience is how long a test waits for what must come.
const testPatience = 30 * time.Second

// queueOf waits until a lock has n claims, and returns them.
func (r *rig) queueOf(path string, n int) []*paddockv1.LockClaim {
	r.t.Helper()
	locks := paddockv1.NewLockServiceClient(r.conn)
	for end := time.Now().Add(testPatience); ; {
		out, err := locks.GetLock(r.t.Context(), &paddockv1.GetLockRequest{Path: path})
		if err != nil {
			r.t.Fatal(err)
		}
		if len(out.GetClaims()) == n {
			return out.GetClaims()
		}
		if time.Now().After(end) {
			r.t.Fatalf("%s has %d claims, not %d: %v", path, len(out.GetClaims()), n, out.GetClaims())
		}
	}
}

// lockAnswer is what a Lock call has come to.
type lockAnswer struct {
	*paddockv1.LockResponse
	err error
}

// lock calls Lock in a goroutine of its own, which ends with ctx at the latest.
func (r *rig) lock(ctx context.Context, in *paddockv1.LockRequest) <-chan lockAnswer {
	out := make(chan lockAnswer, 1)
	go func() {
		got, err := paddockv1.NewLockServiceClient(r.conn).Lock(ctx, in)
		out <- lockAnswer{got, err}
	}()
	return out
}

// Who asks again for what he has, and does not wait for the answer, has it still.
func TestALockIsNotLostByACallThatIsGivenUp(t *testing.T) {
	r := newRig(t)
	locks, elections := paddockv1.NewLockServiceClient(r.conn), paddockv1.NewElectionServiceClient(r.conn)
	who, _ := r.open(30_000)
	held, err := locks.Lock(who, &paddockv1.LockRequest{Path: "/lock"})
	if err != nil {
		t.Fatal(err)
	}
	leads, err := elections.Campaign(who, &paddockv1.CampaignRequest{Path: "/leader"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 { // some of them are given up between the look at the queue and the answer
		ctx, cancel := context.WithTimeout(who, time.Duration(i)*10*time.Microsecond)
		_, _ = locks.Lock(ctx, &paddockv1.LockRequest{Path: "/lock"})
		_, _ = elections.Campaign(ctx, &paddockv1.CampaignRequest{Path: "/leader"})
		cancel()
	}
	again, err := locks.Lock(who, &paddockv1.LockRequest{Path: "/lock"})
	if err != nil || again.GetFencingToken() != held.GetFencingToken() {
		t.Errorf("the lock with token %d was lost: %v, %v", held.GetFencingToken(), again, err)
	}
	leader, err := elections.GetLeader(who, &paddockv1.GetLeaderRequest{Path: "/leader"})
	if err != nil || leader.GetLeader().GetFencingToken() != leads.GetFencingToken() {
		t.Errorf("the leadership with token %d was lost: %v, %v", leads.GetFencingToken(), leader, err)
	}
}

func TestALockGoesFromOneToTheNext(t *testing.T) {
	r := newRig(t)
	locks := paddockv1.NewLockServiceClient(r.conn)
	const n = 5
	var who [n]context.Context
	var answers [n]<-chan lockAnswer
	for i := range n {
		var s *paddockv1.OpenSessionResponse
		who[i], s = r.open(30_000)
		answers[i] = r.lock(who[i], &paddockv1.LockRequest{Path: "/app/lock", Owner: fmt.Append(nil, "owner ", i)})
		claims := r.queueOf("/app/lock", i+1)
		if last := claims[i]; last.GetSessionId() != s.GetSessionId() || string(last.GetOwner()) != fmt.Sprint("owner ", i) {
			t.Fatal(last)
		}
	}
	var token uint64
	for i := range n {
		got := <-answers[i]
		if got.err != nil || got.GetFencingToken() <= token {
			t.Fatalf("token %d after %d: %v", got.GetFencingToken(), token, got.err)
		}
		token = got.GetFencingToken()
		again, err := locks.Lock(who[i], &paddockv1.LockRequest{Path: "/app/lock", WaitMs: -1})
		if err != nil || again.GetFencingToken() != token || again.GetLockPath() != got.GetLockPath() {
			t.Errorf("the holder asks again: %v, %v", again, err)
		}
		if i+1 < n {
			_, err := locks.Lock(func() context.Context { c, _ := r.open(30_000); return c }(), &paddockv1.LockRequest{Path: "/app/lock", WaitMs: -1})
			expect(t, err, codes.DeadlineExceeded, "OPERATIONTIMEOUT")
			select {
			case early := <-answers[i+1]:
				t.Fatal("two hold the lock:", early)
			default:
			}
		}
		out, err := locks.Unlock(who[i], &paddockv1.UnlockRequest{Path: "/app/lock"})
		if err != nil || out.GetZxid() <= token {
			t.Fatal(out, err)
		}
		_, err = locks.Unlock(who[i], &paddockv1.UnlockRequest{Path: "/app/lock"})
		expect(t, err, codes.NotFound, "NONODE")
	}
	r.queueOf("/app/lock", 0)
}

func TestWhoGivesUpLeavesTheQueue(t *testing.T) {
	r := newRig(t)
	holder, _ := r.open(30_000)
	if got := <-r.lock(holder, &paddockv1.LockRequest{Path: "/l"}); got.err != nil {
		t.Fatal(got.err)
	}
	waiting, _ := r.open(30_000)
	ctx, cancel := context.WithCancel(waiting)
	first := r.lock(ctx, &paddockv1.LockRequest{Path: "/l"})
	r.queueOf("/l", 2)
	last, _ := r.open(30_000)
	second := r.lock(last, &paddockv1.LockRequest{Path: "/l"})
	r.queueOf("/l", 3)
	cancel()
	expect(t, (<-first).err, codes.Canceled, "")
	r.queueOf("/l", 2)

	short := <-r.lock(waiting, &paddockv1.LockRequest{Path: "/l", WaitMs: 20})
	if status.Code(short.err) != codes.DeadlineExceeded {
		t.Error(short.err)
	}
	r.queueOf("/l", 2)

	// Of two calls of a session one gives up: the other goes on.
	other, _ := r.open(30_000)
	ctx, cancel = context.WithCancel(other)
	one := r.lock(ctx, &paddockv1.LockRequest{Path: "/l"})
	r.queueOf("/l", 3)
	two := r.lock(other, &paddockv1.LockRequest{Path: "/l"})
	for end := time.Now().Add(testPatience); r.calls("/l", 2) == 0 && time.Now().Before(end); {
	}
	cancel()
	expect(t, (<-one).err, codes.Canceled, "")
	r.queueOf("/l", 3)

	for _, who := range []context.Context{holder, last} {
		if _, err := paddockv1.NewLockServiceClient(r.conn).Unlock(who, &paddockv1.UnlockRequest{Path: "/l"}); err != nil {
			t.Fatal(err)
		}
		if who == holder {
			if got := <-second; got.err != nil {
				t.Fatal(got.err)
			}
		}
	}
	if got := <-two; got.err != nil {
		t.Fatal(got.err)
	}
}

// calls is how many claims on a path are waited for by n calls.
func (r *rig) calls(path string, n int) (count int) {
	q := r.server.door.queues
	q.mu.Lock()
	defer q.mu.Unlock()
	for key, c := range q.claims {
		if key.path == path && c.calls == n {
			count++
		}
	}
	return count
}

func TestALockEndsWithItsSession(t *testing.T) {
	r := newRig(t)
	holder, _ := r.open(30_000)
	if got := <-r.lock(holder, &paddockv1.LockRequest{Path: "/l"}); got.err != nil {
		t.Fatal(got.err)
	}
	brief, _ := r.open(200) // which nobody keeps alive
	waits := r.lock(brief, &paddockv1.LockRequest{Path: "/l"})
	next, _ := r.open(30_000)
	follows := r.lock(next, &paddockv1.LockRequest{Path: "/l"})
	expect(t, (<-waits).err, codes.Unauthenticated, "SESSIONEXPIRED")
	if _, err := r.sess.CloseSession(holder, &paddockv1.CloseSessionRequest{}); err != nil {
		t.Fatal(err)
	}
	if got := <-follows; got.err != nil {
		t.Fatal(got.err)
	}
	r.queueOf("/l", 1)
}

func TestAClaimWhoseCreationWasNeverAnsweredIsTakenUp(t *testing.T) {
	r := newRig(t)
	who, s := r.open(30_000)
	r.create("/l", "")
	mine := "/l/" + claimant(zk.SessionID(s.GetSessionId())) + markLock
	made, err := r.znodes.Create(who, &paddockv1.CreateRequest{Path: mine, Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL_SEQUENTIAL})
	if err != nil {
		t.Fatal(err)
	}
	double, err := r.znodes.Create(who, &paddockv1.CreateRequest{Path: mine, Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL_SEQUENTIAL})
	if err != nil {
		t.Fatal(err)
	}
	got := <-r.lock(who, &paddockv1.LockRequest{Path: "/l", Owner: []byte("me")})
	if got.err != nil || got.GetFencingToken() != made.GetZxid() || got.GetLockPath() != made.GetPath() {
		t.Fatal(got)
	}
	if claims := r.queueOf("/l", 1); string(claims[0].GetOwner()) != "me" {
		t.Errorf("%v; the second was %s", claims, double.GetPath())
	}
}

func TestAnotherSessionsClaimIsNotTakenUp(t *testing.T) {
	r := newRig(t)
	who, s := r.open(30_000)
	r.create("/l", "")
	forged, err := r.znodes.Create(r.t.Context(), &paddockv1.CreateRequest{
		Path: "/l/" + claimant(zk.SessionID(s.GetSessionId())) + markLock, Mode: paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL})
	if err != nil {
		t.Fatal(err)
	}
	waits := r.lock(who, &paddockv1.LockRequest{Path: "/l"})
	r.queueOf("/l", 2)
	if _, err := r.znodes.Delete(r.t.Context(), &paddockv1.DeleteRequest{Path: forged.GetPath()}); err != nil {
		t.Fatal(err)
	}
	if got := <-waits; got.err != nil || got.GetLockPath() == forged.GetPath() {
		t.Fatal(got)
	}
}

func TestClaimsOfOtherRecipesQueue(t *testing.T) {
	r := newRig(t)
	r.create("/l", "")
	r.create("/l/config", "no claim")
	for _, name := range []string{"a7f0__lock__", "_c_1b4e28ba-2fa1-11d2-883f-0016d3cca427-lock-", "lock-", "_c_1b4e28ba-2fa1-11d2-883f-0016d3cca427-latch-"} {
		other, _ := r.open(30_000)
		made, err := r.znodes.Create(other, &paddockv1.CreateRequest{Path: "/l/" + name, Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL_SEQUENTIAL})
		if err != nil {
			t.Fatal(err)
		}
		who, _ := r.open(30_000)
		waits := r.lock(who, &paddockv1.LockRequest{Path: "/l"})
		r.queueOf("/l", 2)
		if _, err := r.znodes.Delete(other, &paddockv1.DeleteRequest{Path: made.GetPath()}); err != nil {
			t.Fatal(err)
		}
		if got := <-waits; got.err != nil {
			t.Fatal(name, got.err)
		}
		if _, err := r.sess.CloseSession(who, &paddockv1.CloseSessionRequest{}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNumbersGoOnBelowZero(t *testing.T) {
	names := []string{"x-lock--2147483648", "x-lock-2147483647", "x-lock--2147483647", "y-latch-2147483646", "other-0000000001", "lock-1", "lock-99999999999"}
	if got := fmt.Sprint(contenders(names)); got != "[y-latch-2147483646 x-lock-2147483647 x-lock--2147483648 x-lock--2147483647]" {
		t.Error(got)
	}
}

func TestUnlockEndsTheWaitOfItsOwnSession(t *testing.T) {
	r := newRig(t)
	holder, _ := r.open(30_000)
	if got := <-r.lock(holder, &paddockv1.LockRequest{Path: "/l"}); got.err != nil {
		t.Fatal(got.err)
	}
	who, _ := r.open(30_000)
	waits := r.lock(who, &paddockv1.LockRequest{Path: "/l"})
	r.queueOf("/l", 2)
	if _, err := paddockv1.NewLockServiceClient(r.conn).Unlock(who, &paddockv1.UnlockRequest{Path: "/l"}); err != nil {
		t.Fatal(err)
	}
	expect(t, (<-waits).err, codes.Aborted, "GIVEN_UP")
	r.queueOf("/l", 1)
}

// What a server takes back after its caller has given up may be held through another server by then.
func TestWhatAnotherServerHasTakenUpIsNotTakenBack(t *testing.T) {
	r := newRig(t)
	who, s := r.open(30_000)
	got := <-r.lock(who, &paddockv1.LockRequest{Path: "/l"})
	if got.err != nil {
		t.Fatal(got.err)
	}
	id := zk.SessionID(s.GetSessionId())
	late := &claim{key: claimKey{id, "/l"}, mark: markLock, znode: zk.BaseName(got.GetLockPath())}
	a := asker{door: r.server.door, handler: r.driver, ids: []zk.ID{}}
	if again := <-r.lock(who, &paddockv1.LockRequest{Path: "/l"}); again.err != nil { // takes up what is there
		t.Fatal(again.err)
	}
	unsure := &claim{key: late.key, mark: markLock, unsure: true}
	for _, c := range []*claim{late, unsure} {
		if !r.server.door.queues.takeBack(&a, c) {
			t.Error("it is to be tried again")
		}
		r.queueOf("/l", 1)
	}
	late.version = 1
	if !r.server.door.queues.takeBack(&a, late) {
		t.Error("it is to be tried again")
	}
	r.queueOf("/l", 0)
}

func TestLocksThatMakeNoSense(t *testing.T) {
	r := newRig(t)
	locks := paddockv1.NewLockServiceClient(r.conn)
	who, _ := r.open(30_000)
	_, err := locks.Lock(t.Context(), &paddockv1.LockRequest{Path: "/l"})
	expect(t, err, codes.InvalidArgument, "BADARGUMENTS")
	_, err = locks.Lock(who, &paddockv1.LockRequest{Path: "l"})
	expect(t, err, codes.InvalidArgument, "BADARGUMENTS")
	e, err := r.znodes.Create(who, &paddockv1.CreateRequest{Path: "/e", Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = locks.Lock(who, &paddockv1.LockRequest{Path: e.GetPath()})
	expect(t, err, codes.FailedPrecondition, "NOCHILDRENFOREPHEMERALS")
	_, err = locks.Lock(who, &paddockv1.LockRequest{Path: "/l", Owner: make([]byte, 1<<20)})
	expect(t, err, codes.ResourceExhausted, "TOO_LARGE")
	elections := paddockv1.NewElectionServiceClient(r.conn)
	if _, err := elections.Campaign(who, &paddockv1.CampaignRequest{Path: "/leader"}); err != nil {
		t.Fatal(err)
	}
	_, err = elections.Proclaim(who, &paddockv1.ProclaimRequest{Path: "/leader", Value: make([]byte, 1<<20)})
	expect(t, err, codes.ResourceExhausted, "TOO_LARGE")
	if _, err := elections.Resign(who, &paddockv1.ResignRequest{Path: "/leader"}); err != nil {
		t.Fatal(err)
	}
	_, err = elections.Resign(who, &paddockv1.ResignRequest{Path: "/leader"})
	expect(t, err, codes.NotFound, "NONODE")
	if told := status.Convert(err).Message(); strings.Contains(told, "no such znode") {
		t.Errorf("there is such a znode: %s", told)
	}
	q := r.server.door.queues
	q.mu.Lock()
	q.waiting = claimsWaitingMax
	q.mu.Unlock()
	_, err = locks.Lock(who, &paddockv1.LockRequest{Path: "/l"})
	expect(t, err, codes.ResourceExhausted, "TOO_MANY")
}

// What is refused leaves nothing behind.
func TestALockBeyondAQuota(t *testing.T) {
	r := newRig(t, func(_ *Options, c *replica.Config) { c.Prep.EnforceQuota = true })
	who, _ := r.open(30_000)
	r.create("/app", "")
	const room = 2 // znodes beside /app
	quota := zk.QuotaPath + "/app"
	r.create(quota+"/zookeeper_limits", fmt.Sprintf("count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=%d", 1+room))
	r.create(quota+"/zookeeper_stats", "count=1,bytes=0")
	locks := paddockv1.NewLockServiceClient(r.conn)
	for range room {
		if _, err := r.znodes.Create(t.Context(), &paddockv1.CreateRequest{Path: "/app/n-", Mode: paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := locks.Lock(who, &paddockv1.LockRequest{Path: "/app/deep/lock"})
	expect(t, err, codes.ResourceExhausted, "QUOTAEXCEEDED")
	_, err = locks.Lock(who, &paddockv1.LockRequest{Path: "/app/n-0000000000"})
	expect(t, err, codes.ResourceExhausted, "QUOTAEXCEEDED")
	if _, err := r.znodes.Delete(t.Context(), &paddockv1.DeleteRequest{Path: "/app/n-0000000000"}); err != nil {
		t.Fatal(err)
	}
	// There is room for one more. What one transaction makes is judged by what was there before, as by ZooKeeper: it is all made, or nothing.
	_, err = locks.Lock(who, &paddockv1.LockRequest{Path: "/app/deep/lock"})
	names := r.names("/app")
	if made := fmt.Sprint(names) == "[deep n-0000000001]"; made != (err == nil) || !made && fmt.Sprint(names) != "[n-0000000001]" {
		t.Errorf("the call ends with %v, and there is %v", err, names)
	}
}

// A server that goes has its waiters go elsewhere, with their claims.
func TestAServerThatStopsSendsItsWaitersAway(t *testing.T) {
	r := newRig(t)
	holder, _ := r.open(30_000)
	if got := <-r.lock(holder, &paddockv1.LockRequest{Path: "/l"}); got.err != nil {
		t.Fatal(got.err)
	}
	who, _ := r.open(30_000)
	waits := r.lock(who, &paddockv1.LockRequest{Path: "/l"})
	r.queueOf("/l", 2)
	r.stop()
	if got := <-waits; status.Code(got.err) != codes.Unavailable {
		t.Error(got.err)
	}
}

// register is what a lock protects. It knows who ought to hold the lock, and complains if more than one does.
type register struct {
	mu     sync.Mutex
	holder uint64 // the token of who holds it; 0 for nobody, or for one that may be dead
	newest uint64
	held   int
}

// hold is called by who has been given the lock.
func (g *register) hold(token uint64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.holder != 0:
		return fmt.Errorf("%d is given the lock while %d holds it", token, g.holder)
	case token <= g.newest:
		return fmt.Errorf("%d is given the lock after %d", token, g.newest)
	}
	g.holder, g.newest = token, token
	g.held++
	return nil
}

// let is called by who begins to give the lock up, or no longer keeps its session alive.
func (g *register) let(token uint64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holder != token {
		return fmt.Errorf("%d gives up a lock that %d holds", token, g.holder)
	}
	g.holder = 0
	return nil
}

func TestTheRegisterFindsABrokenLock(t *testing.T) {
	for name, bad := range map[string]func(g *register) error{
		"two holders":       func(g *register) error { return errors.Join(g.hold(5), g.hold(6)) },
		"a token again":     func(g *register) error { return errors.Join(g.hold(5), g.let(5), g.hold(5)) },
		"a token that sank": func(g *register) error { return errors.Join(g.hold(5), g.let(5), g.hold(4)) },
	} {
		if bad(&register{}) == nil {
			t.Errorf("%s: it finds nothing", name)
		}
	}
	g := &register{}
	if err := errors.Join(g.hold(5), g.let(5), g.hold(9)); err != nil {
		t.Error(err)
	}
}

// TestOneHoldsALockWhateverOthersDo has sessions that lock, give up, close and die as chance has it.
func TestOneHoldsALockWhateverOthersDo(t *testing.T) {
	r := newRig(t)
	g := &register{}
	const players, rounds = 12, 12
	var wg sync.WaitGroup
	for p := range players {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(7, uint64(p)))
			for range rounds {
				if err := r.play(rnd, g); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if g.held < players {
		t.Errorf("the lock was held %d times", g.held)
	}
	r.driver.Inspect(t.Context(), func(rep *replica.Replica, _ *driver.Stats) {
		if ref, ok := rep.Tree().Find("/app/lock"); ok && rep.Tree().Stat(ref).NumChildren > 0 {
			t.Errorf("%d znodes are left behind", rep.Tree().Stat(ref).NumChildren)
		}
	})
}

// play is one session.
func (r *rig) play(rnd *rand.Rand, g *register) error {
	s, err := r.sess.OpenSession(r.t.Context(), &paddockv1.OpenSessionRequest{TimeoutMs: 60_000})
	if err != nil {
		return err
	}
	who, locks := naming(r.t.Context(), s), paddockv1.NewLockServiceClient(r.conn)
	ctx, cancel := who, context.CancelFunc(func() {})
	if rnd.IntN(3) == 0 {
		ctx, cancel = context.WithTimeout(who, time.Duration(rnd.IntN(40))*time.Millisecond)
	}
	defer cancel()
	got, err := locks.Lock(ctx, &paddockv1.LockRequest{Path: "/app/lock"})
	if err != nil {
		if code := status.Code(err); code != codes.DeadlineExceeded && code != codes.Canceled {
			return err
		}
		_, err = r.sess.CloseSession(who, &paddockv1.CloseSessionRequest{})
		return err
	}
	if err := g.hold(got.GetFencingToken()); err != nil {
		return err
	}
	for range rnd.IntN(4) {
		if _, err := r.sess.Touch(who, &paddockv1.TouchRequest{}); err != nil {
			return err
		}
	}
	if err := g.let(got.GetFencingToken()); err != nil {
		return err
	}
	switch rnd.IntN(8) {
	case 0, 1: // ended by the server, and not by its client
		id := zk.SessionID(s.GetSessionId())
		password := id.Password()
		_, err := errand(r.t.Context(), r.driver, request.Origin{}, zk.ConnectRequest{Session: id, Password: password[:]}, &zk.Request{Op: zk.OpCloseSession})
		return err
	case 2:
		_, err = r.sess.CloseSession(who, &paddockv1.CloseSessionRequest{})
		return err
	default:
		if _, err := locks.Unlock(who, &paddockv1.UnlockRequest{Path: "/app/lock"}); err != nil {
			return err
		}
		_, err = r.sess.CloseSession(who, &paddockv1.CloseSessionRequest{})
		return err
	}
}

// TestNoClaimComesAfterUnlock gives up calls while they make their claim: once Unlock has answered there is none, and none comes.
func TestNoClaimComesAfterUnlock(t *testing.T) {
	r := newRig(t)
	locks := paddockv1.NewLockServiceClient(r.conn)
	var wg sync.WaitGroup
	for player := range 20 {
		who, _ := r.open(30_000)
		path := fmt.Sprint("/l", player)
		rng := rand.New(rand.NewPCG(1, uint64(player)))
		wg.Go(func() {
			for range 100 {
				ctx, cancel := context.WithTimeout(who, time.Duration(rng.IntN(10_000))*time.Microsecond)
				_, _ = locks.Lock(ctx, &paddockv1.LockRequest{Path: path})
				cancel()
				if _, err := locks.Unlock(who, &paddockv1.UnlockRequest{Path: path}); err != nil && status.Code(err) != codes.NotFound {
					t.Error(err)
					return
				}
				out, err := locks.GetLock(who, &paddockv1.GetLockRequest{Path: path})
				if err != nil || len(out.GetClaims()) > 0 {
					t.Errorf("left behind: %v, %v", out.GetClaims(), err)
					return
				}
			}
		})
	}
	wg.Wait()
}
