package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Membership is the list of servers and how they make a quorum.
type Membership struct {
	Servers []Server // by id
	// Hierarchical: quorums are majorities of groups. Then Groups holds every voter once.
	Hierarchical bool
	Groups       map[int64][]int64 // group id to its servers, in order of ids
	Weights      map[int64]int64   // server id to weight, for every voter; nil unless Hierarchical
	Version      uint64            // of the dynamic file, from its name; 0 = none
}

// Server returns the member with an id.
func (m *Membership) Server(id int64) (Server, bool) {
	if m == nil {
		return Server{}, false
	}
	i, ok := slices.BinarySearchFunc(m.Servers, id, func(s Server, id int64) int {
		switch {
		case s.ID < id:
			return -1
		case s.ID > id:
			return 1
		default:
			return 0
		}
	})
	if !ok {
		return Server{}, false
	}
	return m.Servers[i], true
}

// Voters are the ids of all participants, ascending.
func (m *Membership) Voters() []int64 { return m.pick(false) }

// Observers are the ids of all observers, ascending.
func (m *Membership) Observers() []int64 { return m.pick(true) }

func (m *Membership) pick(observer bool) []int64 {
	var out []int64
	if m != nil {
		for _, s := range m.Servers {
			if s.Observer == observer {
				out = append(out, s.ID)
			}
		}
	}
	return out
}

// String is ZooKeeper's canonical form, as four-letter word conf and /zookeeper/config show it: servers by id,
// then groups and weights, then version in hexadecimal; no newline at the end.
func (m *Membership) String() string {
	var b strings.Builder
	for _, s := range m.Servers {
		fmt.Fprintf(&b, "server.%d=%s\n", s.ID, s)
	}
	for _, g := range slices.Sorted(maps.Keys(m.Groups)) {
		fmt.Fprintf(&b, "group.%d=%s\n", g, joinIDs(m.Groups[g], ":"))
	}
	for _, id := range slices.Sorted(maps.Keys(m.Weights)) {
		fmt.Fprintf(&b, "weight.%d=%d\n", id, m.Weights[id])
	}
	fmt.Fprintf(&b, "version=%x", m.Version)
	return b.String()
}

func joinIDs(ids []int64, sep string) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(words, sep)
}

// memberParser builds a Membership from the lines of one file and the arguments.
type memberParser struct {
	l      *loader
	multi  bool
	m      Membership
	ids    map[int64]Origin // where a server was first given
	groups map[int64]Origin // where a group was first given
	of     map[int64]int64  // server id to group
}

// parseMembership reads entries of the families server., group and weight. It returns nil when there are none.
func (l *loader) parseMembership(entries []entry) *Membership {
	if len(entries) == 0 {
		return nil
	}
	p := memberParser{l: l, multi: l.c.Members.MultiAddress, ids: map[int64]Origin{}, groups: map[int64]Origin{}, of: map[int64]int64{}}
	p.m.Groups = map[int64][]int64{}
	p.m.Weights = map[int64]int64{}
	for _, e := range overrideMembers(entries) {
		switch {
		case strings.HasPrefix(e.key, "server."):
			p.server(e)
		case strings.HasPrefix(e.key, "group"):
			p.m.Hierarchical = true
			p.group(e)
		default:
			p.m.Hierarchical = true
			p.weight(e)
		}
	}
	slices.SortStableFunc(p.m.Servers, func(a, b Server) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	p.checkAddresses()
	p.checkGroups()
	if !p.m.Hierarchical {
		p.m.Groups, p.m.Weights = nil, nil
	}
	return &p.m
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
	id, err := strconv.ParseInt(strings.TrimPrefix(e.key, "server."), 10, 64)
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
	s, err := ParseServer(id, e.value, p.multi)
	if err != nil {
		fix := ""
		if le, ok := err.(*lineError); ok {
			fix = le.fix
		}
		text := err.Error()
		sep := ": "
		if strings.HasPrefix(text, "has ") {
			sep = " "
		}
		p.l.problem(e, e.key+"="+e.value+sep+text, fix)
		return
	}
	if id == 0 {
		p.l.warn(e, "id 0 works, but some tools take it for an unset id", "number the servers from 1")
	}
	s.Origin = e.origin
	p.m.Servers = append(p.m.Servers, s)
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
	if o, twice := p.groups[id]; twice {
		p.l.problem(e, fmt.Sprintf("%s already defined on %s", e.key, p.where(o, e.origin)), "give every group its own id")
		return
	}
	p.groups[id] = e.origin
	p.m.Groups[id] = nil
	if e.value == "" {
		p.l.problem(e, "the group is empty", "write for example group.1=1:2:3")
	}
	for _, text := range javaSplit(e.value, ":") {
		sid, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			p.l.problem(e, fmt.Sprintf("%q is not a server id", text), "write for example group.1=1:2:3")
			continue
		}
		if _, twice := p.of[sid]; twice {
			p.l.problem(e, fmt.Sprintf("server %d is in multiple groups", sid), "list it once")
			continue
		}
		p.of[sid] = id
		p.m.Groups[id] = append(p.m.Groups[id], sid)
	}
	slices.Sort(p.m.Groups[id])
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
		p.m.Weights[id] = w
	}
}

// checkAddresses refuses two members that share an endpoint.
func (p *memberParser) checkAddresses() {
	seen := map[string]int64{} // endpoint to the first server that has it
	for _, s := range p.m.Servers {
		reported := map[int64]bool{s.ID: true}
		for _, a := range s.Addresses {
			for _, port := range []int{a.QuorumPort, a.ElectionPort} {
				at := strings.ToLower(join(a.Host, port))
				if other, taken := seen[at]; taken && !reported[other] {
					reported[other] = true
					p.l.problem(entry{origin: s.Origin}, fmt.Sprintf("server.%d and server.%d have the same address %s", other, s.ID, at), "give each its own host or ports")
				} else if !taken {
					seen[at] = s.ID
				}
			}
		}
	}
}

// checkGroups wants every voter in one group, with a weight, and nobody else in a group without one.
func (p *memberParser) checkGroups() {
	if !p.m.Hierarchical {
		return
	}
	for _, s := range p.m.Servers {
		if s.Observer {
			continue
		}
		if _, ok := p.of[s.ID]; !ok {
			p.l.problem(entry{origin: s.Origin}, fmt.Sprintf("server %d is not in a group", s.ID), "add it to a group.N line, or remove all group and weight lines")
		}
		if _, ok := p.m.Weights[s.ID]; !ok {
			p.m.Weights[s.ID] = 1
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.of)) {
		if _, ok := p.m.Weights[id]; ok {
			continue
		}
		g := p.of[id]
		p.l.problem(entry{origin: p.groups[g]}, fmt.Sprintf("server %d of group.%d is not a participant", id, g), "take it out of the group, or add its server line")
	}
}

// dynamicMembership reads the file that dynamicConfigFile names.
func (l *loader) dynamicMembership(path string, at entry) *Membership {
	data, err := l.src.readFile(path)
	if err != nil {
		l.problem(at, fmt.Sprintf("dynamic file %s cannot be read: %s", path, plain(err)), "correct the path, or list the servers in the main file")
		return nil
	}
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
	m := l.parseMembership(members)
	if m == nil {
		m = &Membership{}
	}
	m.Version = dynamicVersion(path)
	return m
}

// dynamicVersion is the hexadecimal suffix of zoo.cfg.dynamic.100000000; 0 when there is none.
func dynamicVersion(path string) uint64 {
	v, err := strconv.ParseInt(strings.TrimPrefix(filepath.Ext(path), "."), 16, 64)
	if err != nil || v < 0 {
		return 0
	}
	return uint64(v)
}
