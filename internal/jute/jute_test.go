package jute_test

import (
	"bytes"
	"errors"
	"testing"

	"paddock/internal/jute"
)

// sample has every primitive, and a nested vector.
type sample struct {
	b    byte
	t    bool
	i    int32
	l    int64
	data []byte
	name string
	list []string
}

func (s *sample) Jute(c *jute.Coder) {
	c.Byte(&s.b)
	c.Bool(&s.t)
	c.Int32(&s.i)
	c.Int64(&s.l)
	c.Buffer(&s.data)
	c.String(&s.name)
	c.Strings(&s.list)
}

func TestBytesAreZooKeepers(t *testing.T) {
	s := sample{b: 7, t: true, i: -2, l: 1 << 40, data: []byte{}, name: "/a", list: []string{"x", jute.Null()}}
	w := jute.Writer(nil)
	s.Jute(w)
	want := []byte{
		7, 1, 0xff, 0xff, 0xff, 0xfe, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 2, '/', 'a', 0, 0, 0, 2, 0, 0, 0, 1, 'x', 0xff, 0xff, 0xff, 0xff,
	}
	if !bytes.Equal(w.Bytes(), want) {
		t.Fatalf("got  %x\nwant %x", w.Bytes(), want)
	}
}

func TestNullAndEmptyDiffer(t *testing.T) {
	in := []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	var null, empty string
	var nullBuf, emptyBuf []byte
	var nullList, emptyList []string
	r := jute.Reader(in)
	r.String(&null)
	r.String(&empty)
	r.Buffer(&nullBuf)
	r.Buffer(&emptyBuf)
	r.Strings(&nullList)
	r.Strings(&emptyList)
	if r.Err() != nil || r.Left() != 0 {
		t.Fatal(r.Err(), r.Left())
	}
	if !jute.IsNull(null) || jute.IsNull(empty) || null != "" || jute.IsNull("a") {
		t.Error("a null string must read as an empty one that remembers it was null")
	}
	if nullBuf != nil || emptyBuf == nil || nullList != nil || emptyList == nil {
		t.Error("null buffers and vectors must be nil, empty ones not")
	}
	w := jute.Writer(nil)
	w.String(&null)
	w.String(&empty)
	w.Buffer(&nullBuf)
	w.Buffer(&emptyBuf)
	w.Strings(&nullList)
	w.Strings(&emptyList)
	if !bytes.Equal(w.Bytes(), in) {
		t.Errorf("written back as %x", w.Bytes())
	}
}

func TestMalformedInputIsRefused(t *testing.T) {
	for name, in := range map[string][]byte{
		"a buffer longer than the input":         {1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1},
		"a buffer with a length below minus one": {1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe},
		"an input that ends inside a long":       {1, 1, 0, 0, 0, 0, 0, 0},
		"a vector that could not fit": {1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			0x7f, 0xff, 0xff, 0xff},
	} {
		var s sample
		r := jute.Reader(in)
		s.Jute(r)
		if !errors.Is(r.Err(), jute.ErrMalformed) {
			t.Errorf("%s: %v", name, r.Err())
		}
	}
}

func TestNegativeVectorCountReadsAsEmpty(t *testing.T) {
	var list []string
	r := jute.Reader([]byte{0xff, 0xff, 0xff, 0xf0})
	r.Strings(&list)
	if r.Err() != nil || list == nil || len(list) != 0 {
		t.Fatal(r.Err(), list)
	}
}

// FuzzRecord: the decoder never panics, and what it accepts survives a round trip.
func FuzzRecord(f *testing.F) {
	f.Add([]byte{1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, in []byte) {
		var got, again sample
		r := jute.Reader(in)
		if got.Jute(r); r.Err() != nil {
			return
		}
		w := jute.Writer(nil)
		got.Jute(w)
		r = jute.Reader(w.Bytes())
		again.Jute(r)
		w2 := jute.Writer(nil)
		again.Jute(w2)
		if r.Err() != nil || r.Left() != 0 || !bytes.Equal(w.Bytes(), w2.Bytes()) {
			t.Fatalf("%x became %x (%v)", w.Bytes(), w2.Bytes(), r.Err())
		}
	})
}
