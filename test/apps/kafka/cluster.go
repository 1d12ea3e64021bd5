//go:build apps

package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
	"paddock/test/apps/ensemble"
)

const (
	deadline  = 2 * time.Minute // for whatever has to come true; a killed broker's session alone takes 18 s, Kafka's default
	pollEvery = 50 * time.Millisecond
	root      = "/kafka" // where the brokers have their znodes, as zookeeper.connect says
	brokersN  = 3
)

// cluster is the brokers of one ensemble, and a session of the test's own to look at their znodes.
type cluster struct {
	t       *testing.T // that of the step
	whole   *testing.T // that of all steps, with which ends what was started
	e       *ensemble.Ensemble
	zk      *client.Session
	brokers []*broker
}

// newCluster describes three brokers, of which none runs. The settings are added to those of each.
func newCluster(t *testing.T, e *ensemble.Ensemble, settings ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, whole: t, e: e}
	for i := range brokersN {
		c.brokers = append(c.brokers, newBroker(c, i+1, settings))
	}
	c.open()
	t.Cleanup(func() { c.zk.Abandon() })
	return c
}

// open begins the session that the test itself reads with. It is none of those that are tested, and may expire on a machine that stands still.
func (c *cluster) open() {
	c.zk = client.NewSession(client.SessionOptions{Servers: strings.Split(c.e.Addresses(), ","), Timeout: 20 * time.Second})
}

// step runs f as a subtest, without which those after it make no sense.
func (c *cluster) step(name string, f func()) {
	c.t.Helper()
	outer := c.t
	ok := outer.Run(name, func(t *testing.T) {
		c.t = t
		c.e.For(t)
		began := time.Now()
		f()
		t.Logf("%v", time.Since(began).Round(time.Second/10))
	})
	c.t = outer
	c.e.For(outer)
	if !ok {
		outer.FailNow()
	}
}

// connect is the setting zookeeper.connect.
func (c *cluster) connect() string { return c.e.Addresses() + root }

// bootstrap are the addresses of all brokers, host:port with commas between.
func (c *cluster) bootstrap() string {
	var list []string
	for _, b := range c.brokers {
		list = append(list, b.plain)
	}
	return strings.Join(list, ",")
}

// await waits until something is true.
func (c *cluster) await(what string, f func() bool) {
	c.t.Helper()
	for end := time.Now().Add(deadline); !f(); <-time.After(pollEvery) {
		if time.Now().After(end) {
			c.t.Fatalf("after %v still not: %s", deadline, what)
		}
	}
}

// do sends a request about a znode below root, after a sync, so that what is seen is the newest.
func (c *cluster) do(op zk.OpCode, name string) *zk.Reply {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	for {
		_, err := c.zk.Do(ctx, &zk.Request{Op: zk.OpSync, Path: "/"})
		var reply *zk.Reply
		if err == nil {
			reply, err = c.zk.Do(ctx, &zk.Request{Op: op, Path: root + name})
		}
		if err == nil {
			return reply
		}
		if errors.Is(err, client.ErrExpired) {
			c.zk.Abandon()
			c.open()
		}
		select {
		case <-time.After(pollEvery): // while the ensemble elects
		case <-ctx.Done():
			c.t.Fatalf("read %s: %v", name, err)
		}
	}
}

// exists tells whether there is a znode.
func (c *cluster) exists(name string) bool {
	c.t.Helper()
	return c.do(zk.OpGetData, name).Err == zk.OK
}

// get reads a znode whose data is JSON; what it does not have stays as it is. It tells whether the znode is there.
func (c *cluster) get(name string, into any) bool {
	c.t.Helper()
	reply := c.do(zk.OpGetData, name)
	if reply.Err == zk.NoNode {
		return false
	}
	if reply.Err != zk.OK {
		c.t.Fatalf("read %s: %v", name, reply.Err)
	}
	if err := json.Unmarshal(reply.Data, into); err != nil {
		c.t.Fatalf("%s: %v: %q", name, err, reply.Data)
	}
	return true
}

// controller is the broker that has the znode of the controller, and how many controllers there were; nil if there is none now.
func (c *cluster) controller() (*broker, int) {
	c.t.Helper()
	var holder struct {
		ID int `json:"brokerid"`
	}
	var epoch int
	if !c.get("/controller_epoch", &epoch) || !c.get("/controller", &holder) {
		return nil, epoch
	}
	return c.brokers[holder.ID-1], epoch
}

// partition is what the controller writes of one.
type partition struct {
	Leader int   `json:"leader"`
	ISR    []int `json:"isr"`
}

// partitions are those of a topic, by number.
func (c *cluster) partitions(topic string) map[string]partition {
	c.t.Helper()
	list := map[string]partition{}
	at := "/brokers/topics/" + topic + "/partitions"
	for _, n := range c.do(zk.OpGetChildren, at).Names {
		var p partition
		if c.get(path.Join(at, n, "state"), &p) {
			list[n] = p
		}
	}
	return list
}

// led waits until a topic has that many partitions, each of which is led, with so many replicas in sync and none on a broker that is not wanted.
func (c *cluster) led(topic string, partitions, replicas, without int) {
	c.t.Helper()
	c.await(fmt.Sprintf("%s has %d partitions with %d replicas in sync", topic, partitions, replicas), func() bool {
		list := c.partitions(topic)
		for _, p := range list {
			if p.Leader < 1 || len(p.ISR) != replicas || slices.Contains(p.ISR, without) {
				return false
			}
		}
		return len(list) == partitions
	})
}

// owners are the sessions that hold the ephemeral znodes of the brokers and the controller, by path.
func (c *cluster) owners() map[string]int64 {
	c.t.Helper()
	list := map[string]int64{}
	names := []string{"/controller"}
	for _, id := range c.do(zk.OpGetChildren, "/brokers/ids").Names {
		names = append(names, "/brokers/ids/"+id)
	}
	for _, name := range names {
		if reply := c.do(zk.OpGetData, name); reply.Err == zk.OK {
			list[name] = reply.Stat.EphemeralOwner
		}
	}
	return list
}

// unmoved does something that must not cost a broker its session, or the controller its role.
func (c *cluster) unmoved(f func()) {
	c.t.Helper()
	before := c.owners()
	_, epoch := c.controller()
	if len(before) != len(c.brokers)+1 {
		c.t.Fatalf("not all brokers and a controller are there: %v", before)
	}
	f()
	after := c.owners()
	if _, now := c.controller(); now != epoch || !maps.Equal(before, after) {
		c.t.Fatalf("sessions were %v in epoch %d of the controller, are %v in epoch %d", before, epoch, after, now)
	}
	for _, b := range c.brokers {
		b.calm()
	}
}

// ids are the brokers that are registered.
func (c *cluster) ids() (list []int) {
	c.t.Helper()
	for _, name := range c.do(zk.OpGetChildren, "/brokers/ids").Names {
		id, err := strconv.Atoi(name)
		if err != nil {
			c.t.Fatal(err)
		}
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}
