package script

import (
	"fmt"
	"strings"
	"testing"
)

func echo(c Command) string {
	if c.Name == "silent" {
		return ""
	}
	return fmt.Sprintf("%s %v n=%d", c.Name, c.Args, c.Int("n", -1))
}

func TestAScriptIsComparedWithWhatItPrints(t *testing.T) {
	for _, row := range []struct{ name, text, after, failed string }{
		{"a script that prints what it expects is left as it is",
			"# about\nsay a n=0x10\n----\nsay [a] n=16\n\nsilent\n----\n", "# about\nsay a n=0x10\n----\nsay [a] n=16\n\nsilent\n----\n", ""},
		{"what is printed replaces what was expected", "say\n----\nsaid\n", "say\n----\nsay [] n=-1\n", "line 3"},
		{"commands of one block print together", "say a\nsay b\n----\n", "say a\nsay b\n----\nsay [a] n=-1\nsay [b] n=-1\n", "line 3"},
		{"a command that prints needs a fence", "say\n", "say\n----\nsay [] n=-1\n", "no ----"},
	} {
		t.Run(row.name, func(t *testing.T) {
			after, failed := play(row.text, echo)
			if after != row.after || !strings.Contains(failed, row.failed) || (failed == "") != (row.failed == "") {
				t.Fatalf("%q, %q", after, failed)
			}
		})
	}
}

func TestFiles(t *testing.T) {
	Files(t, "testdata/*.txt", func(t *testing.T) func(Command) string { return echo })
}

func TestNumbers(t *testing.T) {
	if got := fmt.Sprint(Numbers("1,0x10,-3"), Numbers("")); got != "[1 16 -3] []" {
		t.Fatal(got)
	}
}
