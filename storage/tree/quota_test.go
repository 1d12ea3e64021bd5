package tree

import (
	"fmt"
	"math"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

func TestParseQuota(t *testing.T) {
	cases := map[string]struct {
		text string
		ok   bool
		want [4]int64 // count, bytes, hard count, hard bytes
		back string   // what it is written as
	}{
		"soft limits":                              {"count=3,bytes=5", true, [4]int64{3, 5, -1, -1}, "count=3,bytes=5"},
		"hard limits, with the stray sign":         {"count=1,bytes=2=;byteHardLimit=3;countHardLimit=4", true, [4]int64{1, 2, 4, 3}, "count=1,bytes=2=;byteHardLimit=3;countHardLimit=4"},
		"keys in any order, written sorted":        {"countHardLimit=4;byteHardLimit=3,bytes=2,count=1", true, [4]int64{1, 2, 4, 3}, "count=1,bytes=2=;byteHardLimit=3;countHardLimit=4"},
		"no text sets nothing":                     {"", true, [4]int64{-1, -1, -1, -1}, "count=-1,bytes=-1"},
		"an empty value is unset":                  {"count=,bytes=7", true, [4]int64{-1, 7, -1, -1}, "count=-1,bytes=7"},
		"runs of separators count as one":          {"count=1,;,bytes=2;;", true, [4]int64{1, 2, -1, -1}, "count=1,bytes=2"},
		"a later value of a key wins":              {"count=1,count=2,byteHardLimit=1,byteHardLimit=9", true, [4]int64{2, -1, -1, 9}, "count=2,bytes=-1=;byteHardLimit=9"},
		"unknown keys are kept":                    {"count=1,bytes=2,zebra=3,ant=4", true, [4]int64{1, 2, -1, -1}, "count=1,bytes=2=;ant=4;zebra=3"},
		"negative numbers are read":                {"count=-5,bytes=-1", true, [4]int64{-5, -1, -1, -1}, "count=-5,bytes=-1"},
		"a word is no quota":                       {"hello", false, [4]int64{-1, -1, -1, -1}, "count=-1,bytes=-1"},
		"a number that is none is no quota":        {"count=x", false, [4]int64{-1, -1, -1, -1}, "count=-1,bytes=-1"},
		"a number beyond 64 bits is no quota":      {"count=9223372036854775808", false, [4]int64{-1, -1, -1, -1}, "count=-1,bytes=-1"},
		"spaces are not skipped":                   {"count= 1", false, [4]int64{-1, -1, -1, -1}, "count=-1,bytes=-1"},
		"a separator at the start leaves no pair":  {",count=1", false, [4]int64{-1, -1, -1, -1}, "count=-1,bytes=-1"},
		"the largest number is a number":           {"count=9223372036854775807", true, [4]int64{math.MaxInt64, -1, -1, -1}, "count=9223372036854775807,bytes=-1"},
		"bytes of no character set are no quota":   {"\xff\xfe", false, [4]int64{-1, -1, -1, -1}, "count=-1,bytes=-1"},
		"a value with a sign and nothing after it": {"count=1=", true, [4]int64{1, -1, -1, -1}, "count=1,bytes=-1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			q, ok := ParseQuota([]byte(c.text))
			if got := [4]int64{q.Count, q.Bytes, q.CountHard, q.BytesHard}; ok != c.ok || got != c.want {
				t.Fatalf("%v %v", got, ok)
			}
			if got := string(q.Append(nil)); got != c.back {
				t.Fatalf("written as %s", got)
			}
		})
	}
}

// FuzzQuota: no text makes the parser panic, and what it accepts means the same once written and read again.
func FuzzQuota(f *testing.F) {
	for _, s := range []string{"count=1,bytes=2", "count=1,bytes=2=;byteHardLimit=3;countHardLimit=4", "=,;", "a=1,a=2"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		q, ok := ParseQuota(in)
		if !ok {
			return
		}
		text := string(q.Append(nil))
		again, ok := ParseQuota([]byte(text))
		if !ok || string(again.Append(nil)) != text || again.CountHard != q.CountHard || again.BytesHard != q.BytesHard {
			t.Fatalf("%q was written as %q and read as %+v", in, text, again)
		}
	})
}

func TestCheckQuota(t *testing.T) {
	cases := map[string]struct {
		limits, used  string
		znodes, bytes int64
		want          QuotaVerdict
	}{
		"below every limit":                             {"count=5,bytes=50", "count=4,bytes=40", 1, 10, QuotaKept},
		"one znode over a soft limit":                   {"count=5,bytes=50", "count=5,bytes=40", 1, 0, QuotaSoftExceeded},
		"one byte over a soft limit":                    {"count=5,bytes=50", "count=1,bytes=50", 1, 1, QuotaSoftExceeded},
		"over a hard count":                             {"count=-1,bytes=-1=;countHardLimit=5", "count=5,bytes=0", 1, 0, QuotaHardExceeded},
		"over hard bytes":                               {"count=-1,bytes=-1=;byteHardLimit=5", "count=5,bytes=5", 0, 1, QuotaHardExceeded},
		"the hard limit stands for the soft one":        {"count=1,bytes=-1=;countHardLimit=5", "count=3,bytes=0", 1, 0, QuotaKept},
		"a soft count does not hide hard bytes":         {"count=1,bytes=-1=;byteHardLimit=5", "count=3,bytes=5", 1, 9, QuotaHardExceeded},
		"fewer bytes are allowed only below the limit":  {"count=-1,bytes=-1=;byteHardLimit=5", "count=1,bytes=100", 0, -10, QuotaHardExceeded},
		"data of the same length is not checked":        {"count=-1,bytes=-1=;byteHardLimit=5", "count=1,bytes=100", 0, 0, QuotaKept},
		"a limit of 0 is a limit":                       {"count=-1,bytes=0", "count=1,bytes=0", 0, 1, QuotaSoftExceeded},
		"no limits":                                     {"count=-1,bytes=-1", "count=1,bytes=1", 1, 1, QuotaKept},
		"a create without data only counts as a znode":  {"count=-1,bytes=5", "count=1,bytes=100", 1, 0, QuotaKept},
		"setData does not count as a znode":             {"count=1,bytes=-1", "count=9,bytes=100", 0, 5, QuotaKept},
		"a hard count over is told before a soft bytes": {"count=-1,bytes=1=;countHardLimit=1", "count=1,bytes=9", 1, 5, QuotaHardExceeded},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var q QuotaState
			q.Limits, _ = ParseQuota([]byte(c.limits))
			q.Used, _ = ParseQuota([]byte(c.used))
			if got := q.Check(c.znodes, c.bytes); got != c.want {
				t.Fatalf("verdict %d, want %d", got, c.want)
			}
		})
	}
}

// setQuota makes the two znodes of a quota as a client does.
func setQuota(tr *Tree, path, limits string) {
	dir := zk.QuotaPath
	for i := 1; i <= len(path); i++ {
		if i == len(path) || path[i] == '/' {
			dir = zk.QuotaPath + path[:i]
			do(tr, 1, create(dir, "", -1))
		}
	}
	do(tr, 1, create(dir+"/zookeeper_limits", limits, -1))
	do(tr, 1, create(dir+"/zookeeper_stats", "count=0,bytes=0", -1))
}

func counters(t *testing.T, tr *Tree, path string) string {
	t.Helper()
	r, ok := tr.Find(zk.QuotaPath + path + "/zookeeper_stats")
	if !ok {
		t.Fatalf("no quota on %s", path)
	}
	return string(tr.Data(r))
}

func TestQuotaCountersFollowTheTree(t *testing.T) {
	tr := New(1)
	do(tr, 1, create("/a", "12", -1))
	do(tr, 1, create("/a/b", "345", -1))
	setQuota(tr, "/a", "count=9,bytes=99")
	setQuota(tr, "/a/b", "count=9,bytes=99")
	setQuota(tr, "/later", "count=9,bytes=99")
	null := txn.Txn{Type: zk.OpSetData, Path: "/a/b"}
	steps := []struct {
		name         string
		op           txn.Txn
		a, ab, later string
	}{
		{"what is there when the quota is set is counted, the quota's own znode too", txn.Txn{Type: zk.OpError}, "2,5", "1,3", "0,0"},
		{"a create counts for the deepest quota only", create("/a/b/c", "6789", -1), "2,5", "2,7", "0,0"},
		{"outside of the deeper one for the other", create("/a/x", "z", -1), "3,6", "2,7", "0,0"},
		{"elements are compared, not letters", create("/ab", "zzz", -1), "3,6", "2,7", "0,0"},
		{"setData counts the difference", txn.Txn{Type: zk.OpSetData, Path: "/a/b/c", Data: []byte("6")}, "3,6", "2,4", "0,0"},
		{"null data counts as none", null, "3,6", "2,1", "0,0"},
		{"a delete is taken off", remove("/a/b/c"), "3,6", "1,0", "0,0"},
		{"a quota may be there before its znode", create("/later", "four", -1), "3,6", "1,0", "1,4"},
		{"an error changes nothing", remove("/a/none"), "3,6", "1,0", "1,4"},
		{"without its limits a quota no longer counts", remove("/zookeeper/quota/a/b/zookeeper_limits"), "3,6", "1,0", "1,4"},
		{"and the next one up does", create("/a/b/d", "dd", -1), "4,8", "1,0", "1,4"},
	}
	for _, s := range steps {
		do(tr, 1, s.op)
		for path, want := range map[string]string{"/a": s.a, "/a/b": s.ab, "/later": s.later} {
			var count, bytes int
			fmt.Sscanf(want, "%d,%d", &count, &bytes)
			if got := counters(t, tr, path); got != fmt.Sprintf("count=%d,bytes=%d", count, bytes) {
				t.Fatalf("%s: %s has %s, want %s", s.name, path, got, want)
			}
		}
		checkTree(t, tr)
	}
}

func TestQuotaCountersChangeWithoutAStatOrAChange(t *testing.T) {
	tr := New(1)
	setQuota(tr, "/a", "count=9,bytes=99")
	before := stored(t, tr, "/zookeeper/quota/a/zookeeper_stats")
	out := do(tr, 50, create("/a", "x", -1))
	if len(out.Changes) != 1 || stored(t, tr, "/zookeeper/quota/a/zookeeper_stats") != before {
		t.Fatalf("%+v", out.Changes)
	}
	if got := counters(t, tr, "/a"); got != "count=1,bytes=1" {
		t.Fatal(got)
	}
}

func TestAQuotaOnTheRootIsCountedOnceAndNeverApplied(t *testing.T) {
	tr := New(1)
	do(tr, 1, create("/zookeeper/quota/zookeeper_limits", "count=1,bytes=1", -1))
	do(tr, 1, create("/zookeeper/quota/zookeeper_stats", "", -1))
	if _, ok := tr.Quota("/x"); ok {
		t.Fatal("a quota on the root applies")
	}
	was := counters(t, tr, "")
	do(tr, 1, create("/x", "", -1))
	if got := counters(t, tr, ""); got != was || was == "" {
		t.Fatalf("%s became %s", was, got)
	}
	do(tr, 1, remove("/zookeeper/quota/zookeeper_limits"))
	checkTree(t, tr)
}

func TestQuota(t *testing.T) {
	tr := New(1)
	setQuota(tr, "/a", "count=1,bytes=2=;byteHardLimit=3;countHardLimit=4")
	setQuota(tr, "/a/b", "nonsense")
	setQuota(tr, "/c", "count=1,bytes=1")
	do(tr, 1, remove("/zookeeper/quota/c/zookeeper_stats"))
	setQuota(tr, "/d", "count=1,bytes=1")
	do(tr, 1, txn.Txn{Type: zk.OpSetData, Path: "/zookeeper/quota/d/zookeeper_stats", Data: []byte("nonsense")})
	do(tr, 1, create("/d", "data", -1))
	cases := map[string]struct {
		path, of string
		ok       bool
	}{
		"the znode itself":                      {"/a", "/a", true},
		"a znode far below":                     {"/a/x/y/z", "/a", true},
		"a name that only starts the same":      {"/ab", "", false},
		"text that is no quota limits nothing":  {"/a/b/c", "", false},
		"without counters nothing is limited":   {"/c/x", "", false},
		"with broken counters nothing is known": {"/d/x", "", false},
		"the root":                              {"/", "", false},
		"the root by its other name":            {"", "", false},
		"the quota's own znodes":                {"/zookeeper/quota/a/zookeeper_stats", "", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if q, ok := tr.Quota(c.path); ok != c.ok || c.ok && q.Path != c.of {
				t.Fatalf("%+v %v", q, ok)
			}
		})
	}
	if q, _ := tr.Quota("/a/q"); q.Limits.Count != 1 || q.Limits.Bytes != 2 || q.Limits.BytesHard != 3 || q.Limits.CountHard != 4 || q.Used.Count != 0 {
		t.Fatalf("%+v", q)
	}
	checkTree(t, tr)
}
