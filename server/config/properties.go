package config

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// property is one key and value of a file, in file order.
type property struct {
	key, value string // trimmed as ZooKeeper trims them: all characters up to U+0020
	line       int    // 1-based, where the key begins
	raw        bool   // some byte beyond ASCII was read as Latin-1
}

// parseProperties reads java.util.Properties syntax from Latin-1 bytes:
//
//   - a natural line ends at \n, \r or \r\n; leading blanks (space, \t, \f) are skipped;
//   - a line whose first other character is # or ! is a comment, and is never continued;
//   - an odd number of backslashes at the end continues the line, the next line's leading blanks are dropped;
//   - the key ends at the first unescaped =, : or blank; blanks, then one = or :, then blanks separate;
//   - \t \n \r \f and \uXXXX are escapes, and any other escaped character is itself.
//
// A \u without four hexadecimal digits is a problem, as it is for Java. Duplicates are all returned.
func parseProperties(data []byte) ([]property, []Problem) {
	var (
		out      []property
		problems []Problem
		r        = lineReader{data: data}
	)
	for r.next() {
		key, value := splitProperty(r.logical)
		p := property{line: r.line}
		for _, c := range r.logical {
			p.raw = p.raw || c >= 0x80
		}
		var errKey, errValue error
		p.key, errKey = unescape(key)
		p.value, errValue = unescape(value)
		p.key, p.value = javaTrim(p.key), javaTrim(p.value)
		if errKey != nil || errValue != nil {
			problems = append(problems, Problem{
				Line: p.line, Key: p.key,
				Problem: `\u needs four hexadecimal digits`,
				Fix:     `write \\ for a backslash`,
			})
			continue
		}
		out = append(out, p)
	}
	return out, problems
}

// lineReader yields logical lines: comments and blank lines skipped, continuations joined.
type lineReader struct {
	data    []byte
	pos     int
	natural int    // number of the natural line that begins at pos, minus one
	line    int    // number of the first natural line of the current logical line
	logical []byte // reused by every call of next
}

func (r *lineReader) next() bool {
	for r.pos < len(r.data) {
		first := trimBlanks(r.readNatural())
		if len(first) == 0 || first[0] == '#' || first[0] == '!' {
			continue
		}
		r.line = r.natural
		r.logical = append(r.logical[:0], first...)
		for continued(r.logical) {
			r.logical = r.logical[:len(r.logical)-1]
			// Behind a lone backslash Java starts afresh: the next line may be a comment.
			if len(r.logical) == 0 || r.pos >= len(r.data) {
				break
			}
			r.logical = append(r.logical, trimBlanks(r.readNatural())...)
		}
		if len(r.logical) > 0 {
			return true
		}
	}
	return false
}

// readNatural returns the bytes up to the next line end, and moves behind it.
func (r *lineReader) readNatural() []byte {
	r.natural++
	start := r.pos
	for r.pos < len(r.data) {
		c := r.data[r.pos]
		r.pos++
		if c == '\n' {
			return r.data[start : r.pos-1]
		}
		if c == '\r' {
			end := r.pos - 1
			if r.pos < len(r.data) && r.data[r.pos] == '\n' {
				r.pos++
			}
			return r.data[start:end]
		}
	}
	return r.data[start:]
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\f' }

func trimBlanks(line []byte) []byte {
	for len(line) > 0 && blank(line[0]) {
		line = line[1:]
	}
	return line
}

// continued reports whether a line ends in an odd number of backslashes.
func continued(line []byte) bool {
	n := 0
	for n < len(line) && line[len(line)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// splitProperty cuts a logical line into its still escaped key and value.
func splitProperty(line []byte) (key, value []byte) {
	end, escaped := 0, false
	for end < len(line) {
		c := line[end]
		if !escaped && (c == '=' || c == ':' || blank(c)) {
			break
		}
		escaped = c == '\\' && !escaped
		end++
	}
	rest := trimBlanks(line[end:])
	if len(rest) > 0 && (rest[0] == '=' || rest[0] == ':') {
		rest = trimBlanks(rest[1:])
	}
	return line[:end], rest
}

var errUnicodeEscape = fmt.Errorf("malformed unicode escape")

// unescape resolves escapes and turns Latin-1 into UTF-8. Escaped surrogate pairs become one character.
func unescape(in []byte) (string, error) {
	units := make([]uint16, 0, len(in))
	for i := 0; i < len(in); i++ {
		c := in[i]
		if c != '\\' {
			units = append(units, uint16(c))
			continue
		}
		i++
		if i == len(in) {
			break // a lone backslash at the end of the last line vanishes
		}
		switch in[i] {
		case 'u':
			unit, ok := hexUnit(in[i+1:])
			if !ok {
				return "", errUnicodeEscape
			}
			units = append(units, unit)
			i += 4
		case 't':
			units = append(units, '\t')
		case 'n':
			units = append(units, '\n')
		case 'r':
			units = append(units, '\r')
		case 'f':
			units = append(units, '\f')
		default:
			units = append(units, uint16(in[i]))
		}
	}
	return string(utf16.Decode(units)), nil
}

func hexUnit(in []byte) (uint16, bool) {
	if len(in) < 4 {
		return 0, false
	}
	var v uint16
	for _, c := range in[:4] {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if d < 0 || c < '0' {
			return 0, false
		}
		v = v<<4 | uint16(d)
	}
	return v, true
}

// javaTrim is String.trim: everything up to U+0020 goes from both ends.
func javaTrim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// escapeProperty writes a value so that parseProperties reads it back.
func escapeProperty(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\f':
			b.WriteString(`\f`)
		case r == ' ' && i == 0, i == 0 && (r == '=' || r == ':'):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r > '~':
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04X`, unit)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
