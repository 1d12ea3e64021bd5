//go:build chaos

package chaos

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// status is what `paddock status --strict` says of a server, and its exit code.
func status(t *testing.T, p *process, flags ...string) (text string, code int) {
	t.Helper()
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, append([]string{"status", "--config", p.configFile(), "--strict"}, flags...)...)
	cmd.Dir = p.work
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// says waits until status has all the parts and the code.
func says(t *testing.T, p *process, code int, parts ...string) {
	t.Helper()
	var text string
	var got int
	for deadline := time.Now().Add(startDeadline); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		text, got = status(t, p)
		missing := got != code
		for _, part := range parts {
			missing = missing || !strings.Contains(text, part)
		}
		if !missing {
			return
		}
	}
	t.Fatalf("want code %d and %q; got code %d and\n%s", code, parts, got, text)
}

// TestStatusTellsTheTruth answers "Error contacting service. It is probably not running.": status says which of not running,
// starting, running without a quorum, and serving it is, and who is missing.
func TestStatusTellsTheTruth(t *testing.T) {
	const contact = "Error contacting service. It is probably not running."
	e := assemble(t, []string{paddock, paddock, paddock})
	one, two, three := e.members[0], e.members[1], e.members[2]
	_, at2 := e.ports(2)
	_, at3 := e.ports(3)
	if err := one.launch(); err != nil {
		t.Fatal(err)
	}
	says(t, one, 3, "State:         looking", "1 of 3 voters reached", "server 2 at "+at2+" (connection refused, for ", "server 3 at "+at3, contact)
	if err := two.launch(); err != nil {
		t.Fatal(err)
	}
	e.await(t)
	says(t, one, 0, "State:         serving", "Mode: follower", "Leader:        server 2, epoch 1", "Server 3:      ", "missing for ", "connection refused")
	says(t, two, 0, "Mode: leader", "follower, synced", "leader, synced, this server", "missing for ")
	if err := three.launch(); err != nil {
		t.Fatal(err)
	}
	e.await(t)
	says(t, two, 0, "Server 1:", "Server 3:      "+strings.TrimSuffix(at3[:strings.LastIndex(at3, ":")], ":"), "follower, synced")
	text, code := status(t, two, "--json")
	var st struct {
		State    string
		Ensemble struct {
			LeaderID string `json:"leaderId"`
			Stage    string
			Members  []struct {
				ServerID  string `json:"serverId"`
				Role      string
				Connected bool
				Synced    bool
				Behind    string
			}
		}
	}
	if err := json.NewDecoder(bytes.NewReader([]byte(text))).Decode(&st); err != nil || code != 0 || st.Ensemble.LeaderID != "2" || st.Ensemble.Stage != "broadcast" {
		t.Errorf("%v, code %d:\n%s", err, code, text)
	}
	for _, m := range st.Ensemble.Members {
		if !m.Connected || !m.Synced || m.Behind != "0" {
			t.Errorf("%+v", m)
		}
	}
	for _, p := range []*process{two, three} {
		if code, err := p.signal(15); err != nil || code != 0 { // a member stops when it is told to
			t.Errorf("exit code %d, %v\n%s", code, err, p.logTail())
		}
	}
	says(t, one, 3, "no quorum: looking for a leader for", "server 2 at "+at2, "server 3 at "+at3, "the last role ended: ")
	says(t, two, 1, "not running (no process holds ", contact)
	if n := strings.Count(one.output(), "server cannot be reached"); n > 6 { // two at the start, two now, and twice on the way
		t.Errorf("%d lines about servers that cannot be reached:\n%s", n, one.output())
	}
	if err := two.launch(); err != nil {
		t.Fatal(err)
	}
	e.await(t)
	says(t, one, 0, "State:         serving")
}
