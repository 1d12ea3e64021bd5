package archtest

import (
	"go/ast"
	"regexp"
	"strings"
)

// tag is how code says which invariant it relies on.
var tag = regexp.MustCompile(`INVARIANT\(([a-z-]+)\)`)

// listed is a row of docs/invariants.md: the name, and the rest.
var listed = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|(.*)$")

// namedTest is a test as that document names one.
var namedTest = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")

// Invariants finds tags that the document does not list, and tests that the document names and that do not exist. The
// document is the text of docs/invariants.md.
func Invariants(t *Tree, document string) []Finding {
	const name = "docs/invariants.md"
	rules := map[string]bool{}
	for _, m := range listed.FindAllStringSubmatch(document, -1) {
		rules[m[1]] = true
	}
	var found []Finding
	tests := map[string]bool{}
	for _, p := range t.Packages {
		if p.Path == "internal/archtest" || p.Path == "internal/invariant" {
			continue // speak of tags
		}
		for _, f := range p.Files {
			for _, d := range f.AST.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && f.Test {
					tests[fn.Name.Name] = true
				}
			}
			for _, group := range f.AST.Comments {
				for _, m := range tag.FindAllStringSubmatch(group.Text(), -1) {
					if !rules[m[1]] {
						found = append(found, t.find(group.Pos(), "INVARIANT(%s) is not listed in %s", m[1], name))
					}
				}
			}
		}
	}
	for _, m := range listed.FindAllStringSubmatch(document, -1) {
		checks := namedTest.FindAllStringSubmatch(m[2], -1)
		if len(checks) == 0 && !strings.Contains(m[2], "nothing yet") {
			found = append(found, at(name, "", "%s names no test; name one, or say that there is nothing yet", m[1]))
		}
		for _, c := range checks {
			if !tests[c[1]] {
				found = append(found, at(name, "", "%s is said to be checked by %s, which does not exist", m[1], c[1]))
			}
		}
	}
	return found
}
