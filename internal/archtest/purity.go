package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// impure are functions of otherwise harmless packages that look at a clock or at global randomness.
var impure = map[string][]string{
	"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation"},
	"math/rand/v2": {"Int", "IntN", "Int32", "Int32N", "Int64", "Int64N", "Uint", "UintN", "Uint32", "Uint32N", "Uint64", "Uint64N",
		"Float32", "Float64", "ExpFloat64", "NormFloat64", "Perm", "Shuffle", "N"},
	"hash/maphash": {"MakeSeed"},
	"fmt":          {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
}

// Purity finds what a pure package may not do, besides imports: start goroutines, use channels, look at the clock,
// draw from global randomness, change package-level variables, or let the order of a map show.
func Purity(t *Tree, table []Row) []Finding {
	rows := map[string]Row{}
	for _, r := range table {
		rows[r.Path] = r
	}
	var found []Finding
	checker := newChecker(t)
	for _, p := range t.Packages {
		row := rows[p.Path]
		if row.Ring != Pure {
			continue
		}
		info := checker.infoOf(p)
		used := map[string]bool{}
		for _, f := range p.Files {
			if !f.Test {
				v := &purityVisitor{tree: t, info: info, excused: row.AnyOrder, used: used}
				ast.Walk(v, f.AST)
				found = append(found, v.found...)
			}
		}
		for name := range row.AnyOrder {
			if !used[name] {
				found = append(found, at(p.Path, "", "%s needs no excuse for the order of a map; remove it from the table", name))
			}
		}
	}
	return found
}

// purityVisitor walks one file and remembers the function it is in.
type purityVisitor struct {
	tree    *Tree
	info    *types.Info
	excused map[string]string // Row.AnyOrder
	used    map[string]bool   // the functions of it that needed the excuse
	outer   string            // function declaration at hand
	inner   ast.Node          // innermost function declaration or literal
	found   []Finding
}

// Visit judges one node.
func (v *purityVisitor) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.FuncDecl, *ast.FuncLit:
		in := *v
		in.inner, in.found = n, nil
		if fn, ok := n.(*ast.FuncDecl); ok {
			in.outer = fn.Name.Name
		}
		ast.Walk(&children{&in}, n)
		v.found = append(v.found, in.found...)
		return nil
	case *ast.GoStmt:
		v.say(n, "starts a goroutine")
	case *ast.SelectStmt:
		v.say(n, "uses select")
	case *ast.ChanType:
		v.say(n, "uses a channel")
	case *ast.SendStmt:
		v.say(n, "sends on a channel")
	case *ast.SelectorExpr:
		v.selector(n)
	case *ast.RangeStmt:
		v.rangeOver(n)
	case *ast.AssignStmt:
		for _, to := range n.Lhs {
			v.assign(n.Tok, to)
		}
	case *ast.IncDecStmt:
		v.assign(token.ASSIGN, n.X)
	}
	return v
}

// children passes over the node it is started at and visits what is below.
type children struct{ below *purityVisitor }

// Visit hands the children of the first node to the visitor.
func (c *children) Visit(n ast.Node) ast.Visitor { return c.below }

// say adds a finding.
func (v *purityVisitor) say(n ast.Node, what string) {
	v.found = append(v.found, v.tree.find(n.Pos(), "a pure package %s", what))
}

// sayOrder adds a finding about the order of a map, unless the function is excused.
func (v *purityVisitor) sayOrder(n ast.Node, what string) {
	if v.excused[v.outer] == "" {
		v.say(n, what)
		return
	}
	v.used[v.outer] = true
}

// selector finds impure functions of allowed packages, and unordered iterators over maps.
func (v *purityVisitor) selector(n *ast.SelectorExpr) {
	x, ok := n.X.(*ast.Ident)
	if !ok {
		return
	}
	pkg, ok := v.info.Uses[x].(*types.PkgName)
	if !ok {
		return
	}
	if slices.Contains(impure[pkg.Imported().Path()], n.Sel.Name) {
		v.say(n, "uses "+pkg.Imported().Name()+"."+n.Sel.Name)
	}
	if pkg.Imported().Path() == "maps" && slices.Contains([]string{"Keys", "Values", "All"}, n.Sel.Name) && !v.sortedIterator(n) {
		v.sayOrder(n, "takes the entries of a map in any order; wrap maps."+n.Sel.Name+" in slices.Sorted or slices.SortedFunc")
	}
}

// sortedIterator tells whether an iterator over a map is the argument of a sorting collector.
func (v *purityVisitor) sortedIterator(n *ast.SelectorExpr) bool {
	sorted := false
	ast.Inspect(v.inner, func(outer ast.Node) bool {
		call, ok := outer.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 || !v.isFrom(call.Fun, "slices", "Sorted") {
			return true
		}
		if arg, ok := call.Args[0].(*ast.CallExpr); ok && arg.Fun == n {
			sorted = true
		}
		return !sorted
	})
	return sorted
}

// isFrom tells whether an expression names a function of a package whose name begins with prefix.
func (v *purityVisitor) isFrom(fun ast.Expr, pkgPath, prefix string) bool {
	sel, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return false
	}
	pkg, ok := v.info.Uses[x].(*types.PkgName)
	return ok && pkg.Imported().Path() == pkgPath && strings.HasPrefix(sel.Sel.Name, prefix)
}

// rangeOver finds loops over maps whose order shows.
func (v *purityVisitor) rangeOver(n *ast.RangeStmt) {
	tv, ok := v.info.Types[n.X]
	if !ok || tv.Type == nil {
		return
	}
	switch tv.Type.Underlying().(type) {
	case *types.Chan:
		v.say(n, "receives from a channel")
	case *types.Map:
		if !v.orderHidden(n) {
			v.sayOrder(n, "ranges over a map other than into a slice that is sorted afterwards")
		}
	}
}

// orderHidden tells whether the body of a loop over a map does only what comes out the same in any order.
func (v *purityVisitor) orderHidden(n *ast.RangeStmt) bool { return v.allCommute(n.Body.List, n) }

// allCommute tells so for statements within the loop.
func (v *purityVisitor) allCommute(list []ast.Stmt, loop *ast.RangeStmt) bool {
	for _, s := range list {
		if !v.commutes(s, loop) {
			return false
		}
	}
	return true
}

// commutes tells whether a statement is a definition, delete(…), a sort, a sum of integers, an entry under the loop's own
// key, a change of what the loop's body defined, s = append(s, …) with s sorted later in the function, or an if or a loop
// around such.
func (v *purityVisitor) commutes(s ast.Stmt, loop *ast.RangeStmt) bool {
	switch s := s.(type) {
	case *ast.BlockStmt:
		return v.allCommute(s.List, loop)
	case *ast.IfStmt:
		return v.allCommute(s.Body.List, loop) && (s.Else == nil || v.commutes(s.Else, loop))
	case *ast.RangeStmt:
		return v.allCommute(s.Body.List, loop)
	case *ast.ForStmt:
		return v.allCommute(s.Body.List, loop)
	case *ast.BranchStmt:
		return s.Tok == token.CONTINUE
	case *ast.DeclStmt, *ast.IncDecStmt:
		return true
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		return ok && (isIdent(call.Fun, "delete") || v.isFrom(call.Fun, "slices", "Sort") || v.isFrom(call.Fun, "sort", ""))
	case *ast.AssignStmt:
		return v.assignCommutes(s, loop)
	}
	return false
}

// assignCommutes tells so for an assignment.
func (v *purityVisitor) assignCommutes(s *ast.AssignStmt, loop *ast.RangeStmt) bool {
	inside := true
	for _, to := range s.Lhs {
		inside = inside && v.definedIn(to, loop.Body)
	}
	switch {
	case inside || s.Tok == token.DEFINE:
		return true
	case s.Tok == token.ADD_ASSIGN || s.Tok == token.SUB_ASSIGN || s.Tok == token.OR_ASSIGN || s.Tok == token.XOR_ASSIGN:
		typ := v.info.TypeOf(s.Lhs[0])
		if typ == nil {
			return true // does not compile
		}
		basic, ok := typ.Underlying().(*types.Basic)
		return ok && basic.Info()&types.IsInteger != 0
	}
	return len(s.Lhs) == 1 && len(s.Rhs) == 1 && (underKey(s.Lhs[0], loop.Key) || v.collects(s))
}

// definedIn tells whether an expression is a variable, or a field or an element of a struct or array held by one, that the
// block defines.
func (v *purityVisitor) definedIn(e ast.Expr, block *ast.BlockStmt) bool {
	if sel, ok := e.(*ast.SelectorExpr); ok {
		typ := v.info.TypeOf(sel.X)
		if typ == nil {
			return true // does not compile
		}
		if _, pointer := typ.Underlying().(*types.Pointer); pointer {
			return false
		}
		return v.definedIn(sel.X, block)
	}
	x, ok := e.(*ast.Ident)
	if !ok {
		return false
	}
	o := v.info.ObjectOf(x)
	return x.Name == "_" || o != nil && block.Pos() <= o.Pos() && o.Pos() < block.End()
}

// underKey tells whether an expression is the entry of a map or an array under the loop's own key.
func underKey(e, key ast.Expr) bool {
	entry, ok := e.(*ast.IndexExpr)
	return ok && key != nil && types.ExprString(entry.Index) == types.ExprString(key)
}

// collects tells whether an assignment appends to a slice that the function sorts.
func (v *purityVisitor) collects(s *ast.AssignStmt) bool {
	call, ok := s.Rhs[0].(*ast.CallExpr)
	return ok && isIdent(call.Fun, "append") && v.sorts(types.ExprString(s.Lhs[0]))
}

// sorts tells whether the function sorts the slice of that name.
func (v *purityVisitor) sorts(slice string) bool {
	sorts := false
	ast.Inspect(v.inner, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if ok && len(call.Args) > 0 && (v.isFrom(call.Fun, "slices", "Sort") || v.isFrom(call.Fun, "sort", "")) {
			sorts = sorts || types.ExprString(call.Args[0]) == slice
		}
		return !sorts
	})
	return sorts
}

// assign finds assignments to package-level variables.
func (v *purityVisitor) assign(tok token.Token, to ast.Expr) {
	for {
		switch x := to.(type) {
		case *ast.IndexExpr:
			to = x.X
			continue
		case *ast.SelectorExpr:
			if to = x.X; v.isPackage(to) {
				to = x.Sel
			}
			continue
		case *ast.ParenExpr:
			to = x.X
			continue
		case *ast.Ident:
			o, ok := v.info.Uses[x].(*types.Var)
			if ok && tok != token.DEFINE && o.Pkg() != nil && o.Parent() == o.Pkg().Scope() && !v.inInit() {
				v.say(x, "changes the package-level variable "+x.Name)
			}
		}
		return
	}
}

// isPackage tells whether an expression is the name of an imported package.
func (v *purityVisitor) isPackage(e ast.Expr) bool {
	x, ok := e.(*ast.Ident)
	if !ok {
		return false
	}
	_, ok = v.info.Uses[x].(*types.PkgName)
	return ok
}

// inInit tells whether the code at hand runs once, before anything else.
func (v *purityVisitor) inInit() bool {
	f, ok := v.inner.(*ast.FuncDecl)
	return ok && f.Recv == nil && f.Name.Name == "init"
}

// isIdent tells whether an expression is this one name.
func isIdent(e ast.Expr, name string) bool {
	x, ok := e.(*ast.Ident)
	return ok && x.Name == name
}
