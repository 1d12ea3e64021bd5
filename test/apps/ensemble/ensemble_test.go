//go:build apps

package ensemble

import "testing"

func TestAnEnsembleLosesItsLeaderAndAllItsServersInTurn(t *testing.T) {
	Each(t, func(t *testing.T, e *Ensemble) {
		first := e.Leader()
		first.Kill()
		if e.Leader() == first {
			t.Fatal("the leader that was killed still leads")
		}
		first.Launch()
		first.Await()
		for _, s := range e.Servers {
			e.Restart(s)
		}
		e.Leader()
	})
}
