//go:build apps

package patroni

import (
	"testing"

	"paddock/test/apps/ensemble"
)

// TestServersAreReplacedUnderPatroni has Paddock take the places of ZooKeeper's servers one by one, on their data, and ZooKeeper's theirs
// again. PostgreSQL does not notice.
func TestServersAreReplacedUnderPatroni(t *testing.T) {
	e := ensemble.Start(t, ensemble.Java, 3)
	c := begin(t, each(e, func(s *ensemble.Server) string { return s.Client }), "")
	c.unmoved(func() {
		for _, kind := range []string{ensemble.Paddock, ensemble.Java} {
			for _, s := range e.Servers {
				s.Stop()
				s.Become(kind)
				s.Launch()
				s.Await()
				e.Leader()
				c.loops(3, c.members...)
			}
		}
	})
}
