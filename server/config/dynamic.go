package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// What a member writes beside its static file, zoo.cfg, when the configuration of its ensemble changes:
//
//	zoo.cfg.dynamic.next   the newest configuration that was proposed, with its version
//	zoo.cfg.dynamic.<hex>  one that was committed, its version in the name alone
//	zoo.cfg.bak            zoo.cfg as it was at the start, while it still listed the servers itself
//
// The lines are sorted as text, as ZooKeeper sorts them, and the last one has no newline.
const (
	nextSuffix      = ".dynamic.next"
	committedSuffix = ".dynamic."
	backupSuffix    = ".bak"
	newFileMode     = 0o644
)

// Files are the configuration files of a member. Every write is atomic and durable; writes belong to one goroutine.
type Files struct {
	Static string // path of zoo.cfg
}

// Next is the path of the file with the newest proposed configuration.
func (f Files) Next() string { return f.Static + nextSuffix }

// Committed is the path of the file with the committed configuration of a version.
func (f Files) Committed(version zk.Zxid) string {
	return f.Static + committedSuffix + strconv.FormatUint(uint64(version), 16)
}

// Backup is the path of the copy of the static file.
func (f Files) Backup() string { return f.Static + backupSuffix }

// WriteNext keeps a configuration that was proposed.
func (f Files) WriteNext(c *quorum.Config) error {
	if err := replaceFile(f.Next(), []byte(dynamicText(c, true)), newFileMode); err != nil {
		return fmt.Errorf("write proposed configuration: %w", err)
	}
	return nil
}

// ReadNext returns the configuration that WriteNext kept, or nil if there is none.
func (f Files) ReadNext() (*quorum.Config, error) {
	data, err := os.ReadFile(f.Next())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var c *quorum.Config
	if err == nil {
		c, err = quorum.ParseConfig(string(data))
	}
	if err != nil {
		return nil, fmt.Errorf("read proposed configuration %s: %w; remove the file if no reconfiguration is going on", f.Next(), err)
	}
	return c, nil
}

// RemoveNext forgets the proposed configuration, once it is committed. Without one it does nothing.
func (f Files) RemoveNext() error {
	err := os.Remove(f.Next())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = syncParent(f.Next())
	}
	if err != nil {
		return fmt.Errorf("remove proposed configuration: %w", err)
	}
	return nil
}

// WriteBackup copies the static file, before the first reconfiguration takes the servers out of it.
func (f Files) WriteBackup() error {
	data, err := os.ReadFile(f.Static)
	if err == nil {
		err = replaceFile(f.Backup(), data, modeOf(f.Static))
	}
	if err != nil {
		return fmt.Errorf("back up configuration: %w", err)
	}
	return nil
}

// WriteCommitted writes a committed configuration and makes the static file name it, in place of the servers, groups and
// weights that it lists and of peerType. If the configuration has a client address for server id, or a secure one, the
// ports in the static file go too: ports that come from there are not in c. The dynamic file is durable before the
// static one names it, and a crash leaves the static file as it was or as it is to be.
//
// ZooKeeper compatibility: ZooKeeper also drops comments, the order of the lines and every key that begins with "server",
// serverCnxnFactory for one. They are kept here.
func (f Files) WriteCommitted(c *quorum.Config, id quorum.ServerID) error {
	path := f.Committed(c.Version)
	if err := replaceFile(path, []byte(dynamicText(c, false)), newFileMode); err != nil {
		return fmt.Errorf("write committed configuration: %w", err)
	}
	static, err := filepath.EvalSymlinks(f.Static) // a link stays one
	var data []byte
	if err == nil {
		data, err = os.ReadFile(static)
	}
	if err == nil {
		path, err = canonical(path)
	}
	if err == nil {
		own, _ := c.Server(id)
		err = replaceFile(static, staticText(data, path, own), modeOf(static))
	}
	if err != nil {
		return fmt.Errorf("rewrite configuration: %w", err)
	}
	return nil
}

// canonical is the absolute path of an existing file, without links.
func canonical(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// dynamicText is the content of a dynamic file.
func dynamicText(c *quorum.Config, version bool) string {
	lines := strings.Split(c.String(), "\n")
	if !version {
		lines = slices.DeleteFunc(lines, func(s string) bool { return strings.HasPrefix(s, "version=") })
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// staticText is the static file data with what a dynamic file takes over left out, and with the line that names it.
func staticText(data []byte, dynamicPath string, own quorum.Server) []byte {
	starts := []int{} // of natural lines
	for r := (lineReader{data: data}); r.pos < len(data); r.readNatural() {
		starts = append(starts, r.pos)
	}
	var out []byte
	kept := 0
	for r := (lineReader{data: data}); r.next(); {
		written, _ := splitProperty(r.logical)
		key, err := unescape(written)
		if err != nil || !dropped(javaTrim(key), own) {
			continue
		}
		out = append(out, data[kept:starts[r.line-1]]...)
		kept = r.pos
	}
	out = append(out, data[kept:]...)
	if n := len(out); n > 0 && out[n-1] != '\n' {
		out = append(out, '\n')
	}
	if ends := strings.TrimRight(string(out), "\r\n"); continued([]byte(ends)) {
		out = append(out, '\n') // a backslash at the end must not join the next line
	}
	return append(out, "dynamicConfigFile="+escapeValue(dynamicPath)+"\n"...)
}

// dropped tells whether a line of the static file goes when a dynamic file takes over.
func dropped(key string, own quorum.Server) bool {
	switch key {
	case "dynamicConfigFile", "peerType", "version":
		return true
	case "clientPort", "clientPortAddress":
		return own.Client.Port != 0
	case "secureClientPort", "secureClientPortAddress":
		return own.Secure.Port != 0
	default:
		k := family(key)
		return k != nil && k.Kind == KindMember
	}
}

// escapeValue writes a value so that parseProperties gives it back: a path may hold what means something in the syntax.
func escapeValue(v string) string {
	var b strings.Builder
	for i, c := range v {
		switch {
		case c == '\\' || i == 0 && (c == ' ' || c == '=' || c == ':'):
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c > '~' && c <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, c)
		case c > 0xffff: // a surrogate pair
			c -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// copyDynamic is the remedy for a dynamic file that is not what a server has written.
const copyDynamic = "copy the file of this name from another member"

// CheckDynamic compares the dynamic file with what the data know under its version, which is nil if they know of no
// configuration. Servers write one text for one version, so a file that is the beginning of that text has lost its end: a
// copy that was broken off, or a full disk. It would make a smaller ensemble, whose quorums need not meet those of the others,
// and is a Problem. A file that was edited otherwise is a Notice, as ZooKeeper takes it.
func (c *Config) CheckDynamic(known *quorum.Config) (*Notice, error) {
	m := c.Members
	if m.DynamicFile == "" || known == nil || known.Version == 0 || known.Version != m.Membership.Version || known.SameMembers(m.Membership) {
		return nil, nil
	}
	text := strings.TrimRight(m.dynamicText, " \t\r\n")
	if strings.HasPrefix(dynamicText(known, false), text) {
		return nil, Problem{File: m.DynamicFile,
			Problem: fmt.Sprintf("the end of the file is missing: the data know version %x with servers %s", uint64(known.Version), known.IDs()),
			Fix: fmt.Sprintf("%s; if servers were taken out on purpose, rename it to end in .%x, correct dynamicConfigFile, and do the same on every server",
				copyDynamic, uint64(known.Version)+1)}
	}
	return &Notice{Level: Warn, File: m.DynamicFile,
		Message: fmt.Sprintf("differs from what the data know as version %x, servers %s, and wins", uint64(known.Version), known.IDs()),
		Fix:     "change members by reconfig; every server must have the same file"}, nil
}

// modeOf is the permissions of a file.
func modeOf(path string) fs.FileMode {
	info, err := os.Stat(path)
	if err != nil {
		return newFileMode
	}
	return info.Mode().Perm()
}

// replaceFile writes a file so that after a crash either the old or the new content is there.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Chmod(mode) // whatever the umask, and whoever left a file of that name
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncParent(path)
}

// syncParent makes the names in a file's directory durable.
func syncParent(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
