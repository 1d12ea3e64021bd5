package invariant

import "testing"

// panicOf is what f panics with, or nil.
func panicOf(f func()) (what any) {
	defer func() { what = recover() }()
	f()
	return nil
}

func TestCheck(t *testing.T) {
	for _, row := range []struct {
		name string
		call func()
		want any
	}{
		{"a condition that holds does nothing", func() { Check(true, "commit-in-order", 1, 2) }, nil},
		{"a broken rule panics with its name", func() { Check(false, "apply-is-pure") }, "invariant broken: apply-is-pure"},
		{"numbers are shown in decimal and hex", func() { Check(false, "commit-in-order", 7, 0x100000002) },
			"invariant broken: commit-in-order: 7 4294967298 (0x100000002)"},
		{"a negative number is shown as the unsigned hex of an id", func() { Check(false, "session-fifo", -2) },
			"invariant broken: session-fifo: -2 (0xfffffffffffffffe)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := panicOf(row.call); got != row.want {
				t.Fatalf("panic %v, want %v", got, row.want)
			}
		})
	}
}

// A condition that holds costs no allocation, so Check may stand on the path of every request.
func TestCheckAllocatesNothing(t *testing.T) {
	zxid := int64(0x100000002)
	if n := testing.AllocsPerRun(100, func() { Check(zxid > 1, "commit-in-order", zxid, 1) }); n != 0 {
		t.Fatalf("%v allocations per call, want 0", n)
	}
}
