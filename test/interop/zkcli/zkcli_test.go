package zkcli

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"paddock/test/interop/target"
)

const (
	script      = "/usr/share/zookeeper/bin/zkCli.sh"
	runDeadline = 60 * time.Second // one start of zkCli.sh, with all the commands it is given
	// A command given as an argument leaves its session behind, which must not expire before the story ends.
	sessionTimeoutMS = "60000"
)

var rewrite = flag.Bool("rewrite", false, "record what the server answers as what is expected")

// TestZkCli plays the stories with ZooKeeper's program: what they tell is what it says.
func TestZkCli(t *testing.T) {
	target.Need(t, "zookeeper", script, "/usr/bin/java")
	play(t, program{command: []string{script}, deadline: runDeadline})
}

// TestPaddockCli plays the same stories with Paddock's: it says the same.
func TestPaddockCli(t *testing.T) {
	if *rewrite {
		t.Skip("stories are recorded from zkCli.sh alone")
	}
	play(t, program{command: []string{target.Binary(t), "cli"}, deadline: runDeadline})
}

// TestPaddockCliOverGRPC plays them over the gRPC port of a Paddock server: it says the same.
func TestPaddockCliOverGRPC(t *testing.T) {
	if *rewrite {
		t.Skip("stories are recorded from zkCli.sh alone")
	}
	stories, err := filepath.Glob("testdata/*.txt")
	if err != nil || stories == nil {
		t.Fatalf("no stories in testdata: %v", err)
	}
	for _, story := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(story), ".txt"), func(t *testing.T) {
			t.Parallel()
			port := strconv.Itoa(target.FreePort(t))
			s := target.New(t, "paddock", "grpcPort="+port)
			playStory(t, s, program{command: []string{target.Binary(t), "cli"}, grpc: "127.0.0.1:" + port, deadline: runDeadline}, story)
		})
	}
}

// program is a command line that takes the arguments of zkCli.sh.
type program struct {
	command  []string
	grpc     string        // address to name instead of the server's; "" for none
	deadline time.Duration // of one run
}

// play plays every story.
func play(t *testing.T, p program) {
	stories, err := filepath.Glob("testdata/*.txt")
	if err != nil || stories == nil {
		t.Fatalf("no stories in testdata: %v", err)
	}
	for _, story := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(story), ".txt"), func(t *testing.T) {
			t.Parallel() // most of the time is spent waiting for zkCli.sh to start and to end
			target.Each(t, func(t *testing.T, s *target.Server) { playStory(t, s, p, story) })
		})
	}
}

// block is one command of a story: the lines that say it, and those that say what came of it.
type block struct {
	comment, command, expected []string
}

// playStory runs every command of the story at path, in order, and compares what came of it; with -rewrite it records it instead.
func playStory(t *testing.T, s *target.Server, p program, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var recorded []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		b := parse(paragraph)
		if b.command != nil {
			got := run(t, s, p, b.command)
			want := strings.Join(b.expected, "\n")
			if p.grpc != "" { // which does not tell empty data from none
				got, want = nulls.ReplaceAllString(got, "out|"), nulls.ReplaceAllString(want, "out|")
			}
			if !*rewrite && got != want {
				t.Errorf("%s\n--- got\n%s\n--- want\n%s", strings.Join(b.command, "\n"), got, want)
			}
			b.expected = []string{got}
		}
		recorded = append(recorded, strings.Join(append(append(b.comment, b.command...), b.expected...), "\n"))
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(strings.Join(recorded, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// parse sorts the lines of one paragraph of a story.
func parse(paragraph string) block {
	var b block
	for line := range strings.SplitSeq(paragraph, "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
			b.comment = append(b.comment, line)
		case strings.HasPrefix(line, "$ ") || strings.HasPrefix(line, "< "):
			b.command = append(b.command, line)
		default:
			b.expected = append(b.expected, line)
		}
	}
	return b
}

// run runs the program as the lines of a block's command say, and returns what came of it in the form of a story.
func run(t *testing.T, s *target.Server, p program, command []string) string {
	t.Helper()
	words := strings.Fields(command[0])[1:]
	chroot := strings.TrimPrefix(words[0], "zkCli.sh")
	door, address := "-server", s.Addr()
	if p.grpc != "" {
		door, address = "--grpc", p.grpc
	}
	arguments := slices.Concat(p.command[1:], []string{door, address + chroot, "-timeout", sessionTimeoutMS}, words[1:])
	cli := exec.CommandContext(t.Context(), p.command[0], arguments...)
	var input, stdout, stderr bytes.Buffer
	for _, line := range command[1:] {
		input.WriteString(strings.TrimPrefix(line, "< ") + "\n")
	}
	cli.Stdin, cli.Stdout, cli.Stderr = &input, &stdout, &stderr
	cli.Dir = t.TempDir()
	if err := cli.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(p.deadline, func() { _ = cli.Process.Kill() }) // shows as a strange exit status
	err := cli.Wait()
	late.Stop()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	out, events := split(stdout.String())
	lines := prefix("out|", out, nil)
	lines = prefix("event|", events, lines)
	lines = prefix("err|", withoutLogging(stderr.String()), lines)
	lines = append(lines, fmt.Sprintf("exit| %d", cli.ProcessState.ExitCode()))
	return normal(strings.Join(lines, "\n"), address)
}

func prefix(mark string, lines, after []string) []string {
	for _, line := range lines {
		after = append(after, strings.TrimRight(mark+" "+line, " "))
	}
	return after
}

// split takes what the watcher printed out of what the commands printed: it prints when it hears of an event, between any two of
// their lines. Each of its two lines comes with an empty one before it. Events of the connection are dropped.
func split(stdout string) (out, events []string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(stdout, "\n"), "\n") {
		isEvent := strings.HasPrefix(line, "WatchedEvent ")
		if !isEvent && line != "WATCHER::" {
			out = append(out, line)
			continue
		}
		if last := len(out) - 1; last >= 0 && out[last] == "" {
			out = out[:last]
		}
		if isEvent && !strings.Contains(line, " type:None ") {
			events = append(events, line)
		}
	}
	return out, events
}

// withoutLogging drops the lines in which the logging library says that nobody takes its lines, and the lists of all commands,
// which are longer here.
func withoutLogging(stderr string) []string {
	var lines []string
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "SLF4J: ") && !strings.HasPrefix(line, "\t") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// newer are usages that ZooKeeper 3.9 has, and Paddock too, where 3.8 has shorter ones.
var newer = strings.NewReplacer("get [-s] [-w] [-b] [-x] path", "get [-s] [-w] path", "set path data [-s] [-v version] [-b]", "set [-s] [-v version] path data")

var (
	times    = regexp.MustCompile(`(?m)(time = )[A-Z][a-z]{2} .*$`)
	sessions = regexp.MustCompile(`0x1[0-9a-f]{14,}`)
	nulls    = regexp.MustCompile(`(?m)^out\| null$`)
	versions = regexp.MustCompile(`(CLI version: ).*`)
	// ZooKeeper prints the Java class of what its parser of options has thrown.
	classes = regexp.MustCompile(`org\.apache\.commons\.cli\.\w+: `)
)

// normal replaces what differs from run to run.
func normal(text, address string) string {
	text = strings.ReplaceAll(text, address, "<server>")
	text = times.ReplaceAllString(text, "${1}<time>")
	text = versions.ReplaceAllString(text, "${1}<version>")
	text = newer.Replace(classes.ReplaceAllString(text, ""))
	return sessions.ReplaceAllString(text, "<session>")
}
