package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paddock/consensus/quorum"
	"paddock/server/config"
)

// volume is the disk of a pod and what is mounted into it.
type volume struct{ dir, template, founders string }

func newVolume(t *testing.T, founders, settings string) volume {
	t.Helper()
	dir := t.TempDir()
	v := volume{filepath.Join(dir, "data", "conf"), filepath.Join(dir, "zoo.cfg"), filepath.Join(dir, "founders")}
	v.put(t, v.founders, founders)
	v.put(t, v.template, settings+"dataDir="+filepath.Join(dir, "data")+"\n")
	return v
}

func (v volume) put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start plays configure for a pod, and loads the result as its server would.
func (v volume) start(t *testing.T, pod, ensemble string) (*config.Config, string, int) {
	t.Helper()
	within := "30s"
	if ensemble == nobody {
		within = "20ms"
	}
	code, out := play(t, "secret", "configure", "--template="+v.template, "--dir="+v.dir, "--member="+string(pods),
		"--ensemble="+ensemble, "--founders-file="+v.founders, "--hostname="+pod, "--found-after="+within, "--join-within="+within)
	if code != 0 {
		return nil, out, code
	}
	c, _, err := config.Load(config.Source{File: filepath.Join(v.dir, mainFile), Args: []string{"myid=auto"}, Hostname: pod})
	if err != nil {
		t.Fatal(err)
	}
	return c, out, code
}

const (
	settings = "# Ours.\ntickTime=2000\ninitLimit=10\nsyncLimit=5\nstandaloneEnabled=false\nreconfigEnabled=true\n"
	nobody   = "127.0.0.1:1" // refuses connections
)

func TestFoundersBeginWithAllFounders(t *testing.T) {
	v := newVolume(t, "3\n", settings)
	c, out, code := v.start(t, "paddock-1", nobody)
	if code != 0 {
		t.Fatal(out)
	}
	if c.ServerID != 2 || c.Members.Membership.IDs() != "1,2,3" || len(c.Members.Membership.Voters()) != 3 || c.Members.Standalone {
		t.Errorf("server %d of %s, standalone %v", c.ServerID, c.Members.Membership.IDs(), c.Members.Standalone)
	}
	if s, _ := c.Members.Membership.Server(2); s.Addresses[0].Host != "paddock-1.paddock-servers.prod.svc.cluster.local" || c.Client.Port != 2181 {
		t.Errorf("server 2 is %v, clients come to port %d", s, c.Client.Port)
	}
}

func TestASingleFounderIsAnEnsembleThatCanGrow(t *testing.T) {
	c, out, code := newVolume(t, "1", settings).start(t, "paddock-0", nobody)
	if code != 0 || c.Members.Standalone || c.Members.Membership.IDs() != "1" {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestAFounderWhoseDiskIsNewJoinsTheEnsembleThatIsThere(t *testing.T) {
	e := listen(t, pods, 5, "secret")
	c, out, code := newVolume(t, "3", settings).start(t, "paddock-1", e.addr)
	if code != 0 || c.Members.Membership.IDs() != "1,2,3,4,5" {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestALaterServerBeginsAsAnObserverOfTheEnsemble(t *testing.T) {
	e := listen(t, pods, 3, "secret")
	c, out, code := newVolume(t, "0", settings).start(t, "paddock-3", e.addr)
	if code != 0 {
		t.Fatal(out)
	}
	m := c.Members.Membership
	if c.ServerID != 4 || m.IDs() != "1,2,3,4" || len(m.Voters()) != 3 || !c.Members.Observer {
		t.Errorf("server %d of %s, voters %v", c.ServerID, m.IDs(), m.Voters())
	}
}

// Two empty servers of three would be a quorum without the data of the third.
func TestALaterServerNeverFounds(t *testing.T) {
	v := newVolume(t, "1", settings)
	_, out, code := v.start(t, "paddock-1", nobody)
	if code != exitFailed || !strings.Contains(out, "server 2 is not one of the 1 founders and finds no ensemble to join") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if _, err := os.Stat(filepath.Join(v.dir, mainFile)); err == nil {
		t.Error("a configuration was written")
	}
}

func TestAListThatTheServersChangedStays(t *testing.T) {
	v := newVolume(t, "3", settings)
	if _, out, code := v.start(t, "paddock-0", nobody); code != 0 {
		t.Fatal(out)
	}
	// A server writes the new list beside the old one, and points to it.
	changed := filepath.Join(v.dir, "zoo.cfg.dynamic.100000005")
	five, _ := pods.first(5)
	v.put(t, changed, membersText(five))
	main := filepath.Join(v.dir, mainFile)
	text, _ := os.ReadFile(main)
	v.put(t, main, strings.Replace(string(text), membersFile, filepath.Base(changed), 1))
	v.put(t, v.template, settings+"maxClientCnxns=7\ndataDir="+filepath.Dir(v.dir)+"\n")

	c, out, code := v.start(t, "paddock-0", nobody)
	if code != 0 {
		t.Fatal(out)
	}
	if c.Members.Membership.IDs() != "1,2,3,4,5" || c.Client.MaxPerAddress != 7 {
		t.Errorf("members %s, %d connections per address", c.Members.Membership.IDs(), c.Client.MaxPerAddress)
	}
}

// Servers 2 and 3 of three were removed and come back: by their list they are a quorum, without what was written since.
func TestAServerThatWasRemovedComesBackAsAnObserver(t *testing.T) {
	v := newVolume(t, "3", settings)
	if _, out, code := v.start(t, "paddock-1", nobody); code != 0 {
		t.Fatal(out)
	}
	pending := filepath.Join(v.dir, membersFile+pendingSuffix)
	v.put(t, pending, "server.2=b:1:2\n")
	e := listen(t, pods, 1, "secret")
	c, out, code := v.start(t, "paddock-1", e.addr)
	if code != 0 {
		t.Fatal(out)
	}
	if m := c.Members.Membership; m.IDs() != "1,2" || m.IsVoter(2) {
		t.Errorf("members %s, voters %v", m.IDs(), m.Voters())
	}
	if _, err := os.Stat(pending); err == nil {
		t.Error("the pending list is still there")
	}
}

func TestAMemberKeepsItsListWhateverTheEnsembleAnswers(t *testing.T) {
	v := newVolume(t, "3", settings)
	if _, out, code := v.start(t, "paddock-1", nobody); code != 0 {
		t.Fatal(out)
	}
	e := listen(t, pods, 5, "secret")
	if c, out, code := v.start(t, "paddock-1", e.addr); code != 0 || c.Members.Membership.IDs() != "1,2,3" {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestALostListIsNotMadeUp(t *testing.T) {
	v := newVolume(t, "3", settings)
	if _, out, code := v.start(t, "paddock-0", nobody); code != 0 {
		t.Fatal(out)
	}
	if err := os.Remove(filepath.Join(v.dir, membersFile)); err != nil {
		t.Fatal(err)
	}
	_, out, code := v.start(t, "paddock-0", nobody)
	if code != exitFailed || !strings.Contains(out, "remove "+filepath.Join(v.dir, mainFile)+" to join") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestWhatCannotBeConfiguredIsNamed(t *testing.T) {
	for name, tc := range map[string]struct{ founders, settings, pod, says string }{
		"members in the template":          {"3", settings + "server.1=a:1:2\n", "paddock-0", "server.1 belongs to the list of members"},
		"a list in the template":           {"3", settings + "dynamicConfigFile = x\n", "paddock-0", "dynamicConfigFile belongs to the list of members"},
		"a pod without an ordinal":         {"3", settings, "paddock", `host name "paddock" does not end in -<ordinal>`},
		"a number of founders that is not": {"many", settings, "paddock-0", `"many" is not a number of servers`},
	} {
		t.Run(name, func(t *testing.T) {
			_, out, code := newVolume(t, tc.founders, tc.settings).start(t, tc.pod, nobody)
			if code != exitFailed || !strings.Contains(out, tc.says) {
				t.Errorf("exit code %d, want %q:\n%s", code, tc.says, out)
			}
		})
	}
}

func TestTheSuperDigestIsZooKeepers(t *testing.T) {
	// As DigestAuthenticationProvider of ZooKeeper 3.8.0 prints it for super:test.
	const want = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="
	if got := digest("super", "test"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNamesGiveIdsFromOneOn(t *testing.T) {
	for pod, want := range map[string]quorum.ServerID{"paddock-0": 1, "my-paddock-12.servers": 13, "paddock": 0, "paddock-": 0, "paddock--1x": 0} {
		if got, err := idOf(pod); got != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %d, %v", pod, got, err)
		}
	}
}
