package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"paddock/internal/zk"
)

// Exports are lines of JSON: first a header, then a record for each znode, parents first.
//
//	{"paddock_export":1,"root":"/app","zxid":"0x100000a2c"}
//	{"path":"/app","text":"hello"}
//	{"path":"/app/cert","data":"AAECAw==","acl":[{"scheme":"digest","id":"ann:HASH=","perms":"cdrwa"}]}
//	{"path":"/app/lease","mode":"ephemeral"}
//
// text is data that can be read, data any other in base64; without either the data is null. An access list that lets
// everyone do everything is left out. mode is ephemeral, container, or ttl with ttl_ms; persistent if left out.

const (
	exportFormat = 1
	// recordBytesMax is the longest line of an import.
	recordBytesMax = 64 << 20
)

// header is the first line of an export.
type header struct {
	Format int    `json:"paddock_export"`
	Root   string `json:"root"`
	Zxid   string `json:"zxid,omitempty"`
}

// record is a znode in an export.
type record struct {
	Path  string     `json:"path"`
	Text  *string    `json:"text,omitempty"`
	Data  []byte     `json:"data,omitempty"`
	ACL   []aclEntry `json:"acl,omitempty"`
	Mode  string     `json:"mode,omitempty"`
	TTLMS int64      `json:"ttl_ms,omitempty"`
}

// aclEntry is an entry of an access list.
type aclEntry struct {
	Scheme string `json:"scheme"`
	ID     string `json:"id"`
	Perms  string `json:"perms"`
}

// The modes of a record.
const (
	modeEphemeral = "ephemeral"
	modeContainer = "container"
	modeTTL       = "ttl"
)

// newRecord is the record of a znode.
func newRecord(n *node, mode zk.CreateMode, ttlMS int64) record {
	r := record{Path: n.path}
	switch {
	case n.data == nil:
	case readable(n.data):
		text := string(n.data)
		r.Text = &text
	default:
		r.Data = n.data
	}
	if !zk.IsOpen(n.acl) {
		for _, a := range n.acl {
			r.ACL = append(r.ACL, aclEntry{a.ID.Scheme, a.ID.ID, a.Perms.String()})
		}
	}
	switch {
	case mode.IsEphemeral():
		r.Mode = modeEphemeral
	case mode == zk.Container:
		r.Mode = modeContainer
	case mode.IsTTL():
		r.Mode, r.TTLMS = modeTTL, ttlMS
	}
	return r
}

// request creates the znode at a path.
func (r *record) request(path string) (*zk.Request, error) {
	req := &zk.Request{Op: zk.OpCreate, Path: path, ACL: zk.OpenACL, TTLMS: -1, Data: r.Data}
	if r.Text != nil {
		req.Data = []byte(*r.Text)
	}
	if r.ACL != nil {
		req.ACL = nil
		for _, a := range r.ACL {
			perms := zk.Perms(0)
			for _, letter := range a.Perms {
				p := permOf(letter)
				if p == 0 {
					return nil, failf("%s: %q is no permission; there are c d r w a", r.Path, letter)
				}
				perms |= p
			}
			req.ACL = append(req.ACL, zk.ACL{Perms: perms, ID: zk.ID{Scheme: a.Scheme, ID: a.ID}})
		}
	}
	switch r.Mode {
	case "", modeEphemeral:
	case modeContainer:
		req.Op, req.Mode = zk.OpCreateContainer, zk.Container
	case modeTTL:
		if r.TTLMS < 1 || r.TTLMS > zk.TTLMaxMS {
			return nil, failf("%s: ttl_ms %d is not from 1 to %d", r.Path, r.TTLMS, int64(zk.TTLMaxMS))
		}
		req.Op, req.Mode, req.TTLMS = zk.OpCreateTTL, zk.PersistentTTL, r.TTLMS
	default:
		return nil, failf("%s: mode %q is none of ephemeral, container, ttl", r.Path, r.Mode)
	}
	return req, checkPath(path)
}

// records reads an export.
type records struct {
	lines *bufio.Scanner
	line  int
	head  header
	read  int64 // bytes
}

// readRecords reads the header.
func readRecords(from io.Reader) (*records, error) {
	r := &records{lines: bufio.NewScanner(from)}
	r.lines.Buffer(nil, recordBytesMax)
	err := r.next(&r.head)
	if errors.Is(err, io.EOF) || err == nil && r.head.Format == 0 {
		return nil, failf("this is no export: its first line should be like {\"paddock_export\":1,\"root\":\"/\"}")
	}
	if err == nil && r.head.Format != exportFormat {
		return nil, failf("the export has format %d; this program reads %d, take a newer one", r.head.Format, exportFormat)
	}
	if err == nil {
		err = checkPath(r.head.Root)
	}
	return r, err
}

// next reads a line into v; io.EOF at the end.
func (r *records) next(v any) error {
	for r.lines.Scan() {
		line := r.lines.Bytes()
		r.line++
		r.read += int64(len(line)) + 1
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(v); err != nil {
			return failf("line %d is not understood: %v", r.line, err)
		}
		return nil
	}
	if err := r.lines.Err(); err != nil {
		return failf("read line %d: %v", r.line+1, err)
	}
	return io.EOF
}
