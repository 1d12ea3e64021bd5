package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"paddock/internal/client"
	"paddock/internal/freeport"
	"paddock/internal/zk"
)

func TestCommandsOverHTTP(t *testing.T) {
	port := freeport.Take(t)
	r := start(t, t.TempDir(), fmt.Sprint("httpPort=", port), "httpAddress=127.0.0.1", "DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=")
	r.await("HTTP port open")
	c := r.dial(client.Options{})
	do(t, c, zk.Request{Op: zk.OpCreate, Path: "/e", Mode: zk.Ephemeral})
	get := func(name, user string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/commands/%s", port, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		if user != "" {
			req.Header.Set("Authorization", "digest "+user)
		}
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	defer http.DefaultClient.CloseIdleConnections()
	for name, want := range map[string]string{
		"ruok": `"error" : null`, "dump": fmt.Sprintf(`"%d" : [ "/e" ]`, c.Session()), "stat": `"server_state" : "standalone"`,
		"leader": "server is not initialized", "sysp": `"DigestAuthenticationProvider.superDigest" : "***"`, "monitor": `"znode_count" : `,
		"conf": fmt.Sprintf(`"client_port" : %d`, r.port), "cons": fmt.Sprintf(`"session_id" : %d`, c.Session()), "lsnp": `"zxid" : "`,
	} {
		if code, body := get(name, ""); code != http.StatusOK || !strings.Contains(body, want) || !json.Valid([]byte(body)) {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	for user, want := range map[string]int{"": http.StatusUnauthorized, "anne:x": http.StatusForbidden, "super:test": http.StatusOK} {
		if code, body := get("snapshot", user); code != want || code == http.StatusOK && !strings.HasPrefix(body, "ZKSN") {
			t.Errorf("snapshot of %q: %d %.100q", user, code, body)
		}
	}
}

func TestCommandsAtAnotherPath(t *testing.T) {
	port := freeport.Take(t)
	r := start(t, t.TempDir(), fmt.Sprint("httpPort=", port), "httpAddress=127.0.0.1", "admin.commandURL=/zk/admin/")
	r.await("HTTP port open")
	defer http.DefaultClient.CloseIdleConnections()
	for path, want := range map[string]string{"/zk/admin": `<a href="/zk/admin/ruok">`, "/zk/admin/ruok": `"command" : "ruok"`, "/commands/ruok": ""} {
		answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || want != "" && !strings.Contains(string(body), want) || want == "" && strings.Contains(string(body), `"command"`) {
			t.Errorf("%s: %s %s %v", path, answer.Status, body, err)
		}
	}
}

// TestAMemberTellsItsOwnClientAddress: its line of the configuration need not have it, as clientPort does.
func TestAMemberTellsItsOwnClientAddress(t *testing.T) {
	port := freeport.Take(t)
	r := start(t, t.TempDir(), fmt.Sprint("httpPort=", port), "httpAddress=127.0.0.1", "myid=1", "initLimit=10", "syncLimit=5", "standaloneEnabled=false",
		fmt.Sprintf("server.1=127.0.0.1:%d:%d", freeport.Take(t), freeport.Take(t)))
	r.await("HTTP port open")
	defer http.DefaultClient.CloseIdleConnections()
	for name, want := range map[string]string{"voting_view": `"learner_type" : "participant"`, "zabstate": `"zabstate" : "broadcast"`} {
		answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/commands/%s", port, name))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		own := fmt.Sprintf(`"client_address" : "127.0.0.1:%d"`, r.port)
		if err != nil || !strings.Contains(string(body), want) || !strings.Contains(string(body), own) {
			t.Errorf("%s: %s, %v; want %s and %s", name, body, err, want, own)
		}
	}
}
