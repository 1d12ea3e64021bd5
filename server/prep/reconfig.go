package prep

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"paddock/consensus/quorum"
	"paddock/internal/jute"
	"paddock/internal/txn"
	"paddock/internal/zk"
)

// Ensemble is what the leader knows of the servers; consensus.Core is one.
type Ensemble interface {
	// Ensemble is the committed configuration, LastSeen the newest that was proposed.
	Ensemble() *quorum.Config
	LastSeen() *quorum.Config
	// CheckReconfig tells whether next may be proposed: OK, ReconfigInProgress or NewConfigNoQuorum.
	CheckReconfig(next *quorum.Config) zk.Code
}

// reconfig checks in ZooKeeper's order: whether the feature is on, session, no other reconfiguration on its way, the version
// expected, what is asked for, enough voters, a quorum of them synchronised; the permission comes last.
//
// The txn sets the znode of the configuration. That is no part of the digest.
func (p *Prep) reconfig(req *zk.Request, by *Asker, out *txn.Txn) zk.Code {
	switch {
	case !p.cfg.Reconfig:
		return zk.ReconfigDisabled
	case by.State != zk.OK:
		return by.State
	case p.cfg.Ensemble == nil:
		return zk.Unimplemented
	}
	seen := p.cfg.Ensemble.LastSeen()
	switch {
	case seen.Version != p.cfg.Ensemble.Ensemble().Version:
		return zk.ReconfigInProgress
	case req.Members.Version != -1 && zk.Zxid(req.Members.Version) != seen.Version:
		return zk.BadVersion
	}
	next, code := nextConfig(req.Members, seen)
	if code != zk.OK {
		return code
	}
	least := 1
	if p.cfg.StandaloneEnabled {
		least = 2
	}
	if len(next.Voters()) < least {
		return zk.BadArguments
	}
	next = next.WithVersion(by.Zxid)
	if code := p.cfg.Ensemble.CheckReconfig(next); code != zk.OK {
		return code
	}
	n, ok := p.over.find(zk.ConfigPath)
	switch {
	case !ok:
		return zk.NoNode
	case !p.may(by, n.acl, zk.PermWrite):
		return zk.NoAuth
	}
	*out = txn.Txn{Type: zk.OpReconfig, Path: zk.ConfigPath, Data: []byte(next.String()), Version: -1}
	was := n.seen
	n.stat.Version, n.stat.Mzxid, n.stat.MtimeMS = -1, by.Zxid, by.TimeMS
	n.length = int32(len(out.Data))
	p.over.put(by.Zxid, zk.ConfigPath, was, &n)
	return zk.OK
}

// nextConfig is the configuration that is asked for.
func nextConfig(m *zk.Members, seen *quorum.Config) (*quorum.Config, zk.Code) {
	if jute.IsNull(m.Whole) {
		return changed(m, seen)
	}
	text := strings.ReplaceAll(m.Whole, ",", "\n")
	for line := range strings.Lines(text) {
		key, _, _ := strings.Cut(strings.TrimSpace(line), "=")
		if id, ok := strings.CutPrefix(key, "server."); ok && !isNumber(strings.TrimSpace(id)) {
			return nil, zk.MarshallingError // ZooKeeper stumbles over it
		}
	}
	next, err := quorum.ParseConfig(text)
	if err != nil {
		return nil, zk.BadArguments
	}
	return next, zk.OK
}

// changed is seen without those who leave and with those who join, of whom each must say where clients find it.
func changed(m *zk.Members, seen *quorum.Config) (*quorum.Config, zk.Code) {
	if seen.Hierarchical() {
		return nil, zk.BadArguments
	}
	servers := slices.Clone(seen.Servers)
	without := func(id quorum.ServerID) {
		servers = slices.DeleteFunc(servers, func(s quorum.Server) bool { return s.ID == id })
	}
	for _, text := range words(m.Leaving, ",") {
		if !isNumber(text) {
			return nil, zk.MarshallingError
		}
		id, _ := strconv.ParseInt(text, 10, 64)
		without(quorum.ServerID(id))
	}
	for _, text := range words(m.Joining, ",") {
		s, code := joiner(text)
		if code != zk.OK {
			return nil, code
		}
		without(s.ID)
		if slices.ContainsFunc(servers, func(o quorum.Server) bool { return clash(s, o) }) {
			return nil, zk.BadArguments
		}
		servers = append(servers, s)
	}
	next, err := quorum.NewConfig(0, servers, nil, nil)
	if err != nil {
		return nil, zk.BadArguments
	}
	return next, zk.OK
}

// joiner reads server.N=….
func joiner(text string) (quorum.Server, zk.Code) {
	parts := words(text, "=")
	if len(parts) != 2 {
		return quorum.Server{}, zk.BadArguments
	}
	key := parts[0][strings.LastIndexByte(parts[0], '.')+1:]
	id, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		return quorum.Server{}, zk.MarshallingError // ZooKeeper stumbles over it
	}
	s, err := quorum.ParseServer(quorum.ServerID(id), parts[1], true)
	if err != nil || id < 0 || s.Client.Port == 0 {
		return quorum.Server{}, zk.BadArguments
	}
	return s, zk.OK
}

func isNumber(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil
}

// words are the parts of text that are not blank, trimmed.
func words(text, sep string) (list []string) {
	for _, w := range strings.Split(text, sep) {
		if w = strings.TrimFunc(w, func(r rune) bool { return r <= ' ' }); w != "" {
			list = append(list, w)
		}
	}
	return list
}

// clash tells whether two servers want the same address. On the loopback interface and the wildcard they may: they need
// not be on one host.
func clash(a, b quorum.Server) bool {
	taken := endpoints(b)
	return slices.ContainsFunc(endpoints(a), func(at string) bool { return slices.Contains(taken, at) })
}

// endpoints are the addresses of a server that nobody else can have.
func endpoints(s quorum.Server) (list []string) {
	add := func(at quorum.HostPort) {
		ip, err := netip.ParseAddr(at.Host)
		if at.Port == 0 || strings.EqualFold(at.Host, "localhost") || err == nil && (ip.IsLoopback() || ip.IsUnspecified()) {
			return
		}
		list = append(list, strings.ToLower(at.String()))
	}
	for _, p := range s.Addresses {
		add(p.Quorum())
		add(p.Election())
	}
	add(s.Client)
	return list
}
