//go:build apps

package kafka

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"paddock/internal/freeport"
	"paddock/test/apps/ensemble"
)

const stopDeadline = time.Minute

// broker is one broker, restartable in place.
type broker struct {
	c       *cluster
	id      int
	plain   string // host:port of the listener for everybody, who is User:ANONYMOUS there and may do everything
	scram   string // host:port of the listener for SCRAM users
	kraft   bool   // it is none of ZooKeeper's any more
	dir     string
	process *ensemble.Process // nil while none runs
}

func newBroker(c *cluster, id int, settings []string) *broker {
	c.t.Helper()
	b := &broker{c: c, id: id, dir: c.t.TempDir(), plain: fmt.Sprint("127.0.0.1:", freeport.Take(c.t)), scram: fmt.Sprint("127.0.0.1:", freeport.Take(c.t))}
	b.configure(append([]string{
		"zookeeper.connect=" + c.connect(),
		"authorizer.class.name=kafka.security.authorizer.AclAuthorizer",
	}, settings...)...)
	t := c.t
	t.Cleanup(func() {
		b.kill()
		if t.Failed() {
			t.Logf("end of the log of broker %d:\n%s", id, ensemble.Tail(b.logName()))
		}
	})
	return b
}

// configure writes the settings of the broker, which it has from when it is launched again.
func (b *broker) configure(settings ...string) {
	b.c.t.Helper()
	lines := append([]string{
		fmt.Sprint("broker.id=", b.id),
		"listeners=PLAINTEXT://" + b.plain + ",SASL_PLAINTEXT://" + b.scram,
		"sasl.enabled.mechanisms=SCRAM-SHA-512",
		"listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
		"super.users=User:ANONYMOUS",
		"log.dirs=" + filepath.Join(b.dir, "data"),
		"auto.create.topics.enable=false",
		"offsets.topic.num.partitions=3",
		"offsets.topic.replication.factor=3",
		"group.initial.rebalance.delay.ms=0",
		"num.network.threads=2",
		"num.io.threads=2",
		"log.cleaner.dedupe.buffer.size=4194304", // the default is half of the heap
	}, settings...)
	if err := os.WriteFile(b.settings(), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		b.c.t.Fatal(err)
	}
}

func (b *broker) settings() string { return filepath.Join(b.dir, "server.properties") }
func (b *broker) logName() string  { return filepath.Join(b.dir, "broker.log") }

// znode is where the broker registers itself, below root.
func (b *broker) znode() string { return fmt.Sprint("/brokers/ids/", b.id) }

// launch starts the process, which must not run, and returns when the broker listens, and is registered if it has a znode.
func (b *broker) launch() {
	t := b.c.t
	t.Helper()
	log, err := os.OpenFile(b.logName(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := java(t, "-Xmx256m", "kafka.Kafka", b.settings())
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, log, log
	if b.process, err = ensemble.Run(cmd); err != nil {
		t.Fatal(err)
	}
	b.c.await(fmt.Sprintf("broker %d is registered and listens", b.id), func() bool {
		select {
		case <-b.process.Exited:
			t.Fatalf("broker %d ended (%v) before it served", b.id, b.process.State())
		default:
		}
		conn, err := net.Dial("tcp", b.plain)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return b.kraft || b.c.exists(b.znode())
	})
}

// kill ends the process as a crash of it would, if it runs.
func (b *broker) kill() { b.end(syscall.SIGKILL) }

// stop has the broker hand over what it leads, and end.
func (b *broker) stop() { b.end(syscall.SIGTERM) }

func (b *broker) end(signal syscall.Signal) {
	if b.process != nil {
		b.process.End(b.c.t, fmt.Sprint("broker ", b.id), signal, stopDeadline)
		b.process = nil
	}
}

// calm fails the test if the broker says that its session has expired.
func (b *broker) calm() {
	b.c.t.Helper()
	text, err := os.ReadFile(b.logName())
	if err != nil {
		b.c.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "Session expired") || strings.Contains(line, "AUTH_FAILED") {
			b.c.t.Fatalf("broker %d: %s", b.id, line)
		}
	}
}

// library is where install.sh puts the jars.
func library(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../bin/apps/kafka")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".installed")); err != nil {
		t.Fatalf("%v; test/apps/kafka/install.sh installs it", err)
	}
	return dir
}

// java is the command line of a class of Kafka's, with a heap as an option of java's, and of the class's arguments.
func java(t *testing.T, heap, class string, args ...string) *exec.Cmd {
	t.Helper()
	log4j, err := filepath.Abs("log4j.properties")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("java", append([]string{
		heap, "-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Dlog4j.configuration=file:" + log4j,
		"-cp", filepath.Join(library(t), "*"), class,
	}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}
