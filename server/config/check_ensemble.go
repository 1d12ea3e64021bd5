package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"paddock/consensus/quorum"
)

// checkEnsemble reads the membership, decides between standalone and ensemble, and finds this server in it.
func (l *loader) checkEnsemble() {
	m := &l.c.Members
	before := len(l.problems)
	m.Membership = l.membership()
	sound := len(l.problems) == before
	voters, observers := len(m.Membership.Voters()), len(m.Membership.Observers())
	m.Standalone = m.StandaloneEnabled && voters <= 1
	switch {
	case !sound:
	case voters == 0 && !m.StandaloneEnabled:
		l.problem(l.at("standaloneEnabled"), "standaloneEnabled=false needs at least one participant", "add a line server.1=host:2888:3888, or remove this one")
	case voters == 0 && observers > 0:
		l.problem(l.firstServer(), "observers need at least one participant", "add the participants' server lines")
	case voters == 1 && m.StandaloneEnabled && observers > 0:
		l.problem(l.firstServer(), "observers need standaloneEnabled=false with a single voter", "add standaloneEnabled=false")
	case voters == 1 && m.StandaloneEnabled:
		l.info(l.firstServer(), "one server listed: running standalone", "")
	default:
		if n, even := EvenVoters(voters); even {
			e := l.firstServer()
			n.File, n.Line, n.Key = l.fileOf(e), e.origin.Line, e.key
			l.notices = append(l.notices, n)
		}
	}
	if l.c.settings["electionAlg"].Value != "3" && l.parsed("electionAlg") {
		l.problem(l.at("electionAlg"), fmt.Sprintf("electionAlg=%s: only 3 exists", l.c.settings["electionAlg"].Value), "remove the line")
	}
	if !m.Standalone {
		l.wantLimit("initLimit", m.InitLimit, 10)
		l.wantLimit("syncLimit", m.SyncLimit, 5)
	}
	l.checkServerID(sound)
	l.checkOwnClientAddress()
	l.checkRole()
}

// wantLimit refuses an ensemble without one of its limits.
func (l *loader) wantLimit(name string, ticks, usual int) {
	if ticks <= 0 && l.parsed(name) {
		l.problem(l.at(name), name+" is not set", fmt.Sprintf("use %s=%d", name, usual))
	}
}

// membership reads the server list of the main file or of the dynamic one.
func (l *loader) membership() *quorum.Config {
	path := l.c.Members.DynamicFile
	if path == "" {
		return l.parseMembership(l.members, 0)
	}
	for _, e := range l.members {
		l.problem(e, fmt.Sprintf("%s must be in the dynamic file %s", e.key, path), "move the line there")
	}
	return l.dynamicMembership(path, l.at("dynamicConfigFile"))
}

// firstServer points to the first line of the server list, for messages about the whole of it.
func (l *loader) firstServer() entry {
	if m := l.c.Members.Membership; m != nil && len(m.Servers) > 0 {
		origins := l.c.Members.Origins
		first := origins[m.Servers[0].ID]
		for _, s := range m.Servers {
			if o := origins[s.ID]; o.Line < first.Line {
				first = o
			}
		}
		return entry{origin: first}
	}
	return entry{}
}

// checkRole compares peerType with the server list, which wins.
func (l *loader) checkRole() {
	m := &l.c.Members
	peerType := strings.ToLower(l.c.settings["peerType"].Value)
	if peerType != "participant" && peerType != "observer" {
		l.problem(l.at("peerType"), fmt.Sprintf("unknown peerType %q", l.c.settings["peerType"].Value), "write participant or observer")
		return
	}
	m.Observer = peerType == "observer"
	s, ok := m.Membership.Server(quorum.ServerID(l.c.ServerID))
	if !ok || !l.c.HasServerID || m.Standalone {
		return
	}
	if m.Observer != s.Observer && l.given("peerType") { // a reconfiguration takes it out of the file
		role := "participant"
		if s.Observer {
			role = "observer"
		}
		l.warn(l.at("peerType"), fmt.Sprintf("peerType %s does not match the server list, which says %s and wins", peerType, role), "make them agree")
	}
	m.Observer = s.Observer
}

// checkOwnClientAddress takes the client port and the secure one from this server's line, or refuses those that differ.
func (l *loader) checkOwnClientAddress() {
	c := l.c
	own, ok := c.Members.Membership.Server(quorum.ServerID(c.ServerID))
	if !ok || !c.HasServerID {
		return
	}
	e := entry{key: fmt.Sprintf("server.%d", own.ID), origin: c.Members.Origins[own.ID]}
	l.adopt(e, "client", "clientPort", &c.Client.Door, own.Client)
	l.adopt(e, "secure client", "secureClientPort", &c.Client.Secure, own.Secure)
}

// adopt takes a door from the line e, which lists it.
func (l *loader) adopt(e entry, what, key string, door *Door, listed quorum.HostPort) {
	if listed.Port == 0 {
		return
	}
	if door.Port != 0 {
		static := quorum.HostPort{Host: door.Address, Port: door.Port}
		if static.Host == "" {
			static.Host = "0.0.0.0"
		}
		if static.Port != listed.Port || !l.sameHost(static.Host, listed.Host) {
			l.problem(e, fmt.Sprintf("%s address %s differs from %s of %s (%s)", what, listed, static, key, l.c.settings[key].Origin), "make them agree, or remove "+key)
			return
		}
	}
	door.Port, door.Address = listed.Port, listed.Host
	l.c.settings[key] = Setting{Value: strconv.Itoa(listed.Port), Origin: e.origin}
	l.c.settings[key+"Address"] = Setting{Value: listed.Host, Origin: e.origin}
}

// sameHost compares the host of clientPortAddress with one of the server list. A static wildcard
// matches every host. Names are resolved; one that does not resolve is given the benefit of the doubt.
func (l *loader) sameHost(static, listed string) bool {
	if static == "0.0.0.0" || static == "::" || strings.EqualFold(static, listed) {
		return true
	}
	a, b := l.addresses(static), l.addresses(listed)
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

// addresses are what a host stands for: itself when it is an address, else what the look-up says.
func (l *loader) addresses(host string) []netip.Addr {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr.Unmap()}
	}
	if l.src.LookupHost == nil {
		return nil
	}
	found, err := l.src.LookupHost(host)
	if err != nil {
		return nil
	}
	out := make([]netip.Addr, len(found))
	for i, addr := range found {
		out[i] = addr.Unmap()
	}
	return out
}
