package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const (
	alone  = "dataDir=/data\nclientPort=2181\n"                                                                                            // 2 lines
	three  = "dataDir=/data\ninitLimit=10\nsyncLimit=5\nserver.1=a:2888:3888;2181\nserver.2=b:2888:3888;2181\nserver.3=c:2888:3888;2181\n" // 6 lines
	noList = "dataDir=/data\nclientPort=2181\ninitLimit=10\nsyncLimit=5\n"                                                                 // 4 lines
)

// TestStartErrors: each way in which a ZooKeeper refuses or mistreats a configuration has its line here.
// A row wants exactly the given problems, and among the notices at least the given ones.
func TestStartErrors(t *testing.T) {
	for _, tc := range []struct {
		name, text, id string
		problems       []string
		notices        []string // "<level> <line>"
	}{
		{"the data directory is not named", "clientPort=2181\n", "", []string{"zoo.cfg: dataDir is required; add for example dataDir=/var/lib/zookeeper"}, nil},
		{"the data directory is empty", "dataDir=\nclientPort=2181\n", "", []string{"zoo.cfg:1: dataDir is empty; write for example dataDir=/var/lib/zookeeper"}, nil},
		{"the data directory is relative", "dataDir=data\nclientPort=2181\n", "", nil, []string{"warn zoo.cfg:1: dataDir data is relative and becomes /work/data; write the absolute path, or ./ in front if it is meant"}},
		{"an ensemble has no myid", three, "", []string{"/data/myid is missing; write this server's id, one of 1,2,3: echo N > /data/myid"}, nil},
		{"myid is not a number", three, "abc\n", []string{`/data/myid contains "abc", expected one of 1,2,3; write this server's id`}, nil},
		{"myid is empty", three, "\n", []string{`/data/myid contains "", expected one of 1,2,3; write this server's id`}, nil},
		{"a standalone server's myid is not a number", alone, "abc", []string{`/data/myid contains "abc", expected a number; write this server's id`}, nil},
		{"blanks round the number in myid are forgiven", three, " 2 \r\n", nil, nil},
		{"myid is not in the list", three, "9", []string{"/data/myid is 9 but zoo.cfg lists 1,2,3; correct the file, or add this server to the list"}, nil},
		{"myid is not in the list, and reconfig may add it", three + "reconfigEnabled=true\n", "9", []string{"/data/myid is 9 but zoo.cfg lists 1,2,3; " +
			"correct the file; or, for a server that reconfig is to add (again), add its own line to the list, which says where it listens"}, nil},
		{"myid is beyond 254 with TTL znodes", three + "server.300=d:2888:3888\nserver.4=e:1:2\nextendedTypesEnabled=true\n", "300",
			[]string{"server id 300 must be 1..254 when extendedTypesEnabled=true; give the server another id, or set extendedTypesEnabled=false"}, nil},
		{"a server id is negative", three + "server.-4=d:2888:3888\n", "1", []string{"zoo.cfg:7: server.-4: id must not be negative; number the servers 1, 2, 3"}, nil},
		{"a server id is 0", three + "server.0=d:2888:3888\nserver.4=e:2888:3888\n", "1", nil, []string{"warn zoo.cfg:7: server.0: id 0 works, but some tools take it for an unset id; number the servers from 1"}},
		{"a server id is given twice", three + "server.1=d:2888:3888\n", "1", []string{"zoo.cfg:7: server.1 already defined on line 4; give every server its own id"}, nil},
		{"two ids have the same address", noList + "server.1=h:2888:3888\nserver.2=h:2888:3888\nserver.3=i:2888:3888\n", "1", []string{"zoo.cfg:6: server.1 and server.2 have the same address h:2888; give each its own host or ports"}, nil},
		{"a server id is not a number", three + "server.x=d:2888:3888\n", "1", []string{"zoo.cfg:7: server.x: id must be a number; write for example server.1"}, nil},
		{"a server's host has quotes", three + "server.4=\"d\":2888:3888\n", "1", []string{`zoo.cfg:7: server.4="d":2888:3888: "d" is not a host name or address; write it without quotes`}, nil},
		{"a server's host is a variable", three + "server.4=${HOST}:2888:3888\n", "1", []string{"zoo.cfg:7: server.4=${HOST}:2888:3888: ${HOST} is not a host name or address; write the host itself: variables are not replaced here"}, nil},
		{"a server's client address has quotes", three + "server.4=d:2888:3888;'h':2181\n", "1", []string{"zoo.cfg:7: server.4=d:2888:3888;'h':2181: 'h' is not a host name or address; write it without quotes"}, nil},
		{"an address has quotes", alone + "clientPortAddress=\"127.0.0.1\"\n", "", []string{`zoo.cfg:3: clientPortAddress: "127.0.0.1" is not a host name or address; write a host name or an address`}, nil},
		{"a server line has one port only", three + "server.4=127.0.0.1:2888\n", "1", []string{"zoo.cfg:7: server.4=127.0.0.1:2888: missing election port (host:quorumPort:electionPort); add it, for example :3888"}, nil},
		{"a server line has more than four parts", three + "server.4=d:1:2:observer:3\n", "1", []string{"zoo.cfg:7: server.4=d:1:2:observer:3 has too many parts; write host:quorumPort:electionPort[:participant|observer][;[host:]clientPort]; an IPv6 host needs brackets"}, nil},
		{"a server's port is not a number", three + "server.4=127.0.0.1:abc:3888\n", "1", []string{`zoo.cfg:7: server.4=127.0.0.1:abc:3888: "abc" is not a port; write a number from 1 to 65535`}, nil},
		{"quorum and election port are the same", three + "server.4=d:2888:2888\n", "1", []string{"zoo.cfg:7: server.4=d:2888:2888: quorum port and election port are both 2888; use two ports, for example 2888 and 3888"}, nil},
		{"an ensemble has no limits", strings.Replace(strings.Replace(three, "initLimit=10\n", "", 1), "syncLimit=5\n", "", 1), "1", []string{"zoo.cfg: initLimit is not set; use initLimit=10", "zoo.cfg: syncLimit is not set; use syncLimit=5"}, nil},
		{"the tick is 0", alone + "tickTime=0\n", "", []string{"zoo.cfg:3: tickTime must be > 0; use tickTime=2000"}, nil},
		{"an integer does not parse", "tickTime=abc\n" + alone, "", []string{`zoo.cfg:1: tickTime: "abc" is not an integer; write a number of milliseconds`}, nil},
		{"an integer is too large", alone + "maxClientCnxns=3000000000\n", "", []string{`zoo.cfg:3: maxClientCnxns: "3000000000" is not a 32-bit integer; write a plain number`}, nil},
		{"a boolean does not parse", alone + "reconfigEnabled=yes\n", "", []string{`zoo.cfg:3: reconfigEnabled: "yes" is neither true nor false; write true or false`}, nil},
		{"twice the tick is more than a session timeout can be", alone + "tickTime=1073741824\n", "", []string{"zoo.cfg:3: minSessionTimeout would be 2147483648 ms (2 × tickTime), more than clients can be told (2147483647); use tickTime=2000"}, nil},
		{"a negative upper session timeout", alone + "maxSessionTimeout=-2\n", "", []string{"zoo.cfg:3: minSessionTimeout 6000 ms (2 × tickTime) must not be larger than maxSessionTimeout -2 ms (zoo.cfg:3); change one of them"}, nil},
		{"two negative session timeouts", alone + "maxSessionTimeout=-2\nminSessionTimeout=-3\n", "", []string{"zoo.cfg:3: maxSessionTimeout: every session would expire at once; remove the line"}, nil},
		{"the session timeouts cross", alone + "minSessionTimeout=70000\n", "", []string{"zoo.cfg:3: minSessionTimeout 70000 ms (zoo.cfg:3) must not be larger than maxSessionTimeout 60000 ms (20 × tickTime); change one of them"}, nil},
		{"a client address without a client port", "dataDir=/data\nclientPortAddress=127.0.0.1\n", "", []string{"zoo.cfg:2: clientPortAddress is set but clientPort is not set; add clientPort=2181"}, nil},
		{"a secure client address without its port", alone + "secureClientPortAddress=127.0.0.1\n", "", []string{"zoo.cfg:3: secureClientPortAddress is set but secureClientPort is not set; add secureClientPort=2281, or remove the line"}, nil},
		{"no client port at all", "dataDir=/data\n", "", nil, []string{"warn zoo.cfg: no client port configured: no client can connect; add clientPort=2181"}},
		{"another election algorithm", alone + "electionAlg=1\n", "", []string{"zoo.cfg:3: electionAlg=1: only 3 exists; remove the line"}, nil},
		{"an unknown role", alone + "peerType=foo\n", "", []string{`zoo.cfg:3: unknown peerType "foo"; write participant or observer`}, nil},
		{"the role is said by the list alone", three + "server.4=d:1:2:observer\n", "4", nil, nil},
		{"the role differs from the list", "peerType=participant\n" + three + "server.4=d:1:2:observer\n", "4", nil, []string{"warn zoo.cfg:1: peerType participant does not match the server list, which says observer and wins; make them agree"}},
		{"servers beside a dynamic file", noList + "dynamicConfigFile=/etc/dyn.100\nserver.2=b:2888:3888\n", "1", []string{"zoo.cfg:6: server.2 must be in the dynamic file /etc/dyn.100; move the line there"}, nil},
		{"the dynamic file holds a version", noList + "dynamicConfigFile=/etc/version.100\n", "1", []string{"/etc/version.100:4: the dynamic file must not hold its version; remove the line; the version is the end of the file's name"}, nil},
		{"the dynamic file holds other keys", noList + "dynamicConfigFile=/etc/foreign\n", "1", []string{"/etc/foreign:4: tickTime does not belong in a dynamic file, which holds only server, group and weight lines; move the line to the main file"}, nil},
		{"the dynamic file is missing", noList + "dynamicConfigFile=/etc/none\n", "1",
			[]string{"zoo.cfg:5: dynamicConfigFile: dynamic file /etc/none cannot be read: file does not exist; correct the path, or list the servers in the main file"}, nil},
		{"static and dynamic client addresses differ", noList + "dynamicConfigFile=/etc/dyn.100\nclientPortAddress=10.0.0.1\n", "1",
			[]string{"/etc/dyn.100:1: server.1: client address 10.0.0.9:2181 differs from 10.0.0.1:2181 of clientPort (zoo.cfg:2); make them agree, or remove clientPort"}, nil},
		{"a static wildcard agrees with any host on the same port", noList + "dynamicConfigFile=/etc/dyn.100\n", "1", nil, nil},
		{"two voters", noList + "server.1=a:1:2\nserver.2=b:1:2\n", "1", nil, []string{"warn zoo.cfg:5: 2 voters tolerate no failure, as 1 does; use 3"}},
		{"four voters", three + "server.4=d:1:2\n", "1", nil, []string{"warn zoo.cfg:4: 4 voters tolerate 1 failure, as 3 do; use an odd number"}},
		{"six voters", three + "server.4=d:1:2\nserver.5=e:1:2\nserver.6=f:1:2\n", "1", nil, []string{"warn zoo.cfg:4: 6 voters tolerate 2 failures, as 5 do; use an odd number"}},
		{"one voter runs standalone", alone + "server.1=a:2888:3888\n", "", nil, []string{"info zoo.cfg:3: one server listed: running standalone"}},
		{"one voter and an observer", alone + "server.1=a:2888:3888\nserver.2=b:2888:3888:observer\n", "1", []string{"zoo.cfg:3: observers need standaloneEnabled=false with a single voter; add standaloneEnabled=false"}, nil},
		{"observers alone", alone + "server.2=b:2888:3888:observer\n", "2", []string{"zoo.cfg:3: observers need at least one participant; add the participants' server lines"}, nil},
		{"no voter, and standalone forbidden", noList + "standaloneEnabled=false\n", "", []string{"zoo.cfg:5: standaloneEnabled=false needs at least one participant; add a line server.1=host:2888:3888, or remove this one"}, nil},
		{"a server is in two groups", three + "group.1=1:2\ngroup.2=2:3\n", "1", []string{"zoo.cfg:8: group.2: server 2 is in multiple groups; list it once"}, nil},
		{"a server is in no group", three + "group.1=1:2\n", "1", []string{"zoo.cfg:6: server 3 is not in a group; add it to a group.N line, or remove all group and weight lines"}, nil},
		{"a group lists a server that does not exist", three + "group.1=1:2:3:4\n", "1", []string{"zoo.cfg:7: server 4 of group.1 is not a participant; take it out of the group, or add its server line"}, nil},
		{"a group lists an observer without a weight", three + "server.4=d:1:2:observer\ngroup.1=1:2:3:4\n", "1", []string{"zoo.cfg:8: server 4 of group.1 is not a participant; take it out of the group, or add its server line"}, nil},
		{"a group is empty", three + "group.1=1:2:3\ngroup.2=\n", "1", []string{"zoo.cfg:8: group.2: the group is empty; write for example group.1=1:2:3"}, nil},
		{"a weight is not a number", three + "group.1=1:2:3\nweight.1=heavy\n", "1", []string{`zoo.cfg:8: weight.1: "heavy" is not a weight; write a number, 0 or more`}, nil},
		{"several addresses while the feature is off", three + "server.4=d:1:2|e:1:2\n", "1", []string{"zoo.cfg:7: server.4=d:1:2|e:1:2 has 2 addresses, but several addresses per server are off; set multiAddress.enabled=true"}, nil},
		{"an unknown metrics class", alone + "metricsProvider.className=com.example.M\n", "", nil, []string{"warn zoo.cfg:3: metricsProvider.className: metrics provider class com.example.M is not known, the built-in one is used; remove the line"}},
		{"quorum SASL contradicts itself", alone + "quorum.auth.serverRequireSasl=true\nquorum.auth.learnerRequireSasl=true\nquorum.auth.enableSasl=false\n", "", []string{
			"zoo.cfg:3: quorum.auth.serverRequireSasl: cannot be honoured: SASL comes later; set it to false or remove the line",
			"zoo.cfg:3: quorum.auth.enableSasl is disabled, so cannot enable quorum.auth.serverRequireSasl; remove the line",
			"zoo.cfg:4: quorum.auth.learnerRequireSasl: cannot be honoured: SASL comes later; set it to false or remove the line",
			"zoo.cfg:4: quorum.auth.enableSasl is disabled, so cannot enable quorum.auth.learnerRequireSasl; remove the line"}, nil},
		{"a TLS port", alone + "secureClientPort=2281\n", "", []string{"zoo.cfg:3: secureClientPort needs ssl.keyStore.location, which is not set; write ssl.keyStore.location=FILE, a PEM, PKCS12 or JKS store of the server's key and certificate"}, nil},
		{"an own server line with a TLS port", three + "server.4=d:1:2;;2281\nserver.5=e:1:2\n", "4", []string{"zoo.cfg:7: secureClientPort needs ssl.keyStore.location, which is not set; write ssl.keyStore.location=FILE, a PEM, PKCS12 or JKS store of the server's key and certificate"}, nil},
		{"a TLS store that no port needs", alone + "ssl.keyStore.location=/k.pem\n", "", nil, nil},
		{"TLS on the gRPC port without a store", alone + "grpcTls=true\n", "", []string{"zoo.cfg:3: grpcTls needs ssl.keyStore.location, which is not set; write ssl.keyStore.location=FILE, a PEM, PKCS12 or JKS store of the server's key and certificate"}, nil},
		{"TLS on an HTTP port that is off", alone + "httpTls=true\nhttpPort=0\n", "", nil, nil},
		{"a unified port without a store", alone + "client.portUnification=true\n", "", []string{"zoo.cfg:3: client.portUnification needs ssl.keyStore.location, which is not set; write ssl.keyStore.location=FILE, a PEM, PKCS12 or JKS store of the server's key and certificate"}, nil},
		{"a unified port that is not there", "dataDir=/data\nclient.portUnification=true\nssl.keyStore.location=/k.pem\n", "", []string{"zoo.cfg:2: client.portUnification is set but clientPort is not set; add clientPort=2181, or remove the line"}, nil},
		{"two client ports on one", alone + "secureClientPort=2181\nssl.keyStore.location=/k.pem\n", "", []string{"zoo.cfg:3: clientPort and secureClientPort are both 2181; use two ports"}, nil},
		{"client authentication of a kind that there is not", alone + "ssl.clientAuth=must\n", "", []string{`zoo.cfg:3: ssl.clientAuth: "must" is none of need, want and none; write one of them`}, nil},
		{"revocation lists", alone + "ssl.crl=true\n", "", []string{"zoo.cfg:3: ssl.crl: cannot be honoured: revocation is not checked: Go's library for TLS knows neither revocation lists nor OCSP; set it to false or remove the line"}, nil},
		{"a version of TLS that there is not", alone + "ssl.enabledProtocols=TLSv1.2,TLSv1.4\n", "", []string{`zoo.cfg:3: ssl.enabledProtocols: "TLSv1.4" is no version of TLS that can be spoken; write TLSv1.2, TLSv1.3 or both with a comma`}, nil},
		{"versions with a gap", alone + "ssl.enabledProtocols=TLSv1.3,TLSv1.1\n", "", []string{"zoo.cfg:3: ssl.enabledProtocols: a version between those is left out, which cannot be honoured; write neighbours, such as TLSv1.2,TLSv1.3"}, nil},
		{"suites of TLSv1.3 for TLSv1.2", alone + "ssl.protocol=TLSv1.2\nssl.ciphersuites=TLS_AES_128_GCM_SHA256\n", "", []string{"zoo.cfg:4: ssl.ciphersuites: no suite is left for the versions of TLS that may be spoken; add TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, or remove the line"}, nil},
		{"a suite that Go does not have", alone + "ssl.ciphersuites=TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n", "", nil, []string{"warn zoo.cfg:3: ssl.ciphersuites: suite TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 is not known and left out; remove it"}},
		{"authorities of the system", alone + "secureClientPort=2281\nssl.keyStore.location=/k.pem\n", "", nil, []string{"warn zoo.cfg: ssl.clientAuth: without ssl.trustStore.location any certificate is good for a client that an authority of this system has signed, as in ZooKeeper; write ssl.trustStore.location=FILE, or ssl.clientAuth=none"}},
		{"clients must use SASL", alone + "sessionRequireClientSASLAuth=true\n", "", []string{"zoo.cfg:3: sessionRequireClientSASLAuth: cannot be honoured: SASL comes later; set it to false or remove the line"}, nil},
		{"clients must use an unknown scheme", alone + "enforce.auth.enabled=true\nenforce.auth.schemes=digest,magic\n", "", []string{`zoo.cfg:4: enforce.auth.schemes: scheme "magic" has no provider; write digest or ip`}, nil},
		{"JVM-only keys are present", alone + "serverCnxnFactory=x\njvm.pause.monitor=true\n", "", nil, []string{"info ignored: jvm.pause.monitor, serverCnxnFactory (JVM specific)"}},
		{"a key is misspelt", "dataDir=/data\nclinetPort=2181\n", "", nil, []string{"warn zoo.cfg:2: unknown key clinetPort, did you mean clientPort?"}},
		{"purging is switched off", alone + "autopurge.purgeInterval=0\n", "", nil, []string{"warn zoo.cfg:3: autopurge.purgeInterval: purging is off: snapshots and logs grow until the disk is full; remove the line to purge after each snapshot"}},
		{"fsync is switched off", alone + "forceSync=no\n", "", nil, []string{"warn zoo.cfg:3: forceSync=no: acknowledged writes are lost when the power fails; remove the line"}},
		{"the client port is a default of another door", "dataDir=/data\nclientPort=8080\n", "", nil, []string{"warn zoo.cfg:2: clientPort uses port 8080, so httpPort stays closed; set httpPort to a free port"}},
		{"two doors on one port", alone + "grpcPort=2181\n", "", []string{"zoo.cfg:3: clientPort and grpcPort are both 2181; use two ports"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := map[string]string{"zoo.cfg": tc.text,
				"/etc/dyn.100":     "server.1=a:2888:3888;10.0.0.9:2181\nserver.2=b:2888:3888\nserver.3=c:2888:3888\n",
				"/etc/version.100": "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\nversion=100\n",
				"/etc/foreign":     "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\ntickTime=5\n"}
			if tc.id != "" {
				f["/data/myid"] = tc.id
			}
			_, notices, err := Load(Source{File: "zoo.cfg", Dir: "/work", ReadFile: files(f)})
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
				if ExitCode(err) != ExitConfig {
					t.Errorf("exit %d", ExitCode(err))
				}
			}
			if !slices.Equal(got, tc.problems) {
				t.Errorf("problems\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.problems, "\n"))
			}
			var said []string
			for _, n := range notices {
				said = append(said, n.Level.String()+" "+n.String())
			}
			for _, want := range tc.notices {
				if !slices.Contains(said, want) {
					t.Errorf("notices\n%s\nwant\n%s", strings.Join(said, "\n"), want)
				}
			}
		})
	}
}

func TestMissingAndUnreadableFiles(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"the file is missing", fs.ErrNotExist, "zoo.cfg: no such file; pass the path of zoo.cfg"},
		{"the file may not be read", &fs.PathError{Op: "open", Path: "zoo.cfg", Err: fs.ErrPermission}, "zoo.cfg: cannot be read: permission denied; pass a readable zoo.cfg"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := Load(Source{File: "zoo.cfg", ReadFile: func(string) ([]byte, error) { return nil, tc.err }})
			if err == nil || err.Error() != tc.want || ExitCode(err) != 2 {
				t.Errorf("got %v, exit %d; want %s", err, ExitCode(err), tc.want)
			}
		})
	}
	for _, tc := range []struct {
		name string
		err  error
		exit int
		want string
	}{
		{"the data directory is a file, which opening it will find", syscall.ENOTDIR, 0, ""},
		{"myid may not be read", fs.ErrPermission, 3, "/data/myid cannot be read: permission denied; check owner and mode of the file and of its directory"},
		{"myid is a directory", syscall.EISDIR, 2, "/data/myid cannot be read: is a directory; check its owner and mode"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := Load(Source{Args: []string{"dataDir=/data"}, ReadFile: func(path string) ([]byte, error) {
				return nil, &fs.PathError{Op: "open", Path: path, Err: tc.err}
			}})
			if got := fmt.Sprint(err); tc.want != "" && got != tc.want || ExitCode(err) != tc.exit {
				t.Errorf("got %v, exit %d; want %s, exit %d", err, ExitCode(err), tc.want, tc.exit)
			}
		})
	}
	t.Run("the file is no configuration but a disk image", func(t *testing.T) {
		_, _, err := Load(Source{File: "zoo.cfg", ReadFile: func(string) ([]byte, error) { return make([]byte, fileBytesMax+1), nil }})
		if want := "zoo.cfg: cannot be read: larger than 1048576 bytes; pass a readable zoo.cfg"; err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a word of the command line is no setting", func(t *testing.T) {
		_, _, err := Load(Source{Args: []string{"zoo.cfg"}, ReadFile: files(nil)})
		if want := `argument "zoo.cfg" is not key=value; write for example clientPort=2181, and pass the path of zoo.cfg with --config`; err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
}

// TestWordsOfOtherPackages: what is found while ports and directories are opened.
func TestWordsOfOtherPackages(t *testing.T) {
	single, _, _ := load(t, alone, "")
	denied := &fs.PathError{Op: "mkdir", Path: "/d", Err: fs.ErrPermission}
	for _, tc := range []struct {
		name string
		got  fmt.Stringer
		exit int
		want string
	}{
		{"a client port that is taken by a known process", ClientPortTaken(single, 812, "java"), 1, "zoo.cfg:2: client port 2181 is taken by pid 812 (java); stop that process, or set another clientPort"},
		{"a client port that is taken by an unknown process", ClientPortTaken(single, 0, ""), 1, "zoo.cfg:2: client port 2181 is taken; stop that process, or set another clientPort"},
		{"a gRPC port that is taken", GRPCPortTaken(single, 812, ""), 1, "gRPC port 7181 is taken by pid 812; stop that process, or set another grpcPort"},
		{"an election port that is taken", ElectionPortTaken("h:3888", 812, "java"), 14, "election port h:3888 is taken by pid 812 (java); stop that process"},
		{"a data directory that cannot be made", DataDirUnusable("dataDir", "/d", denied, 998), 3, "dataDir /d: mkdir: permission denied (running as uid 998); create it for this user, or correct dataDir"},
		{"a file that may not be read", DataDirUnusable("dataDir", "/d", &fs.PathError{Op: "open", Path: "/d/version-2/snapshot.7", Err: fs.ErrPermission}, 998), 3,
			"dataDir /d: open version-2/snapshot.7: permission denied (running as uid 998); give it to this user with all that is in it (chown -R 998), or correct dataDir"},
		{"a lock file of another user", DataDirUnusable("dataDir", "/d", &fs.PathError{Op: "open", Path: "/d/paddock.lock", Err: fs.ErrPermission}, 998), 3,
			"dataDir /d: open paddock.lock: permission denied (running as uid 998); give it to this user with all that is in it (chown -R 998), or correct dataDir"},
		{"a directory of another user", DataDirUnusable("dataDir", "/d", &fs.PathError{Op: "mkdir", Path: "/d/version-2", Err: fs.ErrPermission}, 998), 3,
			"dataDir /d: mkdir version-2: permission denied (running as uid 998); give it to this user with all that is in it (chown -R 998), or correct dataDir"},
		{"a directory that may not be listed", DataDirUnusable("dataDir", "/d/version-2", &fs.PathError{Op: "open", Path: "/d/version-2", Err: fs.ErrPermission}, 998), 3,
			"dataDir /d/version-2: open: permission denied (running as uid 998); give it to this user with all that is in it (chown -R 998), or correct dataDir"},
		{"a read-only file system", DataDirUnusable("dataDir", "/d", &fs.PathError{Op: "open", Path: "/d/paddock.lock", Err: syscall.EROFS}, 0), 3,
			"dataDir /d: open paddock.lock: read-only file system (running as uid 0); mount it for writing, or correct dataDir"},
		{"an immutable directory", DataDirUnusable("dataDir", "/d", &fs.PathError{Op: "remove", Path: "/d/version-2/paddock.spare", Err: syscall.EPERM}, 0), 3,
			"dataDir /d: remove version-2/paddock.spare: operation not permitted (running as uid 0); take off the attribute that forbids it (lsattr shows it), or correct dataDir"},
		{"a file in the place of a directory", DataDirUnusable("dataDir", "/d", &fs.PathError{Op: "mkdir", Path: "/d/version-2", Err: syscall.ENOTDIR}, 0), 3,
			"dataDir /d: mkdir version-2: not a directory (running as uid 0); remove that file, or correct dataDir"},
		{"a data directory that must exist", DataDirMissing("dataDir", "/d"), 3, "dataDir /d does not exist and autocreate is off; wrong path, or create it"},
		{"a data directory that is in use", DataDirInUse("/d", 812), 3, "/d is in use by pid 812; stop it, or give this server its own dataDir"},
		{"an HTTP port at a wrong address", WebPortUnusable("HTTP port", "httpPort", 80, errors.New("listen tcp 192.0.2.1:80: bind: cannot assign requested address")), 0,
			"HTTP port 80 cannot be opened: listen tcp 192.0.2.1:80: bind: cannot assign requested address, trying again; correct the address beside httpPort, or set a port that this user may open"},
		{"a busy HTTP port", WebPortTaken("HTTP port", "httpPort", 8080, 7, "nginx"), 0, "HTTP port 8080 is taken by pid 7 (nginx), trying again; set another httpPort"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.got.String() != tc.want {
				t.Errorf("got %s\nwant %s", tc.got, tc.want)
			}
			if p, ok := tc.got.(Problem); ok && ExitCode(p) != tc.exit {
				t.Errorf("exit %d, want %d", ExitCode(p), tc.exit)
			}
		})
	}
}
