package grpcapi

import (
	"context"
	"slices"

	"google.golang.org/grpc"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// electionServer implements ElectionService.
type electionServer struct {
	paddockv1.UnimplementedElectionServiceServer
	door *door
}

// Campaign waits until the session leads.
func (s *electionServer) Campaign(ctx context.Context, in *paddockv1.CampaignRequest) (*paddockv1.CampaignResponse, error) {
	a, err := s.door.claimer(ctx, in.GetPath())
	if err != nil {
		return nil, err
	}
	got, err := s.door.queues.acquire(ctx, &a, in.GetPath(), markLatch, in.GetValue(), patience{})
	if err != nil {
		return nil, err
	}
	return &paddockv1.CampaignResponse{FencingToken: uint64(got.token), CandidatePath: got.path}, nil
}

// Proclaim changes what a candidate says of itself.
func (s *electionServer) Proclaim(ctx context.Context, in *paddockv1.ProclaimRequest) (*paddockv1.ProclaimResponse, error) {
	a, err := s.door.claimer(ctx, in.GetPath())
	if err != nil {
		return nil, err
	}
	own, zxid, err := a.ownClaims(ctx, in.GetPath())
	if err != nil {
		return nil, err
	}
	if len(own) == 0 {
		return nil, noClaim(in.GetPath(), "the session is no candidate", zxid)
	}
	zxid, err = s.door.queues.proclaim(ctx, &a, in.GetPath(), own[0].path, in.GetValue())
	if err != nil {
		return nil, err
	}
	return &paddockv1.ProclaimResponse{Zxid: uint64(zxid)}, nil
}

// proclaim changes a claim's data, and what is known of its version by calls that wait for it.
func (q *queues) proclaim(ctx context.Context, a *asker, path, claimPath string, data []byte) (zk.Zxid, error) {
	req := zk.Request{Op: zk.OpSetData, Path: claimPath, Data: dataOf(data), Version: -1}
	if err := fits(&req, q.door.requestBytesMax()); err != nil {
		return 0, err
	}
	q.mu.Lock()
	c := q.claims[claimKey{a.session.id, path}]
	q.mu.Unlock()
	if c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		ctx = context.WithoutCancel(ctx) // the version must be known
	}
	rep, err := a.do(ctx, &req)
	if err := judged(&rep, err, claimPath, nil); err != nil {
		return 0, err
	}
	if c != nil && c.znode == zk.BaseName(claimPath) {
		c.version = rep.Stat.Version
	}
	return rep.Zxid, nil
}

// Resign ends a candidacy or a leadership.
func (s *electionServer) Resign(ctx context.Context, in *paddockv1.ResignRequest) (*paddockv1.ResignResponse, error) {
	zxid, err := s.door.giveUp(ctx, in.GetPath())
	if err != nil {
		return nil, err
	}
	return &paddockv1.ResignResponse{Zxid: uint64(zxid)}, nil
}

// leaderOf is the first of a list of claims, or nil.
func leaderOf(list []claimFound) *paddockv1.ElectionLeader {
	if len(list) == 0 {
		return nil
	}
	c := &list[0]
	return &paddockv1.ElectionLeader{Value: c.data, SessionId: c.stat.EphemeralOwner, FencingToken: uint64(c.stat.Czxid), CandidatePath: c.path}
}

// GetLeader tells who leads.
func (s *electionServer) GetLeader(ctx context.Context, in *paddockv1.GetLeaderRequest) (*paddockv1.GetLeaderResponse, error) {
	if err := checkPath(in.GetPath()); err != nil {
		return nil, err
	}
	a, err := s.door.asker(ctx)
	if err != nil {
		return nil, err
	}
	list, zxid, err := a.claimsOn(ctx, in.GetPath(), 1, in.GetRead())
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, noClaim(in.GetPath(), "nobody leads", zxid)
	}
	return &paddockv1.GetLeaderResponse{Leader: leaderOf(list), Zxid: uint64(zxid)}, nil
}

// Observe tells who leads, now and whenever that changes. What comes and goes faster than it is read may be left out.
func (s *electionServer) Observe(in *paddockv1.ObserveRequest, stream grpc.ServerStreamingServer[paddockv1.ObserveResponse]) error {
	if err := checkPath(in.GetPath()); err != nil {
		return err
	}
	ctx := stream.Context()
	a, err := s.door.asker(ctx)
	if err != nil {
		return err
	}
	q := s.door.queues
	if err := q.take(); err != nil {
		return err
	}
	defer q.give()
	opt := in.GetRead()
	var told *claimFound // the leader that the client knows
	for first := true; ; first = false {
		list, zxid, err := a.claimsOn(ctx, in.GetPath(), 1, opt)
		if err != nil {
			return err
		}
		opt = nil // this server does not go back
		if first || changed(told, list) {
			if err := stream.Send(&paddockv1.ObserveResponse{Leader: leaderOf(list), Zxid: uint64(zxid)}); err != nil {
				return err
			}
		}
		if told = nil; len(list) > 0 {
			told = &list[0]
		}
		if err := q.observe(ctx, &a, in.GetPath(), told); err != nil {
			return err
		}
	}
}

// changed tells whether a queue has another leader than the one that is known, or one that says something else.
func changed(told *claimFound, list []claimFound) bool {
	if told == nil || len(list) == 0 {
		return told != nil || len(list) > 0
	}
	return told.stat.Czxid != list[0].stat.Czxid || told.path != list[0].path || !slices.Equal(told.data, list[0].data)
}

// observe waits until there may be another leader, or it says something else.
func (q *queues) observe(ctx context.Context, a *asker, path string, leader *claimFound) error {
	at := spot{path: path, children: true}
	if leader != nil {
		at = spot{path: leader.path}
	}
	s, there, err := q.lookout.send(ctx, a.handler, at)
	if err != nil {
		return err
	}
	if leader == nil && there.Err == zk.NoNode { // nor is there a queue
		s.leave()
		if s, there, err = q.lookout.send(ctx, a.handler, spot{path: path}); err != nil {
			return err
		}
	}
	defer s.leave()
	switch {
	case leader != nil && (there.Err != zk.OK || there.Stat.Mzxid != leader.stat.Mzxid || there.Stat.Czxid != leader.stat.Czxid):
		return nil
	case leader == nil && there.Err == zk.OK && (s.spot.children && len(contenders(there.Names)) > 0 || !s.spot.children):
		return nil
	}
	select {
	case <-s.fired:
		return nil
	case <-s.line.over:
		return closedBy(s.line.why)
	case <-ctx.Done():
		return contextStatus(ctx)
	}
}
