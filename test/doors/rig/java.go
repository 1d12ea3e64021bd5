package rig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// jars are what Debian's ZooKeeper needs on its class path.
var jars = []string{"/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar"}

// UnderJava runs an ensemble that a ZooKeeper leads, which only listens to its own protocol; the others are its followers. Further settings,
// as key=value, are those of all three.
func UnderJava(t testing.TB, settings ...string) (leader *Server, followers []*Server) {
	t.Helper()
	const remedy = "apt-get install --no-install-recommends zookeeper libslf4j-java default-jre-headless"
	command := []string{
		Need(t, "java", remedy), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dzookeeper.jmx.log4j.disable=true",
		"-cp", strings.Join(jars, ":"), "org.apache.zookeeper.server.quorum.QuorumPeerMain",
	}
	for _, jar := range jars {
		if _, err := os.Stat(jar); err != nil {
			t.Fatalf("%v; %s", err, remedy)
		}
	}
	list, members := members(t, 3, settings...)
	leader, followers = list[2], list[:2] // who has the highest number leads, if it is there from the start
	config := append([]string{
		"dataDir=" + leader.Dir, "clientPort=" + port(leader.Jute), "clientPortAddress=127.0.0.1", "4lw.commands.whitelist=*", "admin.enableServer=false",
		"tickTime=2000", "maxClientCnxns=0", "extendedTypesEnabled=true",
	}, append(members, settings...)...)
	file := filepath.Join(leader.Dir, "zoo.cfg")
	if err := os.WriteFile(file, []byte(strings.Join(config, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	leader.args = append(command, file)
	leader.Run(t)
	elections := strings.Split(members[len(members)-1], ":")
	wait(t, leader, func() error {
		conn, err := net.Dial("tcp", "127.0.0.1:"+elections[len(elections)-1])
		if err == nil {
			err = conn.Close()
		}
		return err
	})
	for i, s := range followers {
		s.Run(t)
		s.Ready(t)
		if i == 0 { // they are a quorum
			wait(t, leader, leader.Leads)
		}
	}
	return leader, followers
}

// Leads returns why the server does not say that it leads; nil if it does.
func (s *Server) Leads() error {
	conn, err := net.DialTimeout("tcp", s.Jute, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, err = conn.Write([]byte("srvr"))
	answer, err2 := io.ReadAll(conn)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	if !bytes.Contains(answer, []byte("Mode: leader")) {
		return fmt.Errorf("it does not lead: %s", answer)
	}
	return nil
}

// wait waits until something succeeds.
func wait(t testing.TB, s *Server, f func() error) {
	t.Helper()
	for deadline := time.Now().Add(startTimeout); ; {
		err := f()
		switch {
		case err == nil:
			return
		case time.Now().After(deadline):
			t.Fatalf("after %v: %v\n%s", startTimeout, err, tail(s.Log()))
		}
		select {
		case err := <-s.over:
			s.over <- err
			t.Fatalf("the server has ended: %v\n%s", err, tail(s.Log()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}
