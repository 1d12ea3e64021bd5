package survey

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/vfs"
)

// Data is what a data directory holds, as far as its newest whole snapshot tells; what only the log has is not counted.
type Data struct {
	Dir           string   `json:"dir"`
	Snapshot      string   `json:"snapshot,omitempty"` // the file
	Snapshots     int      `json:"snapshots"`
	SnapshotBytes int64    `json:"snapshotBytes"` // of all
	Logs          int      `json:"logs"`
	LogBytes      int64    `json:"logBytes"` // of all, with space reserved in them
	Znodes        int      `json:"znodes"`
	Ephemerals    int      `json:"ephemerals"`
	Containers    int      `json:"containers"`
	TTLs          int      `json:"ttls"`
	Sessions      int      `json:"sessions"`
	TimeoutMinMS  int32    `json:"timeoutMinMs,omitempty"` // the shortest session timeout
	LargestBytes  int      `json:"largestBytes"`           // of a znode's data
	Largest       string   `json:"largest,omitempty"`
	Schemes       []string `json:"schemes"` // of access lists

}

// Inspect looks into a data directory, which a server may be using; logDir is "" unless it has a dataLogDir.
func Inspect(fsys vfs.FS, dir, logDir string) (*Data, error) {
	if logDir == "" {
		logDir = dir
	}
	d := &Data{Dir: dir}
	version := versionDir(fsys, dir)
	names, err := fsys.List(version)
	if err != nil {
		return nil, fmt.Errorf("%w; pass dataDir", err)
	}
	type file struct {
		name string
		zxid zk.Zxid
	}
	var files []file
	for _, name := range names {
		if z, _, ok := snapshot.ParseName(name); ok {
			files = append(files, file{name, z})
			d.Snapshots++
			d.SnapshotBytes += size(fsys, filepath.Join(version, name))
		}
	}
	logs, err := fsys.List(versionDir(fsys, logDir))
	if err != nil {
		return nil, fmt.Errorf("%w; pass dataLogDir", err)
	}
	for _, name := range logs {
		if strings.HasPrefix(name, "log.") {
			d.Logs++
			d.LogBytes += size(fsys, filepath.Join(versionDir(fsys, logDir), name))
		}
	}
	slices.SortFunc(files, func(a, b file) int { return int(min(max(b.zxid-a.zxid, -1), 1)) })
	for _, f := range files {
		_, err := snapshot.Read(fsys, version, f.name, d, nil)
		if err == nil {
			d.Snapshot = f.name
			slices.Sort(d.Schemes)
			return d, nil
		}
		if _, damaged := errors.AsType[*snapshot.CorruptError](err); !damaged {
			return nil, err
		}
		*d = Data{Dir: dir, Snapshots: d.Snapshots, SnapshotBytes: d.SnapshotBytes, Logs: d.Logs, LogBytes: d.LogBytes}
	}
	return d, nil
}

func versionDir(fsys vfs.FS, dir string) string {
	if info, err := fsys.Stat(filepath.Join(dir, "version-2")); err == nil && info.Dir {
		return filepath.Join(dir, "version-2")
	}
	return dir
}

func size(fsys vfs.FS, path string) int64 {
	info, err := fsys.Stat(path)
	if err != nil {
		return 0 // purged meanwhile
	}
	return info.Size
}

// Session implements snapshot.Sink.
func (d *Data) Session(_ zk.SessionID, timeoutMS int32) {
	if d.Sessions++; d.TimeoutMinMS == 0 || timeoutMS < d.TimeoutMinMS {
		d.TimeoutMinMS = timeoutMS
	}
}

// ACL implements snapshot.Sink.
func (d *Data) ACL(_ int64, list []zk.ACL) {
	for _, a := range list {
		if !slices.Contains(d.Schemes, a.ID.Scheme) {
			d.Schemes = append(d.Schemes, a.ID.Scheme)
		}
	}
}

// Znode implements snapshot.Sink.
func (d *Data) Znode(n *snapshot.Znode) error {
	d.Znodes++
	if len(n.Data) > d.LargestBytes {
		d.LargestBytes, d.Largest = len(n.Data), strings.Clone(n.Path)
	}
	owner := n.Stat.Owner
	if _, ttl := owner.TTL(); ttl {
		d.TTLs++
	} else if owner == zk.ContainerOwner {
		d.Containers++
	} else if owner != 0 {
		d.Ephemerals++
	}
	return nil
}
