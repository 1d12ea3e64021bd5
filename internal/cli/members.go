package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"paddock/internal/zk"
)

const (
	// wordMost is how long a server may take to say how it is, and wordBytesMax how much it may say.
	wordMost     = 3 * time.Second
	wordBytesMax = 64 << 10
)

// member is a server of the ensemble, and what it says of itself.
type member struct {
	id, peer, role, client string
	mode, zxid, clients    string
	problem                error
}

// runMembers lists the servers of the ensemble and asks each how it is.
func runMembers(c *call) error {
	r, err := do(c.ctx, unrooted(c.sh.backend), &zk.Request{Op: zk.OpGetData, Path: zk.ConfigPath})
	if err != nil && !isCode(err, zk.NoNode) {
		return err
	}
	var list []member
	version := ""
	if err == nil {
		list, version = parseMembers(string(r.Data))
	}
	if len(list) == 0 { // it stands alone
		list = []member{{id: "-", peer: "-", role: "-", client: c.sh.backend.Server()}}
	}
	var all sync.WaitGroup
	for i := range list {
		all.Go(func() { list[i].ask(c.ctx) }) // bounded by wordMost, and waited for below
	}
	all.Wait()
	w := tabwriter.NewWriter(c.sh.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tROLE\tPEERS\tCLIENTS ON\tMODE\tZXID\tCONNECTIONS")
	for _, m := range list {
		if m.problem != nil {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%v\n", m.id, m.role, m.peer, m.client, m.problem)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.id, m.role, m.peer, m.client, m.mode, m.zxid, m.clients)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if version != "" {
		c.printf("configuration version %s\n", version)
	}
	return nil
}

// parseMembers reads a configuration: server.1=host:2888:3888:participant;0.0.0.0:2181.
func parseMembers(text string) (list []member, version string) {
	for line := range strings.SplitSeq(text, "\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "version" {
			version = value
		}
		id, ok := strings.CutPrefix(key, "server.")
		if !ok {
			continue
		}
		m := member{id: id, role: "participant"}
		peer, clients, _ := strings.Cut(value, ";")
		for _, role := range []string{"participant", "observer"} {
			if p, ok := strings.CutSuffix(peer, ":"+role); ok {
				peer, m.role = p, role
			}
		}
		m.peer = peer
		clients, _, _ = strings.Cut(clients, ";")
		if clients != "" {
			m.client = reachable(clients, peer)
		}
		list = append(list, m)
	}
	return list, version
}

// reachable is a client address as others see it: in place of none, or of the wildcard, stands the host of the peers' address.
func reachable(client, peer string) string {
	host, port, err := net.SplitHostPort(client)
	if err != nil {
		host, port = "", client
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		first, _, _ := strings.Cut(peer, "|")
		if i := strings.LastIndexByte(first, ':'); i > 0 {
			first = first[:i]
		}
		if h, _, err := net.SplitHostPort(first); err == nil {
			host = h
		}
	}
	return net.JoinHostPort(host, port)
}

// ask asks the server how it is.
func (m *member) ask(ctx context.Context) {
	if m.client == "" {
		m.problem = fmt.Errorf("no client address is configured")
		return
	}
	text, err := say(ctx, m.client, "srvr")
	if m.problem = err; err != nil {
		return
	}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Mode":
			m.mode = value
		case "Zxid":
			m.zxid = value
		case "Connections":
			m.clients = value
		}
	}
	if m.mode == "" {
		m.problem = fmt.Errorf("%s", strings.TrimSpace(text)) // it serves nobody, and says so
	}
}

// say sends a four-letter word and returns the answer.
func say(ctx context.Context, address, word string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, wordMost)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(conn, wordBytesMax))
	return string(text), err
}
