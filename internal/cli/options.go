package cli

import (
	"slices"
	"strconv"
	"strings"
)

// option is one that a command takes.
type option struct {
	name  string // without its dash
	value string // what its argument is called; "" if it takes none
	help  string
	group int // of options with the same number, not 0, only one may be given
}

// options are those of one command, as ZooKeeper's command line declares them for commons-cli.
type options struct {
	list     []option
	required bool // one of the group must be given
}

// find is the option of a name, or nil.
func (o *options) find(name string) *option {
	for i := range o.list {
		if o.list[i].name == name {
			return &o.list[i]
		}
	}
	return nil
}

// parsed is what a command was given.
type parsed struct {
	set  map[string]string // the value of each option given; "" of those without
	args []string          // the rest; the command's name first
}

// has tells whether an option was given.
func (p *parsed) has(name string) bool { _, ok := p.set[name]; return ok }

// parser reads words as DefaultParser of commons-cli 1.5 does: an option may stand anywhere, single letters may be joined, a
// value may be the next word, or follow at once, or behind an equals sign.
type parser struct {
	options *options
	out     parsed
	open    *option // it still waits for its value
	plain   bool    // "--" was read
	chosen  map[int]string
}

// parse reads the words of a command, its name included. Errors are worded as those of commons-cli.
func (o *options) parse(words []string) (*parsed, error) {
	p := parser{options: o, out: parsed{set: map[string]string{}}, chosen: map[int]string{}}
	for _, w := range words {
		if err := p.word(w); err != nil {
			return nil, err
		}
	}
	if err := p.complete(); err != nil {
		return nil, err
	}
	if o.required && len(p.chosen) == 0 {
		var names []string
		for _, x := range o.list {
			if x.group != 0 {
				names = append(names, "-"+x.name+" "+x.help)
			}
		}
		return nil, failf("Missing required option: [%s]", strings.Join(names, ", "))
	}
	return &p.out, nil
}

// word reads one word.
func (p *parser) word(w string) error {
	switch {
	case p.plain:
		p.out.args = append(p.out.args, w)
		return nil
	case w == "--":
		p.plain = true
		return nil
	case p.open != nil && p.isValue(w):
		p.give(unquoted(w))
		return nil
	case len(w) > 1 && w[0] == '-':
		return p.dashed(w)
	default:
		p.out.args = append(p.out.args, w)
		return nil
	}
}

// isValue tells whether a word behind an option that takes one is its value: whatever is not an option itself.
func (p *parser) isValue(w string) bool {
	if _, err := strconv.ParseFloat(w, 64); err == nil {
		return true
	}
	if len(w) < 2 || w[0] != '-' {
		return true
	}
	name, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
	return name == "" || p.options.find(name) == nil && p.options.find(name[:1]) == nil
}

// dashed reads a word that begins with a dash.
func (p *parser) dashed(w string) error {
	t := strings.TrimLeft(w, "-")
	name, value, equals := strings.Cut(t, "=")
	x := p.options.find(name)
	if strings.HasPrefix(w, "--") && len(name) < 2 {
		x, t = nil, "" // what has one letter has one dash
	}
	switch {
	case x != nil && !equals:
		return p.begin(x)
	case x != nil && x.value != "":
		if err := p.begin(x); err != nil {
			return err
		}
		p.give(value)
		return nil
	case equals || len(t) < 2 || strings.HasPrefix(w, "--"):
		return unrecognized(w)
	}
	for i := range t {
		if x = p.options.find(t[i : i+1]); x == nil {
			return unrecognized(w)
		}
		if err := p.begin(x); err != nil {
			return err
		}
		if p.open != nil && i+1 < len(t) {
			p.give(unquoted(t[i+1:]))
			return nil
		}
	}
	return nil
}

func unrecognized(w string) error { return failf("Unrecognized option: %s", w) }

// begin notes an option, which may wait for its value.
func (p *parser) begin(x *option) error {
	if err := p.complete(); err != nil {
		return err
	}
	if x.group != 0 {
		if other, ok := p.chosen[x.group]; ok && other != x.name {
			return failf("The option '%s' was specified but an option from this group has already been selected: '%s'", x.name, other)
		}
		p.chosen[x.group] = x.name
	}
	if x.value != "" {
		p.open = x
	} else {
		p.out.set[x.name] = ""
	}
	return nil
}

// give gives the open option its value. Of several values the first counts.
func (p *parser) give(value string) {
	if _, again := p.out.set[p.open.name]; !again {
		p.out.set[p.open.name] = value
	}
	p.open = nil
}

// complete checks that no option waits for its value.
func (p *parser) complete() error {
	if p.open == nil {
		return nil
	}
	return failf("Missing argument for option: %s", p.open.name)
}

// unquoted takes off double quotes around a value that has no others.
func unquoted(v string) string {
	if n := len(v); n > 1 && v[0] == '"' && v[n-1] == '"' && !strings.Contains(v[1:n-1], `"`) {
		return v[1 : n-1]
	}
	return v
}

// flags are options without values, for the table of commands: pairs of name and help.
func flags(pairs ...string) options {
	var o options
	for pair := range slices.Chunk(pairs, 2) {
		name, value, _ := strings.Cut(pair[0], " ")
		o.list = append(o.list, option{name: name, value: value, help: pair[1]})
	}
	return o
}

// group makes the options exclude each other.
func (o options) exclusive(required bool) options {
	for i := range o.list {
		o.list[i].group = 1
	}
	o.required = required
	return o
}
