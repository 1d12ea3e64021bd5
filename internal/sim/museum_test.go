//go:build museum

package sim

import (
	"strings"
	"testing"
)

// TestMuseum finds every exhibit within the number of seeds that its label states.
func TestMuseum(t *testing.T) {
	for _, l := range labels {
		t.Run(l.what, func(t *testing.T) {
			for seed := range uint64(l.seedsMax) {
				if out := RunEnsemble(EnsembleOptions{Seed: seed, Plant: l.exhibit, Always: l.always}); out.Err != nil {
					first, _, _ := strings.Cut(out.Err.Error(), "\n")
					t.Logf("seed %d (%s): %.220s", seed, l.from, first)
					return
				}
			}
			t.Errorf("not found within %d seeds", l.seedsMax)
		})
	}
}
