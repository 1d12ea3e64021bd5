package ensemble

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paddock/internal/freeport"
)

// The two kinds of servers.
const (
	Java    = "java"
	Paddock = "paddock"
)

// size is how many servers Each starts: as few as can lose one.
const size = 3

var targetFlag = flag.String("target", Java+","+Paddock, "servers to run the applications on, in turn, separated by commas")

// Ensemble is three servers that elect a leader among them. It is used from the goroutine of its test alone.
type Ensemble struct {
	Kind    string // Java or Paddock, for messages: no test may expect one thing of the one and another of the other
	Servers []*Server
	t       testing.TB
}

// Each runs f once on an ensemble of each kind that -target names, as a subtest of that name, when it serves. The lines are added to the
// zoo.cfg of all servers.
func Each(t *testing.T, f func(t *testing.T, e *Ensemble), lines ...string) {
	t.Helper()
	for _, kind := range Kinds(t) {
		t.Run(kind, func(t *testing.T) { f(t, Start(t, kind, size, lines...)) })
	}
}

// Kinds are those that -target names, in its order.
func Kinds(t testing.TB) []string {
	t.Helper()
	list := strings.Split(*targetFlag, ",")
	for _, kind := range list {
		if kind != Java && kind != Paddock {
			t.Fatalf("-target=%s: choose %s, %s or both with a comma between", *targetFlag, Java, Paddock)
		}
	}
	return list
}

// Start runs n servers of a kind and returns when all of them serve. One server is alone: it has no ensemble and calls itself standalone.
func Start(t testing.TB, kind string, n int, lines ...string) *Ensemble {
	t.Helper()
	e := &Ensemble{Kind: kind, t: t}
	// Elections and the timeouts of sessions are those of an ensemble as people run it, but that it is found out sooner who is gone.
	lines = append([]string{"tickTime=1000", "initLimit=20", "syncLimit=5", "maxClientCnxns=0", "4lw.commands.whitelist=*", "extendedTypesEnabled=true",
		"admin.enableServer=false", "autopurge.purgeInterval=0"}, lines...)
	for id := 1; n > 1 && id <= n; id++ {
		lines = append(lines, fmt.Sprintf("server.%d=127.0.0.1:%d:%d", id, freeport.Take(t), freeport.Take(t)))
	}
	for i := range n {
		e.Servers = append(e.Servers, newServer(t, kind, i+1, lines))
	}
	for _, s := range e.Servers {
		s.Launch()
	}
	for _, s := range e.Servers {
		s.Await()
	}
	return e
}

// Addresses are those that clients connect to, host:port, with commas between.
func (e *Ensemble) Addresses() string {
	var list []string
	for _, s := range e.Servers {
		list = append(list, s.Client)
	}
	return strings.Join(list, ",")
}

// Leader waits until one of the servers leads or is alone, and returns it.
func (e *Ensemble) Leader() *Server {
	e.t.Helper()
	for deadline := time.Now().Add(startDeadline); time.Now().Before(deadline); <-time.After(pollEvery) {
		for _, s := range e.Servers {
			if mode := s.Mode(); mode == "leader" || mode == "standalone" {
				return s
			}
		}
	}
	e.t.Fatalf("no server leads after %v", startDeadline)
	return nil
}

// For has what fails from now on fail a subtest.
func (e *Ensemble) For(t testing.TB) {
	e.t = t
	for _, s := range e.Servers {
		s.t = t
	}
}

// Restart stops a server in good order and starts it again, and returns when it serves.
func (e *Ensemble) Restart(s *Server) {
	e.t.Helper()
	s.Stop()
	s.Launch()
	s.Await()
}

// configure writes the zoo.cfg and the myid of a server.
func configure(t testing.TB, s *Server, id int, lines []string) {
	t.Helper()
	data := filepath.Join(s.Dir, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(s.Client, ":")
	text := strings.Join(append([]string{"dataDir=" + data, "clientPort=" + port, "clientPortAddress=127.0.0.1",
		"grpcPort=0", "httpPort=0"}, lines...), "\n") + "\n" // ZooKeeper has no such ports and takes no notice
	for name, content := range map[string]string{filepath.Join(data, "myid"): fmt.Sprintln(id), s.Config: text} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
