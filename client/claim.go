package client

import (
	"context"
	"errors"
)

// claims are a session's parts in the queue of one lock or election.
type claims struct {
	waiting int           // calls
	held    bool          // a call has got it, and it was not given up
	giving  chan struct{} // while it is given up for a call that nobody waits for any more; closed afterwards
}

// claim asks for a lock or a leadership. Whether a call that ctx has ended has come first is not known here: the answer may have been on
// its way, or the server not been reached. What it may have got is given up then, in the background, and further claims on path wait for that.
func (s *Session) claim(ctx context.Context, path string, ask, giveUp func(context.Context) error) error {
	c, err := s.enter(ctx, path)
	if err != nil {
		return err
	}
	err = ask(s.named(repeatable(ctx)))
	s.mu.Lock()
	defer s.mu.Unlock()
	c.waiting--
	c.held = c.held || err == nil
	switch {
	case c.held || c.waiting > 0:
	case ctx.Err() == nil || s.resumed || s.life.Err() != nil: // a session that was taken up may have it from before
		s.forget(path, c)
	default:
		c.giving = make(chan struct{})
		s.givers.Go(func() { // ends with the session
			_ = giveUp(s.named(repeatable(s.life))) // until a server has heard of it, or the session is over
			s.mu.Lock()
			defer s.mu.Unlock()
			close(c.giving)
			c.giving = nil
			s.forget(path, c)
		})
	}
	return err
}

// enter counts a call among the claims on path, once nothing is being given up there.
func (s *Session) enter(ctx context.Context, path string) (*claims, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		c := s.claimed[path]
		if c == nil {
			c = &claims{}
			s.claimed[path] = c
		}
		giving := c.giving
		if giving == nil {
			c.waiting++
			return c, nil
		}
		s.mu.Unlock()
		select {
		case <-giving:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// forget drops what is known of the claims on path, if that is nothing. s.mu is held.
func (s *Session) forget(path string, c *claims) {
	if s.claimed[path] == c && c.waiting == 0 && !c.held && c.giving == nil {
		delete(s.claimed, path)
	}
}

// giveUp gives a lock or a leadership up. It is no error if it is lost already.
func (s *Session) giveUp(path string, ask func() error) error {
	err := ask()
	if errors.Is(err, ErrNoNode) {
		err = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.claimed[path]; c != nil && err == nil {
		c.held = false
		s.forget(path, c)
	}
	return err
}
