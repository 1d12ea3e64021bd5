package script

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// rewrite replaces expectations.
var rewrite = flag.Bool("rewrite", false, "replace what the scripts in testdata expect by what they print")

// fence separates commands from what they print.
const fence = "----"

// Command is one line of a script: a name and arguments, some of them key=value.
type Command struct {
	Name  string
	Args  []string // those without a key, in order
	named map[string]string
}

// parse splits a line. A line without words has no name.
func parse(line string) Command {
	c := Command{named: map[string]string{}}
	for i, word := range strings.Fields(line) {
		key, value, isNamed := strings.Cut(word, "=")
		switch {
		case i == 0:
			c.Name = word
		case isNamed:
			c.named[key] = value
		default:
			c.Args = append(c.Args, word)
		}
	}
	return c
}

// Has tells whether the command has key=….
func (c Command) Has(key string) bool {
	_, ok := c.named[key]
	return ok
}

// Value is the text after key=, "" if there is none.
func (c Command) Value(key string) string { return c.named[key] }

// Int is the number after key=, decimal or 0x, and other if there is none. It panics on anything else.
func (c Command) Int(key string, other int64) int64 {
	if !c.Has(key) {
		return other
	}
	return Number(c.named[key])
}

// Number is the number that a word is, decimal or 0x. It panics on anything else.
func Number(word string) int64 {
	n, err := strconv.ParseInt(word, 0, 64)
	if err != nil {
		panic(fmt.Sprintf("script: %v", err))
	}
	return n
}

// Numbers are the numbers of a list, "1,2,3".
func Numbers(list string) []int64 {
	var ns []int64
	for word := range strings.SplitSeq(list, ",") {
		if word != "" {
			ns = append(ns, Number(word))
		}
	}
	return ns
}

// Files runs each script that pattern matches as a subtest. begin is called for each and returns what carries out its
// commands, in order; it returns what is to be seen, or "".
func Files(t *testing.T, pattern string, begin func(t *testing.T) func(Command) string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %s: %v", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			after, failed := play(string(text), begin(t))
			switch {
			case failed == "":
			case *rewrite:
				if err := os.WriteFile(file, []byte(after), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s: %s", file, failed)
			}
		})
	}
}

// play runs a script and returns it with what was printed, and what differs from what it expects.
func play(text string, run func(Command) string) (after, failed string) {
	var out strings.Builder
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	var printed strings.Builder
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		fmt.Fprintln(&out, line)
		if line != fence {
			if cmd := parse(line); cmd.Name != "" && !strings.HasPrefix(cmd.Name, "#") {
				printed.WriteString(end(run(cmd)))
			}
			continue
		}
		var want strings.Builder
		for i+1 < len(lines) && strings.TrimSpace(lines[i+1]) != "" {
			i++
			fmt.Fprintln(&want, lines[i])
		}
		if got := printed.String(); got != want.String() {
			failed += fmt.Sprintf("\nline %d: printed\n%sexpected\n%s", i+1, got, want.String())
		}
		out.WriteString(printed.String())
		printed.Reset()
	}
	if printed.Len() > 0 {
		failed += fmt.Sprintf("\nno %s after what printed\n%s", fence, printed.String())
		fmt.Fprintf(&out, "%s\n%s", fence, printed.String())
	}
	return out.String(), failed
}

// end adds the end of the last line.
func end(s string) string {
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return s
}
