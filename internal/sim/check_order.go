package sim

import (
	"paddock/internal/txn"
	"paddock/internal/zk"
)

// checkOrder checks commit-in-order where txns begin: each has the zxid after the one before, also after a crash that took
// some, and the time at which it was proposed.
func (w *world) checkOrder(z zk.Zxid, h *txn.Header) bool {
	wallMS := w.wallMS
	if w.srv.event != nil {
		wallMS = w.srv.event.WallMS
	}
	if z == w.model.last()+1 && h.Zxid == z && h.TimeMS == wallMS {
		return true
	}
	w.fail("commit-in-order: append %v after %v, at %d: header %+v", z, w.model.last(), wallMS, *h)
	return false
}
