//go:build chaos

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// startsAnyhow are starts that succeed and must say what is amiss: parts of one line of the log.
var startsAnyhow = []struct {
	name   string
	cfg    string // lines added to zoo.cfg
	before func(*scene)
	says   []string
	znodes int // of those that fill made
}{
	{name: "a key is misspelt", cfg: "tickTim=2000\n", says: []string{`"level":"warn"`, "{W}/zoo.cfg:6: unknown key tickTim, did you mean tickTime?"}},
	{name: "the compression of snapshots does not exist", cfg: "snapshot.compression.method=zstd\n",
		says: []string{`"level":"warn"`, "{W}/zoo.cfg:6: snapshot.compression.method", "so snapshots are plain", "write gz or snappy"}},
	{name: "keys only mean something to Java", cfg: "jvm.pause.monitor=true\n", says: []string{`"level":"info"`, "ignored: jvm.pause.monitor"}},
	{name: "the newest snapshot is damaged", znodes: writes + writesLast,
		before: func(s *scene) { s.fill(); s.damaged = s.newest("snapshot."); s.flip(s.damaged, 100) },
		says: []string{`"level":"warn"`, "{D}/version-2/{DAMAGED}: offset", "does not match the content", `"used":"{D}/version-2/snapshot.`,
			"passed over a damaged snapshot; the older one and the log hold everything"}},
	{name: "the end of the log is torn", znodes: writes + writesLast - 1, before: (*scene).tear,
		says: []string{`"level":"warn"`, "{D}/version-2/{LAST}: offset {FLIPPED}: ", " bytes of an unfinished record: the file ends within the record",
			"cut off a record that was never finished, so never acknowledged"}},
	{name: "the end of the log was never written, nor said to be", znodes: writes + writesLast,
		before: func(s *scene) {
			s.fill()
			f, err := os.OpenFile(s.newest("log."), os.O_WRONLY|os.O_APPEND, 0)
			s.must(err)
			_, err = f.Write(make([]byte, 5000))
			s.must(err)
			s.must(f.Close())
		}, says: []string{`"level":"info"`, "state recovered"}},
}

// tear cuts the last record of the log in half.
func (s *scene) tear() {
	s.Helper()
	s.fill()
	log := s.newest("log.")
	at := s.records(log)
	s.flipped = at[len(at)-2]
	s.must(os.Truncate(log, (s.flipped+at[len(at)-1])/2))
}

// TestStartsAnyhow starts the program where something is amiss that it can live with, and says so.
func TestStartsAnyhow(t *testing.T) {
	for _, row := range startsAnyhow {
		t.Run(row.name, func(t *testing.T) {
			s := newScene(t)
			if row.before != nil {
				row.before(s)
			}
			p := &process{kind: paddock, data: s.data, work: s.work, port: s.port, plain: s.expand(right + row.cfg)}
			running(t, p)
			var says []string
			for _, part := range row.says {
				part = strings.NewReplacer("{DAMAGED}", filepath.Base(s.damaged), "{FLIPPED}", fmt.Sprint(s.flipped), "{W}/zoo.cfg", p.configFile()).Replace(part)
				if len(s.logs) > 0 {
					part = strings.ReplaceAll(part, "{LAST}", filepath.Base(s.logs[len(s.logs)-1]))
				}
				says = append(says, s.expand(part))
			}
			found := false
			for line := range strings.Lines(p.output()) {
				all := true
				for _, part := range says {
					all = all && strings.Contains(line, part)
				}
				found = found || all
			}
			if !found {
				t.Errorf("no line with %q in\n%s", says, p.output())
			}
			c, err := dial(p.addr(), client.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r := do(t, c, &zk.Request{Op: zk.OpGetChildren, Path: "/"})
			if n := len(r.Names) - 1; n != row.znodes { // one is /zookeeper
				t.Errorf("%d znodes are there, want %d", n, row.znodes)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// startLimit is generous: a start on an empty directory is meant to take a second at most.
const startLimit = 5 * time.Second

// TestStartsAtOnce starts on an empty directory and looks when words and clients are served.
func TestStartsAtOnce(t *testing.T) {
	p := described(t, paddock)
	began := time.Now()
	if err := p.launch(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.end)
	for {
		if text, err := p.word("ruok"); err == nil && text == "imok" {
			break
		}
		if time.Since(began) > startDeadline || !p.alive() {
			t.Fatalf("no answer to ruok; the log ends:\n%s", p.logTail())
		}
		<-time.After(pollEvery)
	}
	word := time.Since(began)
	c, err := dial(p.addr(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("ruok was answered after %v, a session was open after %v", word, took)
	if took > startLimit {
		t.Errorf("serving took %v", took)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
