package txn_test

import (
	"fmt"
	"slices"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

func TestWhatATxnChanges(t *testing.T) {
	set := txn.Txn{Type: zk.OpSetData, Path: "/a", Data: []byte("1")}
	del := txn.Txn{Type: zk.OpDelete, Path: "/a/b"}
	for name, c := range map[string]struct {
		txn  txn.Txn
		want []string
	}{
		"a create":                     {txn.Txn{Type: zk.OpCreate, Path: "/a", Data: []byte("0")}, []string{`NodeCreated /a "0"`}},
		"a create with a list":         {txn.Txn{Type: zk.OpCreate, Path: "/a", ACL: zk.ReadOnlyACL}, []string{`NodeCreated /a "" r`}},
		"a create with a ttl":          {txn.Txn{Type: zk.OpCreateTTL, Path: "/a"}, []string{`NodeCreated /a ""`}},
		"a delete":                     {del, []string{`NodeDeleted /a/b ""`}},
		"a container whose time came":  {txn.Txn{Type: zk.OpDeleteContainer, Path: "/c"}, []string{`NodeDeleted /c ""`}},
		"a write":                      {set, []string{`NodeDataChanged /a "1"`}},
		"a reconfiguration":            {txn.Txn{Type: zk.OpReconfig, Path: zk.ConfigPath, Data: []byte("v")}, []string{`NodeDataChanged /zookeeper/config "v"`}},
		"a new access list":            {txn.Txn{Type: zk.OpSetACL, Path: "/a", ACL: zk.ReadOnlyACL}, []string{`NodeACLChanged /a "" r`}},
		"a check":                      {txn.Txn{Type: zk.OpCheck, Path: "/a"}, nil},
		"a session that begins":        {txn.Txn{Type: zk.OpCreateSession, TimeoutMS: 1}, nil},
		"a session that ends":          {txn.Txn{Type: zk.OpCloseSession, Paths: []string{"/e", "/f"}}, []string{`NodeDeleted /e ""`, `NodeDeleted /f ""`}},
		"a session with nothing":       {txn.Txn{Type: zk.OpCloseSession, Paths: []string{}}, nil},
		"a session that does not tell": {txn.Txn{Type: zk.OpCloseSession}, []string{`NodeDeleted  "" inferred`}},
		"an error":                     {txn.Txn{Type: zk.OpError, Err: zk.NoNode}, nil},
		"a multi, in order":            {txn.Txn{Type: zk.OpMulti, Ops: []txn.Txn{del, set}}, []string{`NodeDeleted /a/b ""`, `NodeDataChanged /a "1"`}},
		"a multi that failed":          {txn.Txn{Type: zk.OpMulti, Ops: []txn.Txn{set, {Type: zk.OpError, Err: zk.NoNode}}}, nil},
	} {
		rec := txn.Record{Header: txn.Header{Zxid: 7, Session: 9, Type: c.txn.Type}, Txn: c.txn}
		var got []string
		for ch := range rec.Changes {
			text := fmt.Sprintf("%v %s %q", ch.Event, ch.Path, ch.Data)
			for _, a := range ch.ACL {
				text += fmt.Sprint(" ", a.Perms)
			}
			if ch.Inferred {
				text += " inferred"
			}
			if got = append(got, text); ch.Zxid != 7 || ch.Session != 9 {
				t.Errorf("%s: %+v", name, ch)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		for range rec.Changes {
			break // which must end it
		}
	}
}
