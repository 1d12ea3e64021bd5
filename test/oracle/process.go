//go:build interop

package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"paddock/internal/freeport"
)

// javaLibraries is where Debian's packages put the jars.
const javaLibraries = "/usr/share/java"

// javaJars is the shortest class path that a standalone ZooKeeper 3.8.0 starts with.
var javaJars = []string{"zookeeper.jar", "zookeeper-jute.jar", "slf4j-api.jar", "slf4j-simple.jar", "netty-common.jar",
	"netty-handler.jar", "netty-transport.jar", "netty-buffer.jar", "snappy-java.jar", "metrics-core.jar"}

// superPassword opens every ACL: the configuration below names its digest.
const superPassword = "super:test"

// options are the settings a server pair shares.
type options struct {
	tickMS       int  // sessions live 2 to 20 ticks; the default keeps them alive for the whole run
	enforceQuota bool // hard quotas refuse
}

// process is one server under test, in its own directory, restartable in place.
type process struct {
	kind string // "java" or "paddock"
	dir  string
	addr string
	opts options
	cmd  *exec.Cmd
	log  *os.File
}

// start runs a server of the kind in dir and waits until it serves.
func start(kind, dir string, opts options) (*process, error) {
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	p := &process{kind: kind, dir: dir, addr: fmt.Sprintf("127.0.0.1:%d", port), opts: opts}
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "zoo.cfg"), []byte(p.config(port)), 0o644); err != nil {
		return nil, err
	}
	return p, p.run()
}

func (p *process) config(port int) string {
	tick := p.opts.tickMS
	if tick == 0 {
		tick = 300_000
	}
	own := ""
	if p.kind == "paddock" { // no other doors, and no sweep of containers, which Java takes from its command line
		own = "grpcPort=0\nhttpPort=0\nznode.container.checkIntervalMs=86400000\n"
	}
	return fmt.Sprintf(`tickTime=%d
dataDir=%s
clientPort=%d
clientPortAddress=127.0.0.1
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=*
extendedTypesEnabled=true
enforceQuota=%t
preAllocSize=1024
DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=
`, tick, filepath.Join(p.dir, "data"), port, p.opts.enforceQuota) + own
}

// command returns the command line, or an error that says what is missing and how to get it.
func (p *process) command() (*exec.Cmd, error) {
	cfg := filepath.Join(p.dir, "zoo.cfg")
	if p.kind == "paddock" {
		bin := os.Getenv("PADDOCK_BIN")
		if bin == "" {
			return nil, errors.New("PADDOCK_BIN is not set: build Paddock (make build) and name the binary, " +
				"for instance PADDOCK_BIN=$PWD/bin/paddock")
		}
		if _, err := os.Stat(bin); err != nil {
			return nil, fmt.Errorf("PADDOCK_BIN: %w: build it with `make build`", err)
		}
		args := append([]string{"serve", "--config", cfg}, strings.Fields(os.Getenv("PADDOCK_ARGS"))...)
		return exec.Command(bin, args...), nil
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("%w: install it with `apt-get install zookeeper`", err)
	}
	jars := make([]string, len(javaJars))
	for i, j := range javaJars {
		jars[i] = filepath.Join(javaLibraries, j)
		if _, err := os.Stat(jars[i]); err != nil {
			return nil, fmt.Errorf("%w: install it with `apt-get install zookeeper`", err)
		}
	}
	return exec.Command(java, "-Xmx512m", "-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-XX:-UsePerfData", "-Dzookeeper.admin.enableServer=false", "-Dznode.container.checkIntervalMs=86400000",
		"-cp", strings.Join(jars, ":"), "org.apache.zookeeper.server.quorum.QuorumPeerMain", cfg), nil
}

// run starts the process on its directory and waits until `srvr` reports a serving server.
func (p *process) run() error {
	cmd, err := p.command()
	if err != nil {
		return err
	}
	p.log, err = os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.kind, err)
	}
	p.cmd = cmd
	deadline := time.Now().Add(60 * time.Second)
	for !p.serving() {
		if time.Now().After(deadline) {
			p.stop(syscall.SIGKILL)
			return fmt.Errorf("%s does not serve on %s after a minute; its log ends:\n%s", p.kind, p.addr, p.logTail())
		}
		pause()
	}
	return nil
}

// pause yields between two polls of a condition that has no channel: a port that is about to open.
func pause() { <-time.After(10 * time.Millisecond) }

func (p *process) serving() bool {
	// A word that arrives while Java is still starting may never be answered; ask again soon.
	text, err := fourLetterWord(p.addr, "srvr", 250*time.Millisecond)
	return err == nil && strings.Contains(text, "Mode: standalone")
}

// fourLetterWord sends a word and returns everything up to the close, which must come within wait.
func fourLetterWord(addr, word string, wait time.Duration) (string, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(wait))
	if _, err := c.Write([]byte(word)); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

// stop ends the process with sig and waits for it; after ten seconds it is killed.
func (p *process) stop(sig syscall.Signal) {
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Signal(sig) //nolint:errcheck // it may have gone by itself; Wait tells
	kill := time.AfterFunc(10*time.Second, func() { p.cmd.Process.Kill() })
	p.cmd.Wait() //nolint:errcheck // ended by our signal
	kill.Stop()
	p.log.Close()
	p.cmd = nil
}

// logTail returns the end of the server's log, for failure reports.
func (p *process) logTail() string {
	b, err := os.ReadFile(filepath.Join(p.dir, "log"))
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-30):], []byte("\n")))
}
