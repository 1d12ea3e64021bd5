package archtest

import (
	"go/ast"
	"go/build"
	"go/importer"
	"go/types"
)

// checker finds the types in packages of a tree. The standard library comes from the toolchain, packages of the
// module from their source, and other modules are left empty: the pure packages, which are all it is for, use none.
type checker struct {
	tree     *Tree
	standard types.Importer
	infos    map[string]*types.Info
	checked  map[string]*types.Package
}

// newChecker makes a checker for one tree.
func newChecker(t *Tree) *checker {
	return &checker{
		tree:     t,
		standard: importer.ForCompiler(t.Fset, "source", nil),
		infos:    map[string]*types.Info{},
		checked:  map[string]*types.Package{},
	}
}

// Import finds a package for the type checker.
func (c *checker) Import(path string) (*types.Package, error) {
	below, ok := c.tree.internal(path)
	if !ok {
		return c.standard.Import(path)
	}
	for _, p := range c.tree.Packages {
		if p.Path == below {
			c.infoOf(p)
			return c.checked[below], nil
		}
	}
	return types.NewPackage(path, path), nil
}

// infoOf is what is known of the types in a package. Errors leave gaps and are not reported: the compiler does that.
func (c *checker) infoOf(p *Package) *types.Info {
	if info, ok := c.infos[p.Path]; ok {
		return info
	}
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{},
		Uses:  map[*ast.Ident]types.Object{},
		Defs:  map[*ast.Ident]types.Object{},
	}
	c.infos[p.Path] = info
	var files []*ast.File
	for _, f := range p.Files {
		if !f.Test && c.builds(p, f) {
			files = append(files, f.AST)
		}
	}
	config := types.Config{Importer: c, Error: func(error) {}, FakeImportC: true}
	c.checked[p.Path], _ = config.Check(c.tree.Module+"/"+p.Path, c.tree.Fset, files, info)
	return info
}

// builds tells whether a file belongs to a build for this machine.
func (c *checker) builds(p *Package, f *File) bool {
	match, err := build.Default.MatchFile(c.tree.Root+"/"+p.Path, f.Name)
	return err == nil && match
}
