package grpcapi

import (
	"unicode/utf8"

	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
)

// Field numbers of proto/paddock/v1 that are written and read here. Tests compare with what protobuf makes of it.
const (
	fieldStatCzxid          = 1 // of Stat
	fieldStatMzxid          = 2
	fieldStatPzxid          = 3
	fieldStatCtime          = 4
	fieldStatMtime          = 5
	fieldStatVersion        = 6
	fieldStatCversion       = 7
	fieldStatAversion       = 8
	fieldStatEphemeralOwner = 9
	fieldStatDataLength     = 10
	fieldStatNumChildren    = 11
	statBytesMax            = 11 * (1 + 10) // of a Stat

	fieldGetPath = 1 // of GetRequest
	fieldGetData = 1 // of GetResponse
	fieldGetStat = 2
	fieldGetZxid = 3

	fieldSetPath    = 1 // of SetRequest
	fieldSetData    = 2
	fieldSetStat    = 1 // of SetResponse
	fieldSetNewZxid = 2

	messageFieldsMax = 3 * (1 + 10) // tags, lengths and zxid of an answer
)

// encoded is a message of WatchService that has been encoded.
type encoded mem.BufferSlice

// codec is gRPC's own, but that what is asked most is read and written without reflection where it has none but the usual fields, and that it
// notes which replies wait. What is below the size from which gRPC uses buffers again is not counted: calls are, by streamsMax.
type codec struct {
	encoding.CodecV2
	replies *replies
}

func newCodec(r *replies) codec { return codec{encoding.GetCodecV2(grpcproto.Name), r} }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(encoded); ok {
		return mem.BufferSlice(m), nil
	}
	o, ok := v.(owed)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	if b := small(o.Message); b != nil {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	size := proto.Size(o.Message)
	if mem.IsBelowBufferPoolingThreshold(size) {
		return c.CodecV2.Marshal(o.Message)
	}
	b := buffers.Get(size)
	if _, err := (proto.MarshalOptions{UseCachedSize: true}).MarshalAppend((*b)[:0], o.Message); err != nil {
		buffers.Put(b)
		return nil, err
	}
	return c.replies.owe(o.to, b, buffers), nil
}

// small encodes an answer; nil if it is none of those that are encoded here, or is large enough to be counted.
func small(m proto.Message) []byte {
	switch m := m.(type) {
	case *paddockv1.GetResponse:
		most := len(m.GetData()) + statBytesMax + messageFieldsMax
		if m.GetStat() != nil && mem.IsBelowBufferPoolingThreshold(most) && len(m.ProtoReflect().GetUnknown()) == 0 {
			return appendGet(make([]byte, 0, most), m)
		}
	case *paddockv1.SetResponse:
		if m.GetStat() != nil && len(m.ProtoReflect().GetUnknown()) == 0 {
			return appendSet(make([]byte, 0, statBytesMax+messageFieldsMax), m)
		}
	}
	return nil
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if m, ok := v.(*pipelined); ok {
		m.raw = data.Materialize()
		return nil
	}
	whole := data.MaterializeToBuffer(buffers)
	defer whole.Free()
	switch m := v.(type) {
	case *paddockv1.GetRequest:
		if path, _, ok := pathAndData(whole.ReadOnlyData(), fieldGetPath, -1); ok {
			m.Path = string(path)
			return nil
		}
	case *paddockv1.SetRequest:
		if path, value, ok := pathAndData(whole.ReadOnlyData(), fieldSetPath, fieldSetData); ok {
			m.Path, m.Data = string(path), append([]byte(nil), value...)
			return nil
		}
	}
	return c.CodecV2.Unmarshal(mem.BufferSlice{whole}, v)
}

// pathAndData reads a message that has nothing else. ok is false if it has, or is not valid.
func pathAndData(b []byte, ofPath, ofData protowire.Number) (path, data []byte, ok bool) {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 || kind != protowire.BytesType || number != ofPath && number != ofData {
			return nil, nil, false
		}
		value, size := protowire.ConsumeBytes(b[n:])
		if size < 0 {
			return nil, nil, false
		}
		if number == ofPath {
			path = value
		} else {
			data = value
		}
		b = b[n+size:]
	}
	return path, data, utf8.Valid(path)
}

// appendGet encodes an answer, which has a stat.
func appendGet(b []byte, m *paddockv1.GetResponse) []byte {
	if len(m.GetData()) > 0 {
		b = protowire.AppendTag(b, fieldGetData, protowire.BytesType)
		b = protowire.AppendBytes(b, m.GetData())
	}
	return appendUint(appendStat(b, fieldGetStat, m.GetStat()), fieldGetZxid, m.GetZxid())
}

// appendSet encodes an answer, which has a stat.
func appendSet(b []byte, m *paddockv1.SetResponse) []byte {
	return appendUint(appendStat(b, fieldSetStat, m.GetStat()), fieldSetNewZxid, m.GetZxid())
}

// appendStat encodes a stat as a field. It has less than 128 bytes, so that its length is one of them.
func appendStat(b []byte, field protowire.Number, s *paddockv1.Stat) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = append(b, 0)
	began := len(b)
	b = appendUint(b, fieldStatCzxid, s.GetCzxid())
	b = appendUint(b, fieldStatMzxid, s.GetMzxid())
	b = appendUint(b, fieldStatPzxid, s.GetPzxid())
	b = appendUint(b, fieldStatCtime, uint64(s.GetCtimeMs()))
	b = appendUint(b, fieldStatMtime, uint64(s.GetMtimeMs()))
	b = appendUint(b, fieldStatVersion, uint64(int64(s.GetVersion())))
	b = appendUint(b, fieldStatCversion, uint64(int64(s.GetCversion())))
	b = appendUint(b, fieldStatAversion, uint64(int64(s.GetAversion())))
	b = appendUint(b, fieldStatEphemeralOwner, uint64(s.GetEphemeralOwner()))
	b = appendUint(b, fieldStatDataLength, uint64(int64(s.GetDataLength())))
	b = appendUint(b, fieldStatNumChildren, uint64(int64(s.GetNumChildren())))
	b[began-1] = byte(len(b) - began)
	return b
}

// appendUint encodes a number as a field, which is left out if it is 0.
func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}
