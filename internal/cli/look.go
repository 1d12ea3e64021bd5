package cli

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"paddock/internal/zk"
)

// number is the value of an option that is a number from least on; otherwise if it was not given.
func (c *call) number(name string, least, otherwise int64) (int64, error) {
	if !c.has(name) {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(c.set[name], 10, 64)
	if err != nil || n < least {
		return 0, failf("-%s %s is not a number from %d on", name, c.set[name], least)
	}
	return n, nil
}

// shownMost is how many characters of data are shown in a line.
const shownMost = 60

// shown is data in a part of a line.
func shown(data []byte) string {
	if data == nil {
		return "null"
	}
	if !readable(data) {
		return fmt.Sprintf("(%d bytes)", len(data))
	}
	text := []rune(string(data))
	if len(text) > shownMost {
		return strconv.Quote(string(text[:shownMost])) + "…"
	}
	return strconv.Quote(string(text))
}

// readable tells whether data is text.
func readable(data []byte) bool {
	if !utf8.Valid(data) {
		return false
	}
	for _, r := range string(data) {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' && r != '\r' {
			return false
		}
	}
	return true
}

// runTree draws a znode and all below it.
func runTree(c *call) error {
	root := "/"
	if len(c.args) > 1 {
		root = c.args[1]
	}
	depth, err := c.number("L", 0, -1)
	if err != nil {
		return err
	}
	var left []int // how many children are still to be drawn, on each level above
	znodes, bytes := 0, int64(0)
	w := walker{ctx: c.ctx, b: c.sh.backend, deep: int(depth), see: func(n *node, level int) (bool, error) {
		znodes, bytes = znodes+1, bytes+int64(len(n.data))
		name := n.path
		if level > 0 {
			name = zk.BaseName(n.path)
		}
		c.printf("%s%s", branches(left, level), name)
		if c.has("s") {
			c.printf("  [%s]", sizeText(int64(len(n.data))))
		}
		if c.has("d") && len(n.data) > 0 {
			c.printf("  %s", shown(n.data))
		}
		if n.ephemeral() {
			c.printf("  (ephemeral of 0x%x)", uint64(n.stat.EphemeralOwner))
		}
		hidden := level == int(depth) && len(n.children) > 0
		if hidden {
			c.printf("  … %d below", len(n.children))
		}
		c.println()
		left = append(left[:level], len(n.children))
		return true, c.sh.out.broken()
	}}
	if err := w.walk(root); err != nil {
		return err
	}
	c.printf("\n%d znodes, %s\n", znodes, sizeText(bytes))
	return nil
}

// branches are the lines that lead to a znode, one of left[level-1] that its parent has still to draw.
func branches(left []int, level int) string {
	if level == 0 {
		return ""
	}
	var b strings.Builder
	for _, n := range left[:level-1] {
		if n > 0 {
			b.WriteString("│   ")
		} else {
			b.WriteString("    ")
		}
	}
	if left[level-1]--; left[level-1] > 0 {
		b.WriteString("├── ")
	} else {
		b.WriteString("└── ")
	}
	return b.String()
}

// sizeText is a number of bytes as people read it.
func sizeText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, suffix := float64(n), 0
	for value >= unit && suffix < len("KMGTP") {
		value /= unit
		suffix++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[suffix-1])
}

// sought is what find looks for; the zero value is everything.
type sought struct {
	name, within, prefix string
	kind                 string
	size                 func(int64) bool
	age                  func(time.Duration) bool
}

// seek reads the options of find.
func (c *call) seek() (s sought, err error) {
	s.name, s.within, s.prefix, s.kind = c.set["name"], c.set["path"], c.set["prefix"], c.set["kind"]
	for _, pattern := range []string{s.name, s.within} {
		if _, err := path.Match(pattern, ""); err != nil {
			return s, failf("the pattern %q is not understood: %v", pattern, err)
		}
	}
	switch s.kind {
	case "", "persistent", "ephemeral", "leaf", "container", "ttl":
	default:
		return s, failf("-kind %s is none of persistent, ephemeral, container, ttl, leaf", s.kind)
	}
	if c.has("size") {
		if s.size, err = bound(c.set["size"], parseSize); err != nil {
			return s, err
		}
	}
	if c.has("age") {
		s.age, err = bound(c.set["age"], parseAge)
	}
	return s, err
}

// bound reads +N (more than), -N (less than) or N (just as much).
func bound[T int64 | time.Duration](text string, parse func(string) (T, error)) (func(T) bool, error) {
	n, err := parse(strings.TrimLeft(text, "+-"))
	if err != nil {
		return nil, err
	}
	switch text[0] {
	case '+':
		return func(v T) bool { return v > n }, nil
	case '-':
		return func(v T) bool { return v < n }, nil
	default:
		return func(v T) bool { return v == n }, nil
	}
}

// parseSize reads a number of bytes: 100, 2k, 1M.
func parseSize(text string) (int64, error) {
	digits, unit := strings.TrimRight(text, "kKmMgG"), int64(1)
	if len(text)-len(digits) == 1 {
		unit = map[byte]int64{'k': 1 << 10, 'm': 1 << 20, 'g': 1 << 30}[text[len(text)-1]|0x20]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || len(text)-len(digits) > 1 {
		return 0, failf("%q is no number of bytes; write 100, 2k or 1M, with + or - before for more or less", text)
	}
	return n * unit, nil
}

// parseAge reads a duration, in which d stands for 24 hours.
func parseAge(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseInt(days, 10, 32); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, failf("%q is no duration; write 90s, 5m, 2h or 3d, with + or - before for older or younger", text)
	}
	return d, nil
}

// fits tells whether a znode is one that is sought.
func (s *sought) fits(n *node, now time.Time) bool {
	matches := func(pattern, text string) bool {
		ok, _ := path.Match(pattern, text) // the pattern was checked
		return pattern == "" || ok
	}
	return matches(s.name, zk.BaseName(n.path)) && matches(s.within, n.path) && strings.HasPrefix(n.path, s.prefix) &&
		(s.size == nil || s.size(int64(len(n.data)))) && (s.age == nil || s.age(now.Sub(time.UnixMilli(n.stat.MtimeMS))))
}

// runFind prints the znodes that fit.
func runFind(c *call) error {
	root := "/"
	if len(c.args) > 1 {
		root = c.args[1]
	}
	want, err := c.seek()
	if err != nil {
		return err
	}
	depth, err := c.number("depth", 0, -1)
	if err != nil {
		return err
	}
	now := time.Now()
	w := walker{ctx: c.ctx, b: c.sh.backend, deep: int(depth), see: func(n *node, _ int) (bool, error) {
		descend := strings.HasPrefix(n.path, want.prefix) || strings.HasPrefix(want.prefix, n.path)
		if !want.fits(n, now) {
			return descend, nil
		}
		if ok, err := c.isKind(n, want.kind); err != nil || !ok {
			return descend, err
		}
		if c.has("l") {
			c.printf("%10d  %s  %s\n", len(n.data), time.UnixMilli(n.stat.MtimeMS).Format(time.DateTime), n.path)
		} else {
			c.println(n.path)
		}
		return descend, c.sh.out.broken()
	}}
	return w.walk(root)
}

// isKind tells whether a znode is of a kind.
func (c *call) isKind(n *node, kind string) (bool, error) {
	switch kind {
	case "":
		return true, nil
	case "leaf":
		return len(n.children) == 0, nil
	case "ephemeral":
		return n.ephemeral(), nil
	}
	if n.ephemeral() {
		return false, nil
	}
	kinds, ok := kindsOf(c.sh.backend)
	if !ok {
		if kind == "persistent" {
			return true, nil // containers and TTL znodes look the same here
		}
		return false, failf("ZooKeeper's protocol does not tell %s znodes from persistent ones", kind)
	}
	mode, _, err := kinds.Kind(c.ctx, n.path)
	switch {
	case err != nil:
		return false, refused(err, n.path)
	case mode == zk.Container:
		return kind == "container", nil
	case mode.IsTTL():
		return kind == "ttl", nil
	default:
		return kind == "persistent", nil
	}
}
