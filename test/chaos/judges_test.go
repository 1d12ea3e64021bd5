//go:build chaos

package chaos

import (
	"fmt"
	"strings"
	"testing"

	"paddock/internal/zk"
)

// tale makes a history by hand: each request begins a microsecond after the one before has ended, unless it is told otherwise.
type tale struct {
	*history
	at int64
}

func (s *tale) did(client int, req zk.Request, reply *zk.Reply, synced bool) *deed {
	const step = 1000
	d := &deed{client: client, session: zk.SessionID(client + 1), kind: paddock, call: s.at + 1, ret: s.at + step, req: &req, reply: reply, synced: synced}
	s.at += step
	s.add(d)
	return d
}

func (s *tale) set(client int, path, data string, expected, version int32, zxid zk.Zxid) *deed {
	r := &zk.Reply{Zxid: zxid, Stat: zk.Stat{Czxid: 1, Mzxid: zxid, Version: version}}
	if version < 0 {
		r = &zk.Reply{Zxid: zxid, Err: zk.BadVersion}
	}
	return s.did(client, zk.Request{Op: zk.OpSetData, Path: path, Data: []byte(data), Version: expected}, r, false)
}

func (s *tale) get(client int, path, data string, version int32, mzxid, zxid zk.Zxid, synced bool) *deed {
	return s.did(client, zk.Request{Op: zk.OpGetData, Path: path}, &zk.Reply{Zxid: zxid, Data: []byte(data), Stat: zk.Stat{Czxid: 1, Mzxid: mzxid, Version: version}}, synced)
}

func (s *tale) element(client int, add bool, name string, code zk.Code, zxid zk.Zxid) *deed {
	op := zk.OpDelete
	if add {
		op = zk.OpCreate2
	}
	return s.did(client, zk.Request{Op: op, Path: setPath + "/1/" + name, Version: -1}, &zk.Reply{Zxid: zxid, Err: code}, false)
}

func (s *tale) list(client int, zxid zk.Zxid, names ...string) *deed {
	return s.did(client, zk.Request{Op: zk.OpGetChildren, Path: setPath + "/1"}, &zk.Reply{Zxid: zxid, Names: names}, true)
}

func (s *tale) guarded(client int, own string, zxid zk.Zxid) *deed {
	return s.did(client, zk.Request{Op: zk.OpMulti, Ops: []zk.Request{{Op: zk.OpCheck, Path: own}, {Op: zk.OpSetData, Path: lockPath + "/1r", Version: -1}}},
		&zk.Reply{Zxid: zxid}, false)
}

func account(i int) string { return fmt.Sprintf("%s/1/%c", bankPath, 'a'+i) }

func (s *tale) transfer(client int, zxid zk.Zxid, versions, balances [2]int) *deed {
	var ops []zk.Request
	for i := range 2 {
		ops = append(ops, zk.Request{Op: zk.OpSetData, Path: account(i), Version: int32(versions[i]), Data: fmt.Append(nil, balances[i])})
	}
	return s.did(client, zk.Request{Op: zk.OpMulti, Ops: ops}, &zk.Reply{Zxid: zxid}, false)
}

func (s *tale) look(client int, zxid zk.Zxid, synced bool, versions, balances [accounts]int) *deed {
	req, r := zk.Request{Op: zk.OpMultiRead}, &zk.Reply{Zxid: zxid}
	for i := range accounts {
		req.Ops = append(req.Ops, zk.Request{Op: zk.OpGetData, Path: account(i)})
		r.Results = append(r.Results, zk.Reply{Op: zk.OpGetData, Data: fmt.Append(nil, balances[i]), Stat: zk.Stat{Version: int32(versions[i])}})
	}
	return s.did(client, req, r, synced)
}

// TestJudges shows histories to the judges: true ones, and each with a lie that some judge must find.
func TestJudges(t *testing.T) {
	const r = registerPath + "/1a"
	tests := map[string]struct {
		tell func(*tale)
		want string // "" for a true history
	}{
		"everything in order": {tell: func(s *tale) {
			s.set(0, r, "x", -1, 1, 11)
			s.get(1, r, "", 0, 1, 10, false) // another server, which is behind
			s.get(1, r, "x", 1, 11, 11, true)
			s.set(1, r, "y", 0, -1, 12)
			s.set(1, r, "y", 1, 2, 13)
			s.element(2, true, "a", zk.OK, 14)
			s.element(0, true, "a", zk.NodeExists, 15)
			s.list(1, 15, "a")
			s.guarded(0, lockPath+"/1/n-0", 16)
			s.guarded(1, lockPath+"/1/n-1", 17)
			s.transfer(0, 18, [2]int{0, 0}, [2]int{200, 300})
			s.look(1, 18, true, [accounts]int{1, 1}, [accounts]int{200, 300, 250, 250})
			s.look(2, 15, false, [accounts]int{}, [accounts]int{250, 250, 250, 250})
		}},
		"what is in doubt may be done, late or never": {tell: func(s *tale) {
			s.set(0, r, "x", -1, 1, 11).reply = nil
			s.set(1, r, "y", -1, 1, 12)
			s.get(1, r, "y", 1, 12, 12, true)
			s.get(1, r, "x", 2, 13, 13, true)
			s.set(0, r, "z", 1, 1, 14).reply = nil
			s.get(1, r, "x", 2, 13, 13, true)
		}},
		"a read behind a sync is stale": {want: "no order explains", tell: func(s *tale) {
			s.set(0, r, "x", -1, 1, 11)
			s.get(1, r, "", 0, 1, 10, true)
		}},
		"an acknowledged write is lost": {want: "no order explains", tell: func(s *tale) {
			s.set(0, r, "x", -1, 1, 11)
			s.set(0, r, "y", -1, 1, 12)
		}},
		"a version is given to two values": {want: "version 1 is", tell: func(s *tale) {
			s.set(0, r, "x", -1, 1, 11)
			s.set(1, r, "y", -1, 1, 12)
		}},
		"a condition that holds is refused": {want: "no order explains", tell: func(s *tale) {
			s.set(0, r, "x", -1, 1, 11)
			s.set(1, r, "y", 1, -1, 12)
		}},
		"a condition that does not hold is met": {want: "no order explains", tell: func(s *tale) {
			s.set(0, r, "x", -1, 1, 11)
			s.set(1, r, "y", 0, 2, 12)
		}},
		"zxids go against time": {want: "a lower zxid", tell: func(s *tale) {
			s.element(0, true, "a", zk.OK, 12)
			s.element(1, true, "b", zk.OK, 11)
		}},
		"two writes have one zxid": {want: "one zxid", tell: func(s *tale) {
			a := s.element(0, true, "a", zk.OK, 12)
			b := s.element(1, true, "b", zk.OK, 12)
			b.call = a.call
		}},
		"a client does not see its own write": {want: "misses what the session had seen", tell: func(s *tale) {
			s.set(0, r, "x", -1, 1, 11)
			s.get(0, r, "", 0, 1, 11, false)
		}},
		"a client sees a znode of later, and then another of before": {want: "misses what the session had seen", tell: func(s *tale) {
			s.set(0, r, "x", -1, 1, 11)
			s.set(0, registerPath+"/1b", "y", -1, 1, 12)
			s.get(1, registerPath+"/1b", "y", 1, 12, 12, false).kind = java
			s.get(1, r, "", 0, 1, 12, false).kind = java
		}},
		"a server of Paddock answers with a zxid whose state it does not show": {want: "misses what the session had seen", tell: func(s *tale) {
			s.set(0, r, "x", -1, 1, 11)
			s.get(1, r, "", 0, 1, 11, false)
		}},
		"a value comes from nowhere": {want: "nobody had written this", tell: func(s *tale) {
			s.get(1, r, "x", 1, 11, 11, false)
		}},
		"a value is read before it was written": {want: "nobody had written this", tell: func(s *tale) {
			s.get(1, r, "x", 1, 11, 11, false)
			s.set(0, r, "x", -1, 1, 11)
		}},
		"an element is added twice": {want: "no order explains", tell: func(s *tale) {
			s.element(0, true, "a", zk.OK, 11)
			s.element(1, true, "a", zk.OK, 12)
		}},
		"an element that was removed comes back": {want: "no order explains", tell: func(s *tale) {
			s.element(0, true, "a", zk.OK, 11)
			s.element(1, false, "a", zk.OK, 12)
			s.list(2, 12, "a")
		}},
		"an element is missing": {want: "no order explains", tell: func(s *tale) {
			s.element(0, true, "a", zk.OK, 11)
			s.element(1, true, "b", zk.OK, 12)
			s.list(2, 12, "b")
		}},
		"two hold a lock": {want: "the holder", tell: func(s *tale) {
			s.guarded(0, lockPath+"/1/n-0", 11)
			s.guarded(1, lockPath+"/1/n-1", 12)
			s.guarded(0, lockPath+"/1/n-0", 13)
		}},
		"half a transfer is seen": {want: "sum up to", tell: func(s *tale) {
			s.transfer(0, 11, [2]int{0, 0}, [2]int{200, 300}).reply = nil
			s.look(1, 10, false, [accounts]int{1, 0}, [accounts]int{200, 250, 250, 250})
		}},
		"a transfer is seen, and then no longer": {want: "no order explains", tell: func(s *tale) {
			s.transfer(0, 11, [2]int{0, 0}, [2]int{200, 300}).reply = nil
			s.look(1, 11, true, [accounts]int{1, 1}, [accounts]int{200, 300, 250, 250})
			s.look(2, 10, true, [accounts]int{0, 0}, [accounts]int{250, 250, 250, 250})
		}},
		"two transfers from one state": {want: "no order explains", tell: func(s *tale) {
			s.transfer(0, 11, [2]int{0, 0}, [2]int{200, 300})
			s.transfer(1, 12, [2]int{0, 0}, [2]int{100, 400})
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &tale{history: newHistory()}
			test.tell(s)
			switch err := s.judge(); {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("found %v, want %q", err, test.want)
			}
		})
	}
}
