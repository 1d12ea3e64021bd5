//go:build apps

package patroni

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"paddock/test/apps/ensemble"
)

// TestPatroniOverTLSWithCredentials has members come over TLS, with certificates of their own, into a subtree that is theirs alone.
func TestPatroniOverTLSWithCredentials(t *testing.T) {
	dir := t.TempDir()
	enterable(t, dir)
	authority := ensemble.Issue(t, dir, "authority", nil)
	ensemble.Issue(t, dir, "server", authority)
	ensemble.Issue(t, dir, "member", authority)
	file := func(name string) string { return filepath.Join(dir, name+".pem") }
	settings := fmt.Sprintf("  use_ssl: true\n  cacert: %s\n  cert: %s\n  key: %s\n  auth_data: {digest: 'patroni:secret'}",
		file("authority"), file("member"), file("member"))
	ensemble.Each(t, func(t *testing.T, e *ensemble.Ensemble) {
		own(t, e)
		c := begin(t, each(e, func(s *ensemble.Server) string { return s.Secure }), settings)
		c.switchover()
		before := c.settle()
		timeline := before[primary].state().Timeline
		before[primary].kill()
		c.await("another primary", func() bool { return before[standby].state().Role == "primary" })
		before[primary].launch()
		c.moved(before, timeline)
		c.unmoved(func() {
			for _, s := range e.Servers {
				e.Restart(s)
				e.Leader()
				c.loops(3, c.members...)
			}
		})
	}, "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory", "ssl.clientAuth=need",
		"ssl.keyStore.type=PEM", "ssl.keyStore.location="+file("server"), "ssl.trustStore.type=PEM", "ssl.trustStore.location="+file("authority"))
}

// own makes /service, where only who has the credential may do anything, and finds that others may not.
func own(t *testing.T, e *ensemble.Ensemble) {
	t.Helper()
	cmd := exec.Command(program(t, "python"), "-B", "own.py", e.Addresses())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("own.py: %v\n%s", err, out)
	}
}
