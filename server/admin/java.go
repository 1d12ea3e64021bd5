package admin

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// appendDouble appends f as Java prints a double: with a digit behind the point at least, and with an exponent below a
// thousandth and from ten million on.
func appendDouble(b []byte, f float64) []byte {
	switch size := math.Abs(f); {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 0):
		if f < 0 {
			b = append(b, '-')
		}
		return append(b, "Infinity"...)
	case f == 0 || size >= 1e-3 && size < 1e7:
		return pointed(b, strconv.FormatFloat(f, 'f', -1, 64))
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	e, _ := strconv.Atoi(exponent)
	b = append(pointed(b, digits), 'E')
	return strconv.AppendInt(b, int64(e), 10)
}

// pointed appends a number, and ".0" if it has no point.
func pointed(b []byte, digits string) []byte {
	b = append(b, digits...)
	if !strings.Contains(digits, ".") {
		b = append(b, ".0"...)
	}
	return b
}

// appendMean appends a mean as ZooKeeper prints them: rounded to four places, half up.
func appendMean(b []byte, f float64) []byte {
	// A double lies half-way between two such numbers only if it is an odd number of 32nds. Those Go rounds to even.
	if n := f * 32; f > 0 && n == math.Trunc(n) && math.Mod(n, 2) != 0 {
		f = math.Nextafter(f, math.Inf(1))
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', 4, 64), 64)
	if err != nil {
		rounded = f
	}
	return appendDouble(b, rounded)
}

// appendHex appends n with 0x before it, as the two's complement.
func appendHex[N ~int64](b []byte, n N) []byte {
	return strconv.AppendUint(append(b, "0x"...), uint64(n), 16)
}

// appendAddr appends host:port as Java prints a socket address without a name: a slash, and IPv6 in eight groups.
func appendAddr(b []byte, addr string) []byte {
	b = append(b, '/')
	p, err := netip.ParseAddrPort(addr)
	if err != nil {
		return append(b, addr...)
	}
	ip := p.Addr().Unmap()
	if ip.Is4() {
		b = ip.AppendTo(b)
	} else {
		b = append(b, '[')
		raw := ip.As16()
		for i := 0; i < len(raw); i += 2 {
			if i > 0 {
				b = append(b, ':')
			}
			b = strconv.AppendUint(b, uint64(raw[i])<<8|uint64(raw[i+1]), 16)
		}
		if zone := ip.Zone(); zone != "" {
			b = append(append(b, '%'), zone...)
		}
		b = append(b, ']')
	}
	return strconv.AppendUint(append(b, ':'), uint64(p.Port()), 10)
}

// appendDate appends a time as Java prints a date.
func appendDate(b []byte, t time.Time) []byte {
	return t.AppendFormat(b, "Mon Jan 02 15:04:05 MST 2006")
}
