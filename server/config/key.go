package config

import (
	"strings"
	"sync"

	"paddock/internal/typo"
)

// Kind is how a key's text becomes a value. Integers are 32 bits wide unless Key.Wide.
type Kind uint8

// Kinds of value.
const (
	KindString   Kind = iota
	KindPath          // a file or directory name
	KindHost          // a host name or IP address, IPv6 with or without brackets
	KindPort          // 0 to 65535; what 0 means is the key's business
	KindInt           // a plain number
	KindTicks         // a number of tickTimes
	KindMillis        // milliseconds
	KindHours         // hours, or a number with one of the suffixes ms, s, m, h, d
	KindSeconds       // seconds
	KindBytes         // bytes
	KindKiB           // units of 1,024 bytes
	KindFloat         // a decimal number
	KindBool          // true or false, in any case
	KindOnlyYes       // on only when the text is exactly "yes"
	KindUnlessNo      // off only when the text is exactly "no"
	KindList          // comma-separated words
	KindMember        // a line of the server list
)

// String is the word used in documentation and messages.
func (k Kind) String() string {
	return [...]string{"text", "path", "host", "port", "number", "ticks", "ms", "hours", "s", "bytes", "KiB",
		"ratio", "true/false", "yes/no", "yes/no", "list", "membership"}[k]
}

// Status is what becomes of a key.
type Status uint8

// Statuses.
const (
	Honoured Status = iota // acts on a standalone server
	Ensemble               // read and checked; acts once the server is a member of an ensemble
	Ignored                // accepted and never needed; Key.Reason says why
	Later                  // a value that asks for something stops the start; Key.Reason says what is missing
)

// String is the word used in documentation.
func (s Status) String() string {
	return [...]string{"honoured", "ensemble only", "ignored", "not yet"}[s]
}

// reasonJVM is the reason of keys that tune the Java server's internals.
const reasonJVM = "JVM specific"

// Key is one row of the registry: everything there is to know about one configuration key.
type Key struct {
	Name    string   // canonical spelling in zoo.cfg
	Aliases []string // other accepted spellings; the zookeeper.-prefixed ones are implied
	Prefix  bool     // Name is the beginning of a family of keys, such as "server."

	// Property: ZooKeeper reads the key as the Java property zookeeper.<Name>, thus also from -D, and
	// laxly: an integer that does not parse is the default, a boolean that is not "true" is false.
	Property bool
	// Bare: as Property, but the Java property is <Name>; ZooKeeper reads it from -D only.
	Bare bool
	// AlsoFlag: ZooKeeper's own reader parses the key strictly, and -Dzookeeper.<Name> works as well.
	AlsoFlag bool
	// Own: Paddock's own key, unknown to ZooKeeper.
	Own bool

	Kind    Kind
	Wide    bool   // 64-bit integer
	Default string // in the syntax of the file; "" = unset
	Note    string // what an unset or special default means, such as "2 × tickTime"
	Effect  string // one line for the documentation
	Status  Status
	Reason  string // for Ignored and Later
	Secret  bool   // the value is never printed

	bind func(*Config) any   // pointer to the field that takes the value; nil when nothing does
	asks func(v string) bool // Later: whether this value asks for what is missing; nil = every value but ""
}

// lax reports whether values are read as Java properties rather than by ZooKeeper's own reader.
func (k *Key) lax() bool { return k.Property || k.Bare }

// spelling ranks how a key was written in a file or as an argument.
type spelling uint8

const (
	spelledPrefixed  spelling = iota // zookeeper.<name>
	spelledAlias                     // one of Aliases
	spelledCanonical                 // Name
)

// spelled is a row and how it was asked for.
type spelled struct {
	key *Key
	how spelling
}

// index finds keys by every accepted spelling; families are found by prefix. It is built once and then only read.
var index = sync.OnceValue(func() map[string]spelled {
	out := make(map[string]spelled)
	for i := range registry {
		k := &registry[i]
		if k.Prefix {
			continue
		}
		out[k.Name] = spelled{k, spelledCanonical}
		for _, a := range k.Aliases {
			out[a] = spelled{k, spelledAlias}
		}
	}
	return out
})

// lookup finds the row of a key as written in a file or argument.
func lookup(written string) (spelled, bool) {
	if s, ok := index()[written]; ok {
		return s, true
	}
	if k := family(written); k != nil {
		return spelled{k, spelledCanonical}, true
	}
	bare, ok := strings.CutPrefix(written, "zookeeper.")
	if !ok {
		return spelled{}, false
	}
	if s, ok := index()[bare]; ok {
		return spelled{s.key, spelledPrefixed}, true
	}
	if k := family(bare); k != nil && k.Property {
		return spelled{k, spelledPrefixed}, true
	}
	return spelled{}, false
}

// family finds the longest prefix row that a key belongs to, or nil.
func family(written string) *Key {
	var best *Key
	for i := range registry {
		k := &registry[i]
		if k.Prefix && strings.HasPrefix(written, k.Name) && (best == nil || len(k.Name) > len(best.Name)) {
			best = k
		}
	}
	return best
}

// lookupFlag finds the row of a Java property given with -D.
func lookupFlag(property string) (k *Key, known bool) {
	if s, ok := index()[property]; ok && s.key.Bare {
		return s.key, true
	}
	name, ok := strings.CutPrefix(property, "zookeeper.")
	if !ok {
		return nil, false
	}
	if s, ok := index()[name]; ok {
		return s.key, true
	}
	if k := family(name); k != nil {
		return k, true
	}
	return nil, false
}

// Keys returns the registry in documentation order. The rows are copies.
func Keys() []Key {
	out := make([]Key, len(registry))
	copy(out, registry)
	return out
}

// nearest returns the known spelling closest to an unknown key, or "" when none is close.
func nearest(unknown string) string {
	return typo.Nearest(strings.TrimPrefix(unknown, "zookeeper."), func(yield func(string) bool) {
		for i := range registry {
			if registry[i].Prefix {
				continue
			}
			for _, name := range append([]string{registry[i].Name}, registry[i].Aliases...) {
				if !yield(name) {
					return
				}
			}
		}
	})
}
