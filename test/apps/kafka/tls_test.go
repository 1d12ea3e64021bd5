//go:build apps

package kafka

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paddock/internal/zk"
	"paddock/test/apps/ensemble"
)

// TestKafkaOverTLS has brokers and zookeeper-shell come over TLS, with a certificate of their own.
func TestKafkaOverTLS(t *testing.T) {
	dir := t.TempDir()
	authority := ensemble.Issue(t, dir, "authority", nil)
	ensemble.Issue(t, dir, "server", authority)
	ensemble.Issue(t, dir, "broker", authority)
	file := func(name string) string { return filepath.Join(dir, name+".pem") }
	stores := []string{
		"zookeeper.ssl.client.enable=true", "zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty",
		"zookeeper.ssl.keystore.type=PEM", "zookeeper.ssl.keystore.location=" + file("broker"),
		"zookeeper.ssl.truststore.type=PEM", "zookeeper.ssl.truststore.location=" + file("authority"),
	}
	shell := filepath.Join(dir, "shell.properties")
	if err := os.WriteFile(shell, []byte(strings.Join(stores, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ensemble.Each(t, func(t *testing.T, e *ensemble.Ensemble) {
		var secure []string
		for _, s := range e.Servers {
			secure = append(secure, s.Secure)
		}
		connect := strings.Join(secure, ",") + root
		c := newCluster(t, e, append(stores, "zookeeper.connect="+connect)...)
		var f *flow
		c.step("a broker starts and is the controller, and two join it", c.assemble)
		c.step("messages flow", func() { f = c.flow() })
		c.step("zookeeper-shell shows the znodes", func() {
			c.run(shellClass, string(c.do(zk.OpGetData, "/controller").Data), "-server", connect, "-zk-tls-config-file", shell, "get", "/controller")
		})
		c.step("all servers are restarted in turn", func() { c.restart(f) })
		c.step("a broker is killed and comes back", func() { c.leave(f, c.follower(), (*broker).kill) })
		c.step("no message is lost, twice or out of order", f.finish)
	}, "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory", "ssl.clientAuth=need",
		"ssl.keyStore.type=PEM", "ssl.keyStore.location="+file("server"), "ssl.trustStore.type=PEM", "ssl.trustStore.location="+file("authority"))
}
