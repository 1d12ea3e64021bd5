package client

import (
	"bytes"
	"context"
	"errors"
	"iter"

	paddockv1 "paddock/gen/paddock/v1"
)

// Lock is a lock that the session holds.
type Lock struct {
	Path  string
	Token uint64 // rises with each holder: what the lock protects can refuse a holder with a lower one
	lost  <-chan struct{}
	s     *Session
}

// Lock waits until the session holds the lock at path, as long as ctx lasts. Other clients of Paddock and of Apache Curator queue with it. If ctx
// ends first the session leaves the queue, unless another call got it the lock or still waits.
func (s *Session) Lock(ctx context.Context, path string, owner []byte) (*Lock, error) {
	locks := paddockv1.NewLockServiceClient(s.conn)
	var out *paddockv1.LockResponse
	err := s.claim(ctx, path, func(ctx context.Context) (err error) {
		out, err = locks.Lock(ctx, &paddockv1.LockRequest{Path: path, Owner: owner})
		return err
	}, func(ctx context.Context) error {
		_, err := locks.Unlock(ctx, &paddockv1.UnlockRequest{Path: path})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Lock{Path: path, Token: out.GetFencingToken(), lost: s.InDoubt(), s: s}, nil
}

// Lost is closed when the lock may be somebody else's: the session is over or in doubt. A program that was asleep is told by the next call of
// Lost: call it anew before each step that needs the lock. Who stops because of it calls Unlock all the same: a session that turns out to be alive
// holds the lock still.
func (l *Lock) Lost() <-chan struct{} {
	l.s.suspect()
	return l.lost
}

// Unlock gives the lock up. It is no error if it is lost already.
func (l *Lock) Unlock(ctx context.Context) error {
	return l.s.giveUp(l.Path, func() error {
		_, err := paddockv1.NewLockServiceClient(l.s.conn).Unlock(l.s.named(repeatable(ctx)), &paddockv1.UnlockRequest{Path: l.Path})
		return err
	})
}

// Leadership is an election that the session has won.
type Leadership struct {
	Path  string
	Token uint64 // rises with each leader
	lost  <-chan struct{}
	s     *Session
}

// Campaign waits until the session leads at path, as long as ctx lasts. value is what it says of itself. If ctx ends first the session
// leaves the queue, unless another call made it lead or still waits.
func (s *Session) Campaign(ctx context.Context, path string, value []byte) (*Leadership, error) {
	elections := paddockv1.NewElectionServiceClient(s.conn)
	var out *paddockv1.CampaignResponse
	err := s.claim(ctx, path, func(ctx context.Context) (err error) {
		out, err = elections.Campaign(ctx, &paddockv1.CampaignRequest{Path: path, Value: value})
		return err
	}, func(ctx context.Context) error {
		_, err := elections.Resign(ctx, &paddockv1.ResignRequest{Path: path})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Leadership{Path: path, Token: out.GetFencingToken(), lost: s.InDoubt(), s: s}, nil
}

// Lost is closed when somebody else may lead: the session is over or in doubt. A program that was asleep is told by the next call of Lost. Who
// stops because of it calls Resign all the same: a session that turns out to be alive leads still.
func (l *Leadership) Lost() <-chan struct{} {
	l.s.suspect()
	return l.lost
}

// Proclaim changes what the leader says of itself.
func (l *Leadership) Proclaim(ctx context.Context, value []byte) error {
	_, err := paddockv1.NewElectionServiceClient(l.s.conn).Proclaim(l.s.named(repeatable(ctx)), &paddockv1.ProclaimRequest{Path: l.Path, Value: value})
	return err
}

// Resign ends the leadership. It is no error if it is lost already.
func (l *Leadership) Resign(ctx context.Context) error {
	return l.s.giveUp(l.Path, func() error {
		_, err := paddockv1.NewElectionServiceClient(l.s.conn).Resign(l.s.named(repeatable(ctx)), &paddockv1.ResignRequest{Path: l.Path})
		return err
	})
}

// Leader is who leads.
type Leader struct {
	Value   []byte // what it says of itself
	Session int64
	Token   uint64
}

func leaderOf(m *paddockv1.ElectionLeader) *Leader {
	if m == nil {
		return nil
	}
	return &Leader{Value: m.GetValue(), Session: m.GetSessionId(), Token: m.GetFencingToken()}
}

// Leader tells who leads at path; nil if nobody does.
func (z *Znodes) Leader(ctx context.Context, path string) (*Leader, error) {
	out, err := paddockv1.NewElectionServiceClient(z.conn).GetLeader(z.reading(ctx), &paddockv1.GetLeaderRequest{Path: path})
	if errors.Is(err, ErrNoNode) {
		return nil, nil
	}
	return leaderOf(out.GetLeader()), err
}

// Leaders yields who leads at path, now and whenever that changes, nil while nobody does, until ctx ends. It goes on by itself on another server,
// and does not go back in time there. Errors: ErrZxidAhead once no server has had for half a minute what was told.
func (z *Znodes) Leaders(ctx context.Context, path string) iter.Seq2[*Leader, error] {
	return func(yield func(*Leader, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var known *paddockv1.ObserveResponse // what was told last; nil for nothing
		var behind lag
		for wait := retryMin; ; wait = min(2*wait, retryMax) {
			read := z.notBefore(known.GetZxid()).read
			stream, err := paddockv1.NewElectionServiceClient(z.conn).Observe(z.named(ctx), &paddockv1.ObserveRequest{Path: path, Read: read})
			for err == nil {
				var m *paddockv1.ObserveResponse
				if m, err = stream.Recv(); err != nil {
					break
				}
				wait, behind = retryMin, lag{}
				again := known != nil && sameLeader(m.GetLeader(), known.GetLeader())
				if known = m; !again && !yield(leaderOf(m.GetLeader()), nil) {
					return
				}
			}
			if err = typed(err); !behind.passes(err, known != nil) || !pause(ctx, wait) {
				yield(nil, err)
				return
			}
		}
	}
}

// sameLeader tells whether two say the same: nil is nobody.
func sameLeader(a, b *paddockv1.ElectionLeader) bool {
	return (a == nil) == (b == nil) && a.GetFencingToken() == b.GetFencingToken() && bytes.Equal(a.GetValue(), b.GetValue())
}
