package wal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"paddock/internal/zk"
	"paddock/storage/vfs"
)

// build makes a log file's bytes from records with the given payload sizes, and tells where each begins and all end.
func build(first zk.Zxid, sizes ...int) (b []byte, at []int) {
	b = append(b, fileHeader[:]...)
	for i, n := range sizes {
		at = append(at, len(b))
		b = AppendRecord(b, payload(first+zk.Zxid(i), n))
	}
	return b, append(at, len(b))
}

func put(t testing.TB, m *vfs.Mem, name string, b []byte) {
	t.Helper()
	must(t, vfs.WriteFileAtomic(m, join(dir, name), b))
}

func TestWhatACrashLeavesIsCut(t *testing.T) {
	whole, at := build(1, 100, 3000, 700)
	pad := func(b []byte, n int) []byte { return append(slices.Clone(b), make([]byte, n)...) }
	zero := func(from, to int) []byte {
		b := pad(whole, 9000)
		clear(b[from:to])
		return b
	}
	sector := func(i int) int { return i / vfs.SectorSize * vfs.SectorSize }
	for _, row := range []struct {
		name string
		file []byte
		want int // records left
		torn bool
	}{
		{"a clean end at the end of the file", whole, 3, false},
		{"a clean end before zeros", pad(whole, 5000), 3, false},
		{"the file ends within a header", whole[:at[2]+5], 2, true},
		{"the file ends within the checksum's zero half", whole[:at[2]+3], 2, false},
		{"the file ends within a payload", whole[:at[2]+100], 2, true},
		{"the file ends before the mark", whole[:at[3]-1], 2, true},
		{"zeros from within a header on", pad(whole[:at[2]+6], 5000), 2, true},
		{"zeros from within a payload on", pad(whole[:at[2]+100], 5000), 2, true},
		{"only the mark is missing", pad(whole[:at[3]-1], 5000), 2, true},
		{"a record's first sector is missing", zero(at[1], sector(at[1])+512), 1, true},
		{"a record's middle sector is missing", zero(sector(at[1]+1000), sector(at[1]+1000)+512), 1, true},
		{"a record's last sector is missing", zero(sector(at[2]-1), sector(at[2]-1)+512), 1, true},
		{"a file without records", whole[:HeaderBytes], 0, false},
		{"a file that is empty", nil, 0, true},
		{"a file with half a header", whole[:7], 0, true},
		{"a file of zeros", make([]byte, 5000), 0, true},
		{"a file whose first sector is missing", zero(0, 512), 0, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newFS(t)
			before, _ := build(1, 1)
			put(t, m, "log.1", row.file)
			got, rep, err := recoverAll(m, ReadOptions{From: 1})
			if err != nil || len(got.zxids) != row.want || (len(rep.Torn) > 0) != row.torn {
				t.Fatalf("%v, %+v, %v", got, rep, err)
			}
			// It goes on in a new file, which is then read too.
			next, _ := build(zk.Zxid(row.want+1), 5)
			put(t, m, FileName(zk.Zxid(row.want+1)), next)
			got, rep, err = recoverAll(m, ReadOptions{From: 1})
			if err != nil || !slices.Equal(got.zxids, zxids(1, zk.Zxid(row.want+1))) || len(rep.Torn) > 0 {
				t.Fatalf("second start: %v, %+v, %v", got, rep, err)
			}
			_ = before
		})
	}
}

// A sector whose only bit that is set was not written looks like a record with that bit flipped. The crash is likelier.
func TestALostSectorWithASingleBitIsCut(t *testing.T) {
	b, _ := build(1, 100)
	p := payload(2, 3000)
	clear(p[payloadBytesMin:])
	p[2000] = 4
	start := len(b)
	b = AppendRecord(b, p)
	for name, end := range map[string]int{"at the end": 0, "before zeros": 5000} {
		m := newFS(t)
		lost := append(slices.Clone(b), make([]byte, end)...)
		lost[start+frameBytes+2000] = 0
		put(t, m, "log.1", lost)
		got, rep, err := recoverAll(m, ReadOptions{From: 1})
		if err != nil || len(got.zxids) != 1 || len(rep.Torn) != 1 {
			t.Errorf("%s: %d records, torn %v: %v", name, len(got.zxids), rep.Torn, err)
		}
	}
}

func TestDamageStopsTheStart(t *testing.T) {
	whole, at := build(1, 100, 3000, 700)
	padded := append(slices.Clone(whole), make([]byte, 9000)...)
	change := func(f func(b []byte)) []byte {
		b := slices.Clone(padded)
		f(b)
		return b
	}
	for _, row := range []struct {
		name   string
		file   []byte
		offset int
	}{
		{"a few bytes of a payload", change(func(b []byte) { copy(b[at[1]+200:], "####") }), at[1]},
		{"a few bytes of the last payload", change(func(b []byte) { copy(b[at[2]+200:], "####") }), at[2]},
		{"a few zero bytes where a header was", change(func(b []byte) { clear(b[at[1] : at[1]+20]) }), at[1]},
		{"the mark of a record", change(func(b []byte) { b[at[2]-1] = 'C' }), at[1]},
		{"a negative length", change(func(b []byte) { b[at[1]+8] = 0xff }), at[1]},
		{"a null length", change(func(b []byte) { copy(b[at[1]+8:], "\xff\xff\xff\xff") }), at[1]},
		{"a magic number", change(func(b []byte) { b[1] = 'X' }), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newFS(t)
			put(t, m, "log.1", row.file)
			_, _, err := recoverAll(m, ReadOptions{From: 1})
			var bad *CorruptionError
			if !errors.As(err, &bad) || bad.Offset != int64(row.offset) {
				t.Fatalf("got %v", err)
			}
			if got, _ := vfs.ReadFile(m, join(dir, "log.1"), 1<<20); !bytes.Equal(got, row.file) {
				t.Error("the damaged file was changed")
			}
		})
	}
}

// Whatever bit flips, no record is lost without notice: not even of records that hold sectors of zeros, which a lost
// write could have left too. Flips in bytes that nobody reads (version, database id) do nothing.
func TestEveryFlippedBitIsFound(t *testing.T) {
	b := append([]byte{}, fileHeader[:]...)
	for z := zk.Zxid(1); z <= 3; z++ {
		p := payload(z, 1500)
		clear(p[payloadBytesMin:])
		b = AppendRecord(b, p)
	}
	records := len(b)
	b = append(b, make([]byte, 2000)...)
	for bit := range 8 * records {
		if i := bit / 8; i >= 4 && i < HeaderBytes {
			continue
		}
		m := newFS(t)
		damaged := slices.Clone(b)
		damaged[bit/8] ^= 1 << (bit % 8)
		put(t, m, "log.1", damaged)
		rep, err := Recover(m, dir, ReadOptions{From: 1}, func(Record) error { return nil })
		var bad *CorruptionError
		if !errors.As(err, &bad) {
			t.Fatalf("bit %d of byte %d: %+v, %v", bit%8, bit/8, rep, err)
		}
	}
}

func TestFilesThatBelongTogether(t *testing.T) {
	file := func(first zk.Zxid, n int) []byte {
		b, _ := build(first, make([]int, n)...)
		return b
	}
	tornAfter := func(first zk.Zxid, n int) []byte {
		b := file(first, n+1)
		return append(b[:len(b)-3], make([]byte, 600)...)
	}
	const e1, e2 = zk.Zxid(1 << 32), zk.Zxid(2 << 32)
	for _, row := range []struct {
		name  string
		files map[string][]byte
		from  zk.Zxid
		want  string // "" for a start
		n     int
	}{
		{"a name need not be its first zxid", map[string][]byte{"log.1": file(1, 3), "log.3": file(4, 2)}, 1, "", 5},
		{"an epoch may end anywhere", map[string][]byte{"log.100000001": file(e1+1, 3), "log.200000001": file(e2+1, 2)}, e1 + 1, "", 5},
		{"an epoch begins with 1", map[string][]byte{"log.100000001": file(e1+1, 3), "log.200000002": file(e2+2, 2)}, e1 + 1, "the records of epoch 2 before it are missing", 3},
		{"a gap between files", map[string][]byte{"log.1": file(1, 3), "log.5": file(5, 2)}, 1, "zxid 0x5 follows 0x3: 1 records are missing", 3},
		{"a gap before what is wanted does not matter", map[string][]byte{"log.1": file(1, 3), "log.5": file(5, 4)}, 6, "", 3},
		{"a server that crashed and went on in a new file", map[string][]byte{"log.1": tornAfter(1, 3), "log.4": file(4, 2)}, 1, "", 5},
		{"an unfinished record that is not made up for", map[string][]byte{"log.1": tornAfter(1, 3), "log.5": file(5, 2)}, 1, "unfinished record", 3},
		{"an unfinished record before a new epoch", map[string][]byte{"log.100000001": tornAfter(e1+1, 3), "log.200000001": file(e2+1, 2)}, e1 + 1, "unfinished record", 3},
		{"records that come twice", map[string][]byte{"log.1": file(1, 5), "log.4": file(4, 4)}, 1, "", 7},
		{"an empty file at the end", map[string][]byte{"log.1": file(1, 5), "log.6": nil}, 1, "", 5},
		{"an unfinished record before an empty file", map[string][]byte{"log.1": tornAfter(1, 3), "log.4": file(4, 0)}, 1, "", 3},
		{"other names", map[string][]byte{"log.1": file(1, 5), "log.x": {1}, "logs.1": {1}, "log.1.bak.old": nil}, 1, "", 5},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newFS(t)
			for name, b := range row.files {
				put(t, m, name, b)
			}
			got, _, err := recoverAll(m, ReadOptions{From: row.from})
			if row.want == "" && err != nil || row.want != "" && !bytes.Contains([]byte(fmt.Sprint(err)), []byte(row.want)) {
				t.Fatalf("got %v", err)
			}
			if len(got.zxids) != row.n {
				t.Errorf("%d records: %v", len(got.zxids), got.zxids)
			}
		})
	}
}

func FuzzReader(f *testing.F) {
	whole, at := build(1, 100, 600, 20)
	f.Add(whole)
	f.Add(append(slices.Clone(whole), make([]byte, 700)...))
	f.Add(whole[:at[2]+20])
	f.Add([]byte("ZKLG"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		m := newFS(t)
		put(t, m, "log.1", in)
		var first []zk.Zxid
		held := 0
		rep, err := Recover(m, dir, ReadOptions{}, func(r Record) error {
			first = append(first, r.Zxid)
			held += len(r.Payload)
			return nil
		})
		if held > len(in) {
			t.Fatalf("%d bytes of payload in a file of %d", held, len(in))
		}
		if err != nil {
			var bad *CorruptionError
			if !errors.As(err, &bad) {
				t.Fatal(err)
			}
			return
		}
		var again []zk.Zxid
		rep2, err := Recover(m, dir, ReadOptions{}, func(r Record) error {
			again = append(again, r.Zxid)
			return nil
		})
		if err != nil || !slices.Equal(first, again) || len(rep2.Torn) > 0 {
			t.Fatalf("recovered %v, then %v (%+v, %+v, %v)", first, again, rep, rep2, err)
		}
	})
}
