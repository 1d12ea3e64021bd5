package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/server/driver"
	"paddock/server/grpcapi"
	"paddock/server/replica"
)

// operator implements grpcapi.Operator.
type operator struct{ *server }

// How often it is looked whether another server has taken over, and how long that may take at most.
const (
	transferLook = 5 * time.Millisecond
	transferMax  = time.Minute
)

// TransferLeadership implements grpcapi.Operator.
func (o operator) TransferLeadership(ctx context.Context, to int64) (int64, error) {
	l := o.live.Load()
	switch {
	case l == nil:
		return 0, &grpcapi.Refusal{Reason: "the server is still starting"}
	case l.peers == nil:
		return 0, &grpcapi.Refusal{Reason: "a server on its own has nobody to lead in its place"}
	}
	ctx, cancel := context.WithTimeout(ctx, transferMax)
	defer cancel()
	var refusal error
	if !l.driver.Inspect(ctx, func(r *replica.Replica, _ *driver.Stats) {
		refusal = cannotTransfer(r.Consensus(), quorum.ServerID(to))
	}) {
		return 0, stopped(ctx)
	}
	if refusal != nil {
		return 0, refusal
	}
	o.log.Info().Int64("to", to).Msg("leadership is to move")
	l.driver.Do(replica.Event{Kind: replica.Transfer, Server: quorum.ServerID(to)})
	return o.awaitLeader(ctx, l)
}

// stopped is why the replica could not be asked.
func stopped(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.New("the server stops")
}

// cannotTransfer says why leadership cannot be moved; nil if it can.
func cannotTransfer(c *consensus.Core, to quorum.ServerID) error {
	if c.Role() != consensus.Leading || !c.Serving() {
		if leader := c.Leader(); leader != consensus.NoServer && c.Role() != consensus.Leading {
			return &grpcapi.Refusal{Reason: fmt.Sprintf("server %d leads, not this one: ask there", leader)}
		}
		return &grpcapi.Refusal{Reason: "the ensemble has no leader"}
	}
	able := func(id quorum.ServerID) bool {
		for _, l := range c.Learners() {
			if l.Server == id && l.Synced && !l.Observer && c.Ensemble().IsVoter(id) && c.Ensemble().Weight(id) > 0 {
				return true
			}
		}
		return false
	}
	switch _, listed := c.Ensemble().Server(to); {
	case to == 0:
		for _, id := range c.Ensemble().Voters() {
			if able(id) {
				return nil
			}
		}
		return &grpcapi.Refusal{Reason: "no other voter is synchronised"}
	case to == c.Leader():
		return &grpcapi.Refusal{Reason: fmt.Sprintf("server %d leads already", to)}
	case !listed:
		return &grpcapi.Refusal{Reason: fmt.Sprintf("server %d is not in the configuration, which lists %s", to, c.Ensemble().IDs())}
	case !c.Ensemble().IsVoter(to) || c.Ensemble().Weight(to) == 0:
		return &grpcapi.Refusal{Reason: fmt.Sprintf("server %d has no vote", to)}
	case !able(to):
		return &grpcapi.Refusal{Reason: fmt.Sprintf("server %d is not synchronised", to)}
	case !c.CanPropose():
		return &grpcapi.Refusal{Reason: "this server's time as the leader is ending already"}
	default:
		return nil
	}
}

// awaitLeader returns once another server leads this one.
func (o operator) awaitLeader(ctx context.Context, l *live) (int64, error) {
	for tick := time.NewTicker(transferLook); ; {
		leader, failed := consensus.NoServer, false
		if !l.driver.Inspect(ctx, func(r *replica.Replica, _ *driver.Stats) {
			switch c := r.Consensus(); {
			case c.Role() == consensus.Leading:
				failed = c.Serving() && !c.Transferring() // it goes on, or has been elected again
			case c.Serving():
				leader = c.Leader()
			}
		}) {
			tick.Stop()
			return 0, stopped(ctx)
		}
		if failed || leader != consensus.NoServer {
			tick.Stop()
			if failed {
				return 0, &grpcapi.Refusal{Reason: "the other server did not take over in time, and this one goes on to lead", Aborted: true}
			}
			return int64(leader), nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return 0, ctx.Err()
		}
	}
}

// Stop implements grpcapi.Operator.
func (o operator) Stop(ctx context.Context, drain bool) error {
	if l := o.live.Load(); drain && l != nil && l.peers != nil {
		leads := false
		if !l.driver.Inspect(ctx, func(r *replica.Replica, _ *driver.Stats) { leads = r.Consensus().Role() == consensus.Leading }) {
			return stopped(ctx)
		}
		for _, p := range l.ports() {
			p.SetRefusing(true) // who is sent away now is not to come back here
		}
		if leads {
			if _, err := o.TransferLeadership(ctx, 0); err != nil {
				for _, p := range l.ports() {
					p.SetRefusing(false)
				}
				return err
			}
		}
	}
	o.stopOnce.Do(func() { close(o.stopAsked) })
	return nil
}
