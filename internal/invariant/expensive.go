//go:build invariants

package invariant

// Expensive panics if holds returns an error. Only builds with the tag `invariants` call holds.
func Expensive(rule string, holds func() error) {
	if err := holds(); err != nil {
		panic("invariant broken: " + rule + ": " + err.Error())
	}
}
