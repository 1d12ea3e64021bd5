package grpcapi

import (
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/request"
)

// Field numbers of proto/paddock/v1/watch.proto, which a test compares with the contract.
const (
	fieldResponseWatch  = 1 // of WatchResponse
	fieldResponseEvents = 3
	fieldEventsChanges  = 1 // of WatchEvents
	fieldEventsMore     = 2
	fieldChangeType     = 1 // of Change
	fieldChangePath     = 2
	fieldChangeZxid     = 3
	fieldChangeData     = 4
	fieldChangePrevious = 5
	fieldChangeACL      = 6
	fieldChangeOldACL   = 7
)

// watchDetail is what is told of a change beside that it has happened.
type watchDetail uint8

const (
	detailData watchDetail = 1 << iota
	detailPrevious
	detailACL    // the access list
	detailHashes // of the digests in it
	detailOldACL // the list before
	detailOldHashes
)

// details are as many as there are without access lists, and oldACL is how far those of the list before are from those of the list.
const (
	details = 4
	oldACL  = 2
)

// bundle is the changes of one txn that a watch is told, encoded. Many watches share one where they are told the same. It never
// changes once it is queued.
type bundle struct {
	zxid    zk.Zxid
	changes [][]byte // each a field of WatchEvents
	bytes   int
	events  mem.Buffer   // the field of WatchResponse that has changes, if many watches may be told it; else nil
	holders atomic.Int64 // queues that it is in
}

// telling encodes the changes of one txn, each at most once for each detail, and lets watches share what comes out. What has access
// lists is encoded for each watch: they seldom change, few ask, and not all see the same.
type telling struct {
	changes []request.Change
	encoded [][details][]byte
	single  [details]*bundle // of a txn with one change
	of      map[*watching]*bundle
	order   []*watching // those in of, as they came
}

// begin takes a txn.
func (t *telling) begin(changes []request.Change) {
	t.changes = changes
	clear(t.encoded)
	if cap(t.encoded) < len(changes) {
		t.encoded = make([][details][]byte, len(changes))
	}
	t.encoded = t.encoded[:len(changes)]
	t.single = [details]*bundle{}
}

// one is the bundle of a txn's only change.
func (t *telling) one(d watchDetail) *bundle {
	if d >= details {
		raw := t.encode(0, d)
		return &bundle{zxid: t.changes[0].Zxid, changes: [][]byte{raw}, bytes: len(raw)}
	}
	if t.single[d] == nil {
		raw := t.encode(0, d)
		events := make([]byte, 0, protowire.SizeTag(fieldResponseEvents)+protowire.SizeBytes(len(raw)))
		events = protowire.AppendBytes(protowire.AppendTag(events, fieldResponseEvents, protowire.BytesType), raw)
		raw = events[len(events)-len(raw):]
		t.single[d] = &bundle{zxid: t.changes[0].Zxid, changes: [][]byte{raw}, bytes: len(raw), events: mem.SliceBuffer(events)}
	}
	return t.single[d]
}

// more adds a change to what a watch is told of a txn with several.
func (t *telling) more(w *watching, i int, d watchDetail) {
	if t.of == nil {
		t.of = map[*watching]*bundle{}
	}
	b := t.of[w]
	if b == nil {
		b = &bundle{zxid: t.changes[i].Zxid}
		t.of[w] = b
		t.order = append(t.order, w)
	}
	raw := t.encode(i, d)
	b.changes = append(b.changes, raw)
	b.bytes += len(raw)
}

// take returns who is told something by more, and forgets it.
func (t *telling) take(f func(*watching, *bundle)) {
	for i, w := range t.order {
		f(w, t.of[w])
		t.order[i] = nil
	}
	t.order = t.order[:0]
	clear(t.of)
}

var changeTypes = map[zk.EventType]paddockv1.ChangeType{
	zk.NodeCreated:     paddockv1.ChangeType_CHANGE_TYPE_CREATED,
	zk.NodeDeleted:     paddockv1.ChangeType_CHANGE_TYPE_DELETED,
	zk.NodeDataChanged: paddockv1.ChangeType_CHANGE_TYPE_DATA_CHANGED,
	zk.NodeACLChanged:  paddockv1.ChangeType_CHANGE_TYPE_ACL_CHANGED,
}

// encode is change i as a field of WatchEvents.
func (t *telling) encode(i int, d watchDetail) []byte {
	c := &t.changes[i]
	if c.Kind == zk.NodeDeleted || c.Guessed {
		d &^= detailData
	}
	if !c.PreviousKnown {
		d &^= detailPrevious
	}
	if d < details && t.encoded[i][d] != nil {
		return t.encoded[i][d]
	}
	now, old := t.lists(c, d)
	path := strings.ToValidUTF8(c.Path, "\uFFFD")
	size := protowire.SizeTag(fieldChangeType) + 1 + protowire.SizeTag(fieldChangePath) + protowire.SizeBytes(len(path)) +
		protowire.SizeTag(fieldChangeZxid) + protowire.SizeVarint(uint64(c.Zxid))
	if d&detailData != 0 {
		size += protowire.SizeTag(fieldChangeData) + protowire.SizeBytes(len(c.Data))
	}
	if d&detailPrevious != 0 {
		size += protowire.SizeTag(fieldChangePrevious) + protowire.SizeBytes(len(c.Previous))
	}
	size += len(now) + len(old)
	b := make([]byte, 0, protowire.SizeTag(fieldEventsChanges)+protowire.SizeBytes(size))
	b = protowire.AppendTag(b, fieldEventsChanges, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	b = protowire.AppendTag(b, fieldChangeType, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(changeTypes[c.Kind]))
	b = protowire.AppendTag(b, fieldChangePath, protowire.BytesType)
	b = protowire.AppendString(b, path)
	b = protowire.AppendTag(b, fieldChangeZxid, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(c.Zxid))
	if d&detailData != 0 {
		b = protowire.AppendTag(b, fieldChangeData, protowire.BytesType)
		b = protowire.AppendBytes(b, c.Data)
	}
	if d&detailPrevious != 0 {
		b = protowire.AppendTag(b, fieldChangePrevious, protowire.BytesType)
		b = protowire.AppendBytes(b, c.Previous)
	}
	b = append(append(b, now...), old...)
	if d < details {
		t.encoded[i][d] = b
	}
	return b
}

// lists are the access lists of a change as fields of Change.
func (t *telling) lists(c *request.Change, d watchDetail) (now, old []byte) {
	if d&detailACL != 0 {
		now = listField(fieldChangeACL, c.ACL, d&detailHashes != 0)
	}
	if d&detailOldACL != 0 {
		before := c.PreviousACL
		if c.Kind == zk.NodeDeleted {
			before = c.ACL
		}
		old = listField(fieldChangeOldACL, before, d&detailOldHashes != 0)
	}
	return now, old
}

// listField is an access list as a field of Change, with or without the hashes of digests.
func listField(field protowire.Number, list []zk.ACL, hashes bool) []byte {
	if !hashes {
		list = auth.Redact(list)
	}
	raw, _ := proto.Marshal(&paddockv1.AccessList{Acl: aclOf(list)}) // it is UTF-8, and there is no other error
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), raw)
}

// eventsMessage is a message with events.
func eventsMessage(id int64, changes [][]byte, bytes int, more bool) encoded {
	if more {
		bytes += protowire.SizeTag(fieldEventsMore) + 1
	}
	raw := make([]byte, 0, protowire.SizeTag(fieldResponseWatch)+protowire.SizeVarint(uint64(id))+
		protowire.SizeTag(fieldResponseEvents)+protowire.SizeBytes(bytes))
	raw = appendUint(raw, fieldResponseWatch, uint64(id))
	raw = protowire.AppendTag(raw, fieldResponseEvents, protowire.BytesType)
	raw = protowire.AppendVarint(raw, uint64(bytes))
	for _, c := range changes {
		raw = append(raw, c...)
	}
	if more {
		raw = appendUint(raw, fieldEventsMore, 1)
	}
	return encoded{mem.SliceBuffer(raw)}
}
