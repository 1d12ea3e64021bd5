package invariant

import (
	"strconv"
	"strings"
)

// Check panics unless ok. The rule is the name from docs/invariants.md, or a short statement of what must hold;
// the numbers are what one needs to see to understand the failure, such as the two zxids that are out of order.
// A call whose condition holds allocates nothing.
func Check(ok bool, rule string, numbers ...int64) {
	if !ok {
		violated(rule, numbers)
	}
}

// violated panics with the rule and the numbers, each in decimal and in hex since most of them are zxids or sessions.
//
//go:noinline
func violated(rule string, numbers []int64) {
	var b strings.Builder
	b.WriteString("invariant broken: ")
	b.WriteString(rule)
	for i, n := range numbers {
		if i == 0 {
			b.WriteByte(':')
		}
		b.WriteByte(' ')
		b.WriteString(strconv.FormatInt(n, 10))
		if n > 9 || n < 0 {
			b.WriteString(" (0x")
			b.WriteString(strconv.FormatUint(uint64(n), 16))
			b.WriteByte(')')
		}
	}
	panic(b.String())
}
