//go:build bench

package bench

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"paddock/internal/bench"
)

// row is one line of the table.
type row struct {
	goal   string
	unit   string
	wanted float64 // bound on the ratio or, if own, on B's value; 0 for none
	less   bool    // smaller is better
	own    bool    // the goal is about B alone
	a, b   []float64
}

// add notes what one round measured.
func (r *row) add(a, b float64) { r.a, r.b = append(r.a, a), append(r.b, b) }

// ratio is the median of the rounds' ratios of B to A.
func (r *row) ratio() float64 {
	var ratios []float64
	for i := range r.a {
		if r.a[i] > 0 {
			ratios = append(ratios, r.b[i]/r.a[i])
		}
	}
	return median(ratios)
}

// verdict says what was wanted and whether it was reached.
func (r *row) verdict() string {
	if r.wanted == 0 {
		return "–"
	}
	got, sign, text := r.ratio(), "≥", fmt.Sprintf("%g ×", r.wanted)
	if r.own {
		got, text = median(r.b), fmt.Sprintf("%g %s", r.wanted, r.unit)
	}
	reached := got >= r.wanted
	if r.less {
		sign, reached = "≤", got <= r.wanted
	}
	if reached {
		return sign + " " + text + ": yes"
	}
	return sign + " " + text + ": no"
}

// report collects the rows of all tests.
type report struct {
	sides  [2]kind
	rows   []*row
	others []float64 // share of the machine that other processes took, by measurement of a load
}

// row adds a row.
func (r *report) row(add row) *row {
	r.rows = append(r.rows, &add)
	return &add
}

// markdown is the table; "" if it would be empty.
func (r *report) markdown() string {
	if len(r.rows) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| what | unit | %v | %v | ratio | wanted |\n|---|---|---:|---:|---:|---|\n", r.sides[0], r.sides[1])
	for _, row := range r.rows {
		if len(row.b) == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", row.goal, row.unit, figure(median(row.a)), figure(median(row.b)),
			figure(row.ratio()), row.verdict())
	}
	if len(r.others) > 0 {
		fmt.Fprintf(&b, "\nWhile loads were measured other processes took %.0f %% of the machine in the median, at most %.0f %%.\n",
			100*median(r.others), 100*slices.Max(r.others))
	}
	return b.String()
}

// log prints the table.
func (r *report) log(t *testing.T) {
	if text := r.markdown(); text != "" {
		t.Logf("\n%s", text)
	}
}

// figure writes a number with three digits or all those before the point.
func figure(v float64) string {
	switch {
	case v >= 100:
		return bench.Grouped(int64(v + .5))
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// median is the middle value, 0 of none.
func median[T cmp.Ordered](values []T) T {
	var zero T
	if len(values) == 0 {
		return zero
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}
