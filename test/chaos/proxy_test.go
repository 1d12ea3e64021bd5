//go:build chaos

package chaos

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// proxy is HAProxy on one address, in front of whatever server it is pointed at.
type proxy struct {
	address string
	control string // path of its socket for commands
}

const proxyConfig = `global
	stats socket %s mode 600 level admin
defaults
	mode tcp
	timeout connect 5s
	timeout client 60s
	timeout server 60s
listen ensemble
	bind %s
	server member %s
`

// startProxy starts HAProxy in front of a server, until the test ends.
func startProxy(t *testing.T, server string) *proxy {
	t.Helper()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		if program = "/usr/sbin/haproxy"; !exists(program) {
			t.Fatal("haproxy is missing; test/chaos/install.sh installs it")
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "proxy") // a path that fits a socket
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: l.Addr().String(), control: filepath.Join(dir, "control")}
	l.Close()
	config := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(config, fmt.Appendf(nil, proxyConfig, p.control, p.address, server), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-db", "-f", config)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() // fails only if it has ended
		cmd.Wait()         // always tells of the kill
		os.RemoveAll(dir)  // what is left is the system's to remove
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("unix", p.control)
		if err == nil {
			c.Close()
			return p
		}
		if time.Now().After(deadline) {
			t.Fatalf("haproxy does not answer: %v", err)
		}
	}
}

// exists tells whether there is a file.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// point has further connections go to another server.
func (p *proxy) point(t *testing.T, server string) {
	t.Helper()
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", p.control)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "set server ensemble/member addr %s port %s\n", host, port)
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("haproxy to %s: %s", server, answer)
}
