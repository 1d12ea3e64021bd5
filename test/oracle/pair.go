//go:build interop

package oracle

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// historySteps is how many steps before a difference are reported.
const historySteps = 20

// Difference is an unexplained disagreement of the two servers.
type Difference struct {
	Seed    uint64
	Step    int
	Report  string   // the step and both answers, decoded
	History []string // the steps before, oldest first
	Replay  string   // the command that plays it again
}

func (d *Difference) Error() string {
	return fmt.Sprintf("seed %d, step %d:\n%s\n\nthe steps before:\n%s\n\nreplay:\n%s", d.Seed, d.Step, d.Report,
		strings.Join(d.History, "\n"), d.Replay)
}

// pair is two servers that were started empty and have been asked the same things ever since.
type pair struct {
	a, b    *side
	procs   [2]*process
	last    int64 // newest zxid seen in a reply of A
	seen    tally
	history []string
	steps   int
	opts    options
	// children is what the last getChildren2 of a step returned from A.
	children []string
	coverage tally // what was asked and how A answered
	// nodes are paths that A reported created and not yet deleted, oldest first; a few may be gone.
	nodes []string
	// suspects are explained differences that left the servers with different watches.
	suspects []suspect
	// heard, if set, is told what A said on each connection in a step.
	heard func(slot int, a []line)
}

// suspect is a connection that has a watch on path on one server only, because exists needs READ on the other.
type suspect struct {
	slot int
	path string
}

// newPair starts ZooKeeper as A and kind as B under dir.
func newPair(dir, kind string, opts options) (*pair, error) {
	p := &pair{seen: tally{}, coverage: tally{}, opts: opts}
	kinds := [2]string{"java", kind}
	errs := [2]error{}
	var work sync.WaitGroup
	for i := range p.procs {
		work.Go(func() { p.procs[i], errs[i] = start(kinds[i], filepath.Join(dir, string("ab"[i])), opts) })
	}
	work.Wait()
	for _, err := range errs {
		if err != nil {
			p.stop()
			return nil, err
		}
	}
	p.a, p.b = newSide("A", p.procs[0].addr), newSide("B", p.procs[1].addr)
	return p, nil
}

// stop ends both servers.
func (p *pair) stop() {
	if p.a != nil {
		p.a.dropAll()
		p.b.dropAll()
	}
	for _, s := range p.procs {
		if s != nil {
			s.stop(syscall.SIGKILL)
		}
	}
}

// restart restarts both servers on their directories.
func (p *pair) restart(kill bool) error {
	p.a.dropAll()
	p.b.dropAll()
	sig := syscall.SIGTERM
	if kill {
		sig = syscall.SIGKILL
	}
	errs := [2]error{}
	var work sync.WaitGroup
	for i, s := range p.procs {
		work.Go(func() {
			s.stop(sig)
			errs[i] = s.run()
		})
	}
	work.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("restart %c: %w", "AB"[i], err)
		}
	}
	return nil
}

// play performs one step on both servers and compares. It returns nil, a *Difference, or what kept it from playing.
func (p *pair) play(seed uint64, st *step) error {
	p.steps++
	p.history = append(p.history, fmt.Sprintf("%5d %s", p.steps, st))
	if len(p.history) > historySteps+1 {
		p.history = p.history[1:]
	}
	if st.kind == stepRestart {
		if err := p.restart(st.kill); err != nil {
			return p.difference(seed, st, err.Error())
		}
		return nil
	}
	if err := both(p, func(s *side) error {
		if err := s.act(st); err != nil {
			return err
		}
		s.quiesce(st)
		return nil
	}); err != nil {
		return p.difference(seed, st, err.Error())
	}
	return p.judge(seed, st)
}

// judge compares what the step brought on every connection and clears it.
func (p *pair) judge(seed uint64, st *step) error {
	m := moment{before: p.last, after: p.newest()}
	p.children = nil
	p.last = m.after
	var bad []string
	for _, i := range p.allSlots() {
		a, b := p.a.slots[i], p.b.slots[i]
		if p.heard != nil {
			p.heard(i, a.lines)
		}
		diff := compare(m, a.lines, b.lines, st.closes, func(name string, l line) {
			p.seen[name]++
			if name == "exists-read" {
				p.suspects = append(p.suspects, suspect{slot: i, path: l.req.path})
			}
		})
		if i == st.slot && st.denied && diff == "" && (len(a.lines) == 0 || a.lines[0].err != -102 && a.lines[0].err != -101) {
			diff = "exists was refused by B, but READ is not denied"
		}
		if diff == "" && slices.ContainsFunc(a.lines, func(l line) bool { return strings.HasPrefix(l.text, "no answer") }) {
			diff = "neither answers; such a request does not belong into the random stream"
		}
		if diff != "" {
			bad = append(bad, fmt.Sprintf("connection %d:\n%s\n  all of A:\n%s\n  all of B:\n%s", i, diff, texts(a), texts(b)))
		}
	}
	if len(bad) > 0 {
		return p.difference(seed, st, strings.Join(bad, "\n"))
	}
	for _, s := range []*side{p.a, p.b} {
		for i, k := range s.slots {
			k.lines = nil
			if k.conn.over() {
				delete(s.slots, i)
			}
		}
	}
	return nil
}

// newest returns the highest zxid A has shown.
func (p *pair) newest() int64 {
	z := p.last
	for _, k := range p.a.slots {
		for _, l := range k.lines {
			if !l.event {
				z = max(z, l.zxid)
			}
			p.cover(l)
			p.note(l)
			if l.req != nil && l.req.op == opGetChildren2 && l.err == 0 {
				p.children = (&decoder{b: l.raw[16:]}).strs()
			}
		}
	}
	return z
}

// note keeps nodes up to date with an answer of A.
func (p *pair) note(l line) {
	add := func(path string) {
		if !slices.Contains(p.nodes, path) {
			p.nodes = append(p.nodes, path)
		}
	}
	switch {
	case l.req == nil || l.err != 0 || len(l.raw) < 16:
	case l.req.op == opCreate, l.req.op == opCreate2, l.req.op == opCreateContainer, l.req.op == opCreateTTL:
		add((&decoder{b: l.raw[16:]}).str())
	case l.req.op == opDelete:
		p.nodes = slices.DeleteFunc(p.nodes, func(n string) bool { return n == l.req.path })
	}
	for _, r := range l.multi {
		if r.path != "" {
			add(r.path)
		}
	}
}

// cover counts an answer of A.
func (p *pair) cover(l line) {
	switch {
	case l.event:
		p.coverage["event"]++
	case l.req != nil:
		p.coverage[fmt.Sprintf("%s:%d", opName(l.req.op), l.err)]++
		for _, r := range l.multi {
			p.coverage[fmt.Sprintf("%s/%s:%d", opName(l.req.op), opName(r.kind), r.err)]++
		}
	default:
		p.coverage[strings.SplitN(l.text, " ", 2)[0]]++
	}
}

// allSlots lists the slots; both sides hold the same ones, since every step opens and drops on both.
func (p *pair) allSlots() []int {
	var list []int
	for i := range maxSlots {
		if p.a.slots[i] != nil && p.b.slots[i] != nil {
			list = append(list, i)
		}
	}
	return list
}

func texts(k *slot) string {
	var b strings.Builder
	for _, l := range k.lines {
		fmt.Fprintf(&b, "    %s\n", l.text)
	}
	return strings.TrimRight(b.String(), "\n")
}

func (p *pair) difference(seed uint64, st *step, report string) *Difference {
	for _, s := range []*side{p.a, p.b} {
		s.dropAll()
		s.norm.sessions, s.norm.index = nil, map[int64]int{} // the two may count differently now
	}
	p.a.marker = max(p.a.marker, p.b.marker)
	p.b.marker = p.a.marker
	n := len(p.history)
	return &Difference{Seed: seed, Step: p.steps, Report: fmt.Sprintf("%s\n%s", st, report),
		History: append([]string{}, p.history[:max(0, n-1)]...)}
}
