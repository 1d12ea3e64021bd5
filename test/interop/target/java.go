package target

import (
	"strings"
	"testing"
)

// jars are what the Java server needs on its class path: zookeeper.jar names its own dependencies in its manifest, all but a
// backend for its log.
// Those of netty, which serves TLS, it does not name all.
var jars = []string{"/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar",
	"/usr/share/java/netty-codec.jar", "/usr/share/java/netty-resolver.jar", "/usr/share/java/netty-transport-native-unix-common.jar"}

// javaCommand returns the command line of Debian's ZooKeeper server. The class that runs is the one that zkServer.sh starts.
func javaCommand(t *testing.T, s *Server) []string {
	Need(t, "zookeeper libslf4j-java libnetty-java default-jre-headless", append([]string{"/usr/bin/java"}, jars...)...)
	return []string{
		"/usr/bin/java",
		"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-Dzookeeper.jmx.log4j.disable=true",
		// Without this the log is mostly stack traces of connections that clients closed.
		"-Dorg.slf4j.simpleLogger.log.org.apache.zookeeper.server.NIOServerCnxn=error",
		// The one setting that the Java server takes from its command line only.
		"-D" + containerCheck,
		"-cp", strings.Join(jars, ":"),
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", s.config,
	}
}
