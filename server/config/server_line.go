package config

import (
	"fmt"
	"net"
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

// Server is one member, as a line server.N says it.
type Server struct {
	ID        int64
	Addresses []PeerAddress // at least one
	Observer  bool
	Client    HostPort // plain client port, when the line gives it
	Secure    HostPort // TLS client port, when the line gives it
	Origin    Origin
}

// lineError is what is wrong with a server line, and the remedy.
type lineError struct{ problem, fix string }

func (e *lineError) Error() string { return e.problem }

const serverForm = "write host:quorumPort:electionPort[:participant|observer][;[host:]clientPort]"

// ParseServer reads the value of server.<id>:
//
//	<addr>[|<addr>…][;[<host>:]<clientPort>[;[<host>:]<securePort>]]
//	<addr> = host:quorumPort:electionPort[:participant|observer], IPv6 hosts in brackets
//
// Several addresses need multiAddress and one role. The error's text names the offending part.
func ParseServer(id int64, value string, multiAddress bool) (Server, error) {
	s := Server{ID: id}
	parts := javaSplit(value, ";")
	if len(parts) == 0 {
		return s, &lineError{"has no address", serverForm}
	}
	if len(parts) > 3 {
		return s, &lineError{"has more than two client addresses", serverForm}
	}
	addresses := javaSplit(parts[0], "|")
	if len(addresses) == 0 {
		return s, &lineError{"has no address", serverForm}
	}
	if len(addresses) > 1 && !multiAddress {
		return s, &lineError{fmt.Sprintf("has %d addresses, but several addresses per server are off", len(addresses)), "set multiAddress.enabled=true"}
	}
	role := ""
	for _, text := range addresses {
		addr, r, err := parsePeerAddress(text)
		if err != nil {
			return s, err
		}
		if r != "" && role != "" && r != role {
			return s, &lineError{fmt.Sprintf("has two roles, %s and %s", role, r), "give all its addresses the same role"}
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
		return addr, "", &lineError{"missing quorum and election port (host:quorumPort:electionPort)", "add them, for example :2888:3888"}
	case len(f) == 2:
		return addr, "", &lineError{"missing election port (host:quorumPort:electionPort)", "add it, for example :3888"}
	case len(f) > 4:
		return addr, "", &lineError{"has too many parts", serverForm + "; an IPv6 host needs brackets"}
	}
	addr.Host = f[0]
	if addr.Host == "" {
		return addr, "", &lineError{"has no host", serverForm}
	}
	if addr.QuorumPort, err = parsePort(f[1]); err != nil {
		return addr, "", err
	}
	if addr.ElectionPort, err = parsePort(f[2]); err != nil {
		return addr, "", err
	}
	if addr.QuorumPort == addr.ElectionPort {
		return addr, "", &lineError{fmt.Sprintf("quorum port and election port are both %d", addr.QuorumPort), "use two ports, for example 2888 and 3888"}
	}
	if len(f) == 4 {
		role = strings.ToLower(javaTrim(f[3]))
		if role != "participant" && role != "observer" {
			return addr, "", &lineError{fmt.Sprintf("unknown role %q", f[3]), "write participant or observer"}
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
		return HostPort{}, &lineError{fmt.Sprintf("%q is not a client address", text), "write port or host:port"}
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
		return 0, &lineError{fmt.Sprintf("%q is not a port", text), "write a number from 1 to 65535"}
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
		return nil, &lineError{fmt.Sprintf("%q has no closing bracket", text), "write [address]:port"}
	}
	if _, bad := parseHost(host); bad != "" {
		return nil, &lineError{bad, "write the address inside the brackets"}
	}
	if rest == "" {
		return []string{host}, nil
	}
	rest, ok = strings.CutPrefix(rest, ":")
	if !ok || rest == "" {
		return nil, &lineError{fmt.Sprintf("%q has no port after the bracket", text), "write [address]:port"}
	}
	return append([]string{host}, javaSplit(rest, ":")...), nil
}

func checkHost(text string) error {
	host, _, _ := strings.Cut(text, ":")
	if _, bad := parseHost(host); bad != "" {
		return &lineError{bad, "check for stray characters"}
	}
	return nil
}

// javaSplit is String.split: empty strings at the end are dropped, so a trailing separator is harmless.
func javaSplit(text, sep string) []string {
	f := strings.Split(text, sep)
	for len(f) > 0 && f[len(f)-1] == "" {
		f = f[:len(f)-1]
	}
	return f
}

// String is the value in ZooKeeper's canonical form: "host:2888:3888:participant;0.0.0.0:2181".
// Several addresses are in order of their hosts.
func (s Server) String() string {
	addresses := slices.Clone(s.Addresses)
	slices.SortStableFunc(addresses, func(a, b PeerAddress) int { return strings.Compare(a.Host, b.Host) })
	var b strings.Builder
	for i, a := range addresses {
		if i > 0 {
			b.WriteByte('|')
		}
		fmt.Fprintf(&b, "%s:%d", net.JoinHostPort(a.Host, strconv.Itoa(a.QuorumPort)), a.ElectionPort)
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
func (a HostPort) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// join is the address and port that others reach.
func join(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
