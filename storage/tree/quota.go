package tree

import (
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"paddock/internal/zk"
)

// A quota on /a/b is a pair of ordinary znodes. Clients write the limits; the server keeps the counters, in
// the data alone: they change without a txn, a Stat or a watch.
//
//	/zookeeper/quota/a/b/zookeeper_limits
//	/zookeeper/quota/a/b/zookeeper_stats
//
// Both hold text; the second form, with a stray = that old parsers need, if there are hard limits:
//
//	count=<n>,bytes=<n>
//	count=<n>,bytes=<n>=;byteHardLimit=<n>;countHardLimit=<n>
const (
	limitsName   = "zookeeper_limits"
	countersName = "zookeeper_stats"
	limitsSuffix = "/" + limitsName
	statsSuffix  = "/" + countersName
)

// Unset is the value of a limit or counter that a text does not give.
const Unset int64 = -1

// Quota is the text of one of the two znodes: limits or counters. Unset is -1.
type Quota struct {
	Count, Bytes         int64 // soft limits, or counters
	CountHard, BytesHard int64
	other                []quotaPair // keys that mean nothing here but are kept
}

type quotaPair struct {
	key   string
	value int64
}

// ParseQuota reads the text of a limits or stats znode. ok is false for text that is no quota: ZooKeeper
// fails on it, here it limits nothing.
func ParseQuota(text []byte) (q Quota, ok bool) {
	q = Quota{Count: Unset, Bytes: Unset, CountHard: Unset, BytesHard: Unset}
	rest := string(text)
	for rest != "" {
		pair := rest
		if i := strings.IndexAny(rest, ",;"); i >= 0 {
			pair, rest = rest[:i], strings.TrimLeft(rest[i:], ",;")
		} else {
			rest = ""
		}
		key, value, found := strings.Cut(pair, "=")
		if !found {
			return Quota{Count: Unset, Bytes: Unset, CountHard: Unset, BytesHard: Unset}, false
		}
		value, _, _ = strings.Cut(value, "=")
		n := Unset
		if value != "" {
			var err error
			if n, err = strconv.ParseInt(value, 10, 64); err != nil {
				return Quota{Count: Unset, Bytes: Unset, CountHard: Unset, BytesHard: Unset}, false
			}
		}
		q.set(key, n)
	}
	return q, true
}

func (q *Quota) set(key string, n int64) {
	switch key {
	case "count":
		q.Count = n
	case "bytes":
		q.Bytes = n
	case "countHardLimit":
		q.CountHard = n
		q.note(key, n)
	case "byteHardLimit":
		q.BytesHard = n
		q.note(key, n)
	default:
		q.note(key, n)
	}
}

func (q *Quota) note(key string, n int64) {
	for i := range q.other {
		if q.other[i].key == key {
			q.other[i].value = n
			return
		}
	}
	q.other = append(q.other, quotaPair{key, n})
}

// Append appends the text of q.
func (q *Quota) Append(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, "count="...), q.Count, 10)
	dst = strconv.AppendInt(append(dst, ",bytes="...), q.Bytes, 10)
	if len(q.other) == 0 {
		return dst
	}
	slices.SortFunc(q.other, func(a, b quotaPair) int { return strings.Compare(a.key, b.key) })
	dst = append(dst, '=')
	for _, p := range q.other {
		dst = append(append(append(dst, ';'), p.key...), '=')
		dst = strconv.AppendInt(dst, p.value, 10)
	}
	return dst
}

// QuotaState is the quota that a path falls under.
type QuotaState struct {
	Path   string // the znode with the quota
	Limits Quota
	Used   Quota
}

// QuotaVerdict is what a quota says of a write.
type QuotaVerdict uint8

// The verdicts.
const (
	QuotaKept         QuotaVerdict = iota
	QuotaSoftExceeded              // worth a log line
	QuotaHardExceeded              // refused, where quotas are enforced
)

// Quota is the deepest quota that path falls under. Only applied txns are counted in it. ok is false if there
// is none, or one of its znodes is missing or holds no quota text.
func (t *Tree) Quota(path string) (q QuotaState, ok bool) {
	top := t.quotaPath(path)
	if top == "" {
		return q, false
	}
	limits, found := t.Find(zk.QuotaPath + top + limitsSuffix)
	if !found {
		return q, false
	}
	stats, found := t.Find(zk.QuotaPath + top + statsSuffix)
	if !found {
		return q, false
	}
	q.Path = strings.Clone(top)
	if q.Limits, ok = ParseQuota(t.Data(limits)); !ok {
		return q, false
	}
	q.Used, ok = ParseQuota(t.Data(stats))
	return q, ok
}

// Check tells whether the quota allows so many more znodes and bytes: 1 and the length of the data for a
// create, 0 and the difference for setData.
func (q *QuotaState) Check(znodes, bytes int64) QuotaVerdict {
	verdict := QuotaKept
	over := func(diff, used, soft, hard int64) bool {
		limit, exceeded := soft, QuotaSoftExceeded
		if hard > Unset {
			limit, exceeded = hard, QuotaHardExceeded
		}
		if diff == 0 || limit <= Unset || used+diff <= limit {
			return false
		}
		verdict = max(verdict, exceeded)
		return exceeded == QuotaHardExceeded
	}
	if !over(znodes, q.Used.Count, q.Limits.Count, q.Limits.CountHard) {
		over(bytes, q.Used.Bytes, q.Limits.Bytes, q.Limits.BytesHard)
	}
	return verdict
}

// quotaPath is the deepest path with limits at or above path; "" if there is none. A quota on the root is
// never applied.
func (t *Tree) quotaPath(path string) string {
	if len(t.quotas) == 0 {
		return ""
	}
	for path != "" && path != zk.RootPath {
		if _, ok := t.quotas[path]; ok {
			return path
		}
		path = zk.ParentPath(path)
	}
	return ""
}

// quotaOf cuts the path of a znode below /zookeeper/quota with the given suffix down to the path that the
// quota is for; "" stands for the root.
func quotaOf(path, suffix string) (of string, ok bool) {
	if !strings.HasPrefix(path, zk.QuotaPath+"/") || !strings.HasSuffix(path, suffix) {
		return "", false
	}
	return path[len(zk.QuotaPath) : len(path)-len(suffix)], true
}

func (t *Tree) quotaAfterCreate(path string, dataLength int64) {
	if of, ok := quotaOf(path, limitsSuffix); ok && of != "" {
		t.quotas[strings.Clone(of)] = struct{}{}
	}
	if of, ok := quotaOf(path, statsSuffix); ok {
		t.recount(of)
	}
	t.quotaAfter(path, 1, dataLength)
}

func (t *Tree) quotaAfterDelete(path string, dataLength int64) {
	if of, ok := quotaOf(path, limitsSuffix); ok {
		delete(t.quotas, of)
	}
	t.quotaAfter(path, -1, -dataLength)
}

// quotaAfter adds to the counters of the deepest quota over path.
func (t *Tree) quotaAfter(path string, znodes, bytes int64) {
	top := t.quotaPath(path)
	if top == "" {
		return
	}
	t.scratch = append(append(append(t.scratch[:0], zk.QuotaPath...), top...), statsSuffix...)
	r := t.lookup(unsafe.String(&t.scratch[0], len(t.scratch)))
	if r == None {
		return
	}
	q, ok := ParseQuota(t.Data(r))
	if !ok {
		return
	}
	q.Count += znodes
	q.Bytes += bytes
	t.setCounters(r, &q)
}

// recount counts the znodes at and below the path and their data, and writes that into its stats znode.
func (t *Tree) recount(of string) {
	r := t.lookup(zk.QuotaPath + of + statsSuffix)
	if r == None {
		return
	}
	q := Quota{CountHard: Unset, BytesHard: Unset}
	if top := t.lookup(of); top != None {
		for at := top; at != None; at = t.after(at, top) {
			q.Count++
			q.Bytes += int64(max(0, t.at(at).dataLen))
		}
	}
	t.setCounters(r, &q)
}

// setCounters writes a stats znode. Its digest counts as 0 and its Stat stays as it is.
func (t *Tree) setCounters(r Ref, q *Quota) {
	t.scratch = q.Append(t.scratch[:0])
	t.setBlob(r, t.scratch, 0)
}

// loadQuotas finds the limits that are there and recounts what they limit.
func (t *Tree) loadQuotas() {
	top := t.lookup(zk.QuotaPath)
	for r := top; r != None; r = t.after(r, top) {
		if t.at(r).firstChild != None || string(t.name(t.at(r))) != limitsName {
			continue
		}
		if of, ok := quotaOf(t.Path(r), limitsSuffix); ok {
			if of != "" {
				t.quotas[of] = struct{}{}
			}
			t.recount(of)
		}
	}
}
