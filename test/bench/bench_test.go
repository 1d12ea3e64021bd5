//go:build bench

package bench

import (
	"os"
	"testing"
)

// TestGoals measures everything that has a goal, and prints the table.
func TestGoals(t *testing.T) {
	s := newSettings(t)
	rep := &report{sides: s.sides}
	for _, part := range []struct {
		name    string
		measure func(*testing.T, settings, *report)
	}{
		{"loads", measureLoads},
		{"empty", startEmpty},
		{"full", startFull},
		{"snapshot", writeDuringSnapshots},
		{"ensemble", measureEnsembles},
	} {
		t.Run(part.name, func(t *testing.T) { part.measure(t, s, rep) })
	}
	doors := &report{sides: s.sides}
	if doors.sides[0] == java {
		doors.sides[0] = etcd
	}
	t.Run("doors", func(t *testing.T) { measureDoors(t, s, doors) })
	rep.log(t)
	doors.log(t)
	if s.out == "" {
		return
	}
	if err := os.WriteFile(s.out, []byte(rep.markdown()+"\n"+doors.markdown()), 0o644); err != nil {
		t.Error(err)
	}
}
