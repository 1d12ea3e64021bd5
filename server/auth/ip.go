package auth

import (
	"net/netip"
	"strings"
)

// parseNetwork reads the id of an ip entry, addr or addr/bits. Without bits it is the one address.
func parseNetwork(id string) (netip.Prefix, bool) {
	text, bitsText, hasBits := strings.Cut(id, "/")
	addr, ok := parseAddr(text)
	if !ok {
		return netip.Prefix{}, false
	}
	bits := addr.BitLen()
	if hasBits {
		n, ok := parseInt(bitsText, bits)
		if !ok {
			return netip.Prefix{}, false
		}
		bits = n
	}
	return netip.PrefixFrom(addr, bits), true
}

// parseAddr reads an address as ZooKeeper does: a dotted quad, or IPv6 without a zone or an embedded quad.
func parseAddr(s string) (netip.Addr, bool) {
	if strings.IndexByte(s, ':') < 0 {
		return parseQuad(s)
	}
	if strings.ContainsAny(s, ".%") {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(s)
	return addr, err == nil
}

// parseQuad reads four numbers with dots between them.
//
// ZooKeeper compatibility: Java reads each as it would any integer, so leading zeros and signs are let through.
func parseQuad(s string) (netip.Addr, bool) {
	var quad [4]byte
	for i := range quad {
		part, rest, more := strings.Cut(s, ".")
		n, ok := parseInt(part, 255)
		if !ok || more != (i < len(quad)-1) {
			return netip.Addr{}, false
		}
		quad[i], s = byte(n), rest
	}
	return netip.AddrFrom4(quad), true
}

// parseInt reads a decimal number from 0 to most, the way Java does: a sign and leading zeros are allowed.
func parseInt(s string, most int) (int, bool) {
	negative := false
	if s != "" && (s[0] == '+' || s[0] == '-') {
		negative, s = s[0] == '-', s[1:]
	}
	if s == "" {
		return 0, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n = n*10 + int(s[i]-'0'); n > most {
			return 0, false
		}
	}
	return n, !negative || n == 0
}
