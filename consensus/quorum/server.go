package quorum

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// PeerAddress is where the other members reach a server.
type PeerAddress struct {
	Host         string // name or IP, without brackets
	QuorumPort   int
	ElectionPort int
}

// HostPort is an address with its port. Port 0 means there is none.
type HostPort struct {
	Host string // name or IP, without brackets
	Port int
}

// Server is one member of an ensemble, as a line server.N says it. Values are shared: do not modify Addresses.
type Server struct {
	ID        ServerID
	Addresses []PeerAddress // at least one, except for a server that is its whole ensemble
	Observer  bool
	Client    HostPort // plain client port, when the line gives it
	Secure    HostPort // TLS client port, when the line gives it
}

// SyntaxError is what is wrong with a line of a configuration, and the remedy.
type SyntaxError struct {
	Problem string
	Fix     string // may be empty
}

// Error is the problem alone.
func (e *SyntaxError) Error() string { return e.Problem }

const serverForm = "write host:quorumPort:electionPort[:participant|observer][;[host:]clientPort]"

// ParseServer reads the value of server.<id>:
//
//	<addr>[|<addr>…][;[<host>:]<clientPort>[;[<host>:]<securePort>]]
//	<addr> = host:quorumPort:electionPort[:participant|observer], IPv6 hosts in brackets
//
// Several addresses need multiAddress and one role. The error is a *SyntaxError that names the offending part.
func ParseServer(id ServerID, value string, multiAddress bool) (Server, error) {
	s := Server{ID: id}
	parts := javaSplit(value, ";")
	if len(parts) == 0 {
		return s, &SyntaxError{"has no address", serverForm}
	}
	if len(parts) > 3 {
		return s, &SyntaxError{"has more than two client addresses", serverForm}
	}
	addresses := javaSplit(parts[0], "|")
	if len(addresses) == 0 {
		return s, &SyntaxError{"has no address", serverForm}
	}
	if len(addresses) > 1 && !multiAddress {
		return s, &SyntaxError{fmt.Sprintf("has %d addresses, but several addresses per server are off", len(addresses)), "set multiAddress.enabled=true"}
	}
	role := ""
	for _, text := range addresses {
		addr, r, err := parsePeerAddress(text)
		if err != nil {
			return s, err
		}
		if r != "" && role != "" && r != role {
			return s, &SyntaxError{fmt.Sprintf("has two roles, %s and %s", role, r), "give all its addresses the same role"}
		}
		role = max(role, r)
		s.Addresses = append(s.Addresses, addr)
	}
	s.Observer = role == "observer"
	for i, into := range []*HostPort{&s.Client, &s.Secure} {
		if len(parts) <= i+1 || (parts[i+1] == "" && len(parts) > i+2) {
			continue
		}
		at, err := parseClientAddress(parts[i+1])
		if err != nil {
			return s, err
		}
		*into = at
	}
	return s, nil
}

func parsePeerAddress(text string) (addr PeerAddress, role string, err error) {
	f, err := hostFields(text)
	if err != nil {
		return addr, "", err
	}
	switch {
	case len(f) < 2:
		return addr, "", &SyntaxError{"missing quorum and election port (host:quorumPort:electionPort)", "add them, for example :2888:3888"}
	case len(f) == 2:
		return addr, "", &SyntaxError{"missing election port (host:quorumPort:electionPort)", "add it, for example :3888"}
	case len(f) > 4:
		return addr, "", &SyntaxError{"has too many parts", serverForm + "; an IPv6 host needs brackets"}
	}
	addr.Host = f[0]
	if addr.Host == "" {
		return addr, "", &SyntaxError{"has no host", serverForm}
	}
	if addr.QuorumPort, err = parsePort(f[1]); err != nil {
		return addr, "", err
	}
	if addr.ElectionPort, err = parsePort(f[2]); err != nil {
		return addr, "", err
	}
	if addr.QuorumPort == addr.ElectionPort {
		return addr, "", &SyntaxError{fmt.Sprintf("quorum port and election port are both %d", addr.QuorumPort), "use two ports, for example 2888 and 3888"}
	}
	if len(f) == 4 {
		role = strings.ToLower(strings.TrimFunc(f[3], blank))
		if role != "participant" && role != "observer" {
			return addr, "", &SyntaxError{fmt.Sprintf("unknown role %q", f[3]), "write participant or observer"}
		}
	}
	return addr, role, nil
}

// parseClientAddress reads [host:]port; a bare port is on all interfaces.
func parseClientAddress(text string) (HostPort, error) {
	f, err := hostFields(text)
	if err != nil {
		return HostPort{}, err
	}
	if len(f) == 0 || len(f) > 2 {
		return HostPort{}, &SyntaxError{fmt.Sprintf("%q is not a client address", text), "write port or host:port"}
	}
	at := HostPort{Host: "0.0.0.0"}
	if len(f) == 2 {
		at.Host = f[0]
	}
	at.Port, err = parsePort(f[len(f)-1])
	return at, err
}

func parsePort(text string) (int, error) {
	v, err := strconv.ParseUint(text, 10, 16)
	if err != nil || v == 0 {
		return 0, &SyntaxError{fmt.Sprintf("%q is not a port", text), "write a number from 1 to 65535"}
	}
	return int(v), nil
}

// hostFields splits at colons, keeping a bracketed IPv6 host together.
func hostFields(text string) ([]string, error) {
	inner, ok := strings.CutPrefix(text, "[")
	if !ok {
		return javaSplit(text, ":"), checkHost(text)
	}
	host, rest, ok := strings.Cut(inner, "]")
	if !ok {
		return nil, &SyntaxError{fmt.Sprintf("%q has no closing bracket", text), "write [address]:port"}
	}
	if _, err := ParseHost(host); err != nil {
		return nil, &SyntaxError{err.Error(), "write the address inside the brackets"}
	}
	if rest == "" {
		return []string{host}, nil
	}
	rest, ok = strings.CutPrefix(rest, ":")
	if !ok || rest == "" {
		return nil, &SyntaxError{fmt.Sprintf("%q has no port after the bracket", text), "write [address]:port"}
	}
	return append([]string{host}, javaSplit(rest, ":")...), nil
}

func checkHost(text string) error {
	host, _, _ := strings.Cut(text, ":")
	if _, err := ParseHost(host); err != nil {
		return &SyntaxError{err.Error(), "check for stray characters"}
	}
	return nil
}

// ParseHost strips the brackets of an IPv6 address. Names are not resolved. The error is a *SyntaxError.
func ParseHost(text string) (string, error) {
	host := text
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return "", &SyntaxError{Problem: fmt.Sprintf("%q has no closing bracket", text)}
		}
	}
	wrong := strings.ContainsAny(host, " \t/[]|;,\x00")
	if strings.Contains(host, ":") {
		_, err := netip.ParseAddr(host)
		wrong = wrong || err != nil
	}
	if wrong {
		return "", &SyntaxError{Problem: fmt.Sprintf("%q is not a host name or address", text)}
	}
	return host, nil
}

// blank tells what Java's String.trim takes from both ends.
func blank(r rune) bool { return r <= ' ' }

// javaSplit is String.split: empty strings at the end are dropped, so a trailing separator is harmless.
func javaSplit(text, sep string) []string {
	f := strings.Split(text, sep)
	for len(f) > 0 && f[len(f)-1] == "" {
		f = f[:len(f)-1]
	}
	return f
}

// Equal tells whether two members agree in everything; the order of their addresses does not count.
func (s Server) Equal(o Server) bool {
	return s.ID == o.ID && s.Observer == o.Observer && s.Client == o.Client && s.Secure == o.Secure &&
		slices.Equal(s.sorted(), o.sorted())
}

// sorted are the addresses in order of their hosts.
func (s Server) sorted() []PeerAddress {
	addresses := slices.Clone(s.Addresses)
	slices.SortStableFunc(addresses, func(a, b PeerAddress) int { return strings.Compare(a.Host, b.Host) })
	return addresses
}

// String is the value in ZooKeeper's canonical form: "host:2888:3888:participant;0.0.0.0:2181".
// Several addresses are in order of their hosts.
func (s Server) String() string {
	var b strings.Builder
	for i, a := range s.sorted() {
		if i > 0 {
			b.WriteByte('|')
		}
		fmt.Fprintf(&b, "%s:%d", a.Quorum(), a.ElectionPort)
	}
	if s.Observer {
		b.WriteString(":observer")
	} else {
		b.WriteString(":participant")
	}
	if s.Client.Port != 0 || s.Secure.Port != 0 {
		b.WriteByte(';')
		if s.Client.Port != 0 {
			b.WriteString(s.Client.String())
		}
	}
	if s.Secure.Port != 0 {
		b.WriteByte(';')
		b.WriteString(s.Secure.String())
	}
	return b.String()
}

// String is "host:port", with brackets round an IPv6 host.
func (a HostPort) String() string {
	if strings.ContainsRune(a.Host, ':') {
		return fmt.Sprintf("[%s]:%d", a.Host, a.Port)
	}
	return fmt.Sprintf("%s:%d", a.Host, a.Port)
}

// Quorum is the address of the quorum port.
func (a PeerAddress) Quorum() HostPort { return HostPort{a.Host, a.QuorumPort} }

// Election is the address of the election port.
func (a PeerAddress) Election() HostPort { return HostPort{a.Host, a.ElectionPort} }
