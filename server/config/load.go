package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// loader gathers what one Load learns. It lives in one goroutine, for one call.
type loader struct {
	src      Source
	c        *Config
	notices  []Notice
	problems []Problem

	values   map[*Key][]candidate // every entry of a key
	families []entry              // entries of prefix keys other than membership
	members  []entry              // server., group and weight lines of file and arguments
	unknown  []entry
	jvm      []string // names of -D words that are Java's own
}

// candidate is one entry that may become a key's value.
type candidate struct {
	entry
	how spelling
}

// Load reads a Source. The Config is never nil; it is good enough to run only when err is nil, and to
// describe in any case. A non-nil err is Problems. Notices are for the log, whatever err is.
func Load(src Source) (*Config, []Notice, error) {
	l := &loader{src: src, c: &Config{File: src.File, settings: map[string]Setting{}}, values: map[*Key][]candidate{}}
	readable := l.gather()
	for i := range registry {
		l.resolve(&registry[i])
	}
	if readable { // what a missing file would have said is not worth a line
		l.report()
		l.check()
		l.summarise()
	}
	l.sort()
	if len(l.problems) > 0 {
		return l.c, l.notices, Problems(l.problems)
	}
	return l.c, l.notices, nil
}

// gather sorts the entries of all sources into the loader's lists. It reports whether the file could be read.
func (l *loader) gather() bool {
	readable := true
	for _, e := range append(flagEntries(l.src.ServerJVMFlags, "SERVER_JVMFLAGS"), flagEntries(l.src.JVMFlags, "JVMFLAGS")...) {
		l.placeFlag(e)
	}
	if l.src.File != "" {
		data, err := l.src.readFile(l.src.File)
		readable = err == nil
		switch {
		case errors.Is(err, fs.ErrNotExist):
			l.problems = append(l.problems, Problem{File: l.src.File, Problem: "no such file", Fix: "pass the path of zoo.cfg"})
		case err != nil:
			l.problems = append(l.problems, Problem{File: l.src.File, Problem: "cannot be read: " + plain(err), Fix: "pass a readable zoo.cfg"})
		}
		for _, e := range l.fileEntries(l.src.File, data) {
			l.place(e)
		}
	}
	args, problems := argumentEntries(l.src.Args)
	l.problems = append(l.problems, problems...)
	for _, e := range args {
		l.place(e)
	}
	return readable
}

// plain is an error's reason without the operation and path that *fs.PathError adds.
func plain(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}

// fileEntries parses one file and reports what its syntax hides.
func (l *loader) fileEntries(name string, data []byte) []entry {
	props, problems := parseProperties(data)
	for _, p := range problems {
		p.File = name
		l.problems = append(l.problems, p)
	}
	out := make([]entry, 0, len(props))
	for _, p := range props {
		e := entry{p.key, p.value, Origin{Kind: OriginFile, File: name, Line: p.line}}
		if p.raw {
			l.warn(e, "bytes beyond ASCII are read as Latin-1, as in ZooKeeper", `write \uXXXX for other characters`)
		}
		out = append(out, e)
	}
	return out
}

// place files an entry of a file or argument.
func (l *loader) place(e entry) {
	s, ok := lookup(e.key)
	switch {
	case !ok:
		l.unknown = append(l.unknown, e)
	case s.key.Kind == KindMember:
		l.members = append(l.members, e)
	case s.key.Prefix:
		l.families = append(l.families, e)
	default:
		l.values[s.key] = append(l.values[s.key], candidate{e, s.how})
		if e.origin.Kind == OriginFile {
			l.remarkSpelling(e, s)
		}
	}
}

// remarkSpelling warns of spellings that ZooKeeper would not have read from a file.
func (l *loader) remarkSpelling(e entry, s spelled) {
	if s.key.Status == Ignored {
		return
	}
	switch {
	case s.how == spelledPrefixed && s.key.Own:
	case s.how != spelledCanonical:
		l.warn(e, "ZooKeeper does not act on this spelling, Paddock does", "write "+s.key.Name)
	case s.key.Bare:
		l.info(e, "ZooKeeper reads this key from -D only, Paddock from the file as well", "")
	}
}

// placeFlag files a -D word. Words that are not ZooKeeper's belong to Java.
func (l *loader) placeFlag(e entry) {
	k, known := lookupFlag(e.key)
	switch {
	case !known && !strings.HasPrefix(e.key, "zookeeper."):
		l.jvm = append(l.jvm, e.key)
	case !known:
		l.unknown = append(l.unknown, e)
	case !k.lax() && !k.AlsoFlag && k.Status != Ignored:
		l.warn(e, "-D"+e.key+" has no effect, as in ZooKeeper", "write "+k.Name+" in zoo.cfg or as an argument")
	case k.Prefix:
		e.key = strings.TrimPrefix(e.key, "zookeeper.")
		l.families = append(l.families, e)
	default:
		l.values[k] = append(l.values[k], candidate{e, spelledCanonical})
	}
}

const unknownNoticesMax = 20 // a file that is no zoo.cfg at all should not fill the log

// report names the unknown keys.
func (l *loader) report() {
	for i, e := range l.unknown {
		if i == unknownNoticesMax {
			l.notices = append(l.notices, Notice{Level: Warn, File: l.src.File, Message: fmt.Sprintf("%d more unknown keys", len(l.unknown)-i)})
			return
		}
		e.key = cut(e.key)
		text := "unknown key " + e.key
		if near := nearest(l.unknown[i].key); near != "" {
			text += ", did you mean " + near + "?"
		} else {
			text += " is ignored"
		}
		l.warn(e, text, "")
	}
}

// rank orders candidates: a higher one wins.
func (k *Key) rank(c candidate) int {
	strength := int(c.origin.Kind)
	if k.Bare && c.origin.Kind == OriginFlag {
		strength = int(OriginFile)*2 - 1 // between file and argument, see Source
	} else {
		strength *= 2
		if k.Bare && c.origin.Kind == OriginFile {
			strength -= 2
		}
	}
	return strength*4 + int(c.how)
}

// resolve gives one key its value: the default, then the strongest candidate.
func (l *loader) resolve(k *Key) {
	if k.Prefix {
		return
	}
	var into any
	if k.bind != nil {
		into = k.bind(l.c)
	}
	if k.Default != "" {
		out := k.parse(k.Default, into)
		l.c.settings[k.Name] = Setting{Value: out.text}
	}
	all := l.values[k]
	if len(all) == 0 {
		return
	}
	// Later entries of the same rank win, so the best comes last.
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(k.rank(a), k.rank(b)) })
	best := all[len(all)-1]
	for _, lost := range all[:len(all)-1] {
		l.remarkLost(k, lost, best)
	}
	if k.Status == Ignored && k.bind == nil {
		l.c.settings[k.Name] = Setting{Value: best.value, Origin: best.origin}
		return
	}
	out := k.parse(best.value, into)
	if out.bad != "" {
		l.problem(best.entry, out.bad, kindFix(k.Kind))
		return
	}
	if out.warn != "" {
		l.warn(best.entry, out.warn, kindFix(k.Kind))
	}
	l.c.settings[k.Name] = Setting{Value: out.text, Origin: best.origin}
	if k.Status == Later && (k.asks == nil && out.text != "" || k.asks != nil && k.asks(out.text)) {
		l.problem(best.entry, "cannot be honoured: "+k.Reason, laterFix(k))
	}
}

// remarkLost says that an entry was overridden, unless an argument did it on purpose.
func (l *loader) remarkLost(k *Key, lost, best candidate) {
	switch {
	case best.origin.Kind == OriginArgument && lost.origin.Kind != OriginArgument:
	case lost.origin.Kind == OriginFlag && best.origin.Kind == OriginFlag:
	case lost.origin.Kind == best.origin.Kind && lost.value == best.value:
	case lost.origin.Kind == best.origin.Kind && best.origin.Kind == OriginFile && lost.how == best.how:
		l.warn(best.entry, fmt.Sprintf("%s given twice, this line wins over line %d", k.Name, lost.origin.Line), "remove one of them")
	default:
		l.warn(lost.entry, fmt.Sprintf("%s is overridden by %s of %s", lost.key, best.key, best.origin), "remove one of them")
	}
}

func kindFix(k Kind) string {
	switch k {
	case KindBool:
		return "write true or false"
	case KindOnlyYes, KindUnlessNo:
		return "write yes or no"
	case KindPort:
		return "write a number from 1 to 65535"
	case KindMillis:
		return "write a number of milliseconds"
	case KindTicks:
		return "write a number of ticks"
	case KindHost:
		return "write a host name or an address"
	case KindHours:
		return "write for example 1"
	default:
		return "write a plain number"
	}
}

func laterFix(k *Key) string {
	if k.asks != nil && k.Kind == KindBool {
		return "set it to false or remove the line"
	}
	return "remove the line"
}

// summarise adds one line for all keys that need nothing, by reason.
func (l *loader) summarise() {
	reasons := map[string][]string{}
	for i := range registry {
		k := &registry[i]
		if len(l.values[k]) == 0 {
			continue
		}
		switch {
		case k.Status == Ignored:
			reasons[k.Reason] = append(reasons[k.Reason], k.Name)
		case k.Status == Ensemble && l.c.Members.Standalone:
			reasons[reasonAlone] = append(reasons[reasonAlone], k.Name)
		}
	}
	for _, e := range l.families {
		if k := family(strings.TrimPrefix(e.key, "zookeeper.")); k != nil && k.Status == Ignored {
			reasons[k.Reason] = append(reasons[k.Reason], e.key)
		}
	}
	reasons[reasonJVM] = append(reasons[reasonJVM], l.jvm...)
	for _, reason := range []string{reasonJVM, "TLS of Java", "scheme x509 comes later", "a silent connection costs nothing before it is idle", "SASL only", "scheme ensemble only", reasonAlone,
		reasonGroup, reasonMemory, reasonStale, reasonNoCache} {
		if names := reasons[reason]; len(names) > 0 {
			slices.Sort(names)
			names = slices.Compact(names)
			l.notices = append(l.notices, Notice{Level: Info, Message: fmt.Sprintf("ignored: %s (%s)", strings.Join(names, ", "), reason)})
		}
	}
}

const reasonAlone = "a standalone server does not need them"

// sort puts problems and notices into the order of the files, then of being found.
func (l *loader) sort() {
	order := func(file string) int {
		if file == l.src.File {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(l.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(order(a.File), order(b.File)), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	slices.SortStableFunc(l.notices, func(a, b Notice) int {
		return cmp.Or(cmp.Compare(order(a.File), order(b.File)), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}

func (l *loader) problem(e entry, text, fix string) {
	l.problems = append(l.problems, Problem{File: l.fileOf(e), Line: e.origin.Line, Key: e.key, Problem: text, Fix: fix})
}

func (l *loader) info(e entry, text, fix string) { l.notice(Info, e, text, fix) }
func (l *loader) warn(e entry, text, fix string) { l.notice(Warn, e, text, fix) }

func (l *loader) notice(level Level, e entry, text, fix string) {
	l.notices = append(l.notices, Notice{Level: level, File: l.fileOf(e), Line: e.origin.Line, Key: e.key, Message: text, Fix: fix})
}

// fileOf names the place of an entry: its file, "argument" or the variable of a -D word.
func (l *loader) fileOf(e entry) string {
	switch e.origin.Kind {
	case OriginFile:
		return e.origin.File
	case OriginArgument, OriginFlag:
		return e.origin.String()
	default:
		return l.src.File
	}
}

// at is an entry that points to where a key got its value, for messages about it.
func (l *loader) at(name string) entry {
	return entry{key: name, value: l.c.settings[name].Value, origin: l.c.settings[name].Origin}
}

// given reports whether a key has a value other than its default.
func (l *loader) given(name string) bool {
	k := l.c.settings[name].Origin.Kind
	return k != OriginDefault && k != OriginDerived
}

// derive replaces a key's value by one that follows from others.
func (l *loader) derive(name, value, reason string) {
	l.c.settings[name] = Setting{Value: value, Origin: Origin{Kind: OriginDerived, Name: reason}}
}

// absolute anchors a relative path at Source.Dir.
func (l *loader) absolute(path string) string {
	if path == "" || filepath.IsAbs(path) || l.src.Dir == "" {
		return path
	}
	return filepath.Join(l.src.Dir, path)
}
