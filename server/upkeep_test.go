package server

import (
	"strings"
	"testing"

	"paddock/server/config"
	"paddock/storage/datadir"
	"paddock/storage/vfs"
)

func TestAMemberKeepsABitOfDiskFree(t *testing.T) {
	c := &config.Config{DataDir: "/d", DataLogDir: "/l"}
	const gib = 1 << 30
	ample := vfs.Space{Free: gib, Total: 2 * gib}
	for name, row := range map[string]struct {
		log, snapshots vfs.Space
		stops          string
	}{
		"there is room":                       {ample, ample, ""},
		"a hundredth of a small disk is left": {vfs.Space{Free: 1 << 20, Total: 100 << 20}, ample, ""},
		"less than that":                      {vfs.Space{Free: 1<<20 - 1, Total: 100 << 20}, ample, "/l"},
		"of a large disk 64 MiB are enough":   {ample, vfs.Space{Free: 64 << 20, Total: 1000 * gib}, ""},
		"less than those":                     {ample, vfs.Space{Free: 64<<20 - 1, Total: 1000 * gib}, "/d"},
		"the size is not known":               {vfs.Space{}, vfs.Space{}, ""},
	} {
		err := spaceError(c, datadir.Usage{LogSpace: row.log, Space: row.snapshots})
		if (err != nil) != (row.stops != "") || err != nil && (!strings.Contains(err.Error(), row.stops) || config.ExitCode(err) != config.ExitDataDir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
