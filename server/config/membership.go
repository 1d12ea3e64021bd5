package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// memberParser builds a quorum.Config from the lines of one file and the arguments.
type memberParser struct {
	l     *loader
	multi bool

	servers      []quorum.Server
	groups       []quorum.Group
	weights      map[quorum.ServerID]int64
	hierarchical bool

	ids     map[quorum.ServerID]Origin // where a server was first given
	groupAt map[int64]Origin           // where a group was first given
	of      map[quorum.ServerID]int64  // server id to group
}

// parseMembership reads entries of the families server., group and weight, and where each server was given. It
// returns nil when there are none, or only ones with problems.
func (l *loader) parseMembership(entries []entry, version zk.Zxid) *quorum.Config {
	if len(entries) == 0 {
		return nil
	}
	p := memberParser{l: l, multi: l.c.Members.MultiAddress, weights: map[quorum.ServerID]int64{}, ids: map[quorum.ServerID]Origin{},
		groupAt: map[int64]Origin{}, of: map[quorum.ServerID]int64{}}
	for _, e := range overrideMembers(entries) {
		switch {
		case strings.HasPrefix(e.key, "server."):
			p.server(e)
		case strings.HasPrefix(e.key, "group"):
			p.hierarchical = true
			p.group(e)
		default:
			p.hierarchical = true
			p.weight(e)
		}
	}
	slices.SortFunc(p.servers, func(a, b quorum.Server) int { return cmp.Compare(a.ID, b.ID) })
	p.checkAddresses()
	p.checkGroups()
	l.c.Members.Origins = p.ids
	return p.config(version, entries[0])
}

// config is what the lines say. With problems in groups it is the servers alone, for what other messages tell of them.
func (p *memberParser) config(version zk.Zxid, first entry) *quorum.Config {
	var weights map[quorum.ServerID]int64
	if p.hierarchical {
		weights = p.weights
	}
	before := len(p.l.problems)
	c, err := quorum.NewConfig(version, p.servers, p.groups, weights)
	if err == nil {
		return c
	}
	if before == 0 {
		p.l.problem(first, err.Error(), "")
	}
	c, _ = quorum.NewConfig(version, p.servers, nil, nil) // each id is there once
	return c
}

// overrideMembers lets an argument take the place of lines with the same key.
func overrideMembers(entries []entry) []entry {
	given := map[string]bool{}
	for _, e := range entries {
		if e.origin.Kind == OriginArgument {
			given[e.key] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e entry) bool {
		return e.origin.Kind != OriginArgument && given[e.key]
	})
}

func (p *memberParser) server(e entry) {
	number, err := strconv.ParseInt(strings.TrimPrefix(e.key, "server."), 10, 64)
	id := quorum.ServerID(number)
	if err != nil {
		p.l.problem(e, "id must be a number", "write for example server.1")
		return
	}
	if id < 0 {
		p.l.problem(e, "id must not be negative", "number the servers 1, 2, 3")
		return
	}
	if o, twice := p.ids[id]; twice {
		p.l.problem(e, fmt.Sprintf("%s already defined on %s", e.key, p.where(o, e.origin)), "give every server its own id")
		return
	}
	p.ids[id] = e.origin
	s, err := quorum.ParseServer(id, e.value, p.multi)
	if err != nil {
		fix := ""
		if se := (*quorum.SyntaxError)(nil); errors.As(err, &se) {
			fix = se.Fix
		}
		text := err.Error()
		sep := ": "
		if strings.HasPrefix(text, "has ") {
			sep = " "
		}
		p.l.problem(e, e.key+"="+e.value+sep+text, fix)
		return
	}
	hosts := []string{s.Client.Host, s.Secure.Host}
	for _, a := range s.Addresses {
		hosts = append(hosts, a.Host)
	}
	for _, host := range hosts {
		if fix := shellFix(host); fix != "" {
			p.l.problem(e, fmt.Sprintf("%s=%s: %s is not a host name or address", e.key, e.value, host), fix)
			return
		}
	}
	if id == 0 {
		p.l.warn(e, "id 0 works, but some tools take it for an unset id", "number the servers from 1")
	}
	p.servers = append(p.servers, s)
}

// shellFix is the remedy for a host that is written as for a shell, "" for any other. Its name would be looked up for ever.
func shellFix(host string) string {
	switch {
	case strings.Contains(host, "$"):
		return "write the host itself: variables are not replaced here"
	case strings.ContainsAny(host, "\"'`"):
		return "write it without quotes"
	}
	return ""
}

// where is "line 6" within one file, else the whole origin.
func (p *memberParser) where(o, from Origin) string {
	if o.Kind == OriginFile && o.File == from.File {
		return fmt.Sprintf("line %d", o.Line)
	}
	return o.String()
}

func (p *memberParser) group(e entry) {
	_, suffix, _ := strings.Cut(e.key, ".")
	id, err := strconv.ParseInt(suffix, 10, 64)
	if err != nil {
		p.l.problem(e, "the group's id must be a number", "write for example group.1=1:2:3")
		return
	}
	if o, twice := p.groupAt[id]; twice {
		p.l.problem(e, fmt.Sprintf("%s already defined on %s", e.key, p.where(o, e.origin)), "give every group its own id")
		return
	}
	p.groupAt[id] = e.origin
	g := quorum.Group{ID: id}
	members := strings.TrimRight(e.value, ":")
	if members == "" {
		p.l.problem(e, "the group is empty", "write for example group.1=1:2:3")
		return
	}
	for _, text := range strings.Split(members, ":") {
		number, err := strconv.ParseInt(text, 10, 64)
		sid := quorum.ServerID(number)
		if err != nil {
			p.l.problem(e, fmt.Sprintf("%q is not a server id", text), "write for example group.1=1:2:3")
			continue
		}
		if _, twice := p.of[sid]; twice {
			p.l.problem(e, fmt.Sprintf("server %d is in multiple groups", sid), "list it once")
			continue
		}
		p.of[sid] = id
		g.Servers = append(g.Servers, sid)
	}
	p.groups = append(p.groups, g)
}

func (p *memberParser) weight(e entry) {
	_, suffix, _ := strings.Cut(e.key, ".")
	id, errID := strconv.ParseInt(suffix, 10, 64)
	w, errWeight := strconv.ParseInt(e.value, 10, 64)
	switch {
	case errID != nil:
		p.l.problem(e, "the server id must be a number", "write for example weight.1=1")
	case errWeight != nil || w < 0:
		p.l.problem(e, fmt.Sprintf("%q is not a weight", e.value), "write a number, 0 or more")
	default:
		p.weights[quorum.ServerID(id)] = w
	}
}

// checkAddresses refuses two members that share an endpoint.
func (p *memberParser) checkAddresses() {
	seen := map[string]quorum.ServerID{} // endpoint to the first server that has it
	for _, s := range p.servers {
		reported := map[quorum.ServerID]bool{s.ID: true}
		for _, a := range s.Addresses {
			for _, port := range []int{a.QuorumPort, a.ElectionPort} {
				at := strings.ToLower(quorum.HostPort{Host: a.Host, Port: port}.String())
				if other, taken := seen[at]; taken && !reported[other] {
					reported[other] = true
					p.l.problem(entry{origin: p.ids[s.ID]}, fmt.Sprintf("server.%d and server.%d have the same address %s", other, s.ID, at), "give each its own host or ports")
				} else if !taken {
					seen[at] = s.ID
				}
			}
		}
	}
}

// checkGroups wants every voter in one group, with a weight, and nobody else in a group without one.
func (p *memberParser) checkGroups() {
	if !p.hierarchical {
		return
	}
	for _, s := range p.servers {
		if s.Observer {
			continue
		}
		if _, ok := p.of[s.ID]; !ok {
			p.l.problem(entry{origin: p.ids[s.ID]}, fmt.Sprintf("server %d is not in a group", s.ID), "add it to a group.N line, or remove all group and weight lines")
		}
		if _, ok := p.weights[s.ID]; !ok {
			p.weights[s.ID] = 1
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.of)) {
		if _, ok := p.weights[id]; ok {
			continue
		}
		g := p.of[id]
		p.l.problem(entry{origin: p.groupAt[g]}, fmt.Sprintf("server %d of group.%d is not a participant", id, g), "take it out of the group, or add its server line")
	}
}

// dynamicMembership reads the file that dynamicConfigFile names.
func (l *loader) dynamicMembership(path string, at entry) *quorum.Config {
	data, err := l.src.readFile(path)
	if err != nil {
		l.problem(at, fmt.Sprintf("dynamic file %s cannot be read: %s", path, plain(err)), "correct the path, or list the servers in the main file")
		return nil
	}
	l.c.Members.dynamicText = string(data)
	before := len(l.problems)
	var members []entry
	for _, e := range l.fileEntries(path, data) {
		k := family(e.key)
		switch {
		case k != nil && k.Kind == KindMember:
			members = append(members, e)
		case e.key == "version":
			l.problem(e, "the dynamic file must not hold its version", "remove the line; the version is the end of the file's name")
		default:
			l.problem(e, fmt.Sprintf("%s does not belong in a dynamic file, which holds only server, group and weight lines", e.key), "move the line to the main file")
		}
	}
	if len(members) == 0 && len(l.problems) == before {
		l.problem(at, fmt.Sprintf("dynamic file %s lists no servers", path), copyDynamic+", or remove the line dynamicConfigFile if this server is to be alone")
	}
	m := l.parseMembership(members, dynamicVersion(path))
	if m == nil {
		m, _ = quorum.NewConfig(dynamicVersion(path), nil, nil, nil) // nobody is listed twice
	}
	return m
}

// dynamicVersion is the hexadecimal suffix of zoo.cfg.dynamic.100000000; 0 when there is none.
func dynamicVersion(path string) zk.Zxid {
	v, err := strconv.ParseInt(strings.TrimPrefix(filepath.Ext(path), "."), 16, 64)
	if err != nil || v < 0 {
		return 0
	}
	return zk.Zxid(v)
}
