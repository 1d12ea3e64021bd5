package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"paddock/storage/datadir"
	"paddock/storage/vfs"
)

// importFlags are those of migrate import.
type importFlags struct {
	from, fromLog, to, above, sessions string
	myid                               int64
	trustEmpty, json                   bool
}

func newMigrateImport() *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use:   "import --from DIR --to DIR",
		Short: "Make the data directory of a new ensemble from that of a ZooKeeper server that has stopped",
		Long: "Make the data directory of a new ensemble from that of a ZooKeeper or Paddock server that has stopped. The znodes stay\n" +
			"what they are. Changes get zxids of a new epoch, above all that the directory holds and above --above, so that no\n" +
			"client of the old ensemble is refused for having seen a later zxid than the new server.\n\n" +
			"Sessions are kept unless --sessions drop is given: a client that comes back within its session timeout, counted from\n" +
			"the start of the new ensemble, goes on with its session, its ephemeral znodes and its locks; the session of one that\n" +
			"does not come back expires. With drop, all sessions end and all ephemeral znodes are deleted in the import.\n\n" +
			"Import once, then copy the new directory to every member: the same import gives the same files. Nothing in the old\n" +
			"directory is changed, and it must not be in use. The new one must be empty, but for myid.",
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return migrateImport(c, f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.from, "from", "", "dataDir of the old server")
	fl.StringVar(&f.fromLog, "from-log", "", "its dataLogDir, if it has one")
	fl.StringVar(&f.to, "to", "", "dataDir of the new server")
	fl.StringVar(&f.above, "above", "", "a zxid that clients may have seen, if the old directory may end before it: a backup, for example")
	fl.StringVar(&f.sessions, "sessions", "keep", "keep or drop sessions and their ephemeral znodes")
	fl.Int64Var(&f.myid, "myid", 0, "write this server id into the new directory")
	fl.BoolVar(&f.trustEmpty, "trust-empty", false, "import a log that has no snapshot, of ZooKeeper 3.4")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	oneOf(c, "sessions", "keep", "drop")
	noFile(c, "above", "myid")
	return c
}

func (f *importFlags) options(c *cobra.Command) (datadir.ImportOptions, error) {
	if f.from == "" || f.to == "" {
		return datadir.ImportOptions{}, usageError{errors.New("pass both --from and --to; see paddock migrate import --help")}
	}
	if f.sessions != "keep" && f.sessions != "drop" {
		return datadir.ImportOptions{}, usageError{fmt.Errorf("--sessions %q is neither keep nor drop", f.sessions)}
	}
	if c.Flags().Changed("myid") && f.myid < 0 {
		return datadir.ImportOptions{}, usageError{fmt.Errorf("--myid %d is negative", f.myid)}
	}
	above, err := parseZxid("--above", f.above)
	if above < 0 {
		err = usageError{fmt.Errorf("--above %q is not a zxid", f.above)}
	}
	return datadir.ImportOptions{FS: vfs.OS{}, Logger: zerolog.Nop(), From: f.from, FromLog: f.fromLog, To: f.to, Above: above,
		DropSessions: f.sessions == "drop", TrustEmpty: f.trustEmpty, PID: os.Getpid(), Progress: importProgress(c.ErrOrStderr())}, err
}

// apart refuses directories that lie in each other, by whatever links: nothing in the old ones is to be changed, and the new one is
// another's.
func (f *importFlags) apart() error {
	for _, old := range []struct{ flag, dir string }{{"--from", f.from}, {"--from-log", f.fromLog}} {
		if old.dir == "" {
			continue
		}
		switch above, below := within(old.dir, f.to), within(f.to, old.dir); {
		case above && below:
			return usageError{fmt.Errorf("%s %s and --to %s are the same directory; name a new one", old.flag, old.dir, f.to)}
		case below:
			return usageError{fmt.Errorf("--to %s lies in %s %s; name a directory beside it", f.to, old.flag, old.dir)}
		case above:
			return usageError{fmt.Errorf("%s %s lies in --to %s; name another new directory", old.flag, old.dir, f.to)}
		}
	}
	return nil
}

// within tells whether dir, which need not exist, is above or lies in it.
func within(dir, above string) bool {
	outer, err := os.Stat(above)
	if err != nil {
		return false
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for { // of what does not exist, no part is a link
		real, err := filepath.EvalSymlinks(path)
		if err == nil {
			path = real
			break
		}
		if filepath.Dir(path) == path {
			return false
		}
		path = filepath.Dir(path)
	}
	for ; ; path = filepath.Dir(path) {
		if inner, err := os.Stat(path); err == nil && os.SameFile(inner, outer) {
			return true
		}
		if filepath.Dir(path) == path {
			return false
		}
	}
}

// importProgress says once a second how far an import is.
func importProgress(errs io.Writer) func(string, int) {
	last := time.Now()
	return func(stage string, done int) {
		if now := time.Now(); now.Sub(last) >= time.Second {
			last = now
			fmt.Fprintf(errs, "%s: %d\n", stage, done)
		}
	}
}

func migrateImport(c *cobra.Command, f importFlags) error {
	opts, err := f.options(c)
	if err != nil {
		return err
	}
	if err := f.apart(); err != nil {
		return err
	}
	for _, dir := range []string{f.from, f.fromLog} {
		if who, used := dirUser(dir); used {
			return fmt.Errorf("%s is in use by %s; stop it first, an import of a directory that changes would be of no moment in particular", dir, who)
		}
	}
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	out, err := datadir.Import(ctx, opts)
	if err != nil {
		return err
	}
	if c.Flags().Changed("myid") {
		path := filepath.Join(f.to, "myid")
		if err := vfs.WriteFileAtomic(vfs.OS{}, path, []byte(strconv.FormatInt(f.myid, 10)+"\n")); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	if f.json {
		return json.NewEncoder(c.OutOrStdout()).Encode(importJSON(out, f))
	}
	printImport(c.OutOrStdout(), out, f)
	return nil
}

// importSummary is what migrate import --json prints. Zxids are hexadecimal.
type importSummary struct {
	From              string   `json:"from"`
	To                string   `json:"to"`
	LastZxid          string   `json:"lastZxid"`
	Zxid              string   `json:"zxid"`
	Epoch             int64    `json:"epoch"`
	Snapshot          string   `json:"snapshot"`
	Znodes            int      `json:"znodes"`
	Sessions          int      `json:"sessions"`
	Ephemerals        int      `json:"ephemerals"`
	DroppedSessions   int      `json:"droppedSessions"`
	DroppedEphemerals int      `json:"droppedEphemerals"`
	Warnings          []string `json:"warnings,omitempty"`
}

func importJSON(out *datadir.Imported, f importFlags) importSummary {
	return importSummary{From: f.from, To: f.to, LastZxid: out.Last.String(), Zxid: out.Zxid.String(), Epoch: out.Epoch, Snapshot: out.Path,
		Znodes: out.Znodes, Sessions: out.Sessions, Ephemerals: out.Owned, DroppedSessions: out.DroppedSessions,
		DroppedEphemerals: out.DroppedEphemerals, Warnings: importWarnings(out)}
}

// importWarnings are what somebody should look at before the new ensemble is used.
func importWarnings(out *datadir.Imported) (list []string) {
	for _, b := range out.Bad {
		list = append(list, fmt.Sprintf("passed over a damaged snapshot, in a copy of the old directory: %s", b))
	}
	for _, t := range out.Log.Torn {
		list = append(list, fmt.Sprintf("left out a record that was never finished: %s", t))
	}
	if out.DigestMismatch != 0 {
		list = append(list, fmt.Sprintf("the tree differs from the digest that was logged with %v; compare with another member's directory", out.DigestMismatch))
	}
	if out.FuzzyUntil != 0 {
		list = append(list, fmt.Sprintf("the snapshot may hold effects of transactions up to %v, which the log no longer has", out.FuzzyUntil))
	}
	return list
}

func printImport(w io.Writer, out *datadir.Imported, f importFlags) {
	fmt.Fprintf(w, "old last zxid  %v\n", out.Last)
	fmt.Fprintf(w, "new zxid       %v\n", out.Zxid)
	fmt.Fprintf(w, "new epoch      %d\n", out.Epoch)
	fmt.Fprintf(w, "snapshot       %s\n", out.Path)
	fmt.Fprintf(w, "znodes         %d, %d of them ephemeral\n", out.Znodes, out.Owned)
	if f.sessions == "drop" {
		fmt.Fprintf(w, "sessions       %d dropped, with %d ephemeral znodes\n", out.DroppedSessions, out.DroppedEphemerals)
	} else {
		fmt.Fprintf(w, "sessions       %d kept; those whose clients do not come back in time expire\n", out.Sessions)
	}
	for _, text := range importWarnings(out) {
		fmt.Fprintf(w, "warning        %s\n", text)
	}
}
