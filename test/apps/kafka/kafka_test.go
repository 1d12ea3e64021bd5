//go:build apps

package kafka

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"paddock/internal/zk"
	"paddock/test/apps/ensemble"
)

const flowPartitions = 6

// TestKafka is the life of a cluster on three servers of each kind, and on one Paddock server.
func TestKafka(t *testing.T) {
	for _, kind := range ensemble.Kinds(t) {
		if kind == ensemble.Paddock {
			t.Run(kind+" alone", func(t *testing.T) { life(t, ensemble.Start(t, kind, 1)) })
		}
		t.Run(kind, func(t *testing.T) { life(t, ensemble.Start(t, kind, 3)) })
	}
}

func life(t *testing.T, e *ensemble.Ensemble) {
	c := newCluster(t, e)
	c.step("a broker starts and is the controller, and two join it", c.assemble)
	c.step("topics are created, described, altered and deleted", c.topics)
	var f *flow
	c.step("messages flow", func() { f = c.flow() })
	c.step("replicas are reassigned, and preferred leaders elected", c.reassign)
	c.step("SCRAM users are kept in ZooKeeper", c.users)
	c.step("access lists are kept in ZooKeeper", c.accessLists)
	c.step("zookeeper-shell shows the znodes", c.shell)
	c.step("a broker stops in good order and comes back", func() { c.leave(f, c.follower(), (*broker).stop) })
	c.step("a broker is killed and comes back", func() { c.leave(f, c.follower(), (*broker).kill) })
	c.step("the controller is killed, and another takes over", func() { c.moveController(f) })
	c.step("a server is killed and restarted", func() {
		c.unmoved(func() {
			s := e.Leader()
			s.Kill()
			s.Launch()
			s.Await()
			e.Leader()
			f.more()
		})
	})
	c.step("all servers are restarted in turn", func() { c.restart(f) })
	c.step("the controller still does its work", func() {
		c.run(topicsClass, "Created topic last.", c.through("--create", "--topic", "last", "--partitions", "3", "--replication-factor", "3")...)
		c.led("last", 3, brokersN, 0)
		c.leave(f, c.follower(), (*broker).kill)
	})
	c.step("no message is lost, twice or out of order", f.finish)
}

// flow makes a topic and lets messages flow through it.
func (c *cluster) flow() *flow {
	c.t.Helper()
	c.run(topicsClass, "Created topic flow.", c.through("--create", "--topic", "flow", "--partitions", fmt.Sprint(flowPartitions),
		"--replication-factor", fmt.Sprint(brokersN), "--config", "min.insync.replicas=2")...)
	c.led("flow", flowPartitions, brokersN, 0)
	return c.begin("flow", flowPartitions)
}

// restart restarts the servers one by one.
func (c *cluster) restart(f *flow) {
	c.t.Helper()
	c.unmoved(func() {
		for _, s := range c.e.Servers {
			c.e.Restart(s)
			c.e.Leader()
			f.more()
		}
	})
}

// assemble starts one broker, and then the others.
func (c *cluster) assemble() {
	c.t.Helper()
	first := c.brokers[0]
	first.launch()
	c.await("broker 1 is the controller", func() bool { b, _ := c.controller(); return b == first })
	_, epoch := c.controller()
	for _, b := range c.brokers[1:] {
		b.launch()
	}
	if b, now := c.controller(); b != first || now != epoch {
		c.t.Fatalf("the controller was broker 1 in epoch %d, is %v in epoch %d", epoch, b, now)
	}
	if got := c.ids(); !slices.Equal(got, []int{1, 2, 3}) {
		c.t.Fatalf("brokers %v are registered", got)
	}
}

// topics makes a topic, changes what can be changed, and deletes it.
func (c *cluster) topics() {
	c.t.Helper()
	topic := []string{"--topic", "orders"}
	of := func(args ...string) []string { return c.through(append(args, topic...)...) }
	c.run(topicsClass, "Created topic orders.", of("--create", "--partitions", "20", "--replication-factor", "3", "--config", "retention.ms=3600000")...)
	c.led("orders", 20, brokersN, 0)
	c.run(topicsClass, "PartitionCount: 20\tReplicationFactor: 3", of("--describe")...)
	c.run(topicsClass, "retention.ms=3600000", of("--describe")...)
	c.run(topicsClass, "", of("--alter", "--partitions", "30")...)
	c.led("orders", 30, brokersN, 0)
	c.run(configsClass, "Completed updating config for topic orders.", c.through("--alter", "--entity-type", "topics", "--entity-name", "orders", "--add-config", "max.message.bytes=20000")...)
	c.comes("the topic has its setting and its partitions", func(out string, _ error) bool {
		return strings.Contains(out, "max.message.bytes=20000") && strings.Contains(out, "PartitionCount: 30")
	}, topicsClass, of("--describe")...)
	if out, err := c.try(topicsClass, of("--create", "--partitions", "1", "--replication-factor", "1")...); err == nil || !strings.Contains(out, "already exists") {
		c.t.Fatalf("the topic was created twice: %v\n%s", err, out)
	}
	c.run(topicsClass, "", of("--delete")...)
	for _, name := range []string{"/brokers/topics/orders", "/config/topics/orders", "/admin/delete_topics/orders"} {
		c.await(name+" is gone", func() bool { return !c.exists(name) })
	}
	if out, err := c.try(topicsClass, c.through("--list")...); err != nil || strings.Contains(out, "orders") {
		c.t.Fatalf("topics after orders was deleted: %v\n%s", err, out)
	}
}

// reassign moves the replicas of a topic from two brokers to the other, and its leader back to whom it prefers.
func (c *cluster) reassign() {
	c.t.Helper()
	c.run(topicsClass, "Created topic moved.", c.through("--create", "--topic", "moved", "--replica-assignment", "1:2")...)
	c.led("moved", 1, 2, 3)
	plan := filepath.Join(c.t.TempDir(), "plan.json")
	if err := os.WriteFile(plan, []byte(`{"version":1,"partitions":[{"topic":"moved","partition":0,"replicas":[3,1]}]}`), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.run(reassignClass, "Successfully started partition reassignment", c.through("--reassignment-json-file", plan, "--execute")...)
	c.await("the replicas are 3 and 1", func() bool {
		p := c.partitions("moved")["0"]
		slices.Sort(p.ISR)
		return slices.Equal(p.ISR, []int{1, 3})
	})
	if out, err := c.try(electClass, c.through("--election-type", "preferred", "--topic", "moved", "--partition", "0")...); err != nil {
		c.t.Fatalf("elect the preferred leader: %v\n%s", err, out)
	}
	c.await("broker 3 leads", func() bool { return c.partitions("moved")["0"].Leader == 3 })
}

// as writes the settings of a client that is a SCRAM user and returns the arguments of a command that uses them.
func (c *cluster) as(user, password string, args ...string) []string {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "client.properties")
	text := "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\n" +
		fmt.Sprintf("sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=%q password=%q;\n", user, password)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return append([]string{"--bootstrap-server", c.brokers[1].scram, "--command-config", file}, args...)
}

// users makes a SCRAM user in ZooKeeper, changes its password through the brokers, and deletes it.
func (c *cluster) users() {
	c.t.Helper()
	entity := []string{"--entity-type", "users", "--entity-name", "bob"}
	stored := append([]string{"--zookeeper", c.connect()}, entity...)
	c.run(configsClass, "Completed updating config for entity: user-principal 'bob'.", append(stored, "--alter", "--add-config", "SCRAM-SHA-512=[iterations=4096,password=first]")...)
	c.run(configsClass, "SCRAM-SHA-512=", append(stored, "--describe")...)
	enters := func(password string) {
		c.t.Helper()
		c.comes("bob comes in with the password "+password, func(_ string, err error) bool { return err == nil }, topicsClass, c.as("bob", password, "--list")...)
	}
	refused := func(password string) {
		c.t.Helper()
		if out, err := c.try(topicsClass, c.as("bob", password, "--list")...); err == nil || !strings.Contains(out, "SaslAuthenticationException") {
			c.t.Fatalf("bob with the password %s: %v\n%s", password, err, out)
		}
	}
	enters("first")
	refused("other")
	c.run(configsClass, "Completed updating config for user bob.", c.through(append(entity, "--alter", "--add-config", "SCRAM-SHA-512=[password=second]")...)...)
	enters("second")
	refused("first")
	c.run(configsClass, "Completed updating config for entity: user-principal 'bob'.", append(stored, "--alter", "--delete-config", "SCRAM-SHA-512")...)
	c.comes("bob is refused", func(_ string, err error) bool { return err != nil }, topicsClass, c.as("bob", "second", "--list")...)
}

// accessLists lets a user see a topic, once by way of ZooKeeper and once through the brokers.
func (c *cluster) accessLists() {
	c.t.Helper()
	c.run(configsClass, "Completed updating config for entity: user-principal 'alice'.", "--zookeeper", c.connect(), "--entity-type", "users", "--entity-name", "alice",
		"--alter", "--add-config", "SCRAM-SHA-512=[iterations=4096,password=secret]")
	sees := func(want bool) {
		c.t.Helper()
		c.comes(fmt.Sprintf("alice sees the topic: %t", want), func(out string, err error) bool {
			return err == nil && strings.Contains(out, "flow") == want
		}, topicsClass, c.as("alice", "secret", "--list")...)
	}
	sees(false)
	rule := []string{"--allow-principal", "User:alice", "--operation", "Describe", "--topic", "flow"}
	c.run(aclsClass, "User:alice", append([]string{"--authorizer", "kafka.security.authorizer.AclAuthorizer", "--authorizer-properties",
		"zookeeper.connect=" + c.connect(), "--add"}, rule...)...)
	if !c.exists("/kafka-acl/Topic/flow") {
		c.t.Fatal("the rule is not where Kafka keeps it")
	}
	sees(true)
	c.run(aclsClass, "", c.through(append(rule, "--remove", "--force")...)...)
	sees(false)
}

// shell reads by the client that Kafka brings.
func (c *cluster) shell() {
	c.t.Helper()
	c.run(shellClass, "[1, 2, 3]", "-server", c.connect(), "ls", "/brokers/ids")
	c.run(shellClass, string(c.do(zk.OpGetData, "/controller").Data), "-server", c.connect(), "get", "/controller")
}

// follower is a broker that is not the controller.
func (c *cluster) follower() *broker {
	c.t.Helper()
	controller, _ := c.controller()
	for _, b := range c.brokers {
		if b != controller {
			return b
		}
	}
	return nil
}

// leave ends a broker in some way; the others take over what it led, and it comes back.
func (c *cluster) leave(f *flow, b *broker, end func(*broker)) {
	c.t.Helper()
	end(b)
	c.await(b.znode()+" is gone", func() bool { return !c.exists(b.znode()) })
	c.led("flow", flowPartitions, brokersN-1, b.id)
	f.more()
	b.launch()
	c.led("flow", flowPartitions, brokersN, 0)
	f.more()
}

// moveController kills the controller.
func (c *cluster) moveController(f *flow) {
	c.t.Helper()
	was, epoch := c.controller()
	c.leave(f, was, func(b *broker) {
		b.kill()
		c.await("another broker is the controller", func() bool { b, _ := c.controller(); return b != nil && b != was })
	})
	if _, now := c.controller(); now != epoch+1 {
		c.t.Fatalf("the controller's epoch was %d, is %d", epoch, now)
	}
}
