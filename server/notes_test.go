package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/server/admin"
	"paddock/server/config"
	"paddock/server/grpcapi"
	"paddock/server/replica"
)

// line is a line of the log, without the message's wording.
func line(t *testing.T, text string) string {
	t.Helper()
	fields := map[string]any{}
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if fields["message"] == "" {
		t.Errorf("%q says nothing", text)
	}
	delete(fields, "message")
	out := make([]string, 0, len(fields))
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		out = append(out, fmt.Sprintf("%s=%v", k, fields[k]))
	}
	return strings.Join(out, " ")
}

func TestNotesBecomeLines(t *testing.T) {
	for want, note := range map[string]replica.Note{
		"client=3 level=debug session=0x5 timeout_ms=4000": {Kind: replica.SessionOpened, Client: 3, Session: 5, TimeoutMS: 4000},
		"client=3 level=debug session=0x5":                 {Kind: replica.SessionRenewed, Client: 3, Session: 5},
		"client=4 level=debug session=0x5":                 {Kind: replica.SessionRefused, Client: 4, Session: 5},
		"level=info session=0x5 timeout_ms=4000":           {Kind: replica.SessionExpired, Session: 5, TimeoutMS: 4000},
		"level=debug session=0x5":                          {Kind: replica.SessionEnded, Session: 5},
		"client=3 ip=10.0.0.7 level=debug":                 {Kind: replica.ClientThrottled, Client: 3, Text: "10.0.0.7"},
		"level=error zxid=0x20":                            {Kind: replica.DigestMismatch, Zxid: 32},
		"count=2 level=warn session=0x5":                   {Kind: replica.OrphansFound, Session: 5, Count: 2},
		"count=7 level=debug":                              {Kind: replica.ContainersExpired, Count: 7},
		"level=warn times=1 zxid=0x20":                     {Kind: replica.SnapshotSkipped, Zxid: 32},
		"client=3 level=debug scheme=kerberos":             {Kind: replica.AuthRefused, Client: 3, Text: "kerberos"},
	} {
		var out bytes.Buffer
		n := newNotes(zerolog.New(&out), nil, newMetrics())
		n.observe(note)
		select {
		case queued := <-n.queue:
			n.write(queued)
		default:
			t.Errorf("%s: the note is not queued", want)
			continue
		}
		if got := line(t, out.String()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNotesBelowTheLevelAreNotQueuedButCounted(t *testing.T) {
	m := newMetrics()
	n := newNotes(zerolog.New(&bytes.Buffer{}).Level(zerolog.InfoLevel), nil, m)
	for _, kind := range []replica.NoteKind{replica.AuthRefused, replica.ClientThrottled, replica.SessionOpened} {
		n.observe(replica.Note{Kind: kind})
	}
	if len(n.queue) != 0 || m.authFail.Value() != 1 || m.rejected.Value() != 1 {
		t.Errorf("%d queued, %d refused, %d throttled", len(n.queue), m.authFail.Value(), m.rejected.Value())
	}
	for _, kind := range []replica.NoteKind{replica.SessionExpired, replica.DigestMismatch, replica.ClientAhead} {
		n.observe(replica.Note{Kind: kind})
	}
	if len(n.queue) != 3 || m.expired.Value() != 1 || m.mismatch.Value() != 1 || m.ahead.Value() != 1 {
		t.Errorf("%d queued, %d expired, %d mismatches, %d ahead", len(n.queue), m.expired.Value(), m.mismatch.Value(), m.ahead.Value())
	}
}

// Every kind of note has its words.
func TestEveryNoteHasAText(t *testing.T) {
	for kind := replica.SessionOpened; kind <= replica.AuthRefused; kind++ {
		if kind != replica.ClientAhead && noteTexts[kind] == "" {
			t.Errorf("kind %d has no text", kind)
		}
	}
}

// A migration that went wrong sends every client away again and again: one line at once, then one a minute and address.
func TestClientsThatAreAheadAreToldOfByAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newJournal()
		n := newNotes(zerolog.New(log), nil, newMetrics())
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { n.run(ctx); close(ended) }()
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			log.mu.Lock()
			defer log.mu.Unlock()
			var got []string
			for _, l := range log.lines {
				got = append(got, line(t, l))
			}
			log.lines = nil
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		from := func(ip string, z zk.Zxid) { n.observe(replica.Note{Kind: replica.ClientAhead, Text: ip, Zxid: z}) }
		for range 50 {
			from("10.0.0.1", 16)
		}
		from("10.0.0.2", 255)
		expect("ip=10.0.0.1 level=warn seen_zxid=0x10 times=1", "ip=10.0.0.2 level=warn seen_zxid=0xff times=1")
		time.Sleep(time.Minute)
		expect()
		from("10.0.0.1", 17)
		from("10.0.0.1", 17)
		expect("ip=10.0.0.1 level=warn seen_zxid=0x11 times=50")
		time.Sleep(2 * time.Minute)
		const many = 1300
		for i := range many {
			from(fmt.Sprintf("10.1.%d.%d", i/256, i%256), 3)
			synctest.Wait()
		}
		if got, _ := log.with("seen_zxid"); len(got) < 1000 || len(got) >= many {
			t.Errorf("%d lines about %d addresses", len(got), many)
		}
		cancel()
		<-ended
	})
}

func TestTheOwnerDoesNotWaitForTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newJournal()
		n := newNotes(zerolog.New(log), nil, newMetrics())
		for range notesMax + 7 {
			n.observe(replica.Note{Kind: replica.SessionExpired, Session: 1})
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { n.run(ctx); close(ended) }()
		time.Sleep(notesTick)
		synctest.Wait()
		if got, _ := log.with("session expired"); len(got) != notesMax {
			t.Errorf("%d lines", len(got))
		}
		if got, _ := log.with(`"lines":7`); len(got) != 1 {
			t.Error("nobody is told what was left out")
		}
		cancel()
		<-ended
	})
}

func TestASlowDiskIsWarnedAbout(t *testing.T) {
	var out bytes.Buffer
	n := newNotes(zerolog.New(&out), nil, newMetrics())
	quiet, loud := n.synced(0), n.synced(time.Second)
	quiet(time.Hour)
	loud(time.Second)
	if out.Len() > 0 {
		t.Error(out.String())
	}
	loud(1500 * time.Millisecond)
	if got := line(t, out.String()); got != "level=warn limit_ms=1000 took_ms=1500" {
		t.Error(got)
	}
}

func TestNoticesAreLoggedAndShown(t *testing.T) {
	var out bytes.Buffer
	s := &server{log: zerolog.New(&out), opt: Options{Notices: []config.Notice{
		{Level: config.Info, Message: "one"}, {Level: config.Warn, Message: "two"}, {Level: config.Error, Message: "three"}}}}
	s.logNotices()
	want := `{"level":"info","message":"one"}` + "\n" + `{"level":"warn","message":"two"}` + "\n" + `{"level":"error","message":"three"}` + "\n"
	if out.String() != want {
		t.Error(out.String())
	}
	if got := s.warnings(); !slices.Equal(got, []string{"two", "three"}) {
		t.Errorf("%q", got)
	}
}

// TestTheNumberOfVotersIsThatOfNow: a reconfiguration changes it, and what the start said of it.
func TestTheNumberOfVotersIsThatOfNow(t *testing.T) {
	voters := func(n int) *quorum.Config {
		var text string
		for id := range n {
			text += fmt.Sprintf("server.%d=h%d:1:2:participant\n", id+1, id)
		}
		c, err := quorum.ParseConfig(text + "version=0")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	notice, _ := config.EvenVoters(2)
	c := &config.Config{}
	c.Members.Membership = voters(2)
	s := &server{cfg: c, opt: Options{Notices: []config.Notice{{Level: config.Warn, Message: "another"}, notice}}}
	m := newMembers(zerolog.Nop(), newMetrics(), 1, voters(2))
	s.live.Store(&live{peers: &ensemble{members: m}})
	for _, tc := range []struct {
		n    int
		want []string
	}{
		{2, []string{"another", "2 voters tolerate no failure, as 1 does; use 3"}},
		{3, []string{"another"}},
		{4, []string{"another", "4 voters tolerate 1 failure, as 3 do; use an odd number"}},
		{5, []string{"another"}},
		{6, []string{"another", "6 voters tolerate 2 failures, as 5 do; use an odd number"}},
	} {
		m.config.Store(voters(tc.n))
		if got := s.warnings(); !slices.Equal(got, tc.want) {
			t.Errorf("%d voters: %q, want %q", tc.n, got, tc.want)
		}
	}
}

// TestALeaderWithoutClientsSaysSo in its log, its status and its health alike; as a follower it serves.
func TestALeaderWithoutClientsSaysSo(t *testing.T) {
	two, err := quorum.ParseConfig("server.1=a:1:2\nserver.2=b:1:2")
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		apart  bool
		role   consensus.Role
		state  grpcapi.State
		says   string
		words  admin.State
		health bool
	}{
		"it leads":                     {true, consensus.Leading, grpcapi.StateRefusing, "leaderServes=no", admin.StateApart, false},
		"it follows":                   {true, consensus.Following, grpcapi.StateServing, "serving in the ensemble", admin.StateServing, true},
		"it leads, and leaders serve":  {false, consensus.Leading, grpcapi.StateServing, "serving in the ensemble", admin.StateServing, true},
		"it follows where they do too": {false, consensus.Following, grpcapi.StateServing, "serving in the ensemble", admin.StateServing, true},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			m := newMetrics()
			s := &server{log: zerolog.New(&out), cfg: &config.Config{Members: config.Members{LeaderServes: !row.apart, Membership: two}}, metrics: m}
			s.notes = newNotes(s.log, nil, m)
			s.notes.apart = s.apart
			e := &ensemble{members: newMembers(zerolog.Nop(), m, 1, two)}
			n := replica.Note{Kind: replica.RoleTaken, Role: row.role}
			s.roleChanged(e, n)
			s.notes.observe(n)
			s.notes.write(<-s.notes.queue)
			st := grpcapi.Status{State: grpcapi.State(s.state.Load())}
			if st.State != row.state || st.Serving() != row.health || (words{server: s}).State() != row.words || !strings.Contains(out.String(), row.says) {
				t.Errorf("state %s, health %v, words %v, log %s", st.State, st.Serving(), (words{server: s}).State(), out.String())
			}
		})
	}
}

// TestSnapshotsThatAreLeftOutAreToldOfOnceAMinute, however often one is due.
func TestSnapshotsThatAreLeftOutAreToldOfOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		n := newNotes(zerolog.New(&out), nil, newMetrics())
		skip := func(times int) {
			for range times {
				n.write(replica.Note{Kind: replica.SnapshotSkipped, Zxid: 32})
			}
		}
		skip(50)
		<-time.After(notesTick) // of the bubble
		skip(2)
		var got []string
		for text := range strings.Lines(out.String()) {
			got = append(got, line(t, text))
		}
		if want := []string{"level=warn times=1 zxid=0x20", "level=warn times=50 zxid=0x20"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
