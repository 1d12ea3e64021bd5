//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// TestMyIDIsMissing answers "Invalid config, exiting abnormally": the message names file and ids, and --myid writes the file.
func TestMyIDIsMissing(t *testing.T) {
	e := assemble(t, []string{paddock, paddock, paddock})
	p := e.members[1]
	file := filepath.Join(p.data, "myid")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	fails := func(parts ...string) {
		t.Helper()
		if err := p.launch(); err != nil {
			t.Fatal(err)
		}
		code, err := p.wait()
		if err != nil || code != 2 {
			t.Errorf("exit code %d, %v", code, err)
		}
		for _, part := range parts {
			if !strings.Contains(p.output(), part) {
				t.Errorf("%q does not say %q", p.output(), part)
			}
		}
	}
	fails(file+" is missing", "1,2,3", "echo ")
	p.flags = []string{"--myid", "7"}
	fails("7", "1,2,3")
	p.flags = []string{"--myid", "2"}
	e.launch(t)
	e.await(t)
	if text, err := os.ReadFile(file); err != nil || string(text) != "2\n" {
		t.Errorf("%s holds %q, %v", file, text, err)
	}
	p.end()
	p.flags = []string{"--myid", "3"}
	fails("myid 3 was asked for", file, "is 2")
	p.flags = nil
	e.launch(t)
	e.await(t)
}

// TestMovedMember lets a member come back at another address: its name resolves to it, and nobody else is restarted. Then it
// must lead, so that the others have to find it there.
func TestMovedMember(t *testing.T) {
	mounted(t, func(t *testing.T) {
		hosts := filepath.Join(t.TempDir(), "hosts")
		resolve := func(to string) {
			t.Helper()
			text := fmt.Sprintf("127.0.0.1 localhost\n%s moving.test\n", to)
			if err := os.WriteFile(hosts, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		resolve("127.0.0.1")
		if err := syscall.Mount(hosts, "/etc/hosts", "", syscall.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		e := assemble(t, []string{paddock, paddock, paddock})
		three := e.members[2]
		for _, p := range e.members {
			for i, line := range p.extra {
				if strings.HasPrefix(line, "server.3=") {
					p.extra[i] = strings.Replace(line, "127.0.0.1", "moving.test", 1)
				}
			}
		}
		e.launch(t)
		e.await(t)
		for i, to := range []string{"127.0.0.7", "127.0.0.8", "127.0.0.1"} {
			three.end()
			resolve(to)
			if err := three.launch(); err != nil {
				t.Fatal(err)
			}
			e.await(t)
			// The second highest id leads now. Without it the one that moved does, and is dialled by the lowest.
			two := e.members[1]
			two.end()
			for deadline := time.Now().Add(startDeadline); three.mode() != "leader" || e.members[0].mode() != "follower"; <-time.After(pollEvery) {
				if time.Now().After(deadline) {
					t.Fatalf("move %d: the member that moved is %q, the other %q", i, three.mode(), e.members[0].mode())
				}
			}
			if err := two.launch(); err != nil {
				t.Fatal(err)
			}
			e.await(t)
		}
		e.agree(t)
	})
}

// TestClientsFromTheFuture answers ZOOKEEPER-832: behind HAProxy an ensemble is replaced by one with other data. Its clients are
// refused as ZooKeeper refuses them, which is counted and told of in one line for their address that has the remedies, and in what
// status says; a client that is started anew is served.
func TestClientsFromTheFuture(t *testing.T) {
	const seen, attempts = 0x60fd15564, 200
	e := assemble(t, []string{paddock, paddock, paddock})
	e.launch(t)
	e.await(t)
	proxy := startProxy(t, e.members[0].addr())
	for _, p := range e.members {
		proxy.point(t, p.addr())
		for range attempts {
			ctx, cancel := contextFor(5 * time.Second)
			c, err := client.Dial(ctx, proxy.address, client.Options{LastZxid: seen})
			cancel()
			if err == nil {
				c.Abandon()
				t.Fatal("a client from the future is served")
			}
		}
		values, _ := monitored(ask(t, p, "mntr"))
		if values["client_zxid_ahead"] != fmt.Sprint(attempts) {
			t.Errorf("counted %s", values["client_zxid_ahead"])
		}
		var lines []string
		for line := range strings.Lines(p.output()) {
			if strings.Contains(line, "seen_zxid") {
				lines = append(lines, line)
			}
		}
		if len(lines) != 1 || !strings.Contains(lines[0], `"seen_zxid":"0x60fd15564"`) || !strings.Contains(lines[0], "restart it") || !strings.Contains(lines[0], "restore the data") ||
			!strings.Contains(lines[0], `"ip":"127.0.0.1"`) {
			t.Errorf("%d lines: %q", len(lines), lines)
		}
		said, _ := status(t, p)
		if want := fmt.Sprintf("client 127.0.0.1 was turned away, %d times so far", attempts); !strings.Contains(said, want) {
			t.Errorf("status does not say %q:\n%s", want, said)
		}
		c, err := dial(proxy.address, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		do(t, c, &zk.Request{Op: zk.OpExists, Path: "/zookeeper"})
		c.Abandon()
	}
}

// TestManyShortConnections answers "cannot always connect": many clients that come and go are all answered, silent ones beside.
func TestManyShortConnections(t *testing.T) {
	e := assemble(t, []string{paddock, paddock, paddock})
	e.launch(t)
	e.await(t)
	p := e.members[0]
	for range 200 {
		c, err := net.Dial("tcp", p.addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	const clients, each = 100, 30
	var wg sync.WaitGroup
	var failed atomic.Int64
	var slowest atomic.Int64
	for range clients {
		wg.Go(func() {
			for range each {
				began := time.Now()
				if text, err := p.word("isro"); err != nil || text != "rw" {
					failed.Add(1)
				}
				if took := int64(time.Since(began)); took > slowest.Load() {
					slowest.Store(took)
				}
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of %d connections were not answered", n, clients*each)
	}
	t.Logf("%d connections; the slowest took %v", clients*each, time.Duration(slowest.Load()))
}

// TestTooManyConnections answers "Too many connections from … max is 60": the limit counts per address, is told of in one line that
// names it, is counted, and leaves others alone.
func TestTooManyConnections(t *testing.T) {
	e := assemble(t, []string{paddock, paddock, paddock}, "maxClientCnxns=20")
	for _, p := range e.members {
		p.extra = append([]string{}, p.extra...)
	}
	p := e.members[0]
	p.plain = strings.Replace(p.config(), "maxClientCnxns=0\n", "", 1)
	e.launch(t)
	e.await(t)
	var refused, kept int
	for range 60 {
		ctx, cancel := context.WithTimeout(t.Context(), wordDeadline)
		c, err := client.Dial(ctx, p.addr(), client.Options{Timeout: 30 * time.Second})
		cancel()
		if err != nil {
			refused++
			continue
		}
		kept++
		defer c.Abandon()
	}
	if kept != 20 {
		t.Errorf("%d connections are kept, %d refused", kept, refused)
	}
	n := 0
	for line := range strings.Lines(p.output()) {
		if strings.Contains(line, "Too many connections from") || strings.Contains(line, "too many connections") {
			n++
			if !strings.Contains(line, "127.0.0.1") || !strings.Contains(line, "20") || !strings.Contains(line, "maxClientCnxns") {
				t.Errorf("the line %q does not say enough", line)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d lines:\n%s", n, p.output())
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}} // another client, who asks how often that was
	c, err := d.Dial("tcp", p.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(wordDeadline))
	if _, err := io.WriteString(c, "mntr"); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(c)
	if values, _ := monitored(string(text)); err != nil || values["connection_rejected"] != fmt.Sprint(refused) {
		t.Errorf("connection_rejected is %q, refused were %d; %v", values["connection_rejected"], refused, err)
	}
}
