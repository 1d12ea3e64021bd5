package survey

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// answerBytesMax bounds what is read of an answer.
const answerBytesMax = 4 << 20

// words are the four-letter words that are asked for; all but the first are refused by a server's defaults.
var words = []string{"srvr", "mntr", "conf", "hash"}

// Server is what a server says of itself.
type Server struct {
	Address string             `json:"address"`
	Problem string             `json:"problem,omitempty"` // why there is nothing more
	Version string             `json:"version,omitempty"`
	Mode    string             `json:"mode,omitempty"` // leader, follower, observer, standalone, read-only
	Zxid    zk.Zxid            `json:"-"`
	ZxidHex string             `json:"zxid,omitempty"`
	ID      int64              `json:"id,omitempty"`      // -1 if it is not known
	Refused []string           `json:"refused,omitempty"` // words that are not in its whitelist
	Conf    map[string]string  `json:"-"`                 // what conf says, without the members
	Mntr    map[string]string  `json:"-"`                 // what mntr says, without zk_
	Digests map[zk.Zxid]string `json:"-"`                 // what hash says
	Members string             `json:"members,omitempty"` // text of the configuration
}

// Ask asks a server, and gives up when ctx ends.
func Ask(ctx context.Context, address string) *Server {
	s := &Server{Address: address, ID: -1}
	answers := map[string]string{}
	for _, w := range words {
		text, err := word(ctx, address, w)
		switch {
		case err != nil && w == "srvr":
			s.Problem = fmt.Sprintf("no answer: %v", err)
			return s
		case err != nil:
			s.Refused = append(s.Refused, w)
		case strings.Contains(text, "is not executed because it is not in the whitelist"):
			s.Refused = append(s.Refused, w)
		case strings.Contains(text, "not currently serving requests"):
			s.Problem = "it serves nobody: it has no leader, or is starting"
			return s
		default:
			answers[w] = text
		}
	}
	s.parse(answers)
	if s.Members == "" && slices.Contains(s.Refused, "conf") && s.Mode != "standalone" {
		s.Members = configZnode(ctx, address)
	}
	return s
}

// word asks a four-letter word.
func word(ctx context.Context, address, w string) (string, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer c.Close() //nolint:errcheck // everything has been read
	if until, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(until); err != nil {
			return "", err
		}
	}
	if _, err := io.WriteString(c, w); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(c, answerBytesMax))
	if len(text) == 0 && err == nil && w != "hash" { // which lists one digest for each 128 transactions, and so none at first
		err = io.ErrUnexpectedEOF
	}
	return string(text), err
}

// configZnode reads the configuration as any client may; "" if it is not to be had.
func configZnode(ctx context.Context, address string) string {
	c, err := client.Dial(ctx, address, client.Options{ReadOnly: true, Timeout: 10 * time.Second})
	if err != nil {
		return ""
	}
	defer c.Close() //nolint:errcheck // nothing depends on it
	r, err := c.Do(&zk.Request{Op: zk.OpGetData, Path: zk.ConfigPath})
	if err != nil || r.Err != zk.OK {
		return ""
	}
	return string(r.Data)
}

// parse takes the answers apart.
func (s *Server) parse(answers map[string]string) {
	for line := range strings.Lines(answers["srvr"]) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Zookeeper version":
			s.Version, _, _ = strings.Cut(value, ",")
		case "Mode":
			s.Mode = value
		case "Zxid":
			z, err := strconv.ParseInt(value, 0, 64)
			if err == nil {
				s.Zxid, s.ZxidHex = zk.Zxid(z), zk.Zxid(z).String()
			}
		}
		if strings.HasPrefix(line, "READ-ONLY mode") {
			s.Mode = "read-only"
		}
	}
	s.Mntr, s.Conf, s.Digests = map[string]string{}, map[string]string{}, map[zk.Zxid]string{}
	for line := range strings.Lines(answers["mntr"]) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "\t")
		s.Mntr[strings.TrimPrefix(key, "zk_")] = value
	}
	for line := range strings.Lines(answers["hash"]) {
		zxid, digest, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if z, err := strconv.ParseInt(zxid, 16, 64); err == nil {
			s.Digests[zk.Zxid(z)] = digest
		}
	}
	settings, members, _ := strings.Cut(answers["conf"], "membership: ")
	s.Members = strings.TrimSpace(members)
	for scan := bufio.NewScanner(strings.NewReader(settings)); scan.Scan(); {
		key, value, _ := strings.Cut(scan.Text(), "=")
		s.Conf[key] = value
	}
	if id, err := strconv.ParseInt(s.Conf["serverId"], 10, 64); err == nil {
		s.ID = id
	}
}

// number is a value of mntr; ok is false if it is not known.
func (s *Server) number(key string) (n int64, ok bool) {
	text, ok := s.Mntr[key]
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return int64(f), err == nil
}
