package metrics

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// Buckets are exact up to 2^subBits; above, each power of two is cut into 2^subBits of the same width, so that the
// middle of a bucket is within 1/2^(subBits+1) of everything in it.
const (
	subBits     = 4
	bucketCount = (63 - subBits + 1) << subBits // every int64 that is not negative has one
)

// buckets count figures by size.
type buckets [bucketCount]atomic.Int64

// bucketOf is the place of n, which is not negative.
func bucketOf(n int64) int {
	shift := max(bits.Len64(uint64(n))-1-subBits, 0)
	return shift<<subBits + int(n>>shift)
}

// middle is the figure in the middle of a bucket.
func middle(i int) int64 {
	shift := max(i>>subBits-1, 0)
	low := int64(i-shift<<subBits) << shift
	return low + (int64(1)<<shift)/2
}

// quantiles are the figures below or at which the given shares of all figures are; the shares ascend.
func (b *buckets) quantiles(shares [5]float64) (at [5]int64) {
	var counts [bucketCount]int64
	var total int64
	for i := range b {
		counts[i] = b[i].Load()
		total += counts[i]
	}
	i, seen := 0, counts[0]
	for k, share := range shares {
		rank := int64(math.Ceil(share * float64(total)))
		for seen < rank && i < bucketCount-1 {
			i++
			seen += counts[i]
		}
		at[k] = middle(i)
	}
	return at
}
