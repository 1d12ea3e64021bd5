package admin

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/metrics"
	"paddock/internal/zk"
)

// noArg is the argument of words that have none; it must not be asked for.
func noArg() (int64, bool) { panic("a word without an argument asked for it") }

func all(src Source) *Words { return New(Options{Source: src, AllEnabled: true, Version: debian}) }

func TestAnswersAreThoseOfZooKeeper(t *testing.T) {
	asked := func(f *fakeSource, addr string, recv, sent int64) *fakeSource {
		f.asking(addr, time.Time{})
		f.server.Received, f.server.Sent = recv, sent
		return f
	}
	readOnly := func(recv, sent int64) *fakeSource {
		f := asked(fresh(), "127.0.0.1:51204", recv, sent)
		f.state, f.server.Mode = StateReadOnly, "read-only"
		return f
	}
	dumped := fresh()
	dumped.asking("127.0.0.1:38920", at(6, 27, 17))
	busyDump := busy()
	busyDump.asking("127.0.0.1:39052", at(6, 27, 17))
	reset := busy()
	for i := range reset.conns {
		c := &reset.conns[i]
		*c = Connection{Addr: c.Addr, Session: c.Session, TimeoutMS: c.TimeoutMS, EstablishedMS: c.EstablishedMS,
			LastOp: "NA", LastCxid: -1, LastZxid: -1}
	}
	for _, tc := range []struct {
		capture string
		src     *fakeSource
	}{
		{"fresh_srvr", asked(fresh(), "127.0.0.1:1", 1, 0)},
		{"fresh_stat", asked(fresh(), "127.0.0.1:38872", 2, 1)},
		{"fresh_cons", asked(fresh(), "127.0.0.1:38882", 2, 1)},
		{"fresh_conf", fresh()}, {"fresh_dirs", fresh()}, {"fresh_dump", dumped}, {"fresh_hash", fresh()},
		{"fresh_wchc", fresh()}, {"fresh_wchp", fresh()}, {"fresh_wchs", fresh()},
		{"busy_srvr", asked(busy(), "127.0.0.1:1", 30, 29)},
		{"busy_stat", asked(busy(), "127.0.0.1:39038", 31, 30)},
		{"busy_cons", asked(busy(), "127.0.0.1:39046", 32, 31)},
		{"busy_conf", busy()}, {"busy_dirs", busy()}, {"busy_dump", busyDump}, {"busy_hash", busy()},
		{"busy_wchc", busy()}, {"busy_wchp", busy()}, {"busy_wchs", busy()},
		{"busy_ruok", busy()}, {"busy_isro", busy()}, {"busy_gtmk", busy()},
		{"reset_cons", asked(reset, "127.0.0.1:39206", 1, 1)},
		{"readonly_srvr", readOnly(1, 0)}, {"readonly_stat", readOnly(2, 1)}, {"readonly_isro", readOnly(2, 1)},
	} {
		_, word, _ := strings.Cut(tc.capture, "_")
		if got, want := string(all(tc.src).Answer(word, noArg)), capture(t, tc.capture); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", tc.capture, got, want)
		}
	}
}

func TestResetsAreToldAndDone(t *testing.T) {
	src, reg := busy(), metrics.New()
	reg.Counter("connection_rejected").Inc()
	w := New(Options{Source: src, AllEnabled: true, Metrics: reg})
	for word, method := range map[string]string{"crst": "ResetConnections", "srst": "ResetServer"} {
		src.asked = nil
		if got, want := string(w.Answer(word, noArg)), capture(t, word); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
		if !slices.Equal(src.asked, []string{method}) {
			t.Errorf("%s called %v", word, src.asked)
		}
	}
	if n := reg.Counter("connection_rejected").Value(); n != 0 {
		t.Errorf("a counter is at %d after srst", n)
	}
}

func TestAServerThatDoesNotServeSaysSo(t *testing.T) {
	quiet, deaf := busy(), busy()
	quiet.state = StateNotServing
	deaf.deaf = true
	for name := range words {
		if name == "envi" || name == "stmk" {
			continue
		}
		want := capture(t, "notserving_"+name)
		if got := string(all(quiet).Answer(name, noArg)); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if asks := !slices.Contains([]string{"cons", "crst", "srst", "ruok", "isro", "gtmk"}, name); asks {
			if got := string(all(deaf).Answer(name, noArg)); got != want {
				t.Errorf("%s of a server that cannot tell: got %q, want %q", name, got, want)
			}
		}
	}
	if len(quiet.asked) > 0 {
		t.Errorf("a server that does not serve was asked for %v", quiet.asked)
	}
}

func TestAWordGathersOnlyWhatItPrints(t *testing.T) {
	for name, want := range map[string]string{
		"conf": "[Conf]", "cons": "[Connections]", "dirs": "[Conf]", "dump": "[Sessions Connections]", "envi": "[]", "gtmk": "[]",
		"hash": "[TreeDigests]", "isro": "[]", "mntr": "[Server]", "ruok": "[]", "srvr": "[Server]", "stat": "[Server Connections]",
		"wchc": "[Watches]", "wchp": "[Watches]", "wchs": "[WatchCounts]",
	} {
		src := busy()
		all(src).Answer(name, noArg)
		if got := fmt.Sprint(src.asked); got != want {
			t.Errorf("%s asked for %s, want %s", name, got, want)
		}
	}
}

func TestOnlyEnabledWordsAreAnswered(t *testing.T) {
	for _, tc := range []struct {
		name    string
		enabled []string
		all     bool
		want    string
	}{
		{"srvr is always enabled", nil, false, "srvr"},
		{"a list enables its words and srvr", []string{"ruok", "stmk", "mntr"}, false, "mntr ruok srvr stmk"},
		{"a name that is no word enables nothing", []string{"lsnp", "RUOK", ""}, false, "srvr"},
		{"all words can be enabled at once", nil, true,
			"conf cons crst dirs dump envi gtmk hash isro mntr ruok srst srvr stat stmk wchc wchp wchs"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src := busy()
			w := New(Options{Source: src, Enabled: tc.enabled, AllEnabled: tc.all, Version: debian})
			var answered []string
			for name := range words {
				src.asked = nil
				asked := false
				got := string(w.Answer(name, func() (int64, bool) { asked = true; return 1, true }))
				if got != name+" is not executed because it is not in the whitelist.\n" {
					answered = append(answered, name)
				} else if asked || src.asked != nil {
					t.Errorf("%s is not enabled and still asked for %v, argument %v", name, src.asked, asked)
				}
			}
			slices.Sort(answered)
			if got := strings.Join(answered, " "); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestWhatIsNoWordIsNotAnswered(t *testing.T) {
	w := all(busy())
	for _, name := range []string{"", "telnet close", "RUOK", "ruok\n", "icfg", "lsnp", "kill", "reqs", "\xff\xf4\xff\xfd", strings.Repeat("srvr", 1e6)} {
		if got := w.Answer(name, noArg); got != nil {
			t.Errorf("%.20q was answered with %q", name, got)
		}
	}
}

func TestTheTraceMaskIsKept(t *testing.T) {
	w := all(&fakeSource{}) // also while the server does not serve
	if got := string(w.Answer("gtmk", noArg)); got != "306" {
		t.Errorf("the first mask is %s", got)
	}
	for _, mask := range []int64{-1, 0, math.MinInt64, math.MaxInt64, 306} {
		want := fmt.Sprint(mask)
		if got := string(w.Answer("stmk", func() (int64, bool) { return mask, true })); got != want {
			t.Errorf("stmk %d answered %s", mask, got)
		}
		if mask == -1 && want != capture(t, "negative_stmk") {
			t.Errorf("ZooKeeper answers %s", capture(t, "negative_stmk"))
		}
		if got := string(w.Answer("gtmk", noArg)); got != want {
			t.Errorf("gtmk after stmk %d answered %s", mask, got)
		}
	}
	if got := w.Answer("stmk", func() (int64, bool) { return 5, false }); got != nil {
		t.Errorf("stmk without its argument answered %q", got)
	}
	if got := string(w.Answer("gtmk", noArg)); got != "306" {
		t.Errorf("a mask that did not come was set: %s", got)
	}
}

func TestWhatClientsChooseCannotForgeLists(t *testing.T) {
	src := fresh()
	src.watch = []PathWatches{{"", []zk.SessionID{-1}}, {"/\xff\xfe", []zk.SessionID{math.MinInt64}}}
	src.dump.Ephemerals = []Ephemerals{{Session: -1}}
	src.hash = []TreeDigest{{-1, math.MaxUint64}}
	src.conns = []Connection{{Addr: "not an address", Received: math.MaxInt64, Outstanding: -1, Unsent: 9}}
	w := all(src)
	for word, want := range map[string]string{
		"wchp": "\n\t0xffffffffffffffff\n/\xff\xfe\n\t0x8000000000000000\n\n",
		"wchc": "0x8000000000000000\n\t/\xff\xfe\n0xffffffffffffffff\n\t\n\n",
		"hash": "ffffffffffffffff: -1\n",
		"cons": " /not an address[5](queued=-1,recved=9223372036854775807,sent=0)\n\n",
		"dump": "SessionTracker dump:\nSession Sets (0)/(0):\nephemeral nodes dump:\nSessions with Ephemerals (1):\n" +
			"0xffffffffffffffff:\nConnections dump:\n",
	} {
		if got := string(w.Answer(word, noArg)); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}

func TestConnectionsOfOneSecondAreDumpedTogether(t *testing.T) {
	src := fresh()
	src.asking("127.0.0.1:3", at(6, 27, 17).Add(900*time.Millisecond))
	src.asking("127.0.0.1:1", at(6, 27, 18))
	src.asking("127.0.0.1:2", at(6, 27, 17).Add(time.Millisecond))
	src.asking("127.0.0.1:4", time.Time{})
	want := "Connections dump:\nConnections Sets (2)/(3):\n2 expire at Sat Nov 21 06:27:17 UTC 2026:\n" +
		"\tip: /127.0.0.1:2 sessionId: 0x0\n\tip: /127.0.0.1:3 sessionId: 0x0\n" +
		"1 expire at Sat Nov 21 06:27:18 UTC 2026:\n\tip: /127.0.0.1:1 sessionId: 0x0\n"
	if got := string(all(src).Answer("dump", noArg)); !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant at its end\n%s", got, want)
	}
}

func TestManyMayAskAtOnce(t *testing.T) {
	w, done := all(&fakeSource{}), make(chan string)
	const askers = 8
	for i := range askers {
		go func() {
			w.Answer("stmk", func() (int64, bool) { return int64(i), true })
			done <- string(w.Answer("gtmk", noArg))
		}()
	}
	for range askers {
		if got := <-done; len(got) != 1 {
			t.Errorf("gtmk answered %q", got)
		}
	}
}
