package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// root is the directory of the module's go.mod, seen from here.
const root = "../.."

// house is the whole module, loaded once.
var house = sync.OnceValues(func() (*Tree, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	return Load(abs, "paddock")
})

// load is the module, or the end of the test.
func load(t *testing.T) *Tree {
	t.Helper()
	tree, err := house()
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// refuse fails the test for every finding.
func refuse(t *testing.T, found []Finding) {
	t.Helper()
	for _, f := range found {
		t.Error(f)
	}
}

func TestImportsAreWrittenDown(t *testing.T)      { refuse(t, Imports(load(t), table)) }
func TestPureRingIsPure(t *testing.T)             { refuse(t, Purity(load(t), table)) }
func TestPackagesAreDocumented(t *testing.T)      { refuse(t, PackageDocs(load(t))) }
func TestExportedNamesAreDocumented(t *testing.T) { refuse(t, Exported(load(t))) }
func TestFilesAreAboutOneThing(t *testing.T)      { refuse(t, FileSizes(load(t), longFiles)) }
func TestHabitsAreKept(t *testing.T)              { refuse(t, Habits(load(t))) }
func TestTableNamesEachPackageOnceInOrder(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range table {
		if seen[r.Path] || r.Ring == 0 {
			t.Errorf("%s: listed twice or without a ring", r.Path)
		}
		seen[r.Path] = true
		if !slices.IsSorted(r.Imports) || !slices.IsSorted(r.Later) {
			t.Errorf("%s: the imports are not sorted", r.Path)
		}
	}
}

// What is reported and never fails: long functions, places that start goroutines, and edges that are in use but
// still listed as planned. Run with -v to see it.
func TestReport(t *testing.T) {
	tree := load(t)
	long, p90 := LongFunctions(tree)
	t.Logf("functions: 90th percentile %d lines", p90)
	for _, f := range long {
		t.Log(f)
	}
	starts := Goroutines(tree)
	t.Logf("goroutines: %d places start one", len(starts))
	for _, f := range starts {
		t.Log(f)
	}
	var settled []Row
	for _, r := range table {
		r.Imports, r.Later = slices.Concat(r.Imports, r.Later), nil
		settled = append(settled, r)
	}
	for _, f := range Imports(tree, settled) {
		t.Logf("planned, not used yet: %v", f)
	}
}

// direct is a requirement of go.mod that is not marked indirect.
var direct = regexp.MustCompile(`(?m)^(?:require )?\s*([a-z0-9.-]+\.[a-z]+/\S+|[a-z.]+\.in/\S+) v\S+$`)

// document is the text of a file of the repository.
func document(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestInvariantsAreListedWithTestsThatExist(t *testing.T) {
	refuse(t, Invariants(load(t), document(t, "docs/invariants.md")))
}

func TestEveryDirectDependencyHasALineInDependencies(t *testing.T) {
	doc := document(t, "docs/dependencies.md")
	for _, m := range direct.FindAllStringSubmatch(document(t, "go.mod"), -1) {
		if !strings.Contains(doc, "`"+m[1]+"`") {
			t.Errorf("docs/dependencies.md does not say what %s is for", m[1])
		}
	}
}
