package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// TestHTTPDoor: ZooKeeper's and Paddock's names are one door.
func TestHTTPDoor(t *testing.T) {
	for _, tc := range []struct{ name, lines, want string }{
		{"nothing given", "", "8080@127.0.0.1 true"},
		{"ZooKeeper's port and address", "admin.serverPort=9080\nadmin.serverAddress=0.0.0.0", "9080@0.0.0.0 true"},
		{"Paddock's port and address", "httpPort=9081\nhttpAddress=::1", "9081@::1 true"},
		{"both, and they agree", "httpPort=9080\nadmin.serverPort=9080", "9080@127.0.0.1 true"},
		{"both, and the ports differ", "httpPort=9081\nadmin.serverPort=9080", "zoo.cfg:4: admin.serverPort 9080 and httpPort 9081 (zoo.cfg:3) name the same door; remove one of them"},
		{"both, and the addresses differ", "httpAddress=::1\nadmin.serverAddress=::", "zoo.cfg:4: admin.serverAddress :: and httpAddress ::1 (zoo.cfg:3) name the same door; remove one of them"},
		{"commands switched off close the door", "admin.enableServer=false", "0@127.0.0.1 false"},
		{"commands switched off beside an explicit door", "admin.enableServer=false\nhttpPort=8080", "8080@127.0.0.1 false"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _, problems := load(t, alone+tc.lines, "")
			got := fmt.Sprintf("%d@%s %v", c.HTTP.Port, c.HTTP.Address, c.HTTP.Commands)
			if problems != nil {
				got = problems.Error()
			}
			if got != tc.want {
				t.Errorf("got %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestThePathOfTheCommands(t *testing.T) {
	refused := func(path string) string {
		return `zoo.cfg:3: admin.commandURL: "` + path + `" cannot be the path of the commands`
	}
	for _, tc := range []struct{ name, path, want string }{
		{"as it is by default", "", "/commands"},
		{"another", "/zk/admin-1", "/zk/admin-1"},
		{"with a slash behind", "/zk/", "/zk"},
		{"a file's name", "/zk.d", "/zk.d"},
		{"without a slash in front", "commands", refused("commands")},
		{"the root", "/", refused("/")},
		{"with dots only", "/a/..", refused("/a/..")},
		{"with a hole", "/a//b", refused("/a//b")},
		{"a pattern", "/{x}", refused("/{x}")},
		{"what is under /v1", "/v1/znodes", refused("/v1/znodes")},
		{"the metrics", "/metrics", refused("/metrics")},
		{"what begins like them", "/metrics2", "/metrics2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			line := "admin.commandURL=" + tc.path
			if tc.path == "" {
				line = ""
			}
			c, _, problems := load(t, alone+line, "")
			got := c.HTTP.CommandPath
			if problems != nil {
				got, _, _ = strings.Cut(problems.Error(), "; ")
			}
			if got != tc.want {
				t.Errorf("got %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestMetricsDoor(t *testing.T) {
	const prometheus = "metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\n"
	for _, tc := range []struct{ name, lines, want string }{
		{"the built-in provider has no port", "", " 0"},
		{"a port without its provider stays closed", "metricsProvider.httpPort=7001", " 0"},
		{"the Prometheus provider defaults to 7000", prometheus, "prometheus 7000"},
		{"the Prometheus provider on a port of its own", prometheus + "metricsProvider.httpPort=7001", "prometheus 7001"},
		{"the null provider", "metricsProvider.className=org.apache.zookeeper.metrics.impl.NullMetricsProvider", "none 0"},
		{"TLS is refused", prometheus + "metricsProvider.httpsPort=7443", "zoo.cfg:4: metricsProvider.httpsPort: cannot be honoured: the HTTP port has keys of its own: httpTls=true, and ssl.* for the stores; remove the line"},
		{"TLS switched off is fine", prometheus + "metricsProvider.httpsPort=-1", "prometheus 7000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _, problems := load(t, alone+tc.lines, "")
			got := fmt.Sprintf("%s %d", c.Metrics.Provider, c.Metrics.Port)
			if problems != nil {
				got = problems.Error()
			}
			if got != tc.want {
				t.Errorf("got %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestSingleValues: one line, and what comes of it: a stop, a notice or silence.
func TestSingleValues(t *testing.T) {
	for _, tc := range []struct{ name, line, want string }{
		{"a negative lower session timeout", "minSessionTimeout=-2", "warn minSessionTimeout -2 is no lower bound at all, as in ZooKeeper; remove the line for 2 × tickTime"},
		{"a share beyond 1", "connection_throttle_drop_increase=2", "stop connection_throttle_drop_increase: 2 is not between 0 and 1; write a share such as 0.02"},
		{"a share that is no number", "connection_throttle_drop_increase=much", `stop connection_throttle_drop_increase: "much" is not a number; write a plain number`},
		{"tokens that never come back", "connection_throttle_tokens=5\nconnection_throttle_fill_count=0", "stop connection_throttle_tokens without refills lets no session in once they are used up; give connection_throttle_fill_time and connection_throttle_fill_count values above 0"},
		{"a sweep without pause", "znode.container.checkIntervalMs=0", "stop znode.container.checkIntervalMs must be > 0; remove the line"},
		{"a frame of no bytes", "jute.maxbuffer=0", "stop jute.maxbuffer 0 leaves no room for any request; use 1048575"},
		{"extra bytes below their floor", "jute.maxbuffer.extrasize=5", "warn jute.maxbuffer.extrasize 5 is raised to 1024, as in ZooKeeper"},
		{"too few txns per snapshot", "snapCount=1", "warn snapCount 1 is raised to 2, as in ZooKeeper"},
		{"octal", "snapCount=010", `warn snapCount: "010" is read as 8, as in ZooKeeper; write a plain number`},
		{"a number with a blank inside", "snapCount=1 000", `warn snapCount: "1 000" is not an integer, so the default 100000 holds, as in ZooKeeper; write a plain number`},
		{"a lax boolean in any case", "digest.enabled=TRUE", ""},
		{"a strict boolean in any case", "standaloneEnabled=True", ""},
		{"no purge interval", "autopurge.purgeInterval=soon", `stop autopurge.purgeInterval: "soon" is not a number of hours, nor a number with ms, s, m, h or d; write for example 1`},
		{"the SASL scheme", "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider", "stop authProvider.1: cannot be honoured: scheme sasl comes later; remove the line if no client needs it"},
		{"the x509 scheme", "authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider", "stop authProvider.x509: cannot be honoured: scheme x509 comes later; TLS works without; remove the line if no client needs it"},
		{"the ensemble scheme", "authProvider.2=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider", "stop authProvider.2: cannot be honoured: scheme ensemble comes later; remove the line if no client needs it"},
		{"a scheme that is built in", "authProvider.3=org.apache.zookeeper.server.auth.IPAuthenticationProvider", "info authProvider.3: this scheme is built in; remove the line"},
		{"a class of one's own", "authProvider.4=com.example.Mine", "error authProvider.4: Java class com.example.Mine cannot be loaded, its scheme is not available; remove the line"},
		{"a TLS context of one's own", "ssl.context.supplier.class=com.example.Ctx", "error ssl.context.supplier.class: Java class com.example.Ctx cannot be loaded; remove the line"},
		{"a login file in the file", "java.security.auth.login.config=/etc/jaas.conf", "stop java.security.auth.login.config: cannot be honoured: SASL comes later; remove the line"},
		{"a superuser without a hash", "DigestAuthenticationProvider.superDigest=super", "warn DigestAuthenticationProvider.superDigest: the value is not user:hash, so nobody becomes superuser; write super:<base64 of the hash of super:password>"},
		{"a scheme that is switched off", "enforce.auth.enabled=true\nenforce.auth.schemes=digest\nDigestAuthenticationProvider.enabled=false", `stop enforce.auth.schemes: scheme "digest" has no provider; write digest or ip`},
		{"a scheme that comes later", "enforce.auth.enabled=true\nenforce.auth.schemes=sasl", "stop enforce.auth.schemes: scheme sasl comes later; write digest"},
		{"an audit log that is asked for in words", "audit.enable=yes", `warn audit.enable: "yes" is not "true" and therefore means false, as in ZooKeeper; write true or false`},
		{"read-only mode without local sessions", "readonlymode.enabled=true", "warn readonlymode.enabled: read-only mode works best with local sessions; add localSessionsEnabled=true"},
		{"characters beyond ASCII", "dataLogDir=/d\xe9", `warn dataLogDir: bytes beyond ASCII are read as Latin-1, as in ZooKeeper; write \uXXXX for other characters`},
		{"a message stays on one line", `serv\ner=1`, "warn unknown key serv?er is ignored"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, notices, problems := load(t, alone+tc.line, "")
			var said []string
			for _, p := range problems {
				p.File, p.Line = "", 0
				said = append(said, "stop "+p.String())
			}
			for _, n := range notices {
				n.File, n.Line = "", 0
				said = append(said, n.Level.String()+" "+n.String())
			}
			if all := strings.Join(said, "\n"); tc.want == "" && all != "" || !strings.Contains(all+"\n", tc.want+"\n") && tc.want != "" {
				t.Errorf("got\n%s\nwant\n%s", all, tc.want)
			}
		})
	}
}

func TestSASLByFlagStopsTheStart(t *testing.T) {
	_, _, problems := load(t, alone, "", func(s *Source) { s.ServerJVMFlags = "-Djava.security.auth.login.config=/etc/jaas.conf" })
	if want := "-D in SERVER_JVMFLAGS: java.security.auth.login.config: cannot be honoured: SASL comes later; remove the line"; problems.Error() != want {
		t.Errorf("got %s", problems.Error())
	}
}

func TestTLSByFlagStopsTheStart(t *testing.T) {
	_, _, problems := load(t, alone, "", func(s *Source) {
		s.JVMFlags = "-Dzookeeper.ssl.ocsp=true -Dzookeeper.client.portUnification=true"
	})
	if len(problems) != 2 {
		t.Errorf("got %v", problems)
	}
}

// TestServersAsArguments: an argument takes the place of the file's line with the same key.
func TestServersAsArguments(t *testing.T) {
	c, _, problems := load(t, three, "2", func(s *Source) { s.Args = []string{"server.3=z:1:2"} })
	if problems != nil {
		t.Fatal(problems)
	}
	if s, ok := c.Members.Membership.Server(3); !ok || s.String() != "z:1:2:participant" || c.Members.Origins[3].Kind != OriginArgument {
		t.Errorf("got %+v", s)
	}
	_, _, problems = load(t, three, "2", func(s *Source) { s.Args = []string{"server.4=z:1:2", "server.4=y:1:2"} })
	if want := "argument: server.4 already defined on argument; give every server its own id"; problems.Error() != want {
		t.Errorf("got %s", problems.Error())
	}
}

// TestOwnClientAddressComparesNames: names that stand for one address agree, and one that cannot be resolved may.
func TestOwnClientAddressComparesNames(t *testing.T) {
	lookup := func(host string) ([]netip.Addr, error) {
		switch host {
		case "one", "uno":
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
		case "two":
			return []netip.Addr{netip.MustParseAddr("10.0.0.2")}, nil
		}
		return nil, errors.New("no such host")
	}
	for _, tc := range []struct {
		name, static, listed string
		agree                bool
	}{
		{"the same name", "one", "ONE", true}, {"two names of one address", "one", "uno", true}, {"a name and its address", "10.0.0.1", "one", true},
		{"two addresses", "10.0.0.1", "10.0.0.2", false}, {"names of two addresses", "one", "two", false}, {"a name nobody knows", "one", "tres", true},
		{"the wildcard", "0.0.0.0", "two", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := noList + "clientPortAddress=" + tc.static + "\nserver.1=a:1:2;" + tc.listed + ":2181\nserver.2=b:1:2\nserver.3=c:1:2\n"
			c, _, problems := load(t, text, "1", func(s *Source) { s.LookupHost = lookup })
			if (problems == nil) != tc.agree {
				t.Errorf("got %v", problems)
			}
			if tc.agree && c.Client.Address != tc.listed {
				t.Errorf("bound to %s", c.Client.Address)
			}
		})
	}
}

func TestExitCodeOfOtherErrors(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want int
	}{
		{"no error", nil, 0},
		{"an error of another kind", errors.New("x"), 1},
		{"a wrapped problem", fmt.Errorf("start: %w", DataDirMissing("dataDir", "/d")), 3},
		{"problems leave with the first one's code", Problems{{Problem: "a"}, {Problem: "b", Exit: 3}}, 2},
	} {
		if got := ExitCode(tc.err); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, got, tc.want)
		}
	}
}
