package main

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"paddock/consensus/quorum"
)

// Names in configuration.dir.
const (
	mainFile    = "zoo.cfg"
	membersFile = "zoo.cfg.dynamic"
	// pendingSuffix is that of a list which a server was asked to agree to and has not seen decided.
	pendingSuffix = ".next"
)

// membersKey is the key of zoo.cfg that names the list of members. A server that changes the list writes a new file and
// points the key to it.
const membersKey = "dynamicConfigFile"

// askEvery is the pause between two tries to reach an ensemble.
const askEvery = time.Second

// configuration is what configure writes.
type configuration struct {
	template, dir, ensemble, foundersFile, hostname string

	member                 naming
	foundAfter, joinWithin time.Duration
	password               string
	out                    io.Writer
}

// write makes zoo.cfg from the template, and the list of members if there is none. The list is in place before the file
// that names it.
func (c *configuration) write(ctx context.Context) error {
	id, err := idOf(c.hostname)
	if err != nil {
		return err
	}
	text, err := c.settings()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o750); err != nil {
		return err
	}
	list, err := c.listed()
	if err != nil {
		return err
	}
	members, err := c.members(ctx, id, list != "")
	if err != nil {
		return err
	}
	if members != nil {
		list = filepath.Join(c.dir, membersFile)
		if err := os.Remove(list + pendingSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := replace(list, membersText(members)); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "server %d begins with %d members\n", id, len(members))
	}
	return replace(filepath.Join(c.dir, mainFile), text+membersKey+"="+list+"\n")
}

// settings are the lines of zoo.cfg without that of the members.
func (c *configuration) settings() (string, error) {
	text, err := os.ReadFile(c.template)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		key := keyOf(line)
		for _, reserved := range []string{"server.", "group", "weight", membersKey} {
			if strings.HasPrefix(key, reserved) {
				return "", fmt.Errorf("%s: %s belongs to the list of members, which the ensemble keeps", c.template, key)
			}
		}
	}
	var b strings.Builder
	b.WriteString("# Written before each start from " + c.template + ".\n")
	b.Write(bytes.TrimRight(text, "\n"))
	b.WriteByte('\n')
	if c.password != "" {
		b.WriteString("DigestAuthenticationProvider.superDigest=" + digest(superuser, c.password) + "\n")
	}
	return b.String(), nil
}

// keyOf is the key of a line of properties, or "".
func keyOf(line string) string {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "!") {
		return ""
	}
	if i := strings.IndexAny(line, "=: \t"); i >= 0 {
		line = line[:i]
	}
	return line
}

// superuser may do everything, whatever access lists say.
const superuser = "super"

// digest is the digest id of a user: SHA-1, which is ZooKeeper's choice.
func digest(user, password string) string {
	sum := sha1.Sum([]byte(user + ":" + password))
	return user + ":" + base64.StdEncoding.EncodeToString(sum[:])
}

// listed is the list of members that zoo.cfg of an earlier start names, "" if there was none.
func (c *configuration) listed() (string, error) {
	file := filepath.Join(c.dir, mainFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	list := ""
	for line := range strings.Lines(string(text)) {
		if keyOf(line) == membersKey {
			_, value, _ := strings.Cut(line, membersKey)
			list = strings.Trim(value, "=: \t\r\n")
		}
	}
	if list == "" {
		return "", fmt.Errorf("%s names no list of members: remove it to join the ensemble anew", file)
	}
	if _, err := os.Stat(list); err != nil {
		return "", fmt.Errorf("the list of members that %s names: %w: restore it, or remove %s to join the ensemble anew", file, err, file)
	}
	return list, nil
}

// members are those that the server begins with, nil for those of its list.
//
// What an ensemble answers counts most: a server that is not in it, because it is new or was removed while it was away,
// begins as an observer beside it. An old list would let it vote with others that were removed. If no ensemble answers, a
// list stands, since all servers may be starting; without one, founders found, and others fail.
func (c *configuration) members(ctx context.Context, id quorum.ServerID, listed bool) ([]quorum.Server, error) {
	founders, err := c.founders()
	if err != nil {
		return nil, err
	}
	founds := id <= quorum.ServerID(founders)
	within := c.joinWithin
	if founds || listed {
		within = c.foundAfter
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	config, err := askUntil(ctx, c.ensemble, c.out)
	if err != nil {
		switch late := errors.Is(ctx.Err(), context.DeadlineExceeded); {
		case late && listed:
			return nil, nil
		case late && founds:
			return c.member.first(founders)
		}
		return nil, fmt.Errorf("server %d is not one of the %d founders and finds no ensemble to join: %w", id, founders, err)
	}
	members := config.Servers
	if _, ok := config.Server(id); !ok {
		own, err := c.member.server(id, true)
		if err != nil {
			return nil, err
		}
		return append(members[:len(members):len(members)], own), nil
	}
	if listed {
		return nil, nil
	}
	return members, nil
}

// founders is how many servers found the ensemble.
func (c *configuration) founders() (int, error) {
	text, err := os.ReadFile(c.foundersFile)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: %q is not a number of servers", c.foundersFile, text)
	}
	return n, nil
}

// membersText is the list as a file holds it: without a version, which the first configuration does not have.
func membersText(members []quorum.Server) string {
	var b strings.Builder
	for _, s := range members {
		fmt.Fprintf(&b, "server.%d=%s\n", s.ID, s)
	}
	return b.String()
}

// replace writes a file whole or not at all, and durably.
func replace(name, text string) error {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone unless something failed
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
