package sim

import (
	"fmt"
	"hash/fnv"
	"io"
)

// tailLines is how many lines of a trace are kept for the failure message.
const tailLines = 60

// trace is what happened, as text: the hash of all of it and its last lines.
type trace struct {
	hash  uint64
	lines int
	tail  [tailLines]string
	all   io.Writer // nil unless somebody wants every line
	buf   []byte
	off   bool // nothing is written down
}

func (t *trace) add(format string, args ...any) {
	if t.off {
		return
	}
	t.buf = fmt.Appendf(t.buf[:0], format, args...)
	h := fnv.New64a()
	var seed [8]byte
	for i := range seed {
		seed[i] = byte(t.hash >> (8 * i))
	}
	h.Write(seed[:])
	h.Write(t.buf)
	t.hash = h.Sum64()
	t.tail[t.lines%tailLines] = string(t.buf)
	t.lines++
	if t.all != nil {
		fmt.Fprintf(t.all, "%s\n", t.buf)
	}
}

// last are the newest lines, oldest first.
func (t *trace) last() []string {
	n := min(t.lines, tailLines)
	lines := make([]string, 0, n)
	for i := t.lines - n; i < t.lines; i++ {
		lines = append(lines, t.tail[i%tailLines])
	}
	return lines
}
