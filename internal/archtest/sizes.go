package archtest

import (
	"go/ast"
	"path"
	"slices"
)

// Bounds on the length of files, and what a function should not exceed, in lines.
const (
	fileLinesMax     = 600
	testFileLinesMax = 900
	funcLinesGuide   = 70
)

// FileSizes finds files that are too long to be about one thing. The exceptions map a path to the reason; one that
// is not needed is a finding as well.
func FileSizes(t *Tree, exceptions map[string]string) []Finding {
	var found []Finding
	used := map[string]bool{}
	for _, p := range t.Packages {
		for _, f := range p.Files {
			limit := fileLinesMax
			if f.Test {
				limit = testFileLinesMax
			}
			if f.Lines <= limit {
				continue
			}
			name := path.Join(p.Path, f.Name)
			if exceptions[name] == "" {
				found = append(found, at(p.Path, f.Name, "has %d lines, more than %d; split it by concept", f.Lines, limit))
			}
			used[name] = true
		}
	}
	for name := range exceptions {
		if !used[name] {
			found = append(found, at(name, "", "is not too long; remove the exception"))
		}
	}
	return found
}

// LongFunctions are the functions above the guide, for orientation, and the 90th percentile of all in lines.
func LongFunctions(t *Tree) (long []Finding, p90 int) {
	var all []int
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if f.Test {
				continue
			}
			for _, d := range f.AST.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				lines := t.Fset.Position(fn.End()).Line - t.Fset.Position(fn.Pos()).Line + 1
				all = append(all, lines)
				if lines > funcLinesGuide {
					long = append(long, t.find(fn.Pos(), "%s has %d lines, more than %d", fn.Name.Name, lines, funcLinesGuide))
				}
			}
		}
	}
	slices.Sort(all)
	if len(all) > 0 {
		p90 = all[len(all)*9/10]
	}
	return long, p90
}
