package consensus

import (
	"sort"

	"paddock/internal/zk"
)

// The defaults for what is kept in memory for learners that come back.
const (
	historyTxnsDefault  = 1000
	historyBytesDefault = 32 << 20
)

// history is the newest part of the log: every logged txn newer than after, in order. It is kept while leading and
// while learning, so that a new leader can bring the others up to date from memory.
//
// INVARIANT(history-contiguous): it has no hole, within an epoch and at its start: what follows after is there.
type history struct {
	entries           []Entry // from head on
	head              int
	after             zk.Zxid
	bytes             int
	txnsMax, bytesMax int
}

// init begins with the end of the log, up to last.
func (h *history) init(cfg *Config) {
	h.txnsMax, h.bytesMax = cfg.HistoryTxns, cfg.HistoryBytes
	h.reset(max(cfg.LastZxid, 0))
	if len(cfg.Recent) > 0 {
		h.after = cfg.Recent[0].Zxid - 1
	}
	for _, e := range cfg.Recent {
		h.push(e, e.Zxid)
	}
}

// reset forgets everything: the log continues after z.
func (h *history) reset(z zk.Zxid) {
	clear(h.entries)
	h.entries, h.head, h.after, h.bytes = h.entries[:0], 0, z, 0
}

func (h *history) len() int { return len(h.entries) - h.head }

// push adds what was logged, and forgets the oldest that no longer fit. Those newer than keep stay whatever they take:
// they are still to be sent, acknowledged or committed.
func (h *history) push(e Entry, keep zk.Zxid) {
	h.entries = append(h.entries, e)
	h.bytes += len(e.Payload)
	for h.len() > 1 && (h.len() > h.txnsMax || h.bytes > h.bytesMax) && h.entries[h.head].Zxid <= keep {
		old := &h.entries[h.head]
		h.after = old.Zxid
		h.bytes -= len(old.Payload)
		*old = Entry{}
		h.head++
	}
	if h.head > 32 && h.head > len(h.entries)/2 {
		n := copy(h.entries, h.entries[h.head:])
		clear(h.entries[n:])
		h.entries, h.head = h.entries[:n], 0
	}
}

// since is what was logged after z, which must not be older than after. The slice is valid until the next push.
func (h *history) since(z zk.Zxid) []Entry {
	all := h.entries[h.head:]
	return all[sort.Search(len(all), func(i int) bool { return all[i].Zxid > z }):]
}

// newest is the newest txn not newer than z: after itself if there is none here.
func (h *history) newest(z zk.Zxid) zk.Zxid {
	all := h.entries[h.head:]
	i := sort.Search(len(all), func(i int) bool { return all[i].Zxid > z })
	if i == 0 {
		return h.after
	}
	return all[i-1].Zxid
}

// find is the txn z, which must be here. The newest are found at once.
func (h *history) find(z zk.Zxid) (Entry, bool) {
	all := h.entries[h.head:]
	if n := len(all); n > 0 {
		if back := all[n-1].Zxid - z; back >= 0 && back < zk.Zxid(n) && all[n-1-int(back)].Zxid == z {
			return all[n-1-int(back)], true
		}
	}
	i := sort.Search(len(all), func(i int) bool { return all[i].Zxid >= z })
	if i < len(all) && all[i].Zxid == z {
		return all[i], true
	}
	return Entry{}, false
}

// truncate forgets what is newer than z.
func (h *history) truncate(z zk.Zxid) {
	if z < h.after {
		h.reset(z)
		return
	}
	n := len(h.entries) - len(h.since(z))
	for _, e := range h.entries[n:] {
		h.bytes -= len(e.Payload)
	}
	clear(h.entries[n:])
	h.entries = h.entries[:n]
}

// follows tells whether z may come right after last in a log: the next of its epoch, or the first of a later one.
func follows(z, last zk.Zxid) bool {
	last = max(last, 0)
	return z == last+1 && z.Counter() != 0 || z.Epoch() > last.Epoch() && z.Counter() == 1
}
