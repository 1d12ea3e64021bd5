package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"paddock/consensus/quorum"
)

// connect dials all addresses at once and returns the first connection; names are resolved anew. This is where TLS and
// authentication will begin.
func (t *Transport) connect(ctx context.Context, addresses []quorum.HostPort) (net.Conn, quorum.HostPort, error) {
	if len(addresses) == 0 {
		return nil, quorum.HostPort{}, errors.New("no address")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn net.Conn
		at   quorum.HostPort
		err  error
	}
	results := make(chan result, len(addresses))
	for _, a := range addresses {
		t.wg.Go(func() { // ends with ctx
			c, err := t.dialer(ctx, a.String())
			results <- result{c, a, err}
		})
	}
	var first result
	var errs []error
	for range addresses {
		r := <-results
		switch {
		case r.err != nil:
			errs = append(errs, r.err)
		case first.conn == nil:
			first = r
			cancel()
		default:
			r.conn.Close()
		}
	}
	if first.conn == nil {
		return nil, quorum.HostPort{}, errors.Join(errs...)
	}
	if !t.open.add(first.conn) {
		return nil, quorum.HostPort{}, net.ErrClosed
	}
	return first.conn, first.at, nil
}

// linkTries is how often a leader is dialled: it may need a moment to open its port.
const linkTries = 5

// dialLink connects to a server's quorum port, or its port for observers, and serves the link until it ends.
func (t *Transport) dialLink(ctx context.Context, server quorum.ServerID, master bool) {
	c, err := t.reach(ctx, server, master)
	if err != nil {
		t.opt.Handler.DialFailed(server, fmt.Errorf("dial server %d: %w", server, err))
		return
	}
	l := t.newLink(ctx, c, server, true)
	t.serveLink(l, newReader(inbound{l}), nil)
}

// reach tries a few times within the time that joining a leader may take.
func (t *Transport) reach(ctx context.Context, server quorum.ServerID, master bool) (net.Conn, error) {
	budget, cancel := context.WithTimeout(ctx, time.Duration(t.opt.ConnectLimit)*t.opt.TickTime)
	defer cancel()
	var err error
	for try := 1; try <= linkTries; try++ {
		s, ok := t.configs.Load().server(server)
		if !ok {
			return nil, errors.New("it is in no configuration")
		}
		var c net.Conn
		addresses := quorumAddresses(s)
		if master {
			addresses = t.masterAddresses(s)
		}
		if c, _, err = t.connect(budget, addresses); err == nil {
			return c, nil
		}
		t.log.Debug().Err(err).Int64("peer", int64(server)).Int("try", try).Bool("master", master).Msg("port for learners not reached")
		if master {
			break // there are others
		}
		if try < linkTries && !sleep(budget, t.opt.DialRetryDelay) {
			break
		}
	}
	return nil, err
}

func (t *Transport) masterAddresses(s quorum.Server) []quorum.HostPort {
	out := make([]quorum.HostPort, len(s.Addresses))
	for i, a := range s.Addresses {
		out[i] = t.masterAddress(a)
	}
	return out
}

func quorumAddresses(s quorum.Server) []quorum.HostPort {
	out := make([]quorum.HostPort, len(s.Addresses))
	for i, a := range s.Addresses {
		out[i] = a.Quorum()
	}
	return out
}

func electionAddresses(s quorum.Server) []quorum.HostPort {
	out := make([]quorum.HostPort, len(s.Addresses))
	for i, a := range s.Addresses {
		out[i] = a.Election()
	}
	return out
}
