//go:build doors

package console

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"paddock/client"
	"paddock/test/doors/rig"
)

var screenshots = flag.Bool("screenshots", false, "write the pictures of docs/console")

// wide is how many children the widest znode has.
const wide = 100_000

// TestConsole runs every step of steps.mjs as a test of its own.
func TestConsole(t *testing.T) {
	chromium := rig.Need(t, "chromium", "install it with: apt-get install -y --no-install-recommends chromium")
	node := rig.Need(t, "node", "install it with: apt-get install -y --no-install-recommends nodejs npm")
	if _, err := os.Stat("node_modules/playwright-core/package.json"); err != nil {
		t.Fatal("playwright-core is missing; test/doors/install.sh brings it")
	}
	server := rig.Start(t, "tickTime=500", "minSessionTimeout=1000")
	c := rig.Client(t, client.Options{}, server)
	fill(t, c)
	owner := rig.Session(t, c, 2*time.Second)
	if _, err := owner.Create(t.Context(), "/app/workers/one", []byte("10.0.0.1:9000"), client.CreateOptions{Mode: client.Ephemeral, Parents: true}); err != nil {
		t.Fatal(err)
	}

	pictures := t.TempDir()
	if *screenshots {
		pictures, _ = filepath.Abs("../../../docs/console")
		if err := os.MkdirAll(pictures, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(node, "steps.mjs")
	cmd.Env = append(os.Environ(), "CONSOLE_URL=http://"+server.HTTP, "CHROMIUM="+chromium, "PICTURES="+pictures)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended unless the test failed
	steps := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var told struct{ Step, Failure, Do string }
		if err := json.Unmarshal(lines.Bytes(), &told); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		switch told.Do {
		case "": // a step has ended
			steps++
			t.Run(told.Step, func(t *testing.T) {
				if told.Failure != "" {
					t.Error(told.Failure)
				}
			})
			continue
		case "change": // somebody else changes a znode
			if _, err := c.Set(t.Context(), "/app/config", []byte(`{"theirs": true}`), client.AnyVersion); err != nil {
				t.Error(err)
			}
		case "restrict", "allow": // somebody else sets its access list
			perms := client.PermRead | client.PermAdmin
			if told.Do == "allow" {
				perms = client.PermAll
			}
			if _, err := c.SetACL(t.Context(), "/app/config", []client.ACL{{Scheme: "world", ID: "anyone", Perms: perms}}, client.AnyVersion); err != nil {
				t.Error(err)
			}
		case "expire": // the owner of an ephemeral is heard of no more
			if err := owner.Close(t.Context()); err != nil {
				t.Error(err)
			}
		default:
			t.Fatalf("asked to %q", told.Do)
		}
		fmt.Fprintln(in, "done")
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if steps == 0 {
		t.Error("no step was made")
	}
}

// fill makes the tree that the steps expect.
func fill(t *testing.T, c *client.Client) {
	t.Helper()
	for path, data := range map[string]string{
		"/app/config": `{"name": "orders", "replicas": 3}`, "/app/readme": "plain text\nof two lines", "/app/binary": "\x00\x01\xff",
	} {
		if _, err := c.Put(t.Context(), path, []byte(data), client.PutOptions{Parents: true}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Create(t.Context(), "/secret", []byte("x"), client.CreateOptions{ACL: []client.ACL{{Scheme: "digest", ID: "joe:" + "nobody", Perms: client.PermAll}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), "/wide", nil, client.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	const batch = 1000
	for from := 0; from < wide; from += batch {
		var tx client.Transaction
		for i := from; i < from+batch; i++ {
			tx.Then = append(tx.Then, client.OpCreate(fmt.Sprintf("/wide/n%06d", i), nil, client.CreateOptions{}))
		}
		if _, err := c.Transact(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
	}
}
