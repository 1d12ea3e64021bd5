//go:build chaos

package chaos

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"paddock/internal/zk"
)

// judge returns what is wrong with a history.
func (h *history) judge() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	errs := slices.Clone(h.wrongs)
	errs = append(errs, judgeOrder(h.deeds), judgeReads(h.deeds), judgeLocks(h.deeds), judgeSums(h.deeds), judgeModels(h.deeds, !h.java))
	return errors.Join(errs...)
}

// done tells whether a write is known to have succeeded.
func (d *deed) done() bool {
	return d.reply != nil && d.isWrite() && d.reply.Err == zk.OK && !failedMulti(d.reply)
}

func failedMulti(r *zk.Reply) bool {
	return slices.ContainsFunc(r.Results, func(r zk.Reply) bool { return r.Op == zk.OpError && r.Err != zk.OK })
}

// judgeOrder is exact: the writes that succeeded are in the order of their zxids, which no two share, and which agrees with real
// time: what began after another had ended has the higher one. What a session reads never goes behind what it saw (history.see).
func judgeOrder(deeds []*deed) error {
	var began, ended []*deed
	for _, d := range deeds {
		if d.done() {
			began = append(began, d)
		}
	}
	ended = slices.Clone(began)
	slices.SortFunc(began, func(a, b *deed) int { return cmp.Compare(a.call, b.call) })
	slices.SortFunc(ended, func(a, b *deed) int { return cmp.Compare(a.ret, b.ret) })
	var errs []error
	var last *deed // the one of highest zxid of those that had ended
	owner := map[zk.Zxid]*deed{}
	for _, d := range began {
		for len(ended) > 0 && ended[0].ret < d.call {
			if last == nil || ended[0].reply.Zxid > last.reply.Zxid {
				last = ended[0]
			}
			ended = ended[1:]
		}
		if last != nil && d.reply.Zxid <= last.reply.Zxid {
			errs = append(errs, fmt.Errorf("a write has a lower zxid than one that had ended before it began:\n  %v\n  %v", last, d))
		}
		if other := owner[d.reply.Zxid]; other != nil {
			errs = append(errs, fmt.Errorf("two writes have one zxid:\n  %v\n  %v", other, d))
		}
		owner[d.reply.Zxid] = d
	}
	return few(errs)
}

// few keeps the first few of many errors.
func few(errs []error) error {
	const most = 4
	if n := len(errs) - most; n > 0 {
		errs = append(errs[:most:most], fmt.Errorf("and %d more", n))
	}
	return errors.Join(errs...)
}

// judgeReads is exact for what one client reads of a znode's data: each value was written by a request that had been sent by then,
// each version has one value and one zxid, a session never sees less than it has seen or done (of any znode: one zxid, one state), and
// a Paddock server shows exactly the state of the zxid that it answers with.
func judgeReads(deeds []*deed) error {
	type version struct {
		path    string
		created zk.Zxid
		number  int32
	}
	type content struct {
		zxid zk.Zxid
		data string
	}
	var errs []error
	sent := map[string]int64{} // path and value -> when it was sent
	versions := map[version]content{}
	writes := map[string][]*deed{} // by path, successful ones
	for _, d := range deeds {
		if d.req.Op == zk.OpSetData {
			sent[d.req.Path+" "+string(d.req.Data)] = d.call
		}
		if d.done() && (d.req.Op == zk.OpSetData || d.req.Op == zk.OpDelete) {
			writes[d.req.Path] = append(writes[d.req.Path], d)
		}
	}
	for _, list := range writes {
		slices.SortFunc(list, func(a, b *deed) int { return cmp.Compare(a.reply.Zxid, b.reply.Zxid) })
	}
	known := func(path string, s *zk.Stat, data []byte, d *deed) {
		v, c := version{path, s.Czxid, s.Version}, content{s.Mzxid, string(data)}
		if other, ok := versions[v]; ok && other != c {
			errs = append(errs, fmt.Errorf("%s version %d is %q of %v and %q of %v:\n  %v", path, s.Version, other.data, other.zxid, c.data, c.zxid, d))
		}
		versions[v] = c
	}
	seen := map[int]zk.Zxid{} // by client: how much of the history it has certainly seen
	for _, d := range deeds { // a client's deeds are in their order
		if d.reply == nil || d.reply.Err != zk.OK {
			continue
		}
		switch {
		case d.done():
			seen[d.client] = max(seen[d.client], d.reply.Zxid)
			if d.req.Op == zk.OpSetData {
				known(d.req.Path, &d.reply.Stat, d.req.Data, d)
				if d.reply.Stat.Mzxid != d.reply.Zxid {
					errs = append(errs, fmt.Errorf("a write of one zxid made a znode of another: %v", d))
				}
			}
		case d.req.Op == zk.OpGetData:
			s := &d.reply.Stat
			known(d.req.Path, s, d.reply.Data, d)
			if at, ok := sent[d.req.Path+" "+string(d.reply.Data)]; s.Version > 0 && (!ok || at > d.ret) {
				errs = append(errs, fmt.Errorf("nobody had written this: %v", d))
			}
			least := seen[d.client]
			if d.kind == paddock {
				least = max(least, d.reply.Zxid)
			}
			if w := newest(writes[d.req.Path], least); w != nil && w.reply.Zxid > s.Mzxid {
				errs = append(errs, fmt.Errorf("a read misses what the session had seen:\n  %v\n  %v", w, d))
			}
			if s.Mzxid > d.reply.Zxid {
				errs = append(errs, fmt.Errorf("a read shows more than its zxid: %v", d))
			}
			seen[d.client] = max(seen[d.client], s.Mzxid)
		}
	}
	return few(errs)
}

// newest is the last write that is not newer than z.
func newest(writes []*deed, z zk.Zxid) *deed {
	i, _ := slices.BinarySearchFunc(writes, z+1, func(d *deed, z zk.Zxid) int { return cmp.Compare(d.reply.Zxid, z) })
	if i == 0 {
		return nil
	}
	return writes[i-1]
}

// judgeLocks is exact: what the holders of a lock did under its protection is in the order in which they queued for it. Each such
// deed is a multi of a check of the own znode in the queue and a write of the resource.
func judgeLocks(deeds []*deed) error {
	var errs []error
	guarded := map[string][]*deed{}
	for _, d := range deeds {
		if d.done() && d.req.Op == zk.OpMulti && d.req.Ops[0].Op == zk.OpCheck {
			guarded[d.req.Ops[1].Path] = append(guarded[d.req.Ops[1].Path], d)
		}
	}
	for path, list := range guarded {
		slices.SortFunc(list, func(a, b *deed) int { return cmp.Compare(a.reply.Zxid, b.reply.Zxid) })
		for i := 1; i < len(list); i++ {
			if a, b := list[i-1].req.Ops[0].Path, list[i].req.Ops[0].Path; a > b {
				errs = append(errs, fmt.Errorf("%s: the holder %s wrote at %v, after %s at %v", path, b, list[i].reply.Zxid, a, list[i-1].reply.Zxid))
			}
		}
	}
	return few(errs)
}

const (
	accounts = 4
	fortune  = 1000 // in all accounts together
)

// judgeSums is exact: reads of all accounts at once, which a Paddock server answers from one state, find all the money.
func judgeSums(deeds []*deed) error {
	var errs []error
	for _, d := range deeds {
		if d.reply == nil || d.req.Op != zk.OpMultiRead || d.kind != paddock {
			continue
		}
		sum := 0
		for _, r := range d.reply.Results {
			sum += balance(r.Data)
		}
		if sum != fortune {
			errs = append(errs, fmt.Errorf("the accounts sum up to %d, not %d: %v", sum, fortune, d.reply.Results))
		}
	}
	return few(errs)
}

func balance(data []byte) (n int) {
	fmt.Sscan(string(data), &n) //nolint:errcheck // what is no number is found by the sum
	return n
}

// thinkingTime bounds how long porcupine may look for an order of one object's history.
const thinkingTime = 2 * time.Minute

// judgeModels has porcupine look for an order of all writes of each register, each set and each bank, and all synced reads if asked to.
func judgeModels(deeds []*deed, synced bool) error {
	objects := map[string][]porcupine.Operation{}
	models := map[string]porcupine.Model{}
	for _, d := range deeds {
		path, m := modelOf(d)
		if path == "" || !d.isWrite() && (d.reply == nil || !synced) {
			continue
		}
		ret := d.ret
		if d.reply == nil {
			ret = math.MaxInt64
		}
		models[path] = m
		objects[path] = append(objects[path], porcupine.Operation{ClientId: d.client, Input: d, Output: d, Call: d.call, Return: ret})
	}
	var errs []error
	for path, ops := range objects {
		switch porcupine.CheckOperationsTimeout(models[path], ops, thinkingTime) {
		case porcupine.Illegal:
			errs = append(errs, fmt.Errorf("%s: no order explains its %d requests:\n%s", path, len(ops), recent(ops)))
		case porcupine.Unknown:
			errs = append(errs, fmt.Errorf("%s: no order of its %d requests found in %v", path, len(ops), thinkingTime))
		}
	}
	return few(errs)
}

// recent is the longest history that a report prints.
func recent(ops []porcupine.Operation) string {
	const most = 400
	var b strings.Builder
	for _, o := range ops[max(0, len(ops)-most):] {
		fmt.Fprintf(&b, "    %v\n", o.Input)
	}
	return b.String()
}

// modelOf tells which object a deed is about, by its path, "" if none that has a model.
func modelOf(d *deed) (string, porcupine.Model) {
	path := d.req.Path
	if d.req.Op == zk.OpMulti || d.req.Op == zk.OpMultiRead {
		path = d.req.Ops[0].Path
		if strings.HasPrefix(path, bankPath) && (d.synced || d.req.Op == zk.OpMulti) {
			return zk.ParentPath(path), bankModel
		}
		return "", porcupine.Model{}
	}
	switch {
	case strings.HasPrefix(path, registerPath) && (d.isWrite() || d.synced && d.req.Op == zk.OpGetData):
		return path, registerModel
	case strings.HasPrefix(path, setPath) && d.isWrite():
		return zk.ParentPath(path), setModel
	case strings.HasPrefix(path, setPath) && d.synced && d.req.Op == zk.OpGetChildren:
		return path, setModel
	}
	return "", porcupine.Model{}
}

// Where the objects are. Each has a number behind, and below that its parts.
const (
	registerPath = "/register"
	setPath      = "/set"
	lockPath     = "/lock"
	bankPath     = "/bank"
)

// register is a znode that is only written and read.
type register struct {
	version int32
	data    string
}

var registerModel = porcupine.Model{
	Init: func() any { return register{} },
	Step: func(state, input, _ any) (bool, any) {
		s, d := state.(register), input.(*deed)
		if d.req.Op == zk.OpGetData {
			return d.reply.Err == zk.OK && d.reply.Stat.Version == s.version && string(d.reply.Data) == s.data, s
		}
		fits := d.req.Version == -1 || d.req.Version == s.version
		next := register{s.version + 1, string(d.req.Data)}
		switch {
		case d.reply == nil && fits:
			return true, next
		case d.reply == nil:
			return true, s
		case d.reply.Err == zk.OK:
			return fits && d.reply.Stat.Version == next.version, next
		default:
			return !fits && d.reply.Err == zk.BadVersion, s
		}
	},
}

// setModel is a znode with up to 32 children, as bits.
var setModel = porcupine.Model{
	Init: func() any { return uint32(0) },
	Step: func(state, input, _ any) (bool, any) {
		s, d := state.(uint32), input.(*deed)
		if d.req.Op == zk.OpGetChildren {
			var found uint32
			for _, name := range d.reply.Names {
				found |= element(name)
			}
			return found == s, s
		}
		e := element(zk.BaseName(d.req.Path))
		add := d.req.Op.IsCreate()
		next := s &^ e
		if add {
			next = s | e
		}
		there := s&e != 0
		switch {
		case d.reply == nil:
			return true, next
		case d.reply.Err == zk.OK:
			return there != add, next
		case add:
			return there && d.reply.Err == zk.NodeExists, s
		default:
			return !there && d.reply.Err == zk.NoNode, s
		}
	},
}

func element(name string) uint32 { return 1 << (name[0] - 'a') }

// bank is the versions and balances of all accounts.
type bank [accounts]struct {
	version int32
	balance int
}

func newBank() (b bank) {
	for i := range b {
		b[i].balance = fortune / accounts
	}
	return b
}

var bankModel = porcupine.Model{
	Init: func() any { return newBank() },
	Step: func(state, input, _ any) (bool, any) {
		s, d := state.(bank), input.(*deed)
		if d.req.Op == zk.OpMultiRead {
			for i, r := range d.reply.Results {
				if r.Stat.Version != s[i].version || balance(r.Data) != s[i].balance {
					return false, s
				}
			}
			return len(d.reply.Results) == accounts, s
		}
		next, fits := s, true
		for _, o := range d.req.Ops {
			a := &next[zk.BaseName(o.Path)[0]-'a']
			fits = fits && a.version == o.Version
			a.version++
			a.balance = balance(o.Data)
		}
		switch {
		case d.reply == nil && fits:
			return true, next
		case d.reply == nil:
			return true, s
		case failedMulti(d.reply):
			return !fits, s
		default:
			return fits, next
		}
	},
}
