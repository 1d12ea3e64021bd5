package server

import (
	"context"
	"strings"
	"time"

	"paddock/internal/zk"
	"paddock/server/config"
	"paddock/server/driver"
	"paddock/server/grpcapi"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/server/watch"
)

// insight implements grpcapi.Insight.
type insight struct{ *server }

// entrance is the handler of requests; nil until the state is recovered.
func (s *server) entrance() request.Handler {
	if l := s.live.Load(); l != nil {
		return l.driver
	}
	return nil
}

// Info implements grpcapi.Insight.
func (i insight) Info() grpcapi.ServerInfo {
	c := i.cfg
	out := grpcapi.ServerInfo{
		Version: i.opt.Version, ServerID: serverID(c), ZooKeeperVersion: ZooKeeperVersion, RequestBytesMax: int64(c.Client.FrameBytesMax),
		SessionMin: c.MinSessionTimeout, SessionMax: c.MaxSessionTimeout, Features: features(c),
	}
	if l := i.live.Load(); l != nil {
		if l.inspect(func(r *replica.Replica, _ *driver.Stats) { out.HistoryAfter = r.Oldest() }) {
			if z, ok, err := l.dir.HistoryBegins(); ok && err == nil {
				out.HistoryAfter = min(out.HistoryAfter, z)
			}
		}
	}
	return out
}

// features is what the configuration allows.
func features(c *config.Config) (list []string) {
	for _, f := range []struct {
		name string
		on   bool
	}{
		{"containers", true},
		{"elections", true},
		{"ensemble", c.Distributed()},
		{"idempotency", true},
		{"local-sessions", c.Distributed() && c.Sessions.Local},
		{"locks", true},
		{"quota-enforced", c.Znodes.EnforceQuota},
		{"read-levels", true},
		{"read-only", c.Distributed() && c.Sessions.ReadOnlyMode},
		{"reconfig", c.Distributed() && c.Members.ReconfigEnabled},
		{"transactions", true},
		{"ttl", c.Znodes.ExtendedTypes},
		{"watch-history", true},
	} {
		if f.on {
			list = append(list, f.name)
		}
	}
	return list
}

// Settings implements grpcapi.Insight.
func (i insight) Settings() (list []grpcapi.Setting) {
	for _, k := range config.Keys() {
		s, ok := i.cfg.Setting(k.Name)
		if !ok || k.Status == config.Ignored || s.Value == "" {
			continue
		}
		list = append(list, grpcapi.Setting{Key: k.Name, Value: s.Value, Secret: k.Secret, Source: s.Origin.String()})
	}
	return list
}

// Membership implements grpcapi.Insight.
func (i insight) Membership() (text string, version zk.Zxid, ok bool) {
	l := i.live.Load()
	switch {
	case l == nil:
		return "", 0, false
	case l.peers == nil:
		return "", 0, true
	}
	c := l.peers.members.config.Load()
	return c.String(), c.Version, true
}

// Connections implements grpcapi.Insight.
func (i insight) Connections() []grpcapi.Connection {
	l := i.live.Load()
	if l == nil {
		return nil
	}
	conns, _ := l.clients()
	list := make([]grpcapi.Connection, len(conns))
	for n := range conns {
		c := &conns[n]
		door := "jute"
		if c.Secure {
			door = "jute-tls"
		}
		list[n] = grpcapi.Connection{
			Door: door, Address: c.Addr, Session: c.Session, Since: time.UnixMilli(c.EstablishedMS),
			Received: c.Received, Sent: c.Sent, Outstanding: c.Outstanding,
		}
	}
	return list
}

// inspectFor reads the replica while ctx lasts.
func (i insight) inspectFor(ctx context.Context, fn func(*replica.Replica)) bool {
	l := i.live.Load()
	if l == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	return l.driver.Inspect(ctx, func(r *replica.Replica, _ *driver.Stats) { fn(r) })
}

// Sessions implements grpcapi.Insight.
func (i insight) Sessions(ctx context.Context) (list []grpcapi.Session, ok bool) {
	ok = i.inspectFor(ctx, func(r *replica.Replica) {
		own := map[zk.SessionID][]string{}
		for _, e := range r.Tree().EphemeralsBySession() {
			own[e.ID] = e.Paths
		}
		for _, s := range r.Tree().Sessions() {
			list = append(list, grpcapi.Session{ID: s.ID, TimeoutMS: s.TimeoutMS, Ephemerals: own[s.ID]})
		}
		for id, timeout := range r.LocalSessions() {
			list = append(list, grpcapi.Session{ID: id, TimeoutMS: timeout, Local: true})
		}
	})
	return list, ok
}

// Watches implements grpcapi.Insight.
func (i insight) Watches(ctx context.Context, path string) (list []grpcapi.WatchedPath, ok bool) {
	ok = i.inspectFor(ctx, func(r *replica.Replica) {
		at := map[string]int{}
		for _, side := range []watch.Side{watch.Data, watch.Child} {
			for _, p := range r.Watches().ByPath(side) {
				if !below(p.Path, path) {
					continue
				}
				n, known := at[p.Path]
				if !known {
					n, at[p.Path] = len(list), len(list)
					list = append(list, grpcapi.WatchedPath{Path: p.Path})
				}
				for _, c := range p.Clients {
					list[n].Sessions = append(list[n].Sessions, r.SessionOf(c))
				}
			}
		}
	})
	return list, ok
}

// below tells whether a path is top or below it; every path is below "" and "/".
func below(path, top string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(top, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// Figures implements grpcapi.Insight.
func (i insight) Figures() (list []grpcapi.Figure, ok bool) {
	w := i.liveWords()
	if w == nil {
		return nil, false
	}
	figures, ok := w.Figures()
	for _, f := range figures {
		list = append(list, grpcapi.Figure{Name: f.Name, Value: f.Value})
	}
	return list, ok
}
