package sim

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"paddock/internal/zk"
	"paddock/storage/tree"
)

// lost checks ack-after-durable and apply-is-pure: whatever a client was shown is there after every start, and what is
// there is exactly what the model has at that zxid. So nothing is lost, nothing is there twice, nothing that failed is
// there, and what was never answered is there as a prefix of the order in which it was proposed.
type lost struct {
	st    *stage
	acked zk.Zxid // the newest that anyone was shown
}

func (l *lost) shown(z zk.Zxid) { l.acked = max(l.acked, z) }

// compare looks at a recovered tree.
func (l *lost) compare(t *tree.Tree) error {
	m, z := l.st.model, t.Zxid()
	if z < l.acked {
		return fmt.Errorf("ack-after-durable: recovered to %v, but clients have been shown %v", z, l.acked)
	}
	if z > m.last() {
		return fmt.Errorf("recovered to %v, but nothing behind %v was ever written", z, m.last())
	}
	return m.compare(t, z)
}

// compare tells how a tree is not what the model has at z.
func (m *model) compare(t *tree.Tree, z zk.Zxid) error {
	var wrong []string
	count := 0
	for path, h := range m.nodes {
		n := at(h, z)
		ref, ok := t.Find(path)
		switch {
		case m.member && path == zk.ConfigPath:
			count++ // every server writes it for itself; its text is no part of the digest
		case n == nil && ok:
			wrong = append(wrong, fmt.Sprintf("%s is there and should not", path))
		case n == nil:
		case !ok:
			wrong = append(wrong, fmt.Sprintf("%s is missing", path))
		default:
			count++
			if diff := differ(t, ref, n); diff != "" {
				wrong = append(wrong, path+" "+diff)
			}
		}
	}
	if t.Znodes() != count && len(wrong) == 0 {
		wrong = append(wrong, fmt.Sprintf("%d znodes where %d should be", t.Znodes(), count))
	}
	wrong = append(wrong, m.compareSessions(t, z)...)
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return fmt.Errorf("apply-is-pure: at %v: %s", z, strings.Join(wrong[:min(len(wrong), 5)], "; "))
}

// differ tells how a znode is not what the model has, or "".
func differ(t *tree.Tree, ref tree.Ref, n *znode) string {
	data := t.Data(ref)
	switch {
	case t.Stored(ref) != n.stat:
		return fmt.Sprintf("has stat %+v, expected %+v", t.Stored(ref), n.stat)
	case int32(t.Children(ref)) != n.children:
		return fmt.Sprintf("has %d children, expected %d", t.Children(ref), n.children)
	case !bytes.Equal(data, n.data) || (data == nil) != (n.data == nil):
		return fmt.Sprintf("has other data, %d bytes, expected %d", len(data), len(n.data))
	case !slices.Equal(t.ACL(ref), n.acl):
		return fmt.Sprintf("has access list %v, expected %v", t.ACL(ref), n.acl)
	}
	return ""
}

func (m *model) compareSessions(t *tree.Tree, z zk.Zxid) (wrong []string) {
	count := 0
	for s, h := range m.sessions {
		want := at(h, z)
		got, ok := t.Session(s)
		if want != 0 {
			count++
		}
		if got != want || ok != (want != 0) {
			wrong = append(wrong, fmt.Sprintf("session %v has timeout %d (there: %v), expected %d", s, got, ok, want))
		}
	}
	if t.SessionCount() != count && len(wrong) == 0 {
		wrong = append(wrong, fmt.Sprintf("%d sessions where %d should be", t.SessionCount(), count))
	}
	return wrong
}
