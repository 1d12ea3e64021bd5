package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/vfs"
)

func newSnapshot() *cobra.Command {
	c := &cobra.Command{Use: "snapshot", Short: "Look into snapshots"}
	c.AddCommand(newSnapshotInspect())
	return group(c)
}

// inspectFlags are those of snapshot inspect.
type inspectFlags struct {
	znodes, data, json bool
}

func newSnapshotInspect() *cobra.Command {
	var f inspectFlags
	c := &cobra.Command{
		Use:   "inspect [DIR | FILE...]",
		Short: "Check a snapshot and tell what is in it",
		Long: "Read a snapshot to its end, check every seal, and tell what is in it: the files named, or the newest of a data\n" +
			"directory (./data). Plain, gzip and snappy files are read, ZooKeeper's and Paddock's.",
		RunE: func(c *cobra.Command, args []string) error { return snapshotInspect(c, f, args) },
	}
	fl := c.Flags()
	fl.BoolVar(&f.znodes, "znodes", false, "print sessions, access lists and every znode with its stat")
	fl.BoolVar(&f.data, "data", false, "with --znodes, print their data, not only its size")
	fl.BoolVar(&f.json, "json", false, "print JSON, one object per line")
	return c
}

func snapshotInspect(c *cobra.Command, f inspectFlags, args []string) error {
	if len(args) == 0 {
		args = []string{"data"}
	}
	endAtOnce()
	out := bufio.NewWriter(c.OutOrStdout())
	for _, path := range args {
		if _, err := os.Stat(path); err != nil {
			return errors.Join(out.Flush(), fmt.Errorf("%w; pass a data directory or a snapshot", err))
		}
		if isDir(path) {
			newest, err := newestSnapshot(versionDir(path))
			if err != nil {
				return err
			}
			path = newest
		}
		if err := inspect(out, c.ErrOrStderr(), f, path); err != nil {
			return errors.Join(out.Flush(), err)
		}
	}
	return out.Flush()
}

// newestSnapshot is the path of the snapshot with the highest zxid.
func newestSnapshot(dir string) (string, error) {
	names, err := vfs.OS{}.List(dir)
	if err != nil {
		return "", fmt.Errorf("%w; pass a data directory or a snapshot", err)
	}
	best, found := "", zk.Zxid(-1)
	for _, name := range names {
		if z, _, ok := snapshot.ParseName(name); ok && z > found {
			best, found = name, z
		}
	}
	if best == "" {
		return "", fmt.Errorf("%s: no snapshots", dir)
	}
	return filepath.Join(dir, best), nil
}

func inspect(out *bufio.Writer, errs io.Writer, f inspectFlags, path string) error {
	var sink snapshot.Sink = &counter{}
	if f.znodes {
		sink = &printer{out: out, flags: f, acls: map[int64]string{-1: aclText(zk.OpenACL)}}
	}
	last := time.Now()
	progress := func(n int) {
		if now := time.Now(); now.Sub(last) >= time.Second {
			last = now
			fmt.Fprintf(errs, "%s: %d znodes read\n", path, n)
		}
	}
	info, err := snapshot.Read(vfs.OS{}, filepath.Dir(path), filepath.Base(path), sink, progress)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w; pass a data directory or a snapshot", err)
	}
	if _, ok := errors.AsType[*snapshot.CorruptError](err); ok {
		return fmt.Errorf("%w; keep a copy: a server passes over it and begins with an older one and the log", err)
	}
	if err != nil {
		return err
	}
	if f.json {
		return json.NewEncoder(out).Encode(summaryJSON(&info))
	}
	printSummary(out, &info)
	return nil
}

func printSummary(out io.Writer, info *snapshot.Info) {
	packed := string(info.Compression)
	if packed == "" {
		packed = "none"
	}
	fmt.Fprintf(out, "file         %s\n", info.File)
	fmt.Fprintf(out, "zxid         %v\n", info.Zxid)
	fmt.Fprintf(out, "compression  %s\n", packed)
	fmt.Fprintf(out, "bytes        %d\n", info.Bytes)
	fmt.Fprintf(out, "znodes       %d\n", info.Znodes)
	fmt.Fprintf(out, "sessions     %d\n", info.Sessions)
	fmt.Fprintf(out, "access lists %d\n", info.ACLs)
	if info.HasDigest {
		fmt.Fprintf(out, "digest       %x at %v\n", info.Digest, info.DigestZxid)
	}
	if info.HasLastZxid {
		fmt.Fprintf(out, "last zxid    %v\n", info.LastZxid)
	}
	fmt.Fprintln(out, "checksum     ok")
}

// snapshotSummary is what snapshot inspect --json ends with. Zxids and the digest are hexadecimal.
type snapshotSummary struct {
	File        string `json:"file"`
	Zxid        string `json:"zxid"`
	Compression string `json:"compression"`
	Bytes       int64  `json:"bytes"` // uncompressed
	Znodes      int    `json:"znodes"`
	Sessions    int    `json:"sessions"`
	ACLs        int    `json:"acls"`
	Digest      string `json:"digest,omitempty"`
	DigestZxid  string `json:"digestZxid,omitempty"`
	LastZxid    string `json:"lastZxid,omitempty"`
}

func summaryJSON(info *snapshot.Info) snapshotSummary {
	s := snapshotSummary{File: info.File, Zxid: info.Zxid.String(), Compression: string(info.Compression), Bytes: info.Bytes,
		Znodes: info.Znodes, Sessions: info.Sessions, ACLs: info.ACLs}
	if info.HasDigest {
		s.Digest, s.DigestZxid = fmt.Sprintf("%#x", info.Digest), info.DigestZxid.String()
	}
	if info.HasLastZxid {
		s.LastZxid = info.LastZxid.String()
	}
	return s
}

// counter leaves everything to snapshot.Read, which counts.
type counter struct{}

// Session implements snapshot.Sink.
func (*counter) Session(zk.SessionID, int32) {}

// ACL implements snapshot.Sink.
func (*counter) ACL(int64, []zk.ACL) {}

// Znode implements snapshot.Sink.
func (*counter) Znode(*snapshot.Znode) error { return nil }

// printer prints what a snapshot holds, in the order of the file.
type printer struct {
	out   *bufio.Writer
	flags inspectFlags
	acls  map[int64]string
}

// Session implements snapshot.Sink.
func (p *printer) Session(id zk.SessionID, timeoutMS int32) {
	if p.flags.json {
		fmt.Fprintf(p.out, "{\"session\":%q,\"timeoutMs\":%d}\n", id, timeoutMS)
		return
	}
	fmt.Fprintf(p.out, "session %v timeout %d ms\n", id, timeoutMS)
}

// ACL implements snapshot.Sink.
func (p *printer) ACL(key int64, list []zk.ACL) { p.acls[key] = aclText(list) }

// snapshotZnode is a znode as snapshot inspect --znodes --json prints it. Times are milliseconds since 1970.
type snapshotZnode struct {
	Path           string `json:"path"`
	DataBytes      int    `json:"dataBytes"`
	Data           []byte `json:"data,omitempty"`
	ACL            string `json:"acl"`
	Czxid          string `json:"czxid"`
	Mzxid          string `json:"mzxid"`
	Pzxid          string `json:"pzxid"`
	CtimeMS        int64  `json:"ctimeMs"`
	MtimeMS        int64  `json:"mtimeMs"`
	Version        int32  `json:"version"`
	Cversion       int32  `json:"cversion"`
	Aversion       int32  `json:"aversion"`
	EphemeralOwner string `json:"ephemeralOwner"`
}

// Znode implements snapshot.Sink.
func (p *printer) Znode(n *snapshot.Znode) error {
	path, s := n.Path, &n.Stat
	if path == "" {
		path = "/"
	}
	if p.flags.json {
		z := snapshotZnode{Path: path, DataBytes: len(n.Data), ACL: p.acls[n.ACLKey], Czxid: s.Czxid.String(), Mzxid: s.Mzxid.String(),
			Pzxid: s.Pzxid.String(), CtimeMS: s.CtimeMS, MtimeMS: s.MtimeMS, Version: s.Version, Cversion: s.Cversion, Aversion: s.Aversion,
			EphemeralOwner: fmt.Sprintf("%#x", uint64(s.Owner))}
		if p.flags.data {
			z.Data = n.Data
		}
		return json.NewEncoder(p.out).Encode(z)
	}
	fmt.Fprintf(p.out, "%q %d bytes", path, len(n.Data))
	if p.flags.data {
		fmt.Fprintf(p.out, " data %q", n.Data)
	}
	_, err := fmt.Fprintf(p.out, " acl %s czxid %v mzxid %v pzxid %v ctime %s mtime %s version %d cversion %d aversion %d owner %#x\n",
		p.acls[n.ACLKey], s.Czxid, s.Mzxid, s.Pzxid, wallText(s.CtimeMS), wallText(s.MtimeMS), s.Version, s.Cversion, s.Aversion, uint64(s.Owner))
	return err
}

// aclText is an access list as zkCli writes one: scheme:id:perms, separated by commas.
func aclText(list []zk.ACL) string {
	parts := make([]string, len(list))
	for i, a := range list {
		parts[i] = aclEntry(a)
	}
	return strings.Join(parts, ",")
}

func aclEntry(a zk.ACL) string {
	return a.ID.Scheme + ":" + a.ID.ID + ":" + a.Perms.String()
}
