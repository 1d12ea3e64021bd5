package admin

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/zk"
)

// fakeSource is a server that stands still. Its lists are copied before they are handed out, in an order that is not
// the one they are printed in.
type fakeSource struct {
	state  State
	server Server
	conns  []Connection
	dump   Sessions
	counts WatchCounts
	watch  []PathWatches
	conf   Conf
	hash   []TreeDigest

	deaf  bool     // cannot tell
	asked []string // methods that were called
}

func (f *fakeSource) State() State { return f.state }

func (f *fakeSource) Server() (Server, bool) {
	f.asked = append(f.asked, "Server")
	return f.server, !f.deaf
}

func (f *fakeSource) Connections() []Connection {
	f.asked = append(f.asked, "Connections")
	list := slices.Clone(f.conns)
	slices.Reverse(list)
	return list
}

func (f *fakeSource) Sessions() (Sessions, bool) {
	f.asked = append(f.asked, "Sessions")
	return f.dump, !f.deaf
}

func (f *fakeSource) WatchCounts() (WatchCounts, bool) {
	f.asked = append(f.asked, "WatchCounts")
	return f.counts, !f.deaf
}

func (f *fakeSource) Watches() ([]PathWatches, bool) {
	f.asked = append(f.asked, "Watches")
	list := slices.Clone(f.watch)
	slices.Reverse(list)
	return list, !f.deaf
}

func (f *fakeSource) Conf() (Conf, bool) {
	f.asked = append(f.asked, "Conf")
	return f.conf, !f.deaf
}

func (f *fakeSource) TreeDigests() ([]TreeDigest, bool) {
	f.asked = append(f.asked, "TreeDigests")
	return f.hash, !f.deaf
}

func (f *fakeSource) ResetConnections() { f.asked = append(f.asked, "ResetConnections") }
func (f *fakeSource) ResetObservers()   { f.asked = append(f.asked, "ResetObservers") }
func (f *fakeSource) ResetServer()      { f.asked = append(f.asked, "ResetServer") }

// debian is the version of the server that gave the answers in testdata.
var debian = Version{ZooKeeper: "3.8.0", Revision: "${mvngit.commit.id}", Built: time.Date(2024, 12, 29, 17, 54, 0, 0, time.UTC)}

// The sessions of testdata/ORIGIN.md.
const session0, session1, session2 zk.SessionID = 0x10000acac840000, 0x10000acac840001, 0x10000acac840002

func at(hour, minute, second int) time.Time {
	return time.Date(2026, 11, 21, hour, minute, second, 0, time.UTC)
}

// fresh is the server of the captures fresh_*, except for the packets and the asking connection.
func fresh() *fakeSource {
	return &fakeSource{
		state:  StateServing,
		server: Server{Mode: "standalone", Connections: 1, Znodes: 5, LastReplyBytes: -1, MinReplyBytes: -1, MaxReplyBytes: -1},
		conf: Conf{ClientPort: 22990, SecureClientPort: -1, DataDir: "/data/version-2", DataDirBytes: 457,
			DataLogDir: "/data/version-2", DataLogBytes: 457, TickMS: 2000, MaxClientCnxns: 60, MinSessionMS: 4000,
			MaxSessionMS: 40000, ListenBacklog: -1},
	}
}

// busy is the server of the captures busy_*.
func busy() *fakeSource {
	f := fresh()
	f.server = Server{Mode: "standalone", Zxid: 7, Connections: 5, Received: 30, Sent: 29, MaxLatencyMS: 7, MeanLatencyMS: 11.0 / 7,
		Znodes: 9, Ephemerals: 3, Watches: 8, Sessions: 3, DataBytes: 166, Uptime: 48290 * time.Millisecond,
		LastReplyBytes: 16, MinReplyBytes: 16, MaxReplyBytes: 188}
	f.conf.DataDirBytes, f.conf.DataLogBytes = 67109337, 67109337
	early, late := at(6, 27, 17), at(6, 27, 37)
	f.conns = []Connection{
		{Addr: "127.0.0.1:38992", Session: session0, Received: 7, Sent: 7, TimeoutMS: 30000, EstablishedMS: 1795242421634,
			LastOp: "PING", LastCxid: 5, LastZxid: 7, LastReplyMS: 11364251, MeanLatencyMS: 2, MaxLatencyMS: 7, IdleUntil: late},
		{Addr: "127.0.0.1:39006", Session: session1, Received: 4, Sent: 4, TimeoutMS: 10000, EstablishedMS: 1795242421646,
			LastOp: "EXIS", LastCxid: 3, LastZxid: 7, LastReplyMS: 11364246, LastLatencyMS: 1, MeanLatencyMS: 1, MaxLatencyMS: 1,
			IdleUntil: early},
		{Addr: "127.0.0.1:39008", Session: session2, Received: 3, Sent: 3, TimeoutMS: 30000, EstablishedMS: 1795242421648,
			LastOp: "ADDW", LastCxid: 2, LastZxid: 7, LastReplyMS: 11364250, MaxLatencyMS: 1, IdleUntil: late},
		{Addr: "127.0.0.1:39018", LastOp: "NA", LastCxid: -1, LastZxid: -1, IdleUntil: early},
	}
	f.dump = Sessions{
		Buckets:    []Bucket{{at(6, 27, 33), []zk.SessionID{session2, session0}}, {at(6, 27, 13), []zk.SessionID{session1}}},
		Ephemerals: []Ephemerals{{session1, []string{"/b"}}, {session0, []string{"/app/e2", "/app/e1"}}},
	}
	f.counts = WatchCounts{Connections: 3, Paths: 3, Watches: 5}
	f.watch = []PathWatches{{"/app", []zk.SessionID{session1, session0, session2}}, {"/b", []zk.SessionID{session1}},
		{"/pers", []zk.SessionID{session2}}}
	f.hash = []TreeDigest{{0x80, 16093279482}, {0x100, 13822725146}}
	return f
}

// asking adds the connection that a word comes on.
func (f *fakeSource) asking(addr string, idleUntil time.Time) {
	f.conns = append(f.conns, Connection{Addr: addr, Received: 1, LastOp: "NA", LastCxid: -1, LastZxid: -1, IdleUntil: idleUntil})
}

// capture is an answer of ZooKeeper, with what it lists in the order of its hash tables sorted.
func capture(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return sorted(string(text), strings.HasSuffix(name, "_wchc") || strings.HasSuffix(name, "_wchp"))
}

// sorted sorts each run of indented lines, and with heads also the runs by the line above them.
func sorted(text string, heads bool) string {
	var blocks [][]string // a line and the indented ones below it
	for line := range strings.Lines(text) {
		if indented := line[0] == '\t' || line[0] == ' '; indented && len(blocks) > 0 {
			blocks[len(blocks)-1] = append(blocks[len(blocks)-1], line)
		} else if indented {
			blocks = append(blocks, []string{"", line})
		} else {
			blocks = append(blocks, []string{line})
		}
	}
	for _, b := range blocks {
		slices.Sort(b[1:])
	}
	if heads && len(blocks) > 0 { // the last is the empty line
		slices.SortFunc(blocks[:len(blocks)-1], slices.Compare[[]string])
	}
	return strings.Join(slices.Concat(blocks...), "")
}
