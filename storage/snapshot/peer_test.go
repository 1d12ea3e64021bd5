package snapshot_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
)

const signature = "\x00\x00\x00\x0aBenWasHere"

func streamOf(t testing.TB, v *tree.View) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := snapshot.WriteStream(t.Context(), &b, v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestStreamsOfAZooKeeperLeaderAreReadAndWrittenAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		zxid   zk.Zxid
		digest uint64 // in the txn that the leader sent next, which opens a session and so leaves the digest as it is
	}{
		{"stream.snapjoin.100000005", 0x100000005, 0x13612bfbd},
		{"stream.observer.10000000f", 0x10000000f, 0x3f2457ee5},
	} {
		whole, err := os.ReadFile(filepath.Join("testdata", c.name))
		if err != nil {
			t.Fatal(err)
		}
		r := bytes.NewReader(whole)
		tr, info, err := snapshot.ReadStream(r, c.zxid, snapshot.StreamOptions{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		rest, _ := io.ReadAll(r)
		if string(rest) != signature || info.Bytes != int64(len(whole)-len(signature)) || tr.Zxid() != c.zxid {
			t.Errorf("%s: %+v at %v, and %q is left", c.name, info, tr.Zxid(), rest)
		}
		if tr.Digest() != c.digest {
			t.Errorf("%s: digest %x, the leader's is %x", c.name, tr.Digest(), c.digest)
		}
		again, _, err := snapshot.ReadStream(bytes.NewReader(streamOf(t, tr.Freeze())), c.zxid, snapshot.StreamOptions{})
		if err != nil || !maps.Equal(dump(tr.Freeze()), dump(again.Freeze())) {
			t.Errorf("%s: written and read again it differs: %v", c.name, err)
		}
	}
}

func TestAStreamReadsBackEqualAndNotAByteMoreIsTaken(t *testing.T) {
	for seed := range uint64(4) {
		tr := grown(t, 2000, seed+1)
		v := tr.Freeze()
		b := append(streamOf(t, v), signature...)
		r := bytes.NewReader(b)
		got, info, err := snapshot.ReadStream(iotest.HalfReader(r), tr.Zxid(), snapshot.StreamOptions{Seed: seed})
		if err != nil || r.Len() != len(signature) {
			t.Fatalf("%d bytes are left: %v", r.Len(), err)
		}
		if got.Digest() != tr.Digest() || got.Zxid() != tr.Zxid() || info.Znodes != tr.Znodes() {
			t.Errorf("%+v, digest %x, want %x", info, got.Digest(), tr.Digest())
		}
		want, have := dump(v), dump(got.Freeze())
		for k := range want {
			if want[k] != have[k] {
				t.Fatalf("%s: %s, want %s", k, have[k], want[k])
			}
		}
	}
}

func TestStreamsThatCannotBeReadAreRefused(t *testing.T) {
	whole := streamOf(t, grown(t, 20, 1).Freeze())
	many := binary.BigEndian.AppendUint32(nil, 1<<31-1)
	long := append(make([]byte, 8), many...) // no sessions, no access lists, and a path of 2 GiB
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		r    io.Reader
		opt  snapshot.StreamOptions
		want string
		err  error
	}{
		{"nothing", strings.NewReader(""), snapshot.StreamOptions{}, "ends early", snapshot.ErrCorrupt},
		{"a count of sessions that do not come", bytes.NewReader(many), snapshot.StreamOptions{}, "ends early", snapshot.ErrCorrupt},
		{"a negative count", strings.NewReader("\xff\xff\xff\xf0"), snapshot.StreamOptions{}, "a count of -16", snapshot.ErrCorrupt},
		{"a path of two GiB", bytes.NewReader(long), snapshot.StreamOptions{}, "a field of 2147483647 bytes", snapshot.ErrCorrupt},
		{"a path of many MiB that does not come", strings.NewReader("\x00\x00\x00\x00\x00\x00\x00\x00\x03\xff\xff\xffabc"), snapshot.StreamOptions{}, "ends within", snapshot.ErrCorrupt},
		{"a field above the bound", bytes.NewReader(whole), snapshot.StreamOptions{FieldBytes: 3}, "a field of", snapshot.ErrCorrupt},
		{"more than the bound", bytes.NewReader(whole), snapshot.StreamOptions{Bytes: 300}, "longer than 300 bytes", snapshot.ErrCorrupt},
		{"no root", strings.NewReader("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01/"), snapshot.StreamOptions{}, "no root", snapshot.ErrCorrupt},
		{"a connection that breaks", io.MultiReader(bytes.NewReader(whole[:100]), iotest.ErrReader(broken)), snapshot.StreamOptions{}, "broken", broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := snapshot.ReadStream(c.r, 1, c.opt)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
				t.Errorf("%d bytes of memory for that", grown)
			}
		})
	}
	for n := range len(whole) {
		if _, _, err := snapshot.ReadStream(bytes.NewReader(whole[:n]), 1, snapshot.StreamOptions{}); !errors.Is(err, snapshot.ErrCorrupt) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func TestAStreamThatIsCalledOffEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := snapshot.WriteStream(ctx, io.Discard, grown(t, 10, 1).Freeze()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	broken := errors.New("broken")
	if err := snapshot.WriteStream(t.Context(), brokenWriter{broken}, grown(t, 10, 1).Freeze()); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// FuzzReadStream: no bytes panic, nothing behind the end is read, and what is read can be written and reads the same again.
func FuzzReadStream(f *testing.F) {
	for _, name := range []string{"stream.snapjoin.100000005", "stream.observer.10000000f"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01/"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		tr, info, err := snapshot.ReadStream(r, 1, snapshot.StreamOptions{Seed: 1})
		if err != nil {
			return
		}
		if int64(len(in)-r.Len()) != info.Bytes || !bytes.Equal(in[info.Bytes-5:info.Bytes], []byte("\x00\x00\x00\x01/")) {
			t.Fatalf("%d of %d bytes read, stream of %d", len(in)-r.Len(), len(in), info.Bytes)
		}
		again, _, err := snapshot.ReadStream(bytes.NewReader(streamOf(t, tr.Freeze())), 1, snapshot.StreamOptions{Seed: 2})
		if err != nil || again.Digest() != tr.Digest() || again.Znodes() != tr.Znodes() {
			t.Fatalf("written and read again: %v", err)
		}
	})
}
