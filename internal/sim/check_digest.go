package sim

import (
	"fmt"

	"paddock/internal/txn"
	"paddock/storage/datadir"
)

// checkTxnDigest compares the digest that a txn carries with the model's, which is computed from scratch.
func checkTxnDigest(w *world, rec *txn.Record) {
	if want := w.model.digest; rec.HasDigest && rec.Digest.Tree != want {
		w.fail("equal digest: txn %v carries %x, the model has %x", rec.Header.Zxid, rec.Digest.Tree, want)
	}
}

// checkDigest compares a recovered tree's digest with the model's at the same zxid, and asks what the recovery itself found.
func checkDigest(m *model, rec *datadir.Recovered) error {
	z := rec.Tree.Zxid()
	switch {
	case rec.DigestMismatch != 0:
		return fmt.Errorf("equal digest: the recovery found another digest than the log at %v", rec.DigestMismatch)
	case rec.FuzzyUntil != 0:
		return fmt.Errorf("equal digest: the snapshot %v may hold effects up to %v", rec.Snapshot.Zxid, rec.FuzzyUntil)
	case rec.Tree.Digest() != m.digestAt(z):
		return fmt.Errorf("equal digest: at %v the tree has %x, the model %x", z, rec.Tree.Digest(), m.digestAt(z))
	}
	return nil
}
