package archtest

import (
	"go/ast"
	"regexp"
	"strings"
)

// unfinished matches a note that something is not done, without the issue that says what.
var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b(\(#\d+\))?`)

// Habits finds small things that were agreed never to be done, in tests too:
//   - a note of unfinished work that names no issue;
//   - Msgf, since a log message is constant and its values are fields;
//   - sync.Map, since whatever many goroutines share has one owner or a mutex that names its fields.
func Habits(t *Tree) []Finding {
	var found []Finding
	for _, p := range t.Packages {
		if p.Path == "internal/archtest" {
			continue // speaks of what it forbids
		}
		for _, f := range p.Files {
			for _, group := range f.AST.Comments {
				for _, c := range group.List {
					if m := unfinished.FindStringSubmatch(c.Text); m != nil && (m[1] != "TODO" || m[2] == "") {
						found = append(found, t.find(c.Pos(), "%s names no issue; write TODO(#number) or do it", m[1]))
					}
				}
			}
			ast.Inspect(f.AST, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				switch {
				case !ok:
				case sel.Sel.Name == "Msgf":
					found = append(found, t.find(sel.Pos(), "a log message is constant; put the values into fields"))
				case sel.Sel.Name == "Map" && isIdent(sel.X, "sync"):
					found = append(found, t.find(sel.Pos(), "sync.Map hides who owns the data"))
				}
				return true
			})
		}
	}
	return found
}

// Goroutines are the places outside tests that start one, with go or with WaitGroup.Go, for orientation.
func Goroutines(t *Tree) []Finding {
	var found []Finding
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if f.Test || strings.HasPrefix(p.Path, "test/") {
				continue
			}
			ast.Inspect(f.AST, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					found = append(found, t.find(n.Pos(), "starts a goroutine"))
				case *ast.CallExpr:
					if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Go" && len(n.Args) == 1 {
						found = append(found, t.find(n.Pos(), "starts a goroutine"))
					}
				}
				return true
			})
		}
	}
	return found
}
