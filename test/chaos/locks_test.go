//go:build chaos

package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/server/grpcapi"
)

// The lock of these tests, and the znode that is empty while nobody holds it.
const (
	claimsPath    = "/app/lock"
	protectedPath = "/app/register"
)

// lockPatience bounds one call, with all its repetitions.
const lockPatience = 2 * time.Minute

// lockDoors are connections to the gRPC doors of an ensemble.
type lockDoors struct{ conns []*grpc.ClientConn }

func newLockDoors(t *testing.T, e *ensemble) *lockDoors {
	t.Helper()
	d := &lockDoors{}
	for _, p := range e.members {
		conn, err := grpcapi.DialLocal(p.data)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		d.conns = append(d.conns, conn)
	}
	return d
}

// lockPlayer is a session that goes to another server when one fails it.
type lockPlayer struct {
	*lockDoors
	at    atomic.Int32
	ctx   context.Context
	token uint64 // the newest it was given
}

// try repeats a call, at one server after the other, until it has an answer.
func (p *lockPlayer) try(ctx context.Context, call func(context.Context, *grpc.ClientConn) error) error {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(lockPatience); ; {
		err := call(ctx, p.conns[p.at.Load()])
		if code := grpcstatus.Code(err); code != codes.Unavailable && code != codes.Aborted || time.Now().After(end) {
			return err
		}
		p.at.Store((p.at.Load() + 1) % int32(len(p.conns)))
		<-again.C
	}
}

// open opens a session, which touches keep alive until ctx ends.
func (p *lockPlayer) open(ctx context.Context, wg *sync.WaitGroup) error {
	var s *paddockv1.OpenSessionResponse
	err := p.try(ctx, func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		s, err = paddockv1.NewSessionServiceClient(conn).OpenSession(ctx, &paddockv1.OpenSessionRequest{TimeoutMs: 40_000})
		return err
	})
	if err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	p.ctx = metadata.AppendToOutgoingContext(ctx, "paddock-session", fmt.Sprint(s.GetSessionId()), "paddock-session-password", s.GetPassword())
	wg.Go(func() { // ends with ctx
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C: // where the player is, so that the session does not move to and fro
				_, _ = paddockv1.NewSessionServiceClient(p.conns[p.at.Load()]).Touch(p.ctx, &paddockv1.TouchRequest{})
			}
		}
	})
	return nil
}

// round takes the lock, looks whether it is alone, and gives it up.
func (p *lockPlayer) round(name string, rng *rand.Rand) error {
	ctx, cancel := p.ctx, context.CancelFunc(func() {})
	if rng.IntN(4) == 0 {
		ctx, cancel = context.WithTimeout(p.ctx, time.Duration(rng.IntN(300))*time.Millisecond)
	}
	defer cancel()
	var got *paddockv1.LockResponse
	err := p.try(ctx, func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		got, err = paddockv1.NewLockServiceClient(conn).Lock(ctx, &paddockv1.LockRequest{Path: claimsPath, Owner: []byte(name)})
		return err
	})
	if code := grpcstatus.Code(err); code == codes.DeadlineExceeded || code == codes.Canceled {
		return p.unlock() // it is not known whether it was given, and to whom it went
	} else if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if got.GetFencingToken() <= p.token {
		return fmt.Errorf("token %d after %d", got.GetFencingToken(), p.token)
	}
	p.token = got.GetFencingToken()
	me := fmt.Sprintf("%s with token %d", name, p.token)
	for _, step := range []struct{ is, to string }{{"", me}, {me, ""}} {
		var data []byte
		err := p.try(p.ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
			out, err := paddockv1.NewZnodeServiceClient(conn).Get(ctx, &paddockv1.GetRequest{Path: protectedPath,
				Read: &paddockv1.ReadOptions{Level: paddockv1.ReadLevel_READ_LEVEL_SYNCED}})
			data = out.GetData()
			return err
		})
		if err != nil {
			return fmt.Errorf("read the register: %w", err)
		}
		if string(data) != step.is {
			return fmt.Errorf("%s holds the lock, and %q does", me, data)
		}
		err = p.try(p.ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
			_, err := paddockv1.NewZnodeServiceClient(conn).Set(ctx, &paddockv1.SetRequest{Path: protectedPath, Data: []byte(step.to)})
			return err
		})
		if err != nil {
			return fmt.Errorf("write the register: %w", err)
		}
	}
	return p.unlock()
}

func (p *lockPlayer) unlock() error {
	err := p.try(p.ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		_, err := paddockv1.NewLockServiceClient(conn).Unlock(ctx, &paddockv1.UnlockRequest{Path: claimsPath})
		return err
	})
	if grpcstatus.Code(err) == codes.NotFound {
		return nil // the answer to the first was lost
	}
	return err
}

// contend runs players while more does its part, and for some rounds at least.
func contend(t *testing.T, e *ensemble, players, rounds int, more func()) {
	t.Helper()
	s := seed(t)
	doors := newLockDoors(t, e)
	p := &lockPlayer{lockDoors: doors}
	err := p.try(t.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
		_, err := paddockv1.NewZnodeServiceClient(conn).Create(ctx, &paddockv1.CreateRequest{Path: protectedPath, Parents: true})
		if grpcstatus.Code(err) == codes.AlreadyExists {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var over atomic.Bool
	var wg, alive sync.WaitGroup
	defer alive.Wait()
	defer cancel()
	for i := range players {
		wg.Go(func() {
			p := &lockPlayer{lockDoors: doors}
			p.at.Store(int32(i % len(doors.conns)))
			rng := rand.New(rand.NewPCG(s, uint64(i)))
			if err := p.open(ctx, &alive); err != nil {
				t.Error(err)
				return
			}
			for n := 0; n < rounds || !over.Load(); n++ {
				if err := p.round(fmt.Sprintf("player %d", i), rng); err != nil {
					t.Errorf("player %d, round %d: %v", i, n, err)
					return
				}
			}
		})
	}
	func() {
		defer over.Store(true)
		more()
	}()
	wg.Wait()
	var left *paddockv1.GetLockResponse
	err = p.try(t.Context(), func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		left, err = paddockv1.NewLockServiceClient(conn).GetLock(ctx, &paddockv1.GetLockRequest{Path: claimsPath,
			Read: &paddockv1.ReadOptions{Level: paddockv1.ReadLevel_READ_LEVEL_SYNCED}})
		return err
	})
	if err != nil || len(left.GetClaims()) > 0 {
		t.Errorf("left behind: %v, %v", left.GetClaims(), err)
	}
}

// TestLocksWhileServersAreKilled has one holder of a lock at a time, whichever server is killed.
func TestLocksWhileServersAreKilled(t *testing.T) {
	kills, rounds := 12, 30
	if testing.Short() {
		kills, rounds = 3, 10
	}
	e := assemble(t, []string{paddock, paddock, paddock}, "maxSessionTimeout=60000")
	e.launch(t)
	e.await(t)
	contend(t, e, 9, rounds, func() {
		for i := range kills {
			victim := e.members[i%len(e.members)]
			if i%2 == 0 {
				victim = e.leader(t)
			}
			if err := victim.kill(); err != nil {
				t.Error(err)
			}
			e.launch(t)
			e.await(t)
		}
	})
}

// TestLocksWithOtherRecipes has Curator's InterProcessMutex and kazoo's Lock queue with LockService.
func TestLocksWithOtherRecipes(t *testing.T) {
	for _, kind := range []string{kazooHolders, curatorHolders} {
		t.Run(kind, func(t *testing.T) {
			e := assemble(t, []string{paddock, paddock, paddock}, "maxSessionTimeout=60000")
			e.launch(t)
			e.await(t)
			args := []string{strings.Join(e.addrs(), ","), claimsPath, protectedPath, "40"}
			program := append([]string{"/usr/bin/python3", "-B", "-s", "-E", "testdata/locks/contend.py"}, args...)
			if kind == curatorHolders {
				program = append([]string{"java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
					"-cp", compileCurator(t, "testdata/locks/Contend.java"), "Contend"}, args...)
			}
			contend(t, e, 4, 15, func() {
				ctx, cancel := context.WithTimeout(t.Context(), holderDeadline)
				defer cancel()
				cmd := exec.CommandContext(ctx, program[0], program[1:]...)
				cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
				var errs bytes.Buffer
				cmd.Stderr = &errs
				out, err := cmd.Output()
				var missing *exec.Error
				if errors.As(err, &missing) {
					t.Fatalf("%v: install it with test/interop/install.sh", err)
				}
				if err != nil || string(out) != "done\n" {
					t.Errorf("%v: %s\n%s", err, out, tail(errs.Bytes()))
				}
			})
		})
	}
}
