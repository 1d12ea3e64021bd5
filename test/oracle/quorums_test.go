//go:build interop

package oracle

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"paddock/consensus/quorum"
)

// quorumConfigs is how many configurations TestQuorums compares.
const quorumConfigs = 5000

// TestQuorums asks ZooKeeper and Paddock which sets of servers are quorums, of majorities and of groups with weights, and what the
// configuration is in canonical words.
func TestQuorums(t *testing.T) {
	const jars = "/usr/share/java/zookeeper.jar:/usr/share/java/zookeeper-jute.jar:/usr/share/java/slf4j-api.jar:/usr/share/java/slf4j-nop.jar:" +
		"/usr/share/java/commons-lang.jar:/usr/share/java/netty-all.jar:/usr/share/java/metrics-core.jar"
	for _, tool := range []string{"/usr/bin/java", "/usr/bin/javac", "/usr/share/java/zookeeper.jar"} {
		if _, err := os.Stat(tool); err != nil {
			t.Fatalf("%v: install it with `apt-get install -y --no-install-recommends zookeeper default-jdk-headless`", err)
		}
	}
	classes := t.TempDir()
	compile := exec.Command("/usr/bin/javac", "-Xlint:-options", "-proc:none", "-d", classes, "-cp", jars, "java/Quorums.java")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", compile, err, out)
	}
	rng := rand.New(rand.NewPCG(*seedFlag, 0x71756f72756d))
	texts := make([]string, quorumConfigs)
	for i := range texts {
		texts[i] = quorumText(rng)
	}
	ask := exec.Command("/usr/bin/java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classes+":"+jars, "Quorums")
	ask.Stdin, ask.Stderr = strings.NewReader(strings.Join(texts, "\n")+"\n"), os.Stderr
	out, err := ask.Output()
	if err != nil {
		t.Fatalf("%v: %v", ask, err)
	}
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(answers) != len(texts) {
		t.Fatalf("%d answers to %d questions", len(answers), len(texts))
	}
	refused, met := 0, 0
	for i, text := range texts {
		want, got := answers[i], quorums(strings.ReplaceAll(text, "\t", "\n"))
		if got != want {
			t.Errorf("-seed=%d, configuration %d:\n%s\nZooKeeper: %s\nPaddock:   %s", *seedFlag, i, strings.ReplaceAll(text, "\t", "\n"), want, got)
		}
		if want == "refused" {
			refused++
		}
		met += strings.Count(want[:strings.IndexAny(want+" ", " \t")], "1")
	}
	if refused == 0 || refused == len(texts) || met == 0 {
		t.Errorf("%d of %d configurations were refused, and there were %d quorums", refused, len(texts), met)
	}
	t.Logf("%d configurations, %d of them refused; %d quorums", len(texts), refused, met)
}

// quorums says of a configuration what Quorums.java says.
func quorums(text string) string {
	c, err := quorum.ParseConfig(text)
	if err != nil {
		return "refused"
	}
	var b strings.Builder
	for set := range 1 << len(c.Servers) {
		met := c.Met(func(id quorum.ServerID) bool {
			for i, s := range c.Servers {
				if s.ID == id {
					return set>>i&1 != 0
				}
			}
			return false
		})
		if met {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	for _, id := range c.Voters() {
		fmt.Fprintf(&b, " %d", c.Weight(id))
	}
	return b.String() + "\t" + strings.ReplaceAll(c.String(), "\n", "\t")
}

// quorumText makes up a configuration, with tabs for ends of lines: a few servers, in groups or not, with weights or without, and
// now and then with a mistake in it.
func quorumText(rng *rand.Rand) string {
	var lines []string
	n := 1 + rng.IntN(7)
	ids := rng.Perm(9)[:n]
	observer := map[int]bool{}
	for i, id := range ids {
		role := "participant"
		if observer[id] = i > 0 && rng.IntN(5) == 0; observer[id] {
			role = "observer"
		}
		lines = append(lines, fmt.Sprintf("server.%d=127.0.0.1:%d:%d:%s;%d", id, 1000+id, 2000+id, role, 3000+id))
	}
	if rng.IntN(6) > 0 {
		groups, weighed := make([][]string, 1+rng.IntN(4)), rng.IntN(4)
		for _, id := range ids {
			g := rng.IntN(len(groups))
			if !observer[id] && rng.IntN(60) > 0 || observer[id] && rng.IntN(4) == 0 {
				groups[g] = append(groups[g], fmt.Sprint(id))
			}
			if rng.IntN(100) == 0 {
				again := rng.IntN(len(groups))
				groups[again] = append(groups[again], fmt.Sprint(rng.IntN(9)))
			}
			if weighed > 0 && rng.IntN(4) < weighed {
				lines = append(lines, fmt.Sprintf("weight.%d=%d", id, max(rng.IntN(8)-2, 0)))
			}
		}
		for i, g := range groups {
			if len(g) > 0 {
				lines = append(lines, fmt.Sprintf("group.%d=%s", i+1, strings.Join(g, ":")))
			}
		}
	}
	rng.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return strings.Join(append(lines, fmt.Sprintf("version=%x", rng.Uint32())), "\t")
}
