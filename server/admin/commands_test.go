package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"paddock/internal/zk"
)

// commandServer is a handler of commands for a source, changed by a test.
func commandServer(src Source, change ...func(*CommandOptions)) http.Handler {
	w := New(Options{Source: src, Version: debian})
	o := CommandOptions{Words: func() *Words { return w }}
	for _, f := range change {
		f(&o)
	}
	return Commands(o)
}

func ask(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	rec, req := httptest.NewRecorder(), httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	h.ServeHTTP(rec, req)
	return rec
}

// member5 is server 1 of an ensemble that server 2 leads.
func member5() (Membership, bool) {
	return Membership{ServerID: 1, Leader: 2, HasLeader: true, Stage: "broadcast", Voting: true, Zxid: 0x500000007, Servers: []MemberServer{
		{ID: 1, Quorum: []string{"a:2888"}, Election: []string{"a:3888"}, Client: "a:2181"}, {ID: 2, Quorum: []string{"b:2888"}, Election: []string{"b:3888"}},
		{ID: 3, Quorum: []string{"c:2888"}, Election: []string{"c:3888"}, Observer: true}}}, true
}

// The fields of each command are those of ZooKeeper 3.8 and 3.9.
func TestCommandsHaveTheFieldsOfZooKeeper(t *testing.T) {
	const statistics = "version read_only server_stats client_response"
	h := commandServer(busy(), func(o *CommandOptions) {
		o.Membership = member5
		o.Configuration, o.Settings = "tickTime=2000\n", func() map[string]string { return map[string]string{"tickTime": "2000"} }
		o.LastSnapshot = func() (zk.Zxid, time.Time, bool) { return 0x1f, time.Unix(1700000000, 5), true }
	})
	for names, want := range map[string]string{
		"configuration conf config":  "client_port data_dir data_log_dir tick_time max_client_cnxns min_session_timeout max_session_timeout server_id client_port_listen_backlog",
		"connection_stat_reset crst": "", "connections cons": "connections secure_connections", "dirs": "datadir_size logdir_size",
		"dump":                "expiry_time_to_session_ids session_id_to_ephemeral_paths",
		"get_trace_mask gtmk": "tracemask", "hash": "digests", "initial_configuration icfg": "initial_configuration",
		"is_read_only isro": "read_only", "last_snapshot lsnp": "zxid timestamp", "leader lead": "is_leader leader_id leader_ip",
		"observer_connection_stat_reset orst": "", "observers obsr": "synced_observers observers", "ruok": "",
		"server_stats srvr": statistics + " node_count", "stat_reset srst": "",
		"stats stat": statistics + " node_count connections secure_connections", "system_properties sysp": "tickTime", "voting_view": "current_config",
		"watch_summary wchs": "num_connections num_paths num_total_watches", "watches wchc": "session_id_to_watched_paths",
		"watches_by_path wchp": "path_to_session_ids",
		"zabstate":             "myid is_leader quorum_address election_address client_address voting last_zxid zab_epoch zab_counter zabstate",
	} {
		all := strings.Fields(names)
		for _, name := range all {
			rec := ask(h, http.MethodGet, "/commands/"+name)
			if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s: %d %v", name, rec.Code, rec.Header())
			}
			if got := strings.Join(keysOfJSON(t, rec.Body.Bytes()), " "); got != strings.TrimSpace(want+" command error") {
				t.Errorf("%s has %s, want %s", name, got, want)
			}
			if !strings.Contains(rec.Body.String(), "\"command\" : \""+all[0]+"\",\n  \"error\" : null\n}") {
				t.Errorf("%s ends otherwise: %s", name, rec.Body)
			}
		}
	}
	for name, want := range map[string]string{"monitor": "znode_count", "environment": "java.version"} {
		if rec := ask(h, http.MethodGet, "/commands/"+name); !strings.Contains(rec.Body.String(), "\n  \""+want+"\" : ") || !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s: %s", name, rec.Body)
		}
	}
	if rec := ask(h, http.MethodGet, "/commands/leader"); !strings.HasPrefix(rec.Body.String(), "{\n  \"is_leader\" : false,\n  \"leader_id\" : 2,\n  \"leader_ip\" : \"b\",\n") {
		t.Error(rec.Body)
	}
	if rec := ask(h, http.MethodGet, "/commands/last_snapshot"); !strings.HasPrefix(rec.Body.String(), "{\n  \"zxid\" : \"1f\",\n  \"timestamp\" : 1700000000,\n") {
		t.Error(rec.Body)
	}
}

// The fields of an observer are those of ZooKeeper's LearnerHandler.getLearnerHandlerInfo, whoever serves it.
func TestObserversAreTold(t *testing.T) {
	observer := Observer{Addr: "10.0.0.7:40112", ID: 3, EstablishedMS: 1700000000123, Queued: 2, QueuedBytes: 96, Received: 40, Sent: 50, Requests: 4, LastZxid: 0x100000006}
	leader, master := member("leader"), member("follower")
	leader.server.Leading.Observers = []Observer{observer}
	master.server.Member.SyncedObservers, master.server.Member.Observers = 1, []Observer{observer}
	const want = `[{"remote_socket_address":"/10.0.0.7:40112","sid":3,"established":1700000000123,"queued_packets":2,"queued_packets_size":96,` +
		`"packets_received":40,"packets_sent":50,"requests":4,"last_zxid":4294967302}]`
	for name, src := range map[string]*fakeSource{"leader": leader, "master": master} {
		h := commandServer(src)
		var out struct {
			Synced    int `json:"synced_observers"`
			Observers json.RawMessage
		}
		var text bytes.Buffer
		if err := json.Unmarshal(ask(h, http.MethodGet, "/commands/observers").Body.Bytes(), &out); err != nil || out.Synced != 1 {
			t.Errorf("%s: %+v, %v", name, out, err)
		} else if err := json.Compact(&text, out.Observers); err != nil || text.String() != want {
			t.Errorf("%s: %s, %v; want %s", name, &text, err, want)
		}
		if ask(h, http.MethodGet, "/commands/orst"); len(src.asked) == 0 || src.asked[len(src.asked)-1] != "ResetObservers" {
			t.Errorf("%s: orst asks for %q", name, src.asked)
		}
	}
}

// keysOfJSON are the names of an object's members, in their order.
func keysOfJSON(t *testing.T, text []byte) (keys []string) {
	t.Helper()
	if !json.Valid(text) {
		t.Fatalf("no JSON: %s", text)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.Token()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, fmt.Sprint(key))
	}
	return keys
}

func TestEveryCommandIsListed(t *testing.T) {
	h := commandServer(busy())
	for _, path := range []string{"/commands", "/commands/"} {
		page := ask(h, http.MethodGet, path).Body.String()
		for _, name := range commandNames {
			if strings.Count(page, `<a href="/commands/`+name+`">`+name+"</a>\n<br/>\n") != 1 {
				t.Errorf("%s: %s is not listed once", path, name)
			}
		}
	}
}

// TestALeaderWithoutClientsAnswersOverHTTP: four-letter words come through a client's port, where it serves nobody.
func TestALeaderWithoutClientsAnswersOverHTTP(t *testing.T) {
	src := member("leader")
	src.state = StateApart
	for _, row := range []struct{ name, word string }{{"srvr", notServing + "\n"}, {"hash", notServing}, {"ruok", "imok"}, {"isro", "null"}} {
		if got := string(all(src).Answer(row.name, noArg)); got != row.word {
			t.Errorf("%s: %q, want %q", row.name, got, row.word)
		}
	}
	h := commandServer(src, func(o *CommandOptions) { o.Membership = member5 })
	for name, want := range map[string]string{"ruok": `"error" : null`, "leader": `"leader_id" : 2`, "srvr": `"server_state" : "leader"`, "isro": `"read_only" : false`,
		"conf": `"tick_time" : 500`, "voting_view": `"participant"`} {
		if rec := ask(h, http.MethodGet, "/commands/"+name); !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%s: %s, want %s", name, rec.Body, want)
		}
	}
}

func TestCommandsThatCannotBeAnswered(t *testing.T) {
	quiet, deaf := busy(), busy()
	quiet.state, deaf.deaf = StateNotServing, true
	none := Commands(CommandOptions{Words: func() *Words { return nil }})
	for name, c := range map[string]struct {
		h            http.Handler
		method, path string
		code         int
		problem      string
	}{
		"an unknown command":                {commandServer(busy()), "GET", "bogus", 200, "Unknown command: bogus"},
		"markup in its name":                {commandServer(busy()), "GET", "%3Cb%3E", 200, "Unknown command: <b>"},
		"a server without a quorum":         {commandServer(quiet), "GET", "ruok", 200, notServing},
		"a server that cannot tell":         {commandServer(deaf), "GET", "hash", 200, notServing},
		"a server that starts":              {none, "GET", "monitor", 200, notServing},
		"the leader of a server alone":      {commandServer(busy()), "GET", "leader", 200, "server is not initialized"},
		"a mask that is none":               {commandServer(busy()), "GET", "stmk?traceMask=x", 200, "setTraceMask requires long traceMask argument, got x"},
		"no mask":                           {commandServer(busy()), "GET", "stmk", 200, "setTraceMask requires long traceMask argument"},
		"a snapshot for nobody":             {commandServer(busy()), "GET", "snapshot", 401, "Auth info is missing for the command"},
		"a restoration for nobody":          {commandServer(busy()), "POST", "restore", 401, "Auth info is missing for the command"},
		"connections to be shed for nobody": {commandServer(busy()), "POST", "shed", 401, "Auth info is missing for the command"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := ask(c.h, c.method, "/commands/"+c.path)
			var out struct{ Error string }
			if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || rec.Code != c.code || out.Error != c.problem {
				t.Errorf("%d %s: %v", rec.Code, rec.Body, err)
			}
		})
	}
	if rec := ask(commandServer(busy()), http.MethodPost, "/commands/stat_reset"); rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", rec.Code)
	}
	if rec := ask(commandServer(busy()), http.MethodGet, "/commands/stmk?traceMask=5"); !strings.Contains(rec.Body.String(), `"tracemask" : 5`) {
		t.Error(rec.Body)
	}
}

func TestASnapshotIsForWhomItIsFor(t *testing.T) {
	var fails error
	h := commandServer(busy(), func(o *CommandOptions) {
		o.SnapshotEvery = time.Hour
		o.Authorize = func(_ context.Context, scheme string, credential []byte, _ string) (known, allowed bool) {
			return scheme == "digest", string(credential) == "super:secret"
		}
		o.Snapshot = func(_ context.Context, open func(zk.Zxid) io.Writer) error {
			if fails == nil {
				io.WriteString(open(0x17), "the data")
			}
			return fails
		}
	})
	for _, c := range []struct {
		auth string
		code int
		body string
	}{
		{"x509", 401, "Not authenticated"}, {"digest anne:x", 403, "Not authorized"}, {"Basic YW5uZTp4", 403, "Not authorized"},
		{"digest super:secret", 200, "the data"}, {"Basic c3VwZXI6c2VjcmV0", 429, "Rate limited"},
	} {
		rec := ask(h, http.MethodGet, "/commands/snapshot", "Authorization", c.auth)
		if rec.Code != c.code || !strings.Contains(rec.Body.String(), c.body) {
			t.Errorf("%s: %d %s", c.auth, rec.Code, rec.Body)
		}
		if c.code == 200 && (rec.Header().Get("last_zxid") != "0x17" || rec.Header().Get("Content-Type") != "application/octet-stream") {
			t.Error(rec.Header())
		}
	}
	h.(*commands).last, fails = time.Time{}, errors.New("no room")
	if rec := ask(h, http.MethodGet, "/commands/snap", "Authorization", "digest super:secret"); rec.Code != 500 || !strings.Contains(rec.Body.String(), "no room") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if rec := ask(h, http.MethodPost, "/commands/restore", "Authorization", "digest super:secret"); rec.Code != 503 || !strings.Contains(rec.Body.String(), "stop it") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestConnectionsThroughTLSAreListedApart(t *testing.T) {
	src := fresh()
	src.conns = []Connection{{Addr: "10.0.0.1:1", LastOp: "NA"}, {Addr: "10.0.0.2:2", LastOp: "NA", Secure: true}, {Addr: "10.0.0.3:3", LastOp: "NA", Secure: true}}
	h := commandServer(src)
	for _, name := range []string{"connections", "stats"} {
		var got map[string]json.RawMessage
		if err := json.Unmarshal(ask(h, http.MethodGet, "/commands/"+name).Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{"connections": "10.0.0.1:1", "secure_connections": "10.0.0.2:2 10.0.0.3:3"} {
			var list []struct {
				Address string `json:"remote_socket_address"`
			}
			if err := json.Unmarshal(got[key], &list); err != nil {
				t.Fatal(err)
			}
			var addrs []string
			for _, c := range list {
				addrs = append(addrs, c.Address)
			}
			if got := strings.Join(addrs, " "); got != want {
				t.Errorf("%s: %s has %q, want %q", name, key, got, want)
			}
		}
	}
}
