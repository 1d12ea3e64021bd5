package gateway

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	paddockv1 "paddock/gen/paddock/v1"
)

// compact is what asJSON makes of m, without the white space that it varies.
func compact(t *testing.T, m proto.Message) string {
	t.Helper()
	loose, err := asJSON.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, loose); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheAnswerToAGetIsWrittenAsAnyMessage(t *testing.T) {
	each := &paddockv1.Stat{} // every field another number: one that is new to the contract is missed
	fields := each.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		switch f := fields.Get(i); f.Kind() {
		case protoreflect.Uint64Kind:
			each.ProtoReflect().Set(f, protoreflect.ValueOfUint64(math.MaxUint64-uint64(i)))
		case protoreflect.Int64Kind:
			each.ProtoReflect().Set(f, protoreflect.ValueOfInt64(math.MinInt64+int64(i)))
		case protoreflect.Int32Kind:
			each.ProtoReflect().Set(f, protoreflect.ValueOfInt32(math.MinInt32+int32(i)))
		default:
			t.Fatalf("%s is of a kind that appendStat does not know", f.FullName())
		}
	}
	for name, m := range map[string]*paddockv1.GetResponse{
		"an empty one":             {},
		"one without a stat":       {Data: []byte("a"), Zxid: 1},
		"one with an empty stat":   {Stat: &paddockv1.Stat{}},
		"one with every field set": {Data: []byte{0, 0xff, '<', '"', '\n', 0x7f, 0xfb, 0xef}, Stat: each, Zxid: math.MaxUint64},
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := string(appendGet(nil, m)), compact(t, m); got != want {
				t.Errorf("%s\nwant %s", got, want)
			}
		})
	}
}
