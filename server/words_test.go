package server

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"paddock/internal/client"
	"paddock/internal/zk"
)

func TestFourLetterWords(t *testing.T) {
	r := start(t, t.TempDir(), "4lw.commands.whitelist=*")
	c := r.dial(client.Options{})
	do(t, c, zk.Request{Op: zk.OpCreate, Path: "/a", Data: []byte("1234")})
	do(t, c, zk.Request{Op: zk.OpCreate, Path: "/e", Mode: zk.Ephemeral})
	do(t, c, zk.Request{Op: zk.OpGetData, Path: "/a", Watch: true})
	do(t, c, zk.Request{Op: zk.OpGetChildren, Path: "/", Watch: true})
	zxid := do(t, c, zk.Request{Op: zk.OpAddWatch, Path: "/r", Arg: int32(zk.AddPersistentRecursive)}).Zxid
	session := fmt.Sprintf("0x%x", uint64(c.Session()))
	for word, want := range map[string][]string{
		"ruok": {`^imok$`},
		"isro": {`^rw$`},
		"srvr": {`(?m)^Zookeeper version: 3\.8\.0-paddock-1\.2\.3`, `(?m)^Zxid: ` + zxid.String() + `$`, `(?m)^Mode: standalone$`, `(?m)^Node count: 7$`, `(?m)^Connections: [2-9]$`},
		"stat": {`(?m)^Clients:$`, `(?m)^ /127\.0\.0\.1:\d+\[1\]\(queued=0,recved=\d+,sent=\d+\)$`, `(?m)^Mode: standalone$`},
		"cons": {`sid=` + session, `lop=(ADDW|[A-Z]+)`, `lzxid=` + zxid.String()},
		"conf": {`(?m)^clientPort=` + fmt.Sprint(r.port) + `$`, `(?m)^tickTime=\d+$`, `(?m)^dataDir=` + regexp.QuoteMeta(r.dir) + `.version-2$`, `(?m)^maxClientCnxns=\d+$`},
		"envi": {`(?m)^Environment:$`, `(?m)^zookeeper\.version=3\.8\.0`},
		"dump": {`SessionTracker dump:`, `(?m)^\t?` + session, `(?m)^\t/e$`},
		"wchs": {`^1 connections watching 2 paths\nTotal watches:2\n$`},
		"wchc": {session + `\n\t/`, `(?m)^\t/a$`, `(?m)^\t/r$`},
		"wchp": {`(?m)^/a\n\t` + session + `$`},
		"dirs": {`(?m)^datadir_size: \d+$`, `(?m)^logdir_size: \d+$`},
		"hash": {`(?s).*`},
		"gtmk": {`^\d+$`},
		"mntr": {`(?m)^zk_server_state\tstandalone$`, `(?m)^zk_znode_count\t7$`, `(?m)^zk_watch_count\t3$`, `(?m)^zk_ephemerals_count\t1$`, `(?m)^zk_num_alive_connections\t[2-9]$`,
			`(?m)^zk_global_sessions\t1$`, `(?m)^zk_cnt_fsynctime\t[1-9]`, `(?m)^zk_cnt_propagation_latency\t[1-9]`, `(?m)^zk_bytes_received_count\t[1-9]\d\d`, `(?m)^zk_response_bytes\t[1-9]\d\d`,
			`(?m)^zk_last_client_response_size\t20$`, `(?m)^zk_min_client_response_size\t20$`, `(?m)^zk_max_client_response_size\t[1-9]\d\d?$`, `(?m)^zk_cnt_updatelatency\t[1-9]`},
	} {
		got := r.word(word)
		for _, pattern := range want {
			if !regexp.MustCompile(pattern).MatchString(got) {
				t.Errorf("%s does not match %s:\n%s", word, pattern, got)
			}
		}
	}
	for _, step := range []struct{ word, want string }{
		{"crst", "Connection stats reset.\n"}, {"srst", "Server stats reset.\n"},
	} {
		if got := r.word(step.word); got != step.want {
			t.Errorf("%s: %q", step.word, got)
		}
	}
	if got := r.word("srvr"); !regexp.MustCompile(`(?m)^Received: \d$`).MatchString(got) {
		t.Errorf("srst reset nothing:\n%s", got)
	}
}

// Watches that have told of a change are counted by what they told, also before the figures were set to zero in between.
func TestFiredWatchesAreCounted(t *testing.T) {
	r := start(t, t.TempDir(), "4lw.commands.whitelist=*")
	c := r.dial(client.Options{})
	round := func(want map[string]string) {
		do(t, c, zk.Request{Op: zk.OpCreate, Path: "/w", ACL: zk.OpenACL})
		do(t, c, zk.Request{Op: zk.OpGetData, Path: "/w", Watch: true})
		do(t, c, zk.Request{Op: zk.OpSetData, Path: "/w", Version: -1})
		do(t, c, zk.Request{Op: zk.OpGetChildren, Path: "/", Watch: true})
		do(t, c, zk.Request{Op: zk.OpGetData, Path: "/w", Watch: true})
		do(t, c, zk.Request{Op: zk.OpDelete, Path: "/w", Version: -1})
		got := r.word("mntr")
		for name, n := range want {
			if !strings.Contains(got, "zk_"+name+"_watch_count\t"+n+"\n") {
				t.Errorf("%s is not %s:\n%s", name, n, got)
			}
		}
	}
	once := map[string]string{"cnt_node_changed": "1", "sum_node_changed": "1", "cnt_node_deleted": "1", "sum_node_children": "1", "cnt_node_created": "0"}
	round(once)
	r.word("srst")
	round(once)
	round(map[string]string{"cnt_node_changed": "2", "sum_node_changed": "2", "cnt_node_deleted": "2"})
}

func TestOnlyEnabledWordsAreAnswered(t *testing.T) {
	r := start(t, t.TempDir())
	if got := r.word("srvr"); !strings.Contains(got, "Mode: standalone") {
		t.Errorf("srvr: %q", got)
	}
	for _, word := range []string{"dump", "mntr", "ruok"} {
		if got := r.word(word); got != word+" is not executed because it is not in the whitelist.\n" {
			t.Errorf("%s: %q", word, got)
		}
	}
}
