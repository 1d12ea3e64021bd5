package grpcapi

import (
	"slices"
	"strings"
	"unicode/utf8"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// Bounds of a glob, so that matching takes at most the product of both for a name.
const (
	globBytesMax = 256
	globStarsMax = 8
)

// filter says which znodes a list holds.
type filter struct {
	prefix string
	glob   glob
	kinds  []paddockv1.ZnodeKind
}

// newFilter checks a filter; nil lets all pass.
func newFilter(in *paddockv1.ListFilter) (f filter, err error) {
	if len(in.GetPrefix()) > pathBytesMax {
		return f, invalid("", "filter.prefix has %d bytes; there may be %d", len(in.GetPrefix()), pathBytesMax)
	}
	if len(in.GetKinds()) > len(paddockv1.ZnodeKind_name) {
		return f, invalid("", "filter.kinds names some kind twice")
	}
	f = filter{prefix: in.GetPrefix(), kinds: in.GetKinds()}
	if slices.Contains(f.kinds, paddockv1.ZnodeKind_ZNODE_KIND_UNSPECIFIED) {
		f.kinds = nil
	}
	f.glob, err = parseGlob(in.GetGlob())
	return f, err
}

// names tells whether a name passes.
func (f *filter) name(name string) bool {
	return strings.HasPrefix(name, f.prefix) && (len(f.glob) == 0 || f.glob.match(name))
}

// kind tells whether a znode with this owner passes.
func (f *filter) kind(o zk.Owner) bool {
	return len(f.kinds) == 0 || slices.Contains(f.kinds, kindOf(o))
}

// kindOf tells znodes apart by what ends them.
func kindOf(o zk.Owner) paddockv1.ZnodeKind {
	if _, ttl := o.TTL(); ttl {
		return paddockv1.ZnodeKind_ZNODE_KIND_TTL
	}
	switch _, owned := o.Session(); {
	case owned:
		return paddockv1.ZnodeKind_ZNODE_KIND_EPHEMERAL
	case o == zk.ContainerOwner:
		return paddockv1.ZnodeKind_ZNODE_KIND_CONTAINER
	default:
		return paddockv1.ZnodeKind_ZNODE_KIND_PERSISTENT
	}
}

// glob is a pattern, part by part.
type glob []globPart

// globPart matches one character, or any number of any.
type globPart struct {
	star   bool
	not    bool
	ranges []runeRange // none: any character
}

type runeRange struct{ from, to rune }

// parseGlob reads a pattern: * any characters, ? one, [a-z] one of these, [^a-z] one of the others, \ takes the next as it is.
func parseGlob(text string) (g glob, err error) {
	if len(text) > globBytesMax {
		return nil, invalid("", "filter.glob has %d bytes; there may be %d", len(text), globBytesMax)
	}
	stars := 0
	for text != "" {
		r, n := utf8.DecodeRuneInString(text)
		text = text[n:]
		part := globPart{}
		switch r {
		case '*':
			if len(g) > 0 && g[len(g)-1].star {
				continue
			}
			if stars++; stars > globStarsMax {
				return nil, invalid("", "filter.glob has more than %d stars", globStarsMax)
			}
			part.star = true
		case '?':
		case '[':
			if part, text, err = parseClass(text); err != nil {
				return nil, err
			}
		case '\\':
			if text == "" {
				return nil, invalid("", `filter.glob ends in \`)
			}
			r, n = utf8.DecodeRuneInString(text)
			text = text[n:]
			part.ranges = []runeRange{{r, r}}
		default:
			part.ranges = []runeRange{{r, r}}
		}
		g = append(g, part)
	}
	return g, nil
}

// parseClass reads what follows a bracket.
func parseClass(text string) (part globPart, rest string, err error) {
	if text != "" && (text[0] == '^' || text[0] == '!') {
		part.not, text = true, text[1:]
	}
	next := func() (r rune, ok bool) {
		text = strings.TrimPrefix(text, `\`)
		r, n := utf8.DecodeRuneInString(text)
		text = text[n:]
		return r, n > 0
	}
	for {
		if strings.HasPrefix(text, "]") && len(part.ranges) > 0 {
			return part, text[1:], nil
		}
		from, ok := next()
		to := from
		if ok && strings.HasPrefix(text, "-") && !strings.HasPrefix(text, "-]") {
			text = text[1:]
			to, ok = next()
		}
		if !ok || to < from {
			return part, "", invalid("", "filter.glob has a [ without its ], or a range that goes backwards")
		}
		part.ranges = append(part.ranges, runeRange{from, to})
	}
}

// takes tells whether a part that is no star matches a character.
func (p *globPart) takes(r rune) bool {
	if len(p.ranges) == 0 {
		return true
	}
	for _, x := range p.ranges {
		if r >= x.from && r <= x.to {
			return !p.not
		}
	}
	return p.not
}

// match tells whether the whole name matches. It goes back to the last star only, so it takes no longer than pattern times name.
func (g glob) match(name string) bool {
	at, star, resume := 0, -1, 0
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		switch {
		case at < len(g) && g[at].star:
			star, resume = at, i
			at++
		case at < len(g) && g[at].takes(r):
			at++
			i += n
		case star >= 0:
			_, n := utf8.DecodeRuneInString(name[resume:])
			resume += n
			at, i = star+1, resume
		default:
			return false
		}
	}
	for at < len(g) && g[at].star {
		at++
	}
	return at == len(g)
}
