package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Tree is the source of one module, parsed.
type Tree struct {
	Root     string         // directory of go.mod
	Module   string         // module path
	Fset     *token.FileSet // positions of all files
	Packages []*Package     // sorted by Path
}

// Package is one directory with Go files.
type Package struct {
	Path  string  // below the module, with slashes: "storage/wal"
	Files []*File // sorted by Name
}

// File is one Go file.
type File struct {
	Name  string // base name
	Test  bool   // ends in _test.go
	Lines int
	AST   *ast.File
}

// Finding is one breach of a rule.
type Finding struct {
	Where string // file:line below the root, or a package path
	What  string // the breach and the remedy
}

// String is the finding on one line.
func (f Finding) String() string { return f.Where + ": " + f.What }

// Load parses every package below root. It skips what is not source of this module: testdata, hidden directories,
// nested modules, and generated files.
func Load(root, module string) (*Tree, error) {
	t := &Tree{Root: root, Module: module, Fset: token.NewFileSet()}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		if file != root && skipped(file, d.Name()) {
			return filepath.SkipDir
		}
		return t.loadDir(file)
	})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", root, err)
	}
	slices.SortFunc(t.Packages, func(a, b *Package) int { return strings.Compare(a.Path, b.Path) })
	return t, nil
}

// skipped tells whether a directory holds no source of this module.
func skipped(dir, name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "bin" || name == "node_modules" {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// loadDir adds the package of one directory, if it has Go files that people write.
func (t *Tree) loadDir(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		return err
	}
	below, err := filepath.Rel(t.Root, dir)
	if err != nil {
		return err
	}
	p := &Package{Path: filepath.ToSlash(below)}
	for _, name := range names {
		f, err := t.loadFile(name)
		if err != nil {
			return err
		}
		if !ast.IsGenerated(f.AST) {
			p.Files = append(p.Files, f)
		}
	}
	if len(p.Files) > 0 {
		t.Packages = append(t.Packages, p)
	}
	return nil
}

// loadFile parses one file with its comments.
func (t *Tree) loadFile(name string) (*File, error) {
	parsed, err := parser.ParseFile(t.Fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &File{
		Name:  filepath.Base(name),
		Test:  strings.HasSuffix(name, "_test.go"),
		Lines: t.Fset.File(parsed.Pos()).LineCount(),
		AST:   parsed,
	}, nil
}

// imports are the paths a file imports.
func (f *File) imports() []string {
	var all []string
	for _, spec := range f.AST.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// internal is the path below the module of an import, and whether it is one of this module.
func (t *Tree) internal(importPath string) (string, bool) {
	if importPath == t.Module {
		return ".", true
	}
	return strings.CutPrefix(importPath, t.Module+"/")
}

// find makes a finding at a position.
func (t *Tree) find(pos token.Pos, format string, args ...any) Finding {
	at := t.Fset.Position(pos)
	if below, err := filepath.Rel(t.Root, at.Filename); err == nil {
		at.Filename = filepath.ToSlash(below)
	}
	return Finding{Where: fmt.Sprintf("%s:%d", at.Filename, at.Line), What: fmt.Sprintf(format, args...)}
}

// at makes a finding about a whole file or package.
func at(pkg, file, format string, args ...any) Finding {
	return Finding{Where: path.Join(pkg, file), What: fmt.Sprintf(format, args...)}
}
