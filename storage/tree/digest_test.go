package tree

import (
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"testing"

	"paddock/internal/jute"
	"paddock/internal/txn"
	"paddock/internal/zk"
)

func TestNodeDigestOfKnownZnodes(t *testing.T) {
	zero := zk.StoredStat{}
	a := zk.StoredStat{Czxid: 2, Mzxid: 2, Pzxid: 2, CtimeMS: 1700000000000, MtimeMS: 1700000000000}
	cases := map[string]struct {
		path string
		data []byte
		stat zk.StoredStat
		want uint64
	}{
		"the root of a new tree":                     {"", nil, zero, 0x04128908},
		"the root by its other name":                 {"/", nil, zero, 0x04128908},
		"null and empty data are the same":           {"", []byte{}, zero, 0x04128908},
		"/zookeeper counts":                          {"/zookeeper", []byte{}, zero, 0x4db44d58},
		"what is below /zookeeper does not":          {"/zookeeper/quota", []byte("x"), a, 0},
		"what is only called like it does":           {"/zookeeperx", nil, zero, uint64(crc32.ChecksumIEEE(append([]byte("/zookeeperx"), make([]byte, 60)...)))},
		"a znode with data":                          {"/a", []byte("hello"), a, 0xa5119d4b},
		"the root after /a was created":              {"", []byte{}, zk.StoredStat{Cversion: 1, Pzxid: 2}, 0x031578f2},
		"a path of more than the short way's length": {"/" + string(make([]byte, 99)), nil, zero, uint64(crc32.ChecksumIEEE(append([]byte("/"), make([]byte, 99+60)...)))},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := NodeDigest(c.path, c.data, &c.stat); got != c.want {
				t.Fatalf("%#x, want %#x", got, c.want)
			}
		})
	}
}

func TestNodeDigestIsTheCRCOfTheBytesItIsDefinedBy(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	bytes := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	for range 2000 {
		path, data := "/x"+string(bytes(r.IntN(100))), bytes(r.IntN(200))
		s := zk.StoredStat{
			Czxid: zk.Zxid(r.Int64()), Mzxid: zk.Zxid(r.Int64()), Pzxid: zk.Zxid(r.Int64()), CtimeMS: r.Int64(), MtimeMS: r.Int64(),
			Version: int32(r.Uint32()), Cversion: int32(r.Uint32()), Aversion: int32(r.Uint32()), Owner: zk.Owner(r.Uint64()),
		}
		w := jute.Writer(append([]byte(path), data...))
		s.Czxid.Jute(w)
		s.Mzxid.Jute(w)
		s.Pzxid.Jute(w)
		w.Int64(&s.CtimeMS)
		w.Int64(&s.MtimeMS)
		w.Int32(&s.Version)
		w.Int32(&s.Cversion)
		w.Int32(&s.Aversion)
		s.Owner.Jute(w)
		if got, want := NodeDigest(path, data, &s), uint64(crc32.ChecksumIEEE(w.Bytes())); got != want {
			t.Fatalf("%q, %d bytes, %+v: %#x, want %#x", path, len(data), s, got, want)
		}
	}
}

func TestADigestTakesNoMemory(t *testing.T) {
	s, data := zk.StoredStat{}, make([]byte, 200)
	if n := testing.AllocsPerRun(100, func() { NodeDigest("/some/path", data, &s) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestTheDigestLogKeepsTheNewestZxidsDivisibleBy128(t *testing.T) {
	tr := New(1)
	if got := tr.DigestLog(); len(got) != 0 {
		t.Fatalf("a new tree has %v", got)
	}
	var want []ZxidDigest
	for z := zk.Zxid(1); z <= 128*1030; z++ {
		body := txn.Txn{Type: zk.OpError}
		if z%128 == 5 {
			body = txn.Txn{Type: zk.OpSetData, Path: "/", Data: []byte{byte(z >> 7)}, Version: int32(z)}
		}
		tr.Apply(&txn.Header{Zxid: z, Type: body.Type}, &body, nil)
		if z%128 == 0 {
			want = append(want, ZxidDigest{z, tr.Digest()})
		}
		if z == 300 && !slices.Equal(tr.DigestLog(), want) {
			t.Fatalf("%v, want %v", tr.DigestLog(), want)
		}
	}
	if got := tr.DigestLog(); len(got) != 1024 || !slices.Equal(got, want[len(want)-1024:]) {
		t.Fatalf("%d entries, first %+v, want %+v", len(got), got[0], want[len(want)-1024])
	}
}
