package deploy

import "testing"

func TestAnEnsembleGrowsAndShrinksWithItsPods(t *testing.T) {
	c := newCluster(t)
	for _, step := range []struct {
		replicas int
		want     string
	}{{1, "1"}, {3, "1,2,3"}, {5, "1,2,3,4,5"}, {3, "1,2,3"}} {
		c.apply(t, values{"replicas": step.replicas})
		c.agree(t, step.want)
	}
}

// A rolling restart, as every update is, finds the members as they were left.
func TestMembersOutliveTheRestartOfEachPod(t *testing.T) {
	c := newCluster(t)
	c.apply(t, values{"replicas": 1})
	c.apply(t, values{"replicas": 3})
	for ordinal := range 3 {
		if code := c.pods[ordinal].stop(t); code != 0 {
			t.Errorf("pod %d ended with exit code %d", ordinal, code)
		}
		delete(c.pods, ordinal)
		c.apply(t, values{"replicas": 3})
	}
	c.agree(t, "1,2,3")
}
