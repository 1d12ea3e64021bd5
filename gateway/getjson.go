package gateway

import (
	"encoding/base64"
	"strconv"

	paddockv1 "paddock/gen/paddock/v1"
)

// getBytes is what the answer to a GET takes as JSON beside the data, mostly.
const getBytes = 512

// appendGet appends what asJSON makes of the answer to a GET, without reflection: it is the answer that is asked for most often, and
// reflection took as long as everything else that this package does for it.
func appendGet(b []byte, m *paddockv1.GetResponse) []byte {
	if b == nil {
		b = make([]byte, 0, getBytes+base64.StdEncoding.EncodedLen(len(m.GetData())))
	}
	b = append(b, `{"data":"`...)
	b = base64.StdEncoding.AppendEncode(b, m.GetData())
	b = append(b, `","stat":`...)
	if s := m.GetStat(); s == nil {
		b = append(b, "null"...)
	} else {
		b = appendStat(b, s)
	}
	b = append(b, `,"zxid":"`...)
	b = strconv.AppendUint(b, m.GetZxid(), 10)
	return append(b, `"}`...)
}

// appendStat appends a stat: numbers of 64 bits are strings.
func appendStat(b []byte, s *paddockv1.Stat) []byte {
	b = append(b, `{"czxid":"`...)
	b = strconv.AppendUint(b, s.GetCzxid(), 10)
	b = append(b, `","mzxid":"`...)
	b = strconv.AppendUint(b, s.GetMzxid(), 10)
	b = append(b, `","pzxid":"`...)
	b = strconv.AppendUint(b, s.GetPzxid(), 10)
	b = append(b, `","ctimeMs":"`...)
	b = strconv.AppendInt(b, s.GetCtimeMs(), 10)
	b = append(b, `","mtimeMs":"`...)
	b = strconv.AppendInt(b, s.GetMtimeMs(), 10)
	b = append(b, `","version":`...)
	b = strconv.AppendInt(b, int64(s.GetVersion()), 10)
	b = append(b, `,"cversion":`...)
	b = strconv.AppendInt(b, int64(s.GetCversion()), 10)
	b = append(b, `,"aversion":`...)
	b = strconv.AppendInt(b, int64(s.GetAversion()), 10)
	b = append(b, `,"ephemeralOwner":"`...)
	b = strconv.AppendInt(b, s.GetEphemeralOwner(), 10)
	b = append(b, `","dataLength":`...)
	b = strconv.AppendInt(b, int64(s.GetDataLength()), 10)
	b = append(b, `,"numChildren":`...)
	b = strconv.AppendInt(b, int64(s.GetNumChildren()), 10)
	return append(b, '}')
}
