package sim

import (
	"fmt"

	"paddock/storage/tree"
)

// checkEphemerals checks close-removes-ephemerals in a recovered state: no znode has outlived its session. That none died
// before it is told by the comparison with the model.
func checkEphemerals(t *tree.Tree) error {
	for _, s := range t.EphemeralsBySession() {
		if _, ok := t.Session(s.ID); !ok {
			return fmt.Errorf("close-removes-ephemerals: %v are left of session %v, which is closed", s.Paths, s.ID)
		}
	}
	return nil
}
