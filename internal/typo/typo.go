package typo

import (
	"iter"
	"strings"
)

// wordMax is the longest word that is compared, in bytes.
const wordMax = 64

// Nearest returns the name that is closest to a word, without regard to case, or "" when none is close: one letter in three may differ,
// and three at most. Of names that are equally close it is the first.
func Nearest(word string, names iter.Seq[string]) string {
	if len(word) > wordMax {
		return ""
	}
	limit := max(1, min(3, len(word)/3))
	best, bestAt := "", limit+1
	for name := range names {
		if d := distance(strings.ToLower(word), strings.ToLower(name), limit); d < bestAt {
			best, bestAt = name, d
		}
	}
	return best
}

// distance is the number of insertions, deletions, substitutions and swaps of neighbours between
// two strings, or limit+1 as soon as their lengths alone exceed the limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}
