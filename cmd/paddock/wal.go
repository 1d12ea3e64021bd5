package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

func newWAL() *cobra.Command {
	c := &cobra.Command{Use: "wal", Short: "Look into transaction logs"}
	c.AddCommand(newWALDump())
	return group(c)
}

// dumpFlags are those of wal dump.
type dumpFlags struct {
	from, until string
	data, json  bool
}

func newWALDump() *cobra.Command {
	var f dumpFlags
	c := &cobra.Command{
		Use:   "dump [DIR | FILE...]",
		Short: "Print the records of a transaction log, one per line",
		Long: "Print the records of a transaction log, one per line: of the log files named, or of a data directory (./data).\n" +
			"Paddock's and ZooKeeper's files are the same. Nothing is changed, so the server may be running.",
		RunE: func(c *cobra.Command, args []string) error { return walDump(c, f, args) },
	}
	fl := c.Flags()
	fl.StringVar(&f.from, "from", "", "first zxid to print, for example 0x100000001")
	fl.StringVar(&f.until, "until", "", "last zxid to print")
	fl.BoolVar(&f.data, "data", false, "print the data of znodes, not only its size")
	fl.BoolVar(&f.json, "json", false, "print one JSON object per line")
	return c
}

func walDump(c *cobra.Command, f dumpFlags, args []string) error {
	from, err := parseZxid("--from", f.from)
	if err != nil {
		return err
	}
	until := zk.Zxid(math.MaxInt64)
	if f.until != "" {
		if until, err = parseZxid("--until", f.until); err != nil {
			return err
		}
	}
	endAtOnce()
	if len(args) == 0 {
		args = []string{"data"}
	}
	out := bufio.NewWriter(c.OutOrStdout())
	d := walDumper{out: out, flags: f, from: from, until: until}
	for _, path := range args {
		if err := d.dump(path); err != nil {
			return errors.Join(out.Flush(), err)
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, t := range d.torn {
		fmt.Fprintln(c.ErrOrStderr(), "paddock:", t)
	}
	fmt.Fprintf(c.ErrOrStderr(), "%d records\n", d.records)
	return nil
}

func parseZxid(flag, text string) (zk.Zxid, error) {
	if text == "" {
		return 0, nil
	}
	z, err := strconv.ParseUint(text, 0, 63)
	if err != nil {
		return 0, usageError{fmt.Errorf("%s %q is not a zxid: write for example 0x100000001", flag, text)}
	}
	return zk.Zxid(z), nil
}

// walDumper prints records.
type walDumper struct {
	out         *bufio.Writer
	flags       dumpFlags
	from, until zk.Zxid
	records     int
	torn        []wal.Torn
}

// dump prints a file, or the log of a directory.
func (d *walDumper) dump(path string) error {
	r, err := openLog(path)
	if err != nil {
		return err
	}
	defer r.Close()
	var rec txn.Record
	for {
		raw, err := r.Next()
		if errors.Is(err, io.EOF) {
			d.torn = append(d.torn, r.Torn()...)
			return nil
		}
		if err != nil {
			return err
		}
		if raw.Zxid < d.from {
			continue
		}
		if raw.Zxid > d.until {
			return nil
		}
		if err := rec.Decode(raw.Payload); err != nil {
			return fmt.Errorf("%s: offset %d: %w", raw.File, raw.Offset, err)
		}
		d.records++
		if err := d.print(&rec); err != nil {
			return err
		}
	}
}

func openLog(path string) (*wal.Reader, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w; pass a data directory or a log file", err)
	}
	if !info.IsDir() {
		return wal.OpenFile(vfs.OS{}, path, wal.ReadOptions{AnyStart: true})
	}
	dir := versionDir(path)
	files, err := wal.List(vfs.OS{}, dir)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no log files; with dataLogDir set, pass that", dir)
	}
	return wal.NewReader(vfs.OS{}, dir, wal.ReadOptions{AnyStart: true})
}

// versionDir is where the files of a data directory are; dir may be that itself.
func versionDir(dir string) string {
	const version = "version-2"
	if inside := filepath.Join(dir, version); isDir(inside) {
		return inside
	}
	return dir
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (d *walDumper) print(rec *txn.Record) error {
	if d.flags.json {
		return json.NewEncoder(d.out).Encode(recordJSON(rec, d.flags.data))
	}
	h := &rec.Header
	fmt.Fprintf(d.out, "%v %s session %v cxid 0x%x ", h.Zxid, wallText(h.TimeMS), h.Session, uint32(h.Cxid))
	d.text(&rec.Txn)
	if rec.HasDigest {
		fmt.Fprintf(d.out, " digest %d:%x", rec.Digest.Version, rec.Digest.Tree)
	}
	return d.out.WriteByte('\n')
}

// text prints a txn; those inside a multi in brackets.
func (d *walDumper) text(t *txn.Txn) {
	fmt.Fprint(d.out, t.Type)
	switch t.Type {
	case zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer, zk.OpCreateTTL:
		fmt.Fprintf(d.out, " %q", t.Path)
		d.value(t.Data)
		fmt.Fprintf(d.out, " acl %s", aclText(t.ACL))
		if t.Ephemeral {
			fmt.Fprint(d.out, " ephemeral")
		}
		if t.Type == zk.OpCreateTTL {
			fmt.Fprintf(d.out, " ttl %d ms", t.TTLMS)
		}
	case zk.OpDelete, zk.OpDeleteContainer:
		fmt.Fprintf(d.out, " %q", t.Path)
	case zk.OpSetData, zk.OpReconfig:
		fmt.Fprintf(d.out, " %q", t.Path)
		d.value(t.Data)
		fmt.Fprintf(d.out, " version %d", t.Version)
	case zk.OpSetACL:
		fmt.Fprintf(d.out, " %q acl %s version %d", t.Path, aclText(t.ACL), t.Version)
	case zk.OpCheck:
		fmt.Fprintf(d.out, " %q version %d", t.Path, t.Version)
	case zk.OpCreateSession:
		fmt.Fprintf(d.out, " timeout %d ms", t.TimeoutMS)
	case zk.OpCloseSession:
		fmt.Fprintf(d.out, " deletes %q", t.Paths)
	case zk.OpError:
		fmt.Fprintf(d.out, " %v", t.Err)
	case zk.OpMulti:
		for i := range t.Ops {
			fmt.Fprint(d.out, " [")
			d.text(&t.Ops[i])
			fmt.Fprint(d.out, "]")
		}
	}
}

func (d *walDumper) value(data []byte) {
	if d.flags.data {
		fmt.Fprintf(d.out, " data %q", data)
		return
	}
	fmt.Fprintf(d.out, " %d bytes", len(data))
}

// wallText is a time in milliseconds since 1970, in UTC.
func wallText(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// logRecord is a record as wal dump --json prints it.
type logRecord struct {
	Zxid    string     `json:"zxid"` // hexadecimal, as session and digest
	Time    string     `json:"time"`
	Session string     `json:"session"`
	Cxid    int32      `json:"cxid"`
	Txn     logTxn     `json:"txn"`
	Digest  *logDigest `json:"digest,omitempty"`
}

// logDigest is the digest of the tree after a txn.
type logDigest struct {
	Version int32  `json:"version"`
	Tree    string `json:"tree"`
}

// logTxn is a txn as wal dump --json prints it; what its type does not have is left out.
type logTxn struct {
	Type      string   `json:"type"`
	Path      string   `json:"path,omitempty"`
	DataBytes *int     `json:"dataBytes,omitempty"`
	Data      []byte   `json:"data,omitempty"`
	ACL       []string `json:"acl,omitempty"`
	Ephemeral bool     `json:"ephemeral,omitempty"`
	TTLMS     int64    `json:"ttlMs,omitempty"`
	Version   *int32   `json:"version,omitempty"`
	TimeoutMS int32    `json:"timeoutMs,omitempty"`
	Deletes   []string `json:"deletes,omitempty"`
	Error     string   `json:"error,omitempty"`
	Ops       []logTxn `json:"ops,omitempty"`
}

func recordJSON(rec *txn.Record, data bool) logRecord {
	h := &rec.Header
	r := logRecord{Zxid: h.Zxid.String(), Time: wallText(h.TimeMS), Session: h.Session.String(), Cxid: h.Cxid, Txn: txnJSON(&rec.Txn, data)}
	if rec.HasDigest {
		r.Digest = &logDigest{rec.Digest.Version, fmt.Sprintf("%#x", rec.Digest.Tree)}
	}
	return r
}

func txnJSON(t *txn.Txn, data bool) logTxn {
	j := logTxn{Type: t.Type.String(), Path: t.Path, Ephemeral: t.Ephemeral, TTLMS: t.TTLMS, TimeoutMS: t.TimeoutMS, Deletes: t.Paths}
	switch t.Type {
	case zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer, zk.OpCreateTTL, zk.OpSetData, zk.OpReconfig:
		n := len(t.Data)
		j.DataBytes = &n
		if data {
			j.Data = t.Data
		}
	}
	switch t.Type {
	case zk.OpSetData, zk.OpReconfig, zk.OpSetACL, zk.OpCheck:
		j.Version = &t.Version
	case zk.OpError:
		j.Error = t.Err.String()
	}
	for _, a := range t.ACL {
		j.ACL = append(j.ACL, aclEntry(a))
	}
	for i := range t.Ops {
		j.Ops = append(j.Ops, txnJSON(&t.Ops[i], data))
	}
	return j
}
