//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"paddock/internal/zk"
)

const (
	registers  = 3
	elements   = 12 // names that a set may have
	handsAll   = 18 // hands of one crew
	thinkTime  = 40 * time.Millisecond
	watchEvery = 60 * time.Millisecond
)

// crew is hands at work on objects that nobody else touches.
type crew struct {
	*history
	number int
	stop   chan struct{}
	once   sync.Once // closes stop
	wg     sync.WaitGroup
}

// plantObjects makes the objects of a crew. It goes on until it is done or the deadline has passed.
func plantObjects(servers []*process, number int) error {
	stop := make(chan struct{})
	timer := time.AfterFunc(startDeadline, func() { close(stop) })
	defer timer.Stop()
	h := &hand{history: newHistory(), servers: servers, rng: rand.New(rand.NewPCG(uint64(number), 3)), stop: stop}
	defer h.retire()
	share := fmt.Appendf(nil, "%d", fortune/accounts)
	paths := [][2]string{{registerPath}, {setPath}, {lockPath}, {bankPath}}
	for i := range registers {
		paths = append(paths, [2]string{fmt.Sprintf("%s/%d%c", registerPath, number, 'a'+i)})
	}
	for _, p := range []string{setPath, lockPath, bankPath} {
		paths = append(paths, [2]string{fmt.Sprintf("%s/%d", p, number)})
	}
	paths = append(paths, [2]string{fmt.Sprintf("%s/%dr", lockPath, number)})
	for i := range accounts {
		paths = append(paths, [2]string{fmt.Sprintf("%s/%d/%c", bankPath, number, 'a'+i), string(share)})
	}
	for _, p := range paths {
		for {
			if !h.connect() {
				return errors.New("the objects cannot be made: no server answers")
			}
			if r, err := h.do(&zk.Request{Op: zk.OpCreate, Path: p[0], Data: []byte(p[1]), ACL: zk.OpenACL, TTLMS: -1}); err == nil {
				if r.Err != zk.OK && r.Err != zk.NodeExists {
					return fmt.Errorf("create %s: %v", p[0], r.Err)
				}
				break
			}
		}
	}
	return nil
}

// newCrew lets hands loose on objects that were made.
func newCrew(servers []*process, number int, seed uint64) *crew {
	c := &crew{history: newHistory(), number: number, stop: make(chan struct{})}
	c.java = slices.ContainsFunc(servers, func(p *process) bool { return p.kind == java })
	works := []func(*hand, *crew){registerWork, registerWork, registerWork, registerWork, setWork, setWork, setWork,
		lockWork, lockWork, lockWork, bankWork, bankWork, bankWork, watchWork, followWork,
		readWork, readWork, readWork}
	for i := range handsAll {
		h := &hand{history: c.history, id: i, servers: servers, rng: rand.New(rand.NewPCG(seed, uint64(number*handsAll+i))), stop: c.stop}
		c.wg.Go(func() { // end waits for it
			works[i](h, c)
			h.retire()
		})
	}
	return c
}

// end stops the hands and judges what they did. All servers that they may be at must run.
func (c *crew) end() error {
	c.halt()
	return c.judge()
}

// halt stops the hands, if they have not stopped.
func (c *crew) halt() {
	c.once.Do(func() { close(c.stop) })
	c.wg.Wait()
}

// progress waits until so many writes more are acknowledged.
func (c *crew) progress(more int) error {
	count := func() (n int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, d := range c.deeds {
			if d.done() {
				n++
			}
		}
		return n
	}
	goal := count() + more
	for deadline := time.Now().Add(startDeadline); count() < goal; <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("not even %d writes in %v although nothing is in their way", more, startDeadline)
		}
	}
	return nil
}

// figures are for the log.
func (c *crew) figures() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	done, doubt := 0, 0
	for _, d := range c.deeds {
		if d.reply == nil {
			doubt++
		} else {
			done++
		}
	}
	return fmt.Sprintf("%d answers, %d in doubt, %d events, at most %v without a write", done, doubt, c.events, c.idle.Round(time.Millisecond))
}

func (h *hand) unique() []byte { return fmt.Appendf(nil, "%d.%x", h.id, h.rng.Uint64()) }

// registerWork writes and reads registers, now and then on the condition of a version.
func registerWork(h *hand, c *crew) {
	versions := map[string]int32{}
	for h.connect() {
		path := fmt.Sprintf("%s/%d%c", registerPath, c.number, 'a'+h.rng.IntN(registers))
		var r *zk.Reply
		var err error
		switch h.rng.IntN(5) {
		case 0:
			r, err = h.do(&zk.Request{Op: zk.OpSetData, Path: path, Data: h.unique(), Version: -1})
		case 1:
			r, err = h.do(&zk.Request{Op: zk.OpSetData, Path: path, Data: h.unique(), Version: versions[path]})
		case 2:
			r, err = h.do(&zk.Request{Op: zk.OpGetData, Path: path})
		default:
			r, err = h.syncThen(&zk.Request{Op: zk.OpGetData, Path: path})
		}
		if err == nil && r.Err == zk.OK {
			versions[path] = r.Stat.Version
		}
		h.rest(thinkTime)
	}
}

// readWork only reads behind syncs: no write keeps it from it when the leader that it asks does not lead any more.
func readWork(h *hand, c *crew) {
	for h.connect() {
		h.syncThen(&zk.Request{Op: zk.OpGetData, Path: fmt.Sprintf("%s/%d%c", registerPath, c.number, 'a'+h.rng.IntN(registers))}) //nolint:errcheck // the history has it
		h.rest(thinkTime)
	}
}

// setWork adds, removes and lists the elements of a set.
func setWork(h *hand, c *crew) {
	set := fmt.Sprintf("%s/%d", setPath, c.number)
	for h.connect() {
		path := fmt.Sprintf("%s/%c", set, 'a'+h.rng.IntN(elements))
		switch h.rng.IntN(3) {
		case 0:
			h.do(&zk.Request{Op: zk.OpCreate2, Path: path, ACL: zk.OpenACL, TTLMS: -1}) //nolint:errcheck // the history has it
		case 1:
			h.do(&zk.Request{Op: zk.OpDelete, Path: path, Version: -1}) //nolint:errcheck // the history has it
		default:
			h.syncThen(&zk.Request{Op: zk.OpGetChildren, Path: set}) //nolint:errcheck // the history has it
		}
		h.rest(thinkTime)
	}
}

// bankWork moves money between two accounts at a time, and looks at all.
func bankWork(h *hand, c *crew) {
	paths := make([]string, accounts)
	reads := make([]zk.Request, accounts)
	for i := range paths {
		paths[i] = fmt.Sprintf("%s/%d/%c", bankPath, c.number, 'a'+i)
		reads[i] = zk.Request{Op: zk.OpGetData, Path: paths[i]}
	}
	for h.connect() {
		look := h.do
		if h.rng.IntN(2) == 0 {
			look = h.syncThen
		}
		r, err := look(&zk.Request{Op: zk.OpMultiRead, Ops: slices.Clone(reads)})
		if err != nil {
			continue
		}
		if len(r.Results) != accounts || failedMulti(r) {
			h.wrong("client %d: the accounts cannot be read: %v %v", h.id, r.Err, r.Results)
			return
		}
		a, b := h.rng.IntN(accounts), h.rng.IntN(accounts-1)
		if b >= a {
			b++
		}
		have := balance(r.Results[a].Data)
		if have == 0 {
			continue
		}
		amount := 1 + h.rng.IntN(have)
		set := func(i, n int) zk.Request {
			return zk.Request{Op: zk.OpSetData, Path: paths[i], Data: fmt.Appendf(nil, "%d", n), Version: r.Results[i].Stat.Version}
		}
		h.do(&zk.Request{Op: zk.OpMulti, Ops: []zk.Request{set(a, have-amount), set(b, balance(r.Results[b].Data)+amount)}}) //nolint:errcheck // the history has it
		h.rest(thinkTime)
	}
}

// lockWork queues for a lock with an ephemeral sequential znode, and as its holder writes the resource a few times.
func lockWork(h *hand, c *crew) {
	queue, resource := fmt.Sprintf("%s/%d", lockPath, c.number), fmt.Sprintf("%s/%dr", lockPath, c.number)
	var own string // the znode in the queue, which lives as long as the session unless it is deleted
	h.ended = func() { h.over(own); own = "" }
	for h.connect() {
		if own == "" {
			r, err := h.do(&zk.Request{Op: zk.OpCreate, Path: queue + "/n-", Mode: zk.EphemeralSequential, ACL: zk.OpenACL, TTLMS: -1})
			switch {
			case err != nil: // it may be there, and would stand in the way until the session ends
				if h.connect() {
					h.retire()
				}
			case r.Err != zk.OK:
				h.wrong("client %d: a znode in the queue cannot be made: %v", h.id, r.Err)
				return
			default:
				own = r.Path
			}
			continue
		}
		r, err := h.do(&zk.Request{Op: zk.OpGetChildren, Path: queue})
		if err != nil {
			continue
		}
		if !slices.Contains(r.Names, zk.BaseName(own)) {
			h.wrong("client %d: session %v lives and its znode %s does not: %v", h.id, h.session, own, r.Names)
			return
		}
		if slices.Min(r.Names) == zk.BaseName(own) {
			own = h.hold(own, resource)
		}
		h.rest(thinkTime)
	}
}

// hold writes the resource under the protection of the lock and gives the lock back. It returns the znode that is then still own.
func (h *hand) hold(own, resource string) string {
	for range 1 + h.rng.IntN(3) {
		r, err := h.do(&zk.Request{Op: zk.OpMulti, Ops: []zk.Request{{Op: zk.OpCheck, Path: own, Version: 0},
			{Op: zk.OpSetData, Path: resource, Data: []byte(own), Version: -1}}})
		if err != nil {
			return own
		}
		if failedMulti(r) {
			h.wrong("client %d: session %v lives and its znode %s does not: %v", h.id, h.session, own, r.Results)
			return ""
		}
	}
	for h.connect() && own != "" { // connect clears it when the session is over
		r, err := h.do(&zk.Request{Op: zk.OpDelete, Path: own, Version: -1})
		if err == nil && (r.Err == zk.OK || r.Err == zk.NoNode) {
			return ""
		}
		if h.session == 0 {
			return ""
		}
	}
	return own
}

// over checks that what belonged to a session that is over is gone.
func (h *hand) over(own string) {
	if own == "" || !h.connect() {
		return
	}
	r, err := h.syncThen(&zk.Request{Op: zk.OpExists, Path: own})
	if err == nil && r.Err != zk.NoNode {
		h.wrong("client %d: a session is over and its znode %s is still there: %v %+v", h.id, own, r.Err, r.Stat)
	}
}

// watchWork watches registers: no change is shown before its event, none is without one, and after an event the change shows.
func watchWork(h *hand, c *crew) {
	for h.connect() {
		h.watchOne(fmt.Sprintf("%s/%d%c", registerPath, c.number, 'a'+h.rng.IntN(registers)))
	}
}

func (h *hand) watchOne(path string) {
	r, err := h.do(&zk.Request{Op: zk.OpGetData, Path: path, Watch: true})
	if err != nil {
		return
	}
	watched, fired := r.Stat.Mzxid, false
	take := func() {
		for _, e := range h.newEvents() {
			if e.Path != path || e.Type != zk.NodeDataChanged || fired {
				h.wrong("client %d: %v of %s came where a change of %s was due (fired %t)", h.id, e.Type, e.Path, path, fired)
			}
			fired = true
		}
	}
	for {
		take()
		before := fired
		if r, err = h.do(&zk.Request{Op: zk.OpGetData, Path: path}); err != nil {
			return
		}
		take()
		changed := r.Stat.Mzxid > watched
		if changed && !fired {
			h.wrong("client %d session %v at %s: %s changed from %v to %v without an event before", h.id, h.session, h.at.addr(), path, watched, r.Stat.Mzxid)
		}
		if !changed && before {
			h.wrong("client %d session %v at %s: an event told of a change of %s, which still is as of %v", h.id, h.session, h.at.addr(), path, watched)
		}
		if changed {
			return
		}
		select {
		case <-h.stop:
			return
		default:
			h.rest(watchEvery)
		}
	}
}

// newEvents takes the events and counts them.
func (h *hand) newEvents() []zk.Event {
	list := h.drain()
	h.mu.Lock()
	h.events += len(list)
	h.mu.Unlock()
	return list
}

// followWork follows a set by a recursive watch. The events of each element come in turn, and say in the end what is there.
func followWork(h *hand, c *crew) {
	set := fmt.Sprintf("%s/%d", setPath, c.number)
	for h.connect() {
		r, err := h.ask(&zk.Request{Op: zk.OpAddWatch, Path: set, Arg: int32(zk.AddPersistentRecursive)})
		if err != nil || r.Err != zk.OK {
			h.leave()
			continue
		}
		last := map[string]zk.EventType{}
		for h.conn != nil && h.follow(set, last) {
			h.rest(4 * watchEvery)
		}
		select {
		case <-h.stop:
			return
		default:
			h.leave()
		}
	}
}

// follow takes what has come and compares it with the set. It returns false when it is time to begin anew.
func (h *hand) follow(set string, last map[string]zk.EventType) bool {
	r, err := h.syncThen(&zk.Request{Op: zk.OpGetChildren, Path: set})
	if err != nil {
		return false
	}
	late := map[string]bool{} // elements with events that may have come behind the reply
	for _, e := range h.newEvents() {
		name := strings.TrimPrefix(e.Path, set+"/")
		if e.Type != zk.NodeCreated && e.Type != zk.NodeDeleted || last[name] == e.Type {
			h.wrong("client %d session %v: %v of %s came after %v", h.id, h.session, e.Type, e.Path, last[name])
		}
		last[name] = e.Type
		late[name] = late[name] || e.Zxid > r.Zxid || e.Zxid <= 0 // ZooKeeper 3.8 does not say of which zxid an event is
	}
	for name, typ := range last {
		if there := slices.Contains(r.Names, name); there != (typ == zk.NodeCreated) && !late[name] {
			h.wrong("client %d session %v at %s: the last event of %s/%s was %v, and it is there: %t (%v)", h.id, h.session, h.at.addr(), set, name, typ, there, r.Zxid)
		}
	}
	select {
	case <-h.stop:
		return false
	default:
		return h.rng.IntN(200) > 0
	}
}
