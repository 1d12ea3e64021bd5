package secure

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/test/interop/target"
)

const (
	script      = "/usr/share/zookeeper/bin/zkCli.sh"
	password    = "old-secret"
	runDeadline = 3 * time.Minute // one program, on a busy machine
)

// jars are the class path of Java's client with netty.
var jars = []string{"/etc/zookeeper/conf", "/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar",
	"/usr/share/java/netty-codec.jar", "/usr/share/java/netty-resolver.jar", "/usr/share/java/netty-transport-native-unix-common.jar"}

// kinds are the files of a server and of a client by the kind of their stores.
var kinds = []struct{ name, server, client, trust string }{
	{"PEM", "server.pem", "client.pem", "ca.pem"},
	{"PKCS12", "server-keytool.p12", "client-keytool.p12", "trust.p12"},
	{"JKS", "server.jks", "client.jks", "trust.jks"},
}

func TestClientsOverTLS(t *testing.T) {
	target.Need(t, "python3-kazoo zookeeper libnetty-java", "/usr/bin/python3", "/usr/lib/python3/dist-packages/kazoo", script, "/usr/share/java/netty-handler.jar")
	stores, err := filepath.Abs("../../../internal/keystore/testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			target.EachKind(t, func(t *testing.T, kind string) {
				address := fmt.Sprintf("127.0.0.1:%d", start(t, kind, filepath.Join(stores, k.server), filepath.Join(stores, k.trust)))
				t.Run("kazoo", func(t *testing.T) {
					run(t, nil, "/usr/bin/python3", "-B", "-s", "-E", "suite.py", address, stores)
				})
				t.Run("zkCli", func(t *testing.T) { zkCli(t, address, filepath.Join(stores, k.client), filepath.Join(stores, k.trust)) })
			})
		})
	}
}

// start starts a server and returns its secure port.
func start(t *testing.T, kind, key, trust string) (port int) {
	port = target.FreePort(t)
	lines := []string{
		fmt.Sprintf("secureClientPort=%d", port), "secureClientPortAddress=127.0.0.1",
		"ssl.keyStore.location=" + key, "ssl.trustStore.location=" + trust,
	}
	if !strings.HasSuffix(key, ".pem") {
		lines = append(lines, "ssl.keyStore.password="+password, "ssl.trustStore.password="+password)
	}
	if kind == "java" {
		lines = append(lines, "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory")
	}
	target.New(t, kind, lines...)
	return port
}

// zkCli plays Java's client, with a certificate and without.
func zkCli(t *testing.T, address, key, trust string) {
	flags := []string{
		"-cp", strings.Join(jars, ":"), // the script's own lacks what netty needs for TLS
		"-Dzookeeper.client.secure=true", "-Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty",
		"-Dzookeeper.ssl.trustStore.location=" + trust, "-Dzookeeper.ssl.trustStore.password=" + password,
	}
	if strings.HasSuffix(trust, ".pem") {
		flags = flags[:len(flags)-1] // Java refuses a password for what is not encrypted
	}
	own := append(slices.Clone(flags), "-Dzookeeper.ssl.keyStore.location="+key)
	if !strings.HasSuffix(key, ".pem") {
		own = append(own, "-Dzookeeper.ssl.keyStore.password="+password)
	}
	if out := run(t, own, script, "-server", address, "create", "/java", "over-tls"); !strings.Contains(out, "Created /java") {
		t.Fatalf("zkCli.sh said:\n%s", out)
	}
	if out := run(t, own, script, "-server", address, "get", "/java"); !strings.Contains(out, "over-tls") {
		t.Fatalf("zkCli.sh said:\n%s", out)
	}
}

// run runs a program with the flags for Java, and returns what it said.
func run(t *testing.T, flags []string, name string, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runDeadline)
	defer cancel()
	program := exec.CommandContext(ctx, name, arguments...)
	program.Env = append(os.Environ(), "CLIENT_JVMFLAGS="+strings.Join(flags, " "))
	var out bytes.Buffer
	program.Stdout, program.Stderr = &out, &out
	if err := program.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out.String())
	}
	return out.String()
}
