package bench

import "math/bits"

const (
	// subBits is how many bits below the leading one tell the buckets of a power of two apart: they are 1.6 % wide.
	subBits    = 6
	subBuckets = 1 << subBits
	// valueBits bounds values: 2^42 ns are 73 minutes; longer ones count as that.
	valueBits = 42
)

// histogram counts durations in nanoseconds, in buckets of equal relative width. The zero value is empty.
type histogram struct {
	buckets  [(valueBits - subBits + 1) * subBuckets]int64
	count    int64
	sum      int64
	min, max int64
}

// add counts a value n times.
func (h *histogram) add(v, n int64) {
	v = max(v, 0)
	if h.count == 0 || v < h.min {
		h.min = v
	}
	h.max = max(h.max, v)
	h.count += n
	h.sum += v * n
	h.buckets[bucketOf(v)] += n
}

// merge adds what another histogram counted.
func (h *histogram) merge(o *histogram) {
	if o.count == 0 {
		return
	}
	if h.count == 0 || o.min < h.min {
		h.min = o.min
	}
	h.max = max(h.max, o.max)
	h.count += o.count
	h.sum += o.sum
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
}

// quantile is a value that a share q, 0 to 1, of all values does not exceed, to the width of a bucket; 0 if empty.
func (h *histogram) quantile(q float64) int64 {
	left := int64(q * float64(h.count))
	for i, n := range h.buckets {
		if left -= n; left < 0 {
			return min(max(bucketMid(i), h.min), h.max)
		}
	}
	return h.max
}

// mean is the average; 0 if empty.
func (h *histogram) mean() float64 {
	if h.count == 0 {
		return 0
	}
	return float64(h.sum) / float64(h.count)
}

// bucketOf is the bucket of v: values below subBuckets have their own, others share one by their leading bits.
func bucketOf(v int64) int {
	v = min(v, 1<<valueBits-1)
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(uint64(v)) - subBits - 1
	return (shift+1)*subBuckets + int(v>>shift) - subBuckets
}

// bucketMid is the middle of a bucket's values.
func bucketMid(i int) int64 {
	if i < subBuckets {
		return int64(i)
	}
	shift := i/subBuckets - 1
	low := int64(i%subBuckets+subBuckets) << shift
	return low + (1<<shift)/2
}
