package archtest

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// bannedNames are package and file names that say nothing about the job of what is inside.
var bannedNames = []string{"util", "utils", "common", "helper", "helpers", "manager", "managers", "impl", "base", "misc", "types", "shared", "lib"}

// PackageDocs finds packages without a doc.go, without a package comment of the usual form, or with a comment in
// another file too, and packages and files that are named after nothing.
func PackageDocs(t *Tree) []Finding {
	var found []Finding
	for _, p := range t.Packages {
		if name := path.Base(p.Path); slices.Contains(bannedNames, name) {
			found = append(found, at(p.Path, "", "is named %q, which says nothing about its job", name))
		}
		hasDoc := false
		for _, f := range p.Files {
			if f.Name == "doc.go" {
				hasDoc = true
				found = append(found, docOf(t, p, f)...)
			} else if f.AST.Doc != nil && !f.Test {
				found = append(found, t.find(f.AST.Doc.Pos(), "has a package comment beside the one in doc.go"))
			}
			if stem := strings.TrimSuffix(f.Name, ".go"); slices.Contains(bannedNames, stem) && p.Path != "internal/archtest" {
				found = append(found, at(p.Path, f.Name, "is named after nothing; name it after the concept inside"))
			}
		}
		if !hasDoc {
			found = append(found, at(p.Path, "", "has no doc.go"))
		}
	}
	return found
}

// docOf checks the comment in a doc.go.
func docOf(t *Tree, p *Package, f *File) []Finding {
	want := "Package " + f.AST.Name.Name + " "
	if f.AST.Name.Name == "main" {
		want = "Command " + path.Base(p.Path) + " "
	}
	if f.AST.Doc == nil || !strings.HasPrefix(f.AST.Doc.Text(), want) {
		return []Finding{t.find(f.AST.Package, "the package comment should begin with %q", want)}
	}
	return nil
}

// selfEvident are methods whose meaning an interface of the standard library fixes.
var selfEvident = []string{"Error", "Unwrap", "Len", "Less", "Swap"}

// Exported finds exported names without a doc comment. A group of constants or variables may share one; methods
// of unexported types need none, nor do those of selfEvident.
func Exported(t *Tree) []Finding {
	var found []Finding
	for _, p := range t.Packages {
		for _, f := range p.Files {
			if f.Test || f.AST.Name.Name == "main" {
				continue
			}
			for _, d := range f.AST.Decls {
				found = append(found, undocumented(t, d)...)
			}
		}
	}
	return found
}

// undocumented finds what a declaration exports without saying what it is.
func undocumented(t *Tree, d ast.Decl) []Finding {
	switch d := d.(type) {
	case *ast.FuncDecl:
		method := d.Recv != nil
		if d.Name.IsExported() && d.Doc == nil && (!method || receiverExported(d.Recv) && !slices.Contains(selfEvident, d.Name.Name)) {
			return []Finding{t.find(d.Pos(), "%s is exported and has no doc comment", d.Name.Name)}
		}
	case *ast.GenDecl:
		var found []Finding
		for _, s := range d.Specs {
			found = append(found, undocumentedSpec(t, d, s)...)
		}
		return found
	}
	return nil
}

// undocumentedSpec does so for one type, constant or variable.
func undocumentedSpec(t *Tree, d *ast.GenDecl, s ast.Spec) []Finding {
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen != token.NoPos) && s.Comment == nil {
			return []Finding{t.find(s.Pos(), "type %s is exported and has no doc comment", s.Name.Name)}
		}
	case *ast.ValueSpec:
		for _, n := range s.Names {
			if n.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
				return []Finding{t.find(s.Pos(), "%s is exported and has no doc comment", n.Name)}
			}
		}
	}
	return nil
}

// receiverExported tells whether a method belongs to an exported type.
func receiverExported(recv *ast.FieldList) bool {
	typ := recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}
