package replica

import (
	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// ProposedConfig is the configuration that a recovered history ends with, if it is newer than the committed one. The file
// of the configuration proposed last does not count for it: its txn may have been dropped since. Nor does a configuration that no txn set,
// which is the list of the static file under the version of an epoch: the list may have been changed since, by hand.
func ProposedConfig(t *tree.Tree, committed *quorum.Config) *quorum.Config {
	ref, ok := t.Find(zk.ConfigPath)
	if !ok {
		return nil
	}
	seen, err := quorum.ParseConfig(string(t.Data(ref)))
	if err != nil || seen.Version <= committed.Version || seen.Version.Counter() == 0 {
		return nil
	}
	return seen
}
