package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Describe renders the effective configuration as a zoo.cfg: first what was given, each line under a
// comment with its origin, then everything that follows from it or is a default. Loading the text
// again gives the same Config, except for secrets, whose values are not shown. Keys that are ignored are left out.
func (c *Config) Describe() string {
	type row struct {
		key *Key
		s   Setting
	}
	var given, rest []row
	for i := range registry {
		k := &registry[i]
		s, ok := c.settings[k.Name]
		if !ok || k.Status == Ignored || k.Status == Later && s.Origin.Kind == OriginDefault {
			continue
		}
		if s.Origin.Kind == OriginDefault || s.Origin.Kind == OriginDerived {
			rest = append(rest, row{k, s})
		} else {
			given = append(given, row{k, s})
		}
	}
	slices.SortStableFunc(given, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.s.Origin.Kind, a.s.Origin.Kind), cmp.Compare(a.s.Origin.File, b.s.Origin.File), cmp.Compare(a.s.Origin.Line, b.s.Origin.Line))
	})
	var b strings.Builder
	for _, r := range given {
		fmt.Fprintf(&b, "# %s\n", r.s.Origin)
		writeSetting(&b, r.key, r.s)
	}
	if m := c.Members.Membership; m != nil && c.Members.DynamicFile == "" {
		for line := range strings.SplitSeq(m.String(), "\n") {
			if !strings.HasPrefix(line, "version=") {
				fmt.Fprintf(&b, "%s\n", line)
			}
		}
	}
	for _, r := range rest {
		if r.s.Value == "" {
			continue
		}
		fmt.Fprintf(&b, "# %s\n", r.s.Origin)
		writeSetting(&b, r.key, r.s)
	}
	return b.String()
}

func writeSetting(b *strings.Builder, k *Key, s Setting) {
	if k.Secret {
		fmt.Fprintf(b, "# %s is set, its value is not shown\n", k.Name)
		return
	}
	fmt.Fprintf(b, "%s=%s\n", k.Name, escapeProperty(s.Value))
}
