// Command report reads what `go test -json` prints on standard input, shows it to people, and counts it.
//
// It prints one line per package, the whole output of every test that failed and of packages that failed outside of
// a test, and the name of every skipped test. The counts go to the file it is given, one line of it:
// passed, failed and skipped tests, subtests included.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// event is one line of `go test -json`, as far as it is used here.
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

// report is what has been seen.
type report struct {
	output                  map[string]*strings.Builder // by package and test
	ran, broken             map[string]int              // tests that ended, and that failed, by package
	passed, failed, skipped int
}

func main() {
	r := report{output: map[string]*strings.Builder{}, ran: map[string]int{}, broken: map[string]int{}}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			fmt.Println(in.Text()) // not from a test: the go command itself
			continue
		}
		r.take(&e)
	}
	if err := in.Err(); err != nil {
		fmt.Println("report: read:", err)
		os.Exit(1)
	}
	counts := fmt.Sprintf("%d %d %d\n", r.passed, r.failed, r.skipped)
	if err := os.WriteFile(os.Args[1], []byte(counts), 0o644); err != nil {
		fmt.Println("report:", err)
		os.Exit(1)
	}
}

// take counts and shows one event.
func (r *report) take(e *event) {
	key := e.Package + e.ImportPath + " " + e.Test
	if r.output[key] == nil {
		r.output[key] = &strings.Builder{}
	}
	switch e.Action {
	case "output", "build-output":
		r.output[key].WriteString(e.Output)
		return
	case "build-fail":
		fmt.Print(r.output[key])
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	if e.Test == "" {
		r.endPackage(e, key)
		return
	}
	r.ran[e.Package]++
	switch e.Action {
	case "pass":
		r.passed++
	case "skip":
		r.skipped++
		fmt.Printf("    skipped %s %s: %s\n", e.Package, e.Test, reason(r.output[key].String()))
	case "fail":
		r.failed++
		r.broken[e.Package]++
		fmt.Printf("    FAILED %s %s\n%s", e.Package, e.Test, r.output[key])
	}
	delete(r.output, key)
}

// endPackage shows one package. One that failed without a failed test (it does not build, it panicked, it ran out of time)
// counts as a failure.
func (r *report) endPackage(e *event, key string) {
	if e.Action == "fail" {
		if r.broken[e.Package] == 0 {
			r.failed++
		}
		fmt.Printf("  FAIL %s, %d tests, %.1fs\n%s", e.Package, r.ran[e.Package], e.Elapsed, r.output[key])
		for other, said := range r.output { // tests that never ended: a panic, or the end of the time
			if name, ok := strings.CutPrefix(other, e.Package+" "); ok && name != "" {
				fmt.Printf("    NOT ENDED %s %s\n%s", e.Package, name, said)
			}
		}
		return
	}
	if r.ran[e.Package] > 0 {
		fmt.Printf("  ok   %s, %d tests, %.1fs\n", e.Package, r.ran[e.Package], e.Elapsed)
	}
}

// reason is why a test was skipped, from what it printed.
func reason(output string) string {
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			return line
		}
	}
	return "no reason given"
}
