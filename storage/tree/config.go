package tree

import (
	"paddock/internal/txn"
	"paddock/internal/zk"
)

// SetConfig writes the text of an ensemble's configuration into /zookeeper/config, without a txn: each member does so by
// itself. The digest does not cover the znode.
//
// ZooKeeper compatibility: the znode's mzxid is the version of the configuration, its own version is -1.
func (t *Tree) SetConfig(text string, version zk.Zxid, nowMS int64) {
	var out Outcome
	h := txn.Header{Zxid: version, TimeMS: nowMS, Type: zk.OpSetData}
	t.setData(&h, &txn.Txn{Type: zk.OpSetData, Path: zk.ConfigPath, Data: []byte(text), Version: -1}, &out, new(Result))
}
