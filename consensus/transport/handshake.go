package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"paddock/consensus/quorum"
)

// The server that dialled an election port says once who it is; nothing comes back:
//
//	 0  int64  version: -65536 with one address, -65535 with several
//	 8  int64  server id
//	16  int32  length of the addresses, 1 to 2048
//	20  its election addresses: "host:port", or with -65535 "host:port|host:port"
//
// A version that is not negative is no version but the id, and nothing follows: servers before 3.5.
const (
	handshakeOne      = -65536
	handshakeSeveral  = -65535
	handshakeHead     = 20
	handshakeTextMax  = 2048
	anonymousObserver = math.MaxInt64 // an id that only old observers give
)

var errHandshake = errors.New("malformed handshake")

// handshake is what it says. addresses may be empty.
type handshake struct {
	server    quorum.ServerID
	addresses []quorum.HostPort
	bare      bool // an id was all that came
}

// bareIDMax is the largest id a server may have by ZooKeeper's documentation. A larger one, alone, is taken for the
// beginning of something else, such as an HTTP request, unless a member has it.
const bareIDMax = 255

// appendHandshake appends the bytes of h to b; several allows for more addresses than one.
func appendHandshake(b []byte, h handshake, several bool) []byte {
	version := int64(handshakeOne)
	addresses := h.addresses
	if several {
		version = handshakeSeveral
	} else if len(addresses) > 1 {
		addresses = addresses[:1]
	}
	words := make([]string, len(addresses))
	for i, a := range addresses {
		words[i] = a.String()
	}
	text := strings.Join(words, "|")
	b = binary.BigEndian.AppendUint64(b, uint64(version))
	b = binary.BigEndian.AppendUint64(b, uint64(h.server))
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}

// readHandshake reads one, and nothing behind it. Addresses that everybody has, such as 0.0.0.0, are left out.
func readHandshake(r io.Reader) (handshake, error) {
	var h handshake
	var head [handshakeHead]byte
	if _, err := io.ReadFull(r, head[:8]); err != nil {
		return h, err
	}
	version := int64(binary.BigEndian.Uint64(head[:]))
	switch {
	case version >= 0:
		h.server, h.bare = quorum.ServerID(version), true
		return h, nil
	case version != handshakeOne && version != handshakeSeveral:
		return h, fmt.Errorf("%w: version %d", errHandshake, version)
	}
	if _, err := io.ReadFull(r, head[8:]); err != nil {
		return h, noEOF(err)
	}
	h.server = quorum.ServerID(binary.BigEndian.Uint64(head[8:]))
	n := int32(binary.BigEndian.Uint32(head[16:]))
	if n < 1 || n > handshakeTextMax {
		return h, fmt.Errorf("%w: %d bytes of addresses", errHandshake, n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, noEOF(err)
	}
	words := []string{string(text)}
	if version == handshakeSeveral {
		words = strings.Split(words[0], "|")
	}
	for _, word := range words {
		a, err := parseAddress(word)
		if err != nil {
			return h, fmt.Errorf("%w: %w", errHandshake, err)
		}
		if !isWildcard(a.Host) {
			h.addresses = append(h.addresses, a)
		}
	}
	return h, nil
}

// noEOF is err, for a place where the input may not end.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseAddress reads host:port, with brackets round an IPv6 host.
func parseAddress(text string) (quorum.HostPort, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return quorum.HostPort{}, fmt.Errorf("%q is no address", text)
	}
	if _, err := quorum.ParseHost(host); err != nil || host == "" {
		return quorum.HostPort{}, fmt.Errorf("%q has no host", text)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return quorum.HostPort{}, fmt.Errorf("%q has no port", text)
	}
	return quorum.HostPort{Host: host, Port: int(n)}, nil
}

// isWildcard tells whether a host stands for every address of its own machine.
func isWildcard(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsUnspecified()
}

// sameAddresses compares without regard to order.
func sameAddresses(a, b []quorum.HostPort) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x quorum.HostPort) bool { return !slices.Contains(b, x) })
}
