package server

import (
	"time"

	"paddock/server/config"
	"paddock/server/driver"
	"paddock/server/grpcapi"
	"paddock/server/replica"
	"paddock/storage/datadir"
)

// usage is what the data directory took when upkeep last looked.
type usage struct {
	datadir.Usage
	lastPurge time.Time // zero if there was none
}

// status implements grpcapi.StatusSource.
func (s *server) status() grpcapi.Status {
	st := grpcapi.Status{
		State: grpcapi.State(s.state.Load()), Version: s.opt.Version, Uptime: time.Since(s.began), PID: s.opt.PID,
		DataDir: s.cfg.DataDir, Warnings: s.warnings(),
	}
	st.ServerID = serverID(s.cfg)
	if p := s.progress.Load(); p != nil && st.State == grpcapi.StateStarting {
		st.Refusal = *p
	}
	s.addStorage(&st)
	l := s.live.Load()
	if l == nil {
		return st
	}
	st.Mode = s.mode()
	s.addEnsemble(&st, l)
	for _, p := range l.ports() {
		st.ClientAddresses = append(st.ClientAddresses, p.Addr().String())
	}
	addClient(&st, l)
	l.inspect(func(r *replica.Replica, ds *driver.Stats) {
		t := r.Tree()
		st.Zxid = t.Zxid()
		st.Znodes, st.Ephemerals, st.DataBytes = int64(t.Znodes()), int64(t.EphemeralCount()), t.ApproximateDataSize()
		st.Sessions, st.Watches = int64(r.Sessions()+r.LocalCount()), watchCount(r)
		st.Latency.Min, st.Latency.Mean, st.Latency.Max = ds.Latency()
	})
	return st
}

func addClient(st *grpcapi.Status, l *live) {
	conns, total := l.clients()
	st.Connections, st.Outstanding = int64(len(conns)), outstanding(conns)
	st.PacketsReceived, st.PacketsSent = total.Received, total.Sent
}

func (s *server) addStorage(st *grpcapi.Status) {
	u := s.usage.Load()
	if u == nil {
		return
	}
	st.Storage = grpcapi.Storage{
		Snapshots: int64(u.Snapshots), SnapshotBytes: u.SnapshotBytes, Logs: int64(u.Logs), LogBytes: u.LogBytes,
		NewestSnapshot: u.NewestSnapshot, DiskFreeBytes: u.LogSpace.Free, DiskTotalBytes: u.LogSpace.Total, LastPurge: u.lastPurge,
	}
}

// votersNow is how many voters the ensemble has, and whether a reconfiguration has changed that since the start.
func (s *server) votersNow() (n int, changed bool) {
	l := s.live.Load()
	if l == nil || l.peers == nil {
		return 0, false
	}
	n = len(l.peers.members.config.Load().Voters())
	return n, n != len(s.cfg.Members.Membership.Voters())
}

// warnings are what an operator should change.
func (s *server) warnings() (list []string) {
	voters, changed := s.votersNow()
	for _, n := range s.opt.Notices {
		if n.Level >= config.Warn && !(changed && n.Voters != 0) {
			list = append(list, n.String())
		}
	}
	if n, even := config.EvenVoters(voters); changed && even {
		list = append(list, n.String())
	}
	list = append(list, s.warned.list()...)
	if s.tls != nil {
		if w := s.tls.Warning(); w != "" {
			list = append(list, w)
		}
	}
	if u := s.usage.Load(); u != nil {
		if w := spaceWarning(u); w != "" {
			list = append(list, w)
		}
	}
	if s.metrics != nil {
		list = append(list, s.metrics.refused.warnings(time.Now())...)
	}
	return list
}
