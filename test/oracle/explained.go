//go:build interop

package oracle

import (
	"fmt"
	"sort"
	"strings"
)

// moment is what a predicate may look at besides the two lines.
type moment struct {
	before, after int64 // newest zxid before and after the step
}

// explanation is one difference between ZooKeeper 3.8.0 and Paddock that is meant.
type explanation struct {
	name string
	// doc is the line for docs/compatibility.md.
	doc string
	// holds reports whether a (ZooKeeper) and b (Paddock) differ in exactly this way.
	holds func(m moment, a, b line) bool
}

// explanations lists every difference that is meant. Anything else is a failure.
var explanations = []explanation{
	{
		name: "event-zxid",
		doc: "Notifications carry the zxid of the transaction that fired them, as ZooKeeper does since 3.9; " +
			"ZooKeeper 3.8 sends -1. Catch-up events of setWatches carry -1 in both.",
		holds: func(m moment, a, b line) bool {
			return a.event && b.event && a.rest == b.rest && a.zxid == -1 && b.zxid > m.before && b.zxid <= m.after
		},
	},
	{
		name: "exists-read",
		doc: "exists on a node whose ACL denies READ is refused with NoAuth and leaves no watch, as in current ZooKeeper; " +
			"ZooKeeper 3.8 answers with the Stat and sets the watch.",
		// The player then checks that READ is denied indeed, and drops the connection with its odd watch.
		holds: func(_ moment, a, b line) bool {
			return a.req != nil && a.req.op == opExists && a.zxid == b.zxid && a.err == 0 && b.err == -102 && len(b.raw) == 16
		},
	},
	{
		name: "multi-decode",
		doc: "A multi holding a create with a flag outside 0..6, a TTL flag in a record without a ttl, or a null ACL " +
			"is refused as a whole with MarshallingError, as ZooKeeper does since 3.9; ZooKeeper 3.8 reports it " +
			"as the error of that operation inside a MultiResponse. Both use one zxid and change nothing.",
		holds: func(_ moment, a, b line) bool {
			return a.req != nil && a.req.op == opMulti && hasUndecodableCreate(a.req.subs) && a.zxid == b.zxid &&
				a.err == 0 && len(a.multi) == len(a.req.subs) && failed(a.multi) &&
				b.err == -5 && len(b.raw) == 16
		},
	},
	{
		name: "multi-container",
		doc: "In a multi, createContainer makes a container whatever its flag, and comes back as a result of type create2 with " +
			"a Stat, as in ZooKeeper since 3.9; ZooKeeper 3.8 looks at the flag alone and answers with type create and a bare path.",
		holds: func(_ moment, a, b line) bool {
			return a.req != nil && a.req.op == opMulti && a.zxid == b.zxid && a.err == 0 && b.err == 0 &&
				sameButContainers(a.req.subs, a, b)
		},
	},
}

// hasUndecodableCreate reports whether a sub-op is a create that current ZooKeeper refuses to decode.
func hasUndecodableCreate(subs []subOp) bool {
	for _, s := range subs {
		switch s.op {
		case opCreate, opCreate2, opCreateContainer:
			if s.flags < 0 || s.flags > 4 || s.nullACL {
				return true
			}
		}
	}
	return false
}

// failed reports whether a multi was rolled back.
func failed(list []result) bool {
	return len(list) > 0 && list[0].kind == -1
}

// sameButContainers reports whether two successful multis agree but for results of createContainer records without the
// container flag, which a has as plain creates.
func sameButContainers(subs []subOp, a, b line) bool {
	if len(a.multi) != len(subs) || len(b.multi) != len(subs) {
		return false
	}
	found := false
	for i, s := range subs {
		ra, rb := a.multi[i], b.multi[i]
		if ra.text == rb.text {
			continue
		}
		fresh := rb.hasStat && rb.stat.czxid == b.zxid && rb.stat.mzxid == b.zxid && rb.stat.version == 0
		if s.op != opCreateContainer || s.flags == 4 || ra.kind != opCreate || rb.kind != opCreate2 ||
			ra.err != 0 || rb.err != 0 || ra.path != rb.path || !fresh {
			return false
		}
		found = true
	}
	return found
}

// tally counts explained differences by name.
type tally map[string]int

func (t tally) String() string {
	names := make([]string, 0, len(t))
	for n := range t {
		names = append(names, n)
	}
	sort.Strings(names)
	for i, n := range names {
		names[i] = fmt.Sprintf("%s %d", n, t[n])
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// compare returns a description of the first unexplained difference between two connections' lines, or "".
// With free, the order of neighbouring events means nothing. excused is told of every explained difference.
func compare(m moment, a, b []line, free bool, excused func(name string, a line)) string {
	if free {
		a, b = sortEvents(a), sortEvents(b)
	}
	for i := range max(len(a), len(b)) {
		if i >= len(a) {
			return fmt.Sprintf("only B says: %s", b[i].text)
		}
		if i >= len(b) {
			return fmt.Sprintf("only A says: %s", a[i].text)
		}
		if a[i].text == b[i].text {
			continue
		}
		name := explain(m, a[i], b[i])
		if name == "" {
			return fmt.Sprintf("A says: %s\nB says: %s", a[i].text, b[i].text)
		}
		excused(name, a[i])
	}
	return ""
}

func explain(m moment, a, b line) string {
	for _, e := range explanations {
		if e.holds(m, a, b) {
			return e.name
		}
	}
	return ""
}

// sortEvents returns lines with every run of neighbouring events sorted.
func sortEvents(in []line) []line {
	out := append([]line{}, in...)
	for i := 0; i < len(out); {
		j := i
		for j < len(out) && out[j].event {
			j++
		}
		run := out[i:j]
		sort.SliceStable(run, func(x, y int) bool { return run[x].rest < run[y].rest })
		i = max(j, i+1)
	}
	return out
}
