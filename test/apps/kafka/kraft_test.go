//go:build apps

package kafka

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"paddock/internal/zk"
	"paddock/test/apps/ensemble"
)

// controllerID is that of the KRaft controller, which is no broker.
const controllerID = 3000

// TestMigrationToKRaft takes the way that Kafka's documentation shows out of the ZooKeeper mode, under load, and loses a server on it: a KRaft
// controller takes the metadata over and writes all changes to both, the brokers follow it, and the servers are stopped.
func TestMigrationToKRaft(t *testing.T) {
	ensemble.Each(t, func(t *testing.T, e *ensemble.Ensemble) {
		c := newCluster(t, e)
		var f *flow
		c.step("a cluster in ZooKeeper mode", func() {
			c.assemble()
			f = c.flow()
			c.run(configsClass, "Completed updating config for entity: user-principal 'alice'.", "--zookeeper", c.connect(), "--entity-type", "users",
				"--entity-name", "alice", "--alter", "--add-config", "SCRAM-SHA-512=[iterations=4096,password=secret]")
		})
		k := newController(c)
		c.step("the KRaft controller takes the metadata over", func() { c.takeOver(k) })
		c.step("what it changes is written to ZooKeeper as well, also after the leader of the ensemble was killed", func() {
			c.run(topicsClass, "Created topic both.", c.through("--create", "--topic", "both", "--partitions", "3", "--replication-factor", "3")...)
			c.await("the topic is in ZooKeeper", func() bool { return len(c.partitions("both")) == 3 })
			s := e.Leader()
			s.Kill()
			s.Launch()
			s.Await()
			c.run(topicsClass, "", c.through("--delete", "--topic", "both")...)
			c.await("the topic is gone from ZooKeeper", func() bool { return !c.exists("/brokers/topics/both") })
			f.more()
		})
		c.step("the brokers are restarted without ZooKeeper", func() {
			for _, b := range c.brokers {
				b.stop()
				b.kraft = true
				b.configure(append(k.joining(), "process.roles=broker", fmt.Sprint("node.id=", b.id), standardAuthorizer)...)
				b.launch()
				c.complete()
			}
		})
		c.step("the servers are stopped, and all goes on", func() {
			k.stop()
			k.configure(k.own()...)
			k.launch()
			c.zk.Abandon()
			for _, s := range e.Servers {
				s.Stop()
			}
			f.more()
			c.run(topicsClass, "Created topic last.", c.through("--create", "--topic", "last", "--partitions", "3", "--replication-factor", "3")...)
			c.run(topicsClass, "", c.as("alice", "secret", "--list")...)
		})
		c.step("no message is lost, twice or out of order", f.finish)
	})
}

const standardAuthorizer = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"

// controller is a KRaft controller.
type controller struct{ *broker }

// newController describes a KRaft controller, which does not run.
func newController(c *cluster) *controller {
	c.t.Helper()
	k := &controller{newBroker(c, controllerID, nil)}
	k.kraft = true
	return k
}

// joining are the settings of a broker that has to know the controller.
func (k *controller) joining() []string {
	return []string{
		fmt.Sprintf("controller.quorum.voters=%d@%s", controllerID, k.plain), "controller.listener.names=CONTROLLER",
		"listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT",
	}
}

// own are the settings of the controller itself.
func (k *controller) own() []string {
	return append(k.joining(), "process.roles=controller", fmt.Sprint("node.id=", controllerID), "listeners=CONTROLLER://"+k.plain, standardAuthorizer)
}

// takeOver starts the controller and restarts the brokers with what they have to know of it.
func (c *cluster) takeOver(k *controller) {
	c.t.Helper()
	migration := []string{"zookeeper.metadata.migration.enable=true", "zookeeper.connect=" + c.connect()}
	k.configure(append(k.own(), migration...)...)
	var cluster struct{ ID string }
	if !c.get("/cluster/id", &cluster) {
		c.t.Fatal("the cluster has no id")
	}
	c.run("kafka.tools.StorageTool", "Formatting", "format", "--cluster-id", cluster.ID, "--config", k.settings())
	k.launch()
	for _, b := range c.brokers {
		b.stop()
		b.configure(slices.Concat(k.joining(), migration, []string{"authorizer.class.name=kafka.security.authorizer.AclAuthorizer"})...)
		b.launch()
		c.complete()
	}
	c.await("the KRaft controller is the controller in ZooKeeper, too", func() bool {
		var holder struct {
			ID    int `json:"brokerid"`
			Epoch int `json:"kraftControllerEpoch"`
		}
		return c.get("/controller", &holder) && holder.ID == controllerID && holder.Epoch > 0 && c.do(zk.OpGetData, "/migration").Err == zk.OK
	})
	c.complete()
}

// complete waits until no partition lacks a replica.
func (c *cluster) complete() {
	c.t.Helper()
	c.comes("no partition lacks a replica", func(out string, err error) bool { return err == nil && strings.TrimSpace(out) == "" },
		topicsClass, c.through("--describe", "--under-replicated-partitions")...)
}
