package server

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/admin"
	"paddock/server/auth"
	"paddock/server/driver"
	"paddock/server/replica"
	"paddock/storage/snapshot"
)

// commands is the handler of ZooKeeper's AdminServer; nil if they are switched off.
func (s *server) commands(authority *auth.Authority) http.Handler {
	if !s.cfg.HTTP.Commands {
		return nil
	}
	o := admin.CommandOptions{
		Path: s.cfg.HTTP.CommandPath, Words: s.liveWords, Configuration: s.startedWith(), Settings: s.settings, Membership: s.membership, LastSnapshot: s.lastSnapshot,
		SnapshotEvery: s.cfg.HTTP.SnapshotEvery,
		Authorize: func(ctx context.Context, scheme string, credential []byte, ip string) (known, allowed bool) {
			return s.mayReadAll(ctx, authority, scheme, credential, ip)
		},
	}
	if s.cfg.HTTP.Snapshots {
		o.Snapshot = operator{s}.StreamSnapshot
	}
	return admin.Commands(o)
}

// startedWith is the configuration file of a server on its own.
func (s *server) startedWith() string {
	if s.cfg.Distributed() || s.cfg.File == "" {
		return ""
	}
	text, err := os.ReadFile(s.cfg.File)
	if err != nil {
		return ""
	}
	return string(text)
}

// settings are what is in force, without secrets.
func (s *server) settings() map[string]string {
	all := map[string]string{}
	for _, k := range (insight{s}).Settings() {
		if k.Secret {
			k.Value = "***"
		}
		all[k.Key] = k.Value
	}
	return all
}

// membership is the server's part in its ensemble.
func (s *server) membership() (m admin.Membership, ok bool) {
	l := s.live.Load()
	if l == nil || l.peers == nil {
		return m, false
	}
	ok = l.inspect(func(r *replica.Replica, _ *driver.Stats) {
		c := r.Consensus()
		m = admin.Membership{ServerID: s.cfg.ServerID, Leader: int64(c.Leader()), HasLeader: c.Role() != consensus.Looking, Stage: c.Stage().String(), Zxid: r.Tree().Zxid()}
	})
	for _, x := range l.peers.members.config.Load().Servers {
		out := admin.MemberServer{ID: int64(x.ID), Observer: x.Observer}
		for _, a := range x.Addresses {
			out.Quorum, out.Election = append(out.Quorum, a.Quorum().String()), append(out.Election, a.Election().String())
		}
		if x.Client.Port != 0 {
			out.Client = x.Client.String()
		} else if out.ID == m.ServerID && s.cfg.Client.Port != 0 {
			out.Client = net.JoinHostPort(cmp.Or(s.cfg.Client.Address, "0.0.0.0"), strconv.Itoa(s.cfg.Client.Port))
		}
		m.Voting = m.Voting || out.ID == m.ServerID && !x.Observer
		m.Servers = append(m.Servers, out)
	}
	return m, ok
}

// lastSnapshot is the newest snapshot on disk.
func (s *server) lastSnapshot() (at zk.Zxid, taken time.Time, ok bool) {
	l := s.live.Load()
	if l == nil {
		return 0, taken, false
	}
	u, err := l.dir.Usage()
	if err != nil || u.Snapshots == 0 {
		return 0, taken, false
	}
	files, err := filepath.Glob(filepath.Join(l.dir.SnapshotPath(), snapshot.Name(u.NewestSnapshot, snapshot.Plain)+"*"))
	if err != nil || len(files) == 0 {
		return 0, taken, false
	}
	info, err := os.Stat(files[0])
	if err != nil {
		return 0, taken, false
	}
	return u.NewestSnapshot, info.ModTime(), true
}

// mayReadAll judges a credential. Only the superuser, or whom the root's access list names with every right, may have all data: a list that is
// open to the world says nothing of who asks.
func (s *server) mayReadAll(ctx context.Context, authority *auth.Authority, scheme string, credential []byte, ip string) (known, allowed bool) {
	ids, known := authority.Authenticate(scheme, credential, ip)
	l := s.live.Load()
	if !known || l == nil {
		return known, false
	}
	for _, id := range ids {
		allowed = allowed || id.Scheme == auth.SchemeSuper
	}
	if allowed {
		return true, true
	}
	l.driver.Inspect(ctx, func(r *replica.Replica, _ *driver.Stats) {
		root, ok := r.Tree().Find(zk.RootPath)
		for _, entry := range r.Tree().ACL(root) {
			if ok && entry.Perms == zk.PermAll && entry.ID.Scheme != auth.SchemeWorld {
				allowed = allowed || authority.Check([]zk.ACL{entry}, zk.PermAll, ids)
			}
		}
	})
	return true, allowed
}
