package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rules are the rules by the names that planted trees call them.
var rules = map[string]func(*Tree, []Row) []Finding{
	"imports":  Imports,
	"purity":   Purity,
	"packages": func(t *Tree, _ []Row) []Finding { return PackageDocs(t) },
	"exported": func(t *Tree, _ []Row) []Finding { return Exported(t) },
	"habits":   func(t *Tree, _ []Row) []Finding { return Habits(t) },
}

// Every tree in testdata breaks a rule in known places, and the rule finds those places and no others. A file there is
// a rule's name, then files after `-- path --`, an import table after `-- table --` (`ring path: import …`, with ~ before
// a planned import, + before a module and ! before a function that is excused) and the findings after `-- guilty --`, each as `file:line: words of the finding`.
func TestPlantedTreesAreFoundGuilty(t *testing.T) {
	stories, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(stories) == 0 {
		t.Fatalf("%d planted trees, %v", len(stories), err)
	}
	for _, story := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(story), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(story)
			if err != nil {
				t.Fatal(err)
			}
			rule, files := unpack(string(text))
			tree := plant(t, files)
			found := rules[rule](tree, tableOf(t, files["table"]))
			compare(t, found, strings.Split(strings.TrimSpace(files["guilty"]), "\n"))
		})
	}
}

// unpack splits a story into the name of its rule and its parts.
func unpack(text string) (rule string, parts map[string]string) {
	parts = map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "-- ") {
			name = strings.Trim(line, "- \n")
			continue
		}
		if name == "" && !strings.HasPrefix(line, "#") {
			rule += strings.TrimSpace(line)
		}
		parts[name] += line
	}
	return rule, parts
}

// plant writes the Go files into a directory and loads them as the module "planted".
func plant(t *testing.T, files map[string]string) *Tree {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if !strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "go.mod") {
			continue
		}
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := Load(dir, "planted")
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// tableOf reads an import table.
func tableOf(t *testing.T, text string) (table []Row) {
	t.Helper()
	rings := map[string]Ring{"pure": Pure, "driver": Driver, "edge": Edge, "test": Test}
	for line := range strings.Lines(text) {
		what, imports, ok := strings.Cut(line, ":")
		var ring string
		var r Row
		if n, err := fmt.Sscan(what, &ring, &r.Path); n != 2 || !ok || rings[ring] == 0 {
			t.Fatalf("table line %q: %v", line, err)
		}
		r.Ring = rings[ring]
		for _, to := range strings.Fields(imports) {
			switch to[0] {
			case '~':
				r.Later = append(r.Later, to[1:])
			case '!':
				if r.AnyOrder == nil {
					r.AnyOrder = map[string]string{}
				}
				r.AnyOrder[to[1:]] = "a reason"
			case '+':
				r.Modules = append(r.Modules, to[1:])
			default:
				r.Imports = append(r.Imports, to)
			}
		}
		table = append(table, r)
	}
	return table
}

// compare matches findings with expectations one to one.
func compare(t *testing.T, found []Finding, want []string) {
	t.Helper()
	for _, f := range found {
		matched := false
		for i, w := range want {
			where, what, _ := strings.Cut(w, ": ")
			if f.Where == where && strings.Contains(f.What, what) {
				want = append(want[:i:i], want[i+1:]...)
				matched = true
				break
			}
		}
		if !matched {
			t.Errorf("found, but not planted: %v", f)
		}
	}
	for _, w := range want {
		if w != "" {
			t.Errorf("planted, but not found: %s", w)
		}
	}
}

func TestLongFilesAreFoundAndNeedlessExceptionsToo(t *testing.T) {
	long := "// Package p is long.\npackage p\n" + strings.Repeat("\n", fileLinesMax)
	tree := plant(t, map[string]string{"p/long.go": long, "p/long_test.go": long, "p/short.go": "package p\n"})
	compare(t, FileSizes(tree, nil), []string{"p/long.go: split it by concept"})
	compare(t, FileSizes(tree, map[string]string{"p/long.go": "a table"}), nil)
	compare(t, FileSizes(tree, map[string]string{"p/long.go": "a table", "p/short.go": "?"}), []string{"p/short.go: remove the exception"})
}

func TestUnlistedInvariantsAndMissingTestsAreFound(t *testing.T) {
	tree := plant(t, map[string]string{
		"p/p.go":      "package p\n\n// INVARIANT(listed): one.\nvar a = 1\n\n// INVARIANT(unlisted): two.\nvar b = 2\n",
		"p/p_test.go": "package p\n\nfunc TestListed() {}\n",
	})
	compare(t, Invariants(tree, "| Name | Rule | Checked by |\n| `listed` | one | `TestListed` |\n| `gone` | two | `TestGone` |\n"+
		"| `bare` | three | by eye |\n| `later` | four | nothing yet |\n"), []string{
		"p/p.go:6: INVARIANT(unlisted) is not listed",
		"docs/invariants.md: gone is said to be checked by TestGone",
		"docs/invariants.md: bare names no test",
	})
}

func TestLongFunctionsAreReported(t *testing.T) {
	body := strings.Repeat("\tprintln()\n", funcLinesGuide)
	tree := plant(t, map[string]string{"p/p.go": "package p\n\nfunc short() {\n}\n\nfunc long() {\n" + body + "}\n"})
	found, p90 := LongFunctions(tree)
	compare(t, found, []string{"p/p.go:6: long has 72 lines"})
	if p90 != 72 {
		t.Errorf("90th percentile %d, want 72", p90)
	}
}
