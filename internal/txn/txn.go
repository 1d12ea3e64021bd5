package txn

import (
	"errors"
	"fmt"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

// Layout of a log payload:
//
//	 0  int64  clientId   session that asked; 0 for the server itself
//	 8  int32  cxid       xid of the request
//	12  int64  zxid
//	20  int64  time       of the leader, milliseconds since 1970
//	28  int32  type       opcode
//	32  body              by type, may be absent
//	 n  int32  2          digest version ┐ absent in error txns and
//	    int64  tree digest               ┘ where digests are switched off

// HeaderBytes and DigestBytes are the sizes of the fixed parts.
const (
	HeaderBytes = 32
	DigestBytes = 12
)

// DigestVersion is the version of the tree digest that is written and compared.
const DigestVersion = 2

// ErrMalformed is wrapped by every error that Decode returns.
var ErrMalformed = errors.New("malformed txn")

// Header precedes every txn.
type Header struct {
	Session zk.SessionID
	Cxid    int32
	Zxid    zk.Zxid
	TimeMS  int64 // wall clock of the leader, milliseconds since 1970
	Type    zk.OpCode
}

// Jute codes the five fields.
func (h *Header) Jute(c *jute.Coder) {
	h.Session.Jute(c)
	c.Int32(&h.Cxid)
	h.Zxid.Jute(c)
	c.Int64(&h.TimeMS)
	c.Int32((*int32)(&h.Type))
}

// Txn is the body of any txn, one struct for all types. Which fields a type uses is written in body.
type Txn struct {
	Type           zk.OpCode
	Path           string
	Data           []byte
	ACL            []zk.ACL
	Ephemeral      bool
	ParentCversion int32    // creates: what the parent's stored cversion becomes; -1 for "one more"
	TTLMS          int64    // createTTL, milliseconds
	Version        int32    // setData, setACL: the new version
	TimeoutMS      int32    // createSession
	Paths          []string // closeSession: the ephemerals it deletes, in order; nil if the txn does not say
	Err            zk.Code  // error
	// What the leader knows of a setData and never logs: where its tree probably has the znode, 0 if that is not known; and the CRC of path and
	// data with which the znode's digest begins (DigestPrefix of the tree), if HasPrefix.
	Near, Prefix uint32
	HasPrefix    bool
	Ops          []Txn // multi
}

// Failed tells a txn that changes nothing: an error, or a multi with an error in it.
func (t *Txn) Failed() bool {
	if t.Type == zk.OpError {
		return true
	}
	for i := range t.Ops {
		if t.Ops[i].Type == zk.OpError {
			return true
		}
	}
	return false
}

// SizeMax is an upper bound of the bytes that the txn takes in a log, header and digest included.
func (t *Txn) SizeMax() int64 {
	const fixed = HeaderBytes + DigestBytes + 32 // of all that is not counted below
	n := fixed + int64(len(t.Path)) + int64(len(t.Data))
	for i := range t.ACL {
		n += aclFixedBytes + int64(len(t.ACL[i].ID.Scheme)) + int64(len(t.ACL[i].ID.ID))
	}
	for _, p := range t.Paths {
		n += stringFixedBytes + int64(len(p))
	}
	for i := range t.Ops {
		n += t.Ops[i].SizeMax()
	}
	return n
}

// What a list entry takes beyond its texts: their lengths, and perms.
const (
	stringFixedBytes = 4
	aclFixedBytes    = 12
)

// body names the fields of each type's record.
func (t *Txn) body(c *jute.Coder) {
	switch t.Type {
	case zk.OpCreate, zk.OpCreate2:
		t.createFields(c)
		c.Bool(&t.Ephemeral)
		c.Int32(&t.ParentCversion)
	case zk.OpCreateContainer:
		t.createFields(c)
		c.Int32(&t.ParentCversion)
	case zk.OpCreateTTL:
		t.createFields(c)
		c.Int32(&t.ParentCversion)
		c.Int64(&t.TTLMS)
	case zk.OpDelete, zk.OpDeleteContainer:
		c.String(&t.Path)
	case zk.OpSetData, zk.OpReconfig:
		c.String(&t.Path)
		c.Buffer(&t.Data)
		c.Int32(&t.Version)
	case zk.OpSetACL:
		c.String(&t.Path)
		zk.CodeACL(c, &t.ACL)
		c.Int32(&t.Version)
	case zk.OpCheck:
		c.String(&t.Path)
		c.Int32(&t.Version)
	case zk.OpCreateSession:
		c.Int32(&t.TimeoutMS)
	case zk.OpCloseSession:
		c.Strings(&t.Paths)
	case zk.OpError:
		c.Int32((*int32)(&t.Err))
	case zk.OpMulti:
		t.multi(c)
	default:
		c.Fail(fmt.Sprintf("unknown type %d", int32(t.Type)))
	}
}

func (t *Txn) createFields(c *jute.Coder) {
	c.String(&t.Path)
	c.Buffer(&t.Data)
	zk.CodeACL(c, &t.ACL)
}

// multi codes a vector of {int type, buffer body}.
func (t *Txn) multi(c *jute.Coder) {
	const opBytesMin = 8
	jute.Vector(c, &t.Ops, opBytesMin, func(c *jute.Coder, op *Txn) {
		c.Int32((*int32)(&op.Type))
		if op.Type == zk.OpMulti && c.Reading() {
			c.Fail("multi inside multi")
			return
		}
		c.Nested(op.body)
	})
}

// Digest is the digest of the whole tree after a txn.
type Digest struct {
	Version int32
	Tree    uint64
}

// Jute codes version and value.
func (d *Digest) Jute(c *jute.Coder) {
	c.Int32(&d.Version)
	v := int64(d.Tree)
	c.Int64(&v)
	d.Tree = uint64(v)
}

// Record is one log payload: a proposal of the leader, an entry of the log.
type Record struct {
	Header    Header
	Txn       Txn
	Digest    Digest
	HasDigest bool
}

// Append appends the payload to dst and returns it. A closeSession without paths is written without a body.
func (r *Record) Append(dst []byte) []byte {
	c := jute.Writer(dst)
	r.Encode(c)
	return c.Bytes()
}

// Encode writes the payload with a Coder that may serve for many.
func (r *Record) Encode(c *jute.Coder) {
	r.Header.Jute(c)
	if r.Header.Type != zk.OpCloseSession || r.Txn.Paths != nil {
		r.Txn.body(c)
	}
	if r.HasDigest {
		r.Digest.Jute(c)
	}
}

// Decode reads one payload, which it keeps (fields alias it). It understands the two forms that old servers
// wrote: a create without ParentCversion and a closeSession without a body.
func (r *Record) Decode(payload []byte) error { return r.DecodeWith(new(jute.Coder), payload) }

// DecodeWith is Decode with a Coder that may serve for many.
func (r *Record) DecodeWith(c *jute.Coder, payload []byte) error {
	*r = Record{}
	c.Reset(payload)
	r.Header.Jute(c)
	if c.Err() != nil {
		return fmt.Errorf("%w: header: %w", ErrMalformed, c.Err())
	}
	r.Txn.Type = r.Header.Type
	if r.Txn.Type == zk.OpCheck {
		return fmt.Errorf("%w: zxid %v is a check outside of a multi", ErrMalformed, r.Header.Zxid)
	}
	if r.Header.Type == zk.OpCloseSession && r.closedWithoutBody(payload[HeaderBytes:]) {
		c = jute.Reader(payload[HeaderBytes:])
	} else {
		r.Txn.body(c)
	}
	if c.Err() != nil && r.Header.Type == zk.OpCreate {
		c = r.decodeCreateV0(payload)
	}
	if c.Err() != nil {
		return fmt.Errorf("%w: %v at zxid %v: %w", ErrMalformed, r.Header.Type, r.Header.Zxid, c.Err())
	}
	switch c.Left() {
	case 0:
	case DigestBytes:
		r.HasDigest = true
		r.Digest.Jute(c)
	default:
		return fmt.Errorf("%w: %v at zxid %v: %d bytes too many", ErrMalformed, r.Header.Type, r.Header.Zxid, c.Left())
	}
	return nil
}

// closedWithoutBody tells a closeSession that lists no paths: nothing follows the header, or only a digest does.
// Twelve bytes that start with a 2 could also be a list of two empty strings, which no session can own.
func (r *Record) closedWithoutBody(rest []byte) bool {
	if len(rest) == 0 {
		return true
	}
	return len(rest) == DigestBytes && rest[0] == 0 && rest[1] == 0 && rest[2] == 0 && rest[3] == DigestVersion
}

// decodeCreateV0 reads the create of servers before 3.4: without ParentCversion, and never with a digest.
func (r *Record) decodeCreateV0(payload []byte) *jute.Coder {
	c := jute.Reader(payload[HeaderBytes:])
	r.Txn = Txn{Type: zk.OpCreate, ParentCversion: -1}
	r.Txn.createFields(c)
	c.Bool(&r.Txn.Ephemeral)
	if c.Err() == nil && c.Left() != 0 {
		c.Fail("bytes after an old create")
	}
	return c
}

// PayloadZxid is the zxid of an encoded payload of at least HeaderBytes.
func PayloadZxid(payload []byte) zk.Zxid {
	var z zk.Zxid
	z.Jute(jute.Reader(payload[12:20]))
	return z
}
