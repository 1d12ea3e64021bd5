package survey

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paddock/internal/freeport"
	"paddock/storage/vfs"
)

// said is what a server answers, by word; a word that is missing is not in its whitelist.
type said map[string]string

const (
	members = "membership: \nserver.1=a:2888:3888:participant\nserver.2=b:2888:3888:participant\nserver.3=c:2888:3888:participant\nversion=0"
	leading = "Zookeeper version: 3.8.0-5a02a05, built on 2024-12-29 17:54 UTC\nZxid: 0x100000105\nMode: leader\nNode count: 5\n"
)

// member answers as server id of three that are well.
func member(id string) said {
	s := said{"srvr": strings.Replace(leading, "leader", "follower", 1), "conf": "secureClientPort=-1\nserverId=" + id + "\n" + members,
		"mntr": "zk_local_sessions\t0\nzk_digest_mismatches_count\t0\nzk_ensemble_auth_success\t0\n", "hash": "100000080: 17\n100000100: 18\n"}
	if id == "3" {
		s["srvr"], s["mntr"] = leading, s["mntr"]+"zk_synced_followers\t2\n"
	}
	return s
}

// serve answers four-letter words until the test ends.
func serve(t *testing.T, s said) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends with the listener
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w := make([]byte, 4)
			if _, err := io.ReadFull(c, w); err == nil {
				text, ok := s[string(w)]
				if !ok {
					text = string(w) + " is not executed because it is not in the whitelist.\n"
				}
				io.WriteString(c, text) //nolint:errcheck // the test sees what is missing
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// examined asks three servers, changed by change.
func examined(t *testing.T, change func(all []said) []said) *Report {
	t.Helper()
	all := []said{member("1"), member("2"), member("3")}
	if change != nil {
		all = change(all)
	}
	var list []*Server
	for _, s := range all {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		list = append(list, Ask(ctx, serve(t, s)))
		cancel()
	}
	return Examine(list, nil)
}

func TestExamine(t *testing.T) {
	replace := func(i int, word, old, with string) func([]said) []said {
		return func(all []said) []said {
			if !strings.Contains(all[i][word], old) {
				panic(old)
			}
			all[i][word] = strings.Replace(all[i][word], old, with, 1)
			return all
		}
	}
	for _, row := range []struct {
		name   string
		change func([]said) []said
		code   int
		want   string
	}{
		{"three members that are well", nil, 0, "4 digests of trees were compared"},
		{"a server that has no leader", func(all []said) []said {
			all[1]["srvr"] = "This ZooKeeper instance is not currently serving requests\n"
			return all
		}, 2, "it serves nobody"},
		{"a member that was not named", func(all []said) []said { return all[1:] }, 1, "server.1 (a) is a member and was not asked"},
		{"a version that is too old", replace(0, "srvr", "3.8.0", "3.4.14"), 2, "ZooKeeper 3.4.14-5a02a05 is older than 3.5"},
		{"a version that is newer than any tested", replace(0, "srvr", "3.8.0", "4.0.0"), 1, "is newer than"},
		{"different versions", replace(0, "srvr", "3.8.0", "3.7.1"), 1, "2 different versions"},
		{"words that are not allowed", func(all []said) []said {
			delete(all[0], "mntr")
			delete(all[0], "hash")
			return all
		}, 1, "does not answer mntr (whether followers are in sync, digests that differ, local sessions), hash"},
		{"only the least word that is not allowed", func(all []said) []said { delete(all[0], "hash"); return all }, 0, "does not answer hash"},
		{"clients that use TLS", replace(2, "conf", "secureClientPort=-1", "secureClientPort=2281"), 1, "clients use TLS on port 2281"},
		{"servers that authenticate", replace(1, "mntr", "auth_success\t0", "auth_success\t4"), 2, "with SASL"},
		{"local sessions", replace(1, "mntr", "local_sessions\t0", "local_sessions\t4"), 1, "4 local sessions"},
		{"a tree that has differed", replace(1, "mntr", "mismatches_count\t0", "mismatches_count\t1"), 2, "differed from the leader's 1 times"},
		{"trees that differ", replace(1, "hash", "100000100: 18", "100000100: 19"), 2, "other digests at 0x100000100"},
		{"a follower that is not in sync", replace(2, "mntr", "synced_followers\t2", "synced_followers\t1"), 2, "only 1 of 2 followers are in sync"},
		{"no leader among those named", func(all []said) []said { return all[:2] }, 2, "none of the servers leads"},
		{"two leaders", replace(0, "srvr", "follower", "leader"), 2, "leads too"},
		{"a standalone server among others", replace(0, "srvr", "follower", "standalone"), 2, "it is standalone, and others were named"},
		{"a standalone server", func(all []said) []said {
			return []said{{"srvr": strings.Replace(leading, "leader", "standalone", 1), "conf": "serverId=0\n", "mntr": "zk_x\t1\n", "hash": "80: 1\n"}}
		}, 0, "one server on its own"},
		{"a read-only server", replace(0, "srvr", "follower", "read-only"), 2, "is cut off"},
		{"a server of an earlier epoch", replace(0, "srvr", "0x100000105", "0x5"), 1, "it is at 0x5 where"},
		{"a leader in whose epoch nothing was written yet", replace(2, "srvr", "0x100000105", "0x200000000"), 0, "4 digests of trees were compared"},
		{"the same, and a follower of an earlier epoch than the other", func(all []said) []said {
			return replace(0, "srvr", "0x100000105", "0x5")(replace(2, "srvr", "0x100000105", "0x200000000")(all))
		}, 1, "it is at 0x5 where"},
		{"members that began epochs in which nothing was written", func(all []said) []said {
			return replace(0, "srvr", "0x100000105", "0x200000000")(replace(2, "srvr", "0x100000105", "0x300000000")(all))
		}, 0, "4 digests of trees were compared"},
		{"a follower that was sent an earlier epoch's beginning", replace(0, "srvr", "0x100000105", "0x0"), 1, "it is at 0x0 where"},
		{"files that differ", replace(0, "conf", "server.2=b", "server.2=d"), 2, "names other voters"},
		{"an observer that the others do not know", replace(0, "conf", "version=0", "server.4=d:2888:3888:observer\nversion=0"), 1, "names other observers"},
		{"two voters", func(all []said) []said {
			for _, s := range all {
				s["conf"] = strings.Replace(s["conf"], "server.1=a:2888:3888:participant\n", "", 1)
			}
			all[2]["mntr"] = strings.Replace(all[2]["mntr"], "followers\t2", "followers\t1", 1)
			return all[1:]
		}, 1, "2 voters: while one is replaced"},
		{"a configuration of its own file", replace(0, "conf", "version=0", "version=100000003"), 0, "the configuration has version 0x100000003"},
		{"large answers", replace(0, "mntr", "zk_local", "zk_max_client_response_size\t2000000\nzk_local"), 1, "an answer had 2000000 bytes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := examined(t, row.change)
			found := false
			for _, f := range r.Findings {
				found = found || strings.Contains(f.Text, row.want)
			}
			if r.Code() != row.code || !found {
				t.Errorf("code %d, want %d; no %q in\n%+v", r.Code(), row.code, row.want, r.Findings)
			}
			if last := r.Steps[len(r.Steps)-1]; r.Code() < 2 && row.name == "three members that are well" && !strings.Contains(last, "server 3 (") {
				t.Errorf("the leader is not replaced last: %q", r.Steps)
			}
		})
	}
}

// TestATreeWithoutDigestsYetIsNoRefusal: a server lists a digest of every 128th transaction, and so none at first.
func TestATreeWithoutDigestsYetIsNoRefusal(t *testing.T) {
	s := member("3")
	s["hash"] = ""
	if got := Ask(t.Context(), serve(t, s)); got.Problem != "" || len(got.Refused) != 0 {
		t.Errorf("%q, refused %v", got.Problem, got.Refused)
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	address := fmt.Sprint("127.0.0.1:", freeport.Take(t))
	if r := Examine([]*Server{Ask(t.Context(), address)}, nil); r.Code() != 2 || !strings.Contains(r.Findings[0].Text, "no answer") {
		t.Errorf("%+v", r.Findings)
	}
}

func TestInspect(t *testing.T) {
	d, err := Inspect(vfs.OS{}, "../../storage/datadir/testdata/modern", "")
	if err != nil {
		t.Fatal(err)
	}
	if d.Snapshot == "" || d.Znodes == 0 || d.Containers == 0 || d.TTLs == 0 || d.Ephemerals == 0 || d.Sessions == 0 || d.Logs == 0 || d.LogBytes == 0 {
		t.Errorf("%+v", d)
	}
	r := Examine(nil, d)
	if r.Code() != 1 || !strings.Contains(r.Findings[1].Text, "extendedTypesEnabled=true") {
		t.Errorf("%+v", r.Findings)
	}

	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "snapshot.1"), []byte("ZKSN, and then nothing"), 0o666); err != nil {
		t.Fatal(err)
	}
	if d, err = Inspect(vfs.OS{}, damaged, ""); err != nil || Examine(nil, d).Code() != 2 {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err = Inspect(vfs.OS{}, filepath.Join(damaged, "none"), ""); err == nil {
		t.Error("there is no such directory")
	}
	r = Examine(nil, &Data{Snapshot: "snapshot.1", Schemes: []string{"sasl"}, LargestBytes: 2 << 20, Largest: "/big"})
	if r.Code() != 2 || len(r.Findings) != 3 {
		t.Errorf("%+v", r.Findings)
	}
}
