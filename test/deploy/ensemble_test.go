package deploy

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// podsMax is how many pods a cluster may have.
const podsMax = 5

// cluster stands in for Kubernetes: it starts and stops the pods of the chart as processes, each with its volume and an
// address of the loopback network, and runs the jobs when Helm would.
type cluster struct {
	dir                              string
	quorum, election, client, health int // ports, the same for all pods
	pods                             map[int]*process
	installed                        bool
}

func newCluster(t *testing.T) *cluster {
	return &cluster{dir: t.TempDir(), pods: map[int]*process{},
		quorum: freePort(t), election: freePort(t), client: freePort(t), health: freePort(t)}
}

// member is what stands for a name in the chart.
func (c *cluster) member() string {
	return fmt.Sprintf("127.0.37.1%%d:%d:%d;127.0.37.1%%d:%d", c.quorum, c.election, c.client)
}

// apply installs or upgrades the release.
func (c *cluster) apply(t *testing.T, v values) {
	t.Helper()
	o := render(t, v, c.installed)
	if c.installed {
		c.job(t, o, "leave")
	}
	for ordinal, p := range c.pods {
		if ordinal >= int(*o.set.Spec.Replicas) {
			p.stop(t)
			delete(c.pods, ordinal)
		}
	}
	for ordinal := range int(*o.set.Spec.Replicas) {
		if c.pods[ordinal] == nil {
			c.start(t, o, ordinal)
		}
	}
	c.job(t, o, "join")
	c.installed = true
	for ordinal, p := range c.pods {
		path := o.set.Spec.Template.Spec.Containers[0].ReadinessProbe.HTTPGet.Path
		p.until(t, fmt.Sprintf("pod %d ready", ordinal), func() bool {
			code, _ := get(t, net.JoinHostPort(host(ordinal), strconv.Itoa(c.health)), path)
			return code == 200
		})
	}
}

// host is the address that member gives a pod.
func host(ordinal int) string { return fmt.Sprintf("127.0.37.1%d", ordinal) }

// ensemble is where servers may serve clients, in place of a service that leads to those that do.
func (c *cluster) ensemble() string {
	var all []string
	for ordinal := range podsMax {
		all = append(all, net.JoinHostPort(host(ordinal), strconv.Itoa(c.client)))
	}
	return strings.Join(all, ",")
}

// local are command line words with this cluster's names and places.
func (c *cluster) local(args []string, places map[string]string) []string {
	var out []string
	for _, a := range args {
		name, _, _ := strings.Cut(a, "=")
		switch name {
		case "--member":
			a = name + "=" + c.member()
		case "--ensemble":
			a = name + "=" + c.ensemble()
		default:
			if place, ok := places[name]; ok {
				a = name + "=" + place
			}
		}
		out = append(out, a)
	}
	return out
}

// start runs the init container of a pod, and then its server.
func (c *cluster) start(t *testing.T, o objects, ordinal int) {
	t.Helper()
	volume := filepath.Join(c.dir, strconv.Itoa(ordinal))
	config := with(t, o.config.Data["zoo.cfg"], "dataDir", filepath.Join(volume, "data"))
	for key, value := range map[string]string{ // one host, many pods
		"quorumListenOnAllIPs": "false", "grpcPort": "0", "httpPort": strconv.Itoa(c.health), "httpAddress": host(ordinal), "tickTime": "500",
	} {
		config = with(t, config, key, value)
	}
	mounted := filepath.Join(volume, "mounted")
	write(t, filepath.Join(mounted, "zoo.cfg"), config)
	write(t, filepath.Join(mounted, "founders"), o.config.Data["founders"])
	spec := o.set.Spec.Template.Spec
	pod := fmt.Sprintf("%s-%d", o.set.Name, ordinal)
	init := exec.Command(memberBinary, append(c.local(spec.InitContainers[0].Args, map[string]string{
		"--template": filepath.Join(mounted, "zoo.cfg"), "--founders-file": filepath.Join(mounted, "founders"), "--dir": filepath.Join(volume, "conf"),
	}), "--hostname="+pod, "--found-after=100ms")...)
	init.Env = append(os.Environ(), "PADDOCK_SUPER_PASSWORD=secret")
	mustPlay(t, init)
	server := exec.Command(paddockBinary(t), c.local(spec.Containers[0].Args, map[string]string{"--config": filepath.Join(volume, "conf/zoo.cfg")})...)
	server.Env = append(os.Environ(), fmt.Sprintf("PADDOCK_MYID=%d", ordinal+1)) // the host's name is not the pod's
	c.pods[ordinal] = start(t, server)
}

// job runs one of the chart's jobs.
func (c *cluster) job(t *testing.T, o objects, name string) {
	t.Helper()
	job := exec.Command(memberBinary, append(c.local(o.jobs[name].Spec.Template.Spec.Containers[0].Args, nil), "--timeout="+patience.String())...)
	job.Env = append(os.Environ(), "PADDOCK_SUPER_PASSWORD=secret")
	mustPlay(t, job)
}

// members are those that a pod says there are, "1,2,3"; observers are marked.
func (c *cluster) members(t *testing.T, ordinal int) string {
	t.Helper()
	addr := net.JoinHostPort(host(ordinal), strconv.Itoa(c.client))
	code, out := play(t, exec.Command(memberBinary, "list", "--ensemble="+addr))
	if code != 0 {
		return out
	}
	var ids []string
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(line, "server."); ok {
			id, value, _ := strings.Cut(rest, "=")
			if !strings.Contains(value, ":participant") {
				id += " observes"
			}
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, ",")
}

// agree waits until each pod has the members, of which one leads.
func (c *cluster) agree(t *testing.T, want string) {
	t.Helper()
	leaders := 0
	for ordinal, p := range c.pods {
		p.until(t, fmt.Sprintf("pod %d has members %s", ordinal, want), func() bool { return c.members(t, ordinal) == want })
		if strings.Contains(word(host(ordinal), c.client, "srvr"), "Mode: leader") {
			leaders++
		}
	}
	if leaders != 1 {
		t.Errorf("%d servers of %s lead", leaders, want)
	}
}

func TestThreeServersOfTheChartFoundAnEnsemble(t *testing.T) {
	c := newCluster(t)
	c.apply(t, nil)
	c.agree(t, "1,2,3")
}

// What alerts look for on members of an ensemble is there, some of it on the leader alone.
func TestMembersHaveTheMetricsThatAlertsLookFor(t *testing.T) {
	c := newCluster(t)
	c.apply(t, nil)
	all := ""
	for ordinal := range c.pods {
		all += word(host(ordinal), c.client, "mntr")
	}
	for _, name := range ofEnsembles {
		if !regexp.MustCompile(`(?m)^zk_(\d+_)?` + name + `\t`).MatchString(all) { // in mntr the id of the other member is part of the name
			t.Errorf("no member has %s", name)
		}
	}
	if n := strings.Count(all, "zk_leader_uptime\t"); n != 1 {
		t.Errorf("%d members tell for how long they have led", n)
	}
}
