package transport

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"paddock/consensus"
	"paddock/internal/jute"
	"paddock/internal/zk"
)

// A message on the quorum port, in both directions, back to back and without a length of its own:
//
//	 0  int32   type
//	 4  int64   zxid
//	12  buffer  data      length -1: none
//	 n  vector  authinfo  of {string scheme, string id}; count -1: none
//
// data by type:
//
//	REQUEST                         int64 session, int32 cxid, int32 opcode, then the request record to the end
//	PROPOSAL, INFORM                txn record
//	PING                            from a learner: {int64 session, int32 timeout}…; from a leader: none
//	REVALIDATE                      int64 session, then int32 timeout (question) or bool valid (answer)
//	COMMITANDACTIVATE               int64 designated leader
//	INFORMANDACTIVATE               int64 designated leader, txn record
//	NEWLEADER                       text of a configuration
//	FOLLOWERINFO, OBSERVERINFO      int64 server [, int32 protocol [, int64 config version]]; old servers: none
//	LEADERINFO                      int32 protocol
//	ACKEPOCH                        int32 epoch, or -1
//	all others                      none
//
// Example, an ACK of 0x100000001: 00000003 0000000100000001 ffffffff ffffffff.

// packetBytesMin is the size of a message without data and authinfo.
const packetBytesMin = 20

// Sizes of data.
const (
	requestBytesMin    = 16
	touchBytes         = 12
	questionBytes      = 12
	answerBytes        = 9
	learnerInfoBytes   = 20
	idBytesMin         = 8
	protocolVersionOld = 1 // what a learner speaks that does not say
)

// packet is the record.
type packet struct {
	kind     consensus.MessageKind
	zxid     zk.Zxid
	data     []byte
	authInfo []zk.ID
}

func (p *packet) juteHead(c *jute.Coder) {
	c.Int32((*int32)(&p.kind))
	p.zxid.Jute(c)
	c.Buffer(&p.data)
}

func (p *packet) juteIDs(c *jute.Coder) {
	jute.Vector(c, &p.authInfo, idBytesMin, func(c *jute.Coder, id *zk.ID) { id.Jute(c) })
}

// decoder reads messages.
type decoder struct {
	p packet
	c jute.Coder
	// requests is room for requests to come.
	requests []consensus.ForwardedRequest
	// ids are the identities that came last, and idBytes what they were read from: the next are likely to be the same.
	ids     []zk.ID
	idBytes []byte
}

// requestsRoom is how many requests are made at a time.
const requestsRoom = 32

// request is a new request.
func (d *decoder) request() *consensus.ForwardedRequest {
	if len(d.requests) == 0 {
		d.requests = make([]consensus.ForwardedRequest, requestsRoom)
	}
	r := &d.requests[0]
	d.requests = d.requests[1:]
	return r
}

// authInfo reads what b has behind data.
func (d *decoder) authInfo(b []byte) {
	p, c := &d.p, &d.c
	rest := b[c.Offset():]
	if c.Err() == nil && len(d.ids) > 0 && bytes.Equal(rest, d.idBytes) {
		p.authInfo = d.ids
		return
	}
	p.juteIDs(c)
	if c.Left() > 0 {
		c.Fail("surplus bytes")
	}
	if len(p.authInfo) > 0 && c.Err() == nil {
		d.ids, d.idBytes = p.authInfo, rest
	}
}

// message reads the bytes of exactly one message into m, which keeps b.
func (d *decoder) message(b []byte, m *consensus.Message) error {
	d.p = packet{}
	p, c := &d.p, &d.c
	c.Reset(b)
	p.juteHead(c)
	d.authInfo(b)
	if err := c.Err(); err != nil {
		return err
	}
	*m = consensus.Message{Kind: p.kind, Zxid: p.zxid}
	c.Reset(p.data)
	d.data(m)
	if err := c.Err(); err != nil {
		return fmt.Errorf("%v: %w", m.Kind, err)
	}
	return nil
}

// data reads what data holds, at whose start the coder is.
func (d *decoder) data(m *consensus.Message) {
	p, c := &d.p, &d.c
	switch m.Kind {
	case consensus.MsgAck, consensus.MsgCommit, consensus.MsgSync, consensus.MsgUpToDate, consensus.MsgDiff, consensus.MsgTrunc,
		consensus.MsgSnap: // no data
	case consensus.MsgRequest:
		r := d.request()
		r.AuthInfo = p.authInfo
		r.Session.Jute(c)
		c.Int32(&r.Cxid)
		c.Int32((*int32)(&r.Op))
		r.Body = rest(c, p.data)
		m.Request = r
	case consensus.MsgInformAndActivate:
		c.Int64((*int64)(&m.Server))
		m.Payload = rest(c, p.data)
	case consensus.MsgCommitAndActivate:
		c.Int64((*int64)(&m.Server))
	case consensus.MsgPing:
		decodeTouches(c, m, p.data)
	case consensus.MsgRevalidate:
		m.Session.Jute(c)
		if m.Answer = len(p.data) == answerBytes; m.Answer {
			c.Bool(&m.Valid)
		} else {
			c.Int32(&m.TimeoutMS)
		}
	case consensus.MsgNewLeader:
		m.Config = string(p.data)
	case consensus.MsgFollowerInfo, consensus.MsgObserverInfo:
		decodeLearnerInfo(c, m)
	case consensus.MsgLeaderInfo:
		c.Int32(&m.Protocol)
	case consensus.MsgAckEpoch:
		var epoch int32
		c.Int32(&epoch)
		m.Epoch = int64(epoch)
	case consensus.MsgProposal, consensus.MsgInform:
		if m.Payload = p.data; m.Payload == nil {
			c.Fail("no txn")
		}
	default:
		m.Payload = p.data
	}
}

// rest is what c has not read of data.
func rest(c *jute.Coder, data []byte) []byte {
	if c.Err() != nil {
		return nil
	}
	return data[c.Offset():len(data):len(data)]
}

func decodeTouches(c *jute.Coder, m *consensus.Message, data []byte) {
	if data == nil {
		return
	}
	if len(data)%touchBytes != 0 {
		c.Fail("part of a session")
		return
	}
	m.Touched = make([]consensus.Touch, len(data)/touchBytes)
	for i := range m.Touched {
		m.Touched[i].Session.Jute(c)
		c.Int32(&m.Touched[i].TimeoutMS)
	}
}

// decodeLearnerInfo reads as much as there is. Before ZooKeeper 3.5 there was no configuration, before 3.4 no version,
// and observers once had no id.
func decodeLearnerInfo(c *jute.Coder, m *consensus.Message) {
	m.Server, m.Protocol = consensus.NoServer, protocolVersionOld
	if c.Left() >= 8 {
		c.Int64((*int64)(&m.Server))
	}
	if c.Left() >= 4 {
		c.Int32(&m.Protocol)
	}
	if c.Left() >= 8 {
		m.ConfigVersion.Jute(c)
	}
}

// appendMessage appends the bytes of m to b. A message of an unknown kind has its payload as data.
func appendMessage(b []byte, m *consensus.Message) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(m.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(m.Zxid))
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	b, none := appendData(b, m)
	size := uint32(len(b) - at - 4)
	if none {
		size = noneLength
	}
	binary.BigEndian.PutUint32(b[at:], size)
	var ids []zk.ID
	if m.Kind == consensus.MsgRequest {
		ids = m.Request.AuthInfo
	}
	if ids == nil {
		return binary.BigEndian.AppendUint32(b, noneLength)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(ids)))
	for i := range ids {
		b = appendString(appendString(b, ids[i].Scheme), ids[i].ID)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	if jute.IsNull(s) {
		return binary.BigEndian.AppendUint32(b, noneLength)
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// noneLength is the length of what is not there.
const noneLength = 0xffffffff

// appendData appends data without its length; none tells that there is none, not even an empty one.
func appendData(b []byte, m *consensus.Message) (_ []byte, none bool) {
	be := binary.BigEndian
	switch m.Kind {
	case consensus.MsgRequest:
		r := m.Request
		b = be.AppendUint64(b, uint64(r.Session))
		b = be.AppendUint32(b, uint32(r.Cxid))
		b = be.AppendUint32(b, uint32(r.Op))
		return append(b, r.Body...), false
	case consensus.MsgPing:
		for _, t := range m.Touched {
			b = be.AppendUint64(b, uint64(t.Session))
			b = be.AppendUint32(b, uint32(t.TimeoutMS))
		}
		return b, m.Touched == nil
	case consensus.MsgRevalidate:
		b = be.AppendUint64(b, uint64(m.Session))
		switch {
		case !m.Answer:
			return be.AppendUint32(b, uint32(m.TimeoutMS)), false
		case m.Valid:
			return append(b, 1), false
		default:
			return append(b, 0), false
		}
	case consensus.MsgCommitAndActivate:
		return be.AppendUint64(b, uint64(m.Server)), false
	case consensus.MsgInformAndActivate:
		b = be.AppendUint64(b, uint64(m.Server))
		return append(b, m.Payload...), false
	case consensus.MsgNewLeader:
		return append(b, m.Config...), m.Config == ""
	case consensus.MsgFollowerInfo, consensus.MsgObserverInfo:
		b = be.AppendUint64(b, uint64(m.Server))
		b = be.AppendUint32(b, uint32(m.Protocol))
		return be.AppendUint64(b, uint64(m.ConfigVersion)), false
	case consensus.MsgLeaderInfo:
		return be.AppendUint32(b, uint32(m.Protocol)), false
	case consensus.MsgAckEpoch:
		return be.AppendUint32(b, uint32(m.Epoch)), false
	default:
		return append(b, m.Payload...), m.Payload == nil
	}
}

// isIntroduction tells whether m may be the first that a learner sends.
func isIntroduction(m *consensus.Message) bool {
	return m.Kind == consensus.MsgFollowerInfo || m.Kind == consensus.MsgObserverInfo
}
