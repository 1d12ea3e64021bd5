package zk

import "paddock/internal/jute"

// Stat is what clients are told of a znode: 68 bytes on the wire. Times are milliseconds since 1970.
type Stat struct {
	Czxid          Zxid
	Mzxid          Zxid
	CtimeMS        int64
	MtimeMS        int64
	Version        int32
	Cversion       int32 // as on the wire: 2 × stored − children
	Aversion       int32
	EphemeralOwner int64 // as on the wire: 0 unless ephemeral
	DataLength     int32
	NumChildren    int32
	Pzxid          Zxid
}

// Jute codes the eleven fields.
func (s *Stat) Jute(c *jute.Coder) {
	s.Czxid.Jute(c)
	s.Mzxid.Jute(c)
	c.Int64(&s.CtimeMS)
	c.Int64(&s.MtimeMS)
	c.Int32(&s.Version)
	c.Int32(&s.Cversion)
	c.Int32(&s.Aversion)
	c.Int64(&s.EphemeralOwner)
	c.Int32(&s.DataLength)
	c.Int32(&s.NumChildren)
	s.Pzxid.Jute(c)
}

// StoredStat is what a server keeps of a znode, in logs' digests and snapshots: 60 bytes.
type StoredStat struct {
	Czxid    Zxid
	Mzxid    Zxid
	CtimeMS  int64
	MtimeMS  int64
	Version  int32
	Cversion int32 // creates below the znode; deletes do not count
	Aversion int32
	Owner    Owner
	Pzxid    Zxid
}

// Jute codes the nine fields in the order of a snapshot.
func (s *StoredStat) Jute(c *jute.Coder) {
	s.Czxid.Jute(c)
	s.Mzxid.Jute(c)
	c.Int64(&s.CtimeMS)
	c.Int64(&s.MtimeMS)
	c.Int32(&s.Version)
	c.Int32(&s.Cversion)
	c.Int32(&s.Aversion)
	s.Owner.Jute(c)
	s.Pzxid.Jute(c)
}

// Wire is the Stat of a znode with the given data length (bytes; 0 for null) and number of children.
func (s *StoredStat) Wire(dataLength, children int32) Stat {
	return Stat{
		Czxid: s.Czxid, Mzxid: s.Mzxid, CtimeMS: s.CtimeMS, MtimeMS: s.MtimeMS,
		Version: s.Version, Cversion: 2*s.Cversion - children, Aversion: s.Aversion,
		EphemeralOwner: s.Owner.Wire(), DataLength: dataLength, NumChildren: children, Pzxid: s.Pzxid,
	}
}

// NextVersion is the version after v: 32-bit arithmetic that leaves out -1, which means "any version".
func NextVersion(v int32) int32 {
	if v++; v == -1 {
		return 0
	}
	return v
}
