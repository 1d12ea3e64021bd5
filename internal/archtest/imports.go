package archtest

import (
	"go/token"
	"slices"
	"strings"
)

// Ring is how close to the outside world a package may be.
type Ring uint8

// The rings, from the inside out.
const (
	Pure   Ring = iota + 1 // same input, same output: see Purity
	Driver                 // owns goroutines and feeds the pure part
	Edge                   // bytes in, bytes out
	Test                   // serves only tests
)

// Row is what one package is and may import from this module and from others. Test files are free to import more.
type Row struct {
	Path    string   // below the module
	Ring    Ring     // what it may do
	Imports []string // packages of this module it imports; each must be in use
	Later   []string // packages it may import and does not yet; a planned package has only these
	Modules []string // import path prefixes of other modules it may use

	// AnyOrder are the functions of a pure package in which the order of a map may show, each with the reason.
	AnyOrder map[string]string
}

// purely is the part of the standard library that computes and does nothing else.
var purely = []string{
	"bytes", "cmp", "container/heap", "container/list", "crypto/md5", "crypto/sha1", "crypto/sha256", "crypto/sha3", "crypto/sha512",
	"crypto/subtle", "encoding/base64", "encoding/binary", "encoding/hex", "errors", "fmt", "hash", "hash/adler32", "hash/crc32",
	"hash/fnv", "hash/maphash", "iter", "maps", "math", "math/bits", "math/rand/v2", "net/netip", "slices", "sort", "strconv",
	"strings", "time", "unicode", "unicode/utf16", "unicode/utf8", "unsafe",
}

// Imports finds edges nobody wrote down, rows and edges that are not in use, and modules a package may not touch.
func Imports(t *Tree, table []Row) []Finding {
	rows := map[string]Row{}
	for _, r := range table {
		rows[r.Path] = r
	}
	var found []Finding
	present := map[string]bool{}
	for _, p := range t.Packages {
		present[p.Path] = true
		if r, ok := rows[p.Path]; ok {
			found = append(found, importsOf(t, p, r)...)
		} else if !onlyTests(p) {
			found = append(found, at(p.Path, "", "has no row in the import table; write one in internal/archtest/table.go"))
		}
	}
	for _, r := range table {
		if !present[r.Path] && len(r.Imports) > 0 {
			found = append(found, at(r.Path, "", "has a row in the import table but no files; remove the row"))
		}
	}
	return append(found, ringOrder(rows, table)...)
}

// importsOf checks the imports of one package against its row.
func importsOf(t *Tree, p *Package, r Row) []Finding {
	var found []Finding
	used := map[string]bool{}
	for _, f := range p.Files {
		if f.Test {
			continue
		}
		for i, to := range f.imports() {
			pos := f.AST.Imports[i].Pos()
			if below, ok := t.internal(to); ok {
				used[below] = true
				if !slices.Contains(r.Imports, below) && !slices.Contains(r.Later, below) {
					found = append(found, t.find(pos, "%s imports %s, an edge that nobody wrote down", p.Path, below))
				}
			} else if f := foreign(t, pos, p.Path, to, r); f != nil {
				found = append(found, *f)
			}
		}
	}
	for _, to := range r.Imports {
		if !used[to] {
			found = append(found, at(p.Path, "", "does not import %s any more; remove the edge from the table", to))
		}
	}
	return found
}

// foreign checks an import from outside the module.
func foreign(t *Tree, pos token.Pos, pkg, to string, r Row) *Finding {
	standard := !strings.Contains(strings.SplitN(to, "/", 2)[0], ".")
	allowed := standard && (r.Ring != Pure || slices.Contains(purely, to))
	for _, prefix := range r.Modules {
		allowed = allowed || to == prefix || strings.HasPrefix(to, prefix+"/")
	}
	if allowed {
		return nil
	}
	f := t.find(pos, "%s may not import %s", pkg, to)
	if standard {
		f.What += ": the package is pure"
	}
	return &f
}

// ringOrder finds rows that let a pure package import one that is not.
func ringOrder(rows map[string]Row, table []Row) []Finding {
	var found []Finding
	for _, r := range table {
		for _, to := range slices.Concat(r.Imports, r.Later) {
			if target, ok := rows[to]; r.Ring == Pure && (!ok || target.Ring != Pure) {
				found = append(found, at(r.Path, "", "is pure and may import %s, which is not", to))
			}
		}
	}
	return found
}

// onlyTests tells whether a directory has nothing but test files and a doc.go.
func onlyTests(p *Package) bool {
	for _, f := range p.Files {
		if !f.Test && f.Name != "doc.go" {
			return false
		}
	}
	return true
}
