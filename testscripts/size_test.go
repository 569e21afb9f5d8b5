package testscripts

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	mostLines   = 5000 // of a package, without its tests
	mostMethods = 60   // of a type, promoted ones not counted
)

// TestRoomsKeepTheirSize: what outgrows these bounds is several things, and is to
// be divided before the next feature comes.
func TestRoomsKeepTheirSize(t *testing.T) {
	t.Parallel()
	size, methods := map[string]int{}, map[string]int{}
	for _, path := range lines(t, "git", "-C", "..", "ls-files", "lib/*.go", "cmd/*.go") {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			continue // removed, and not yet committed
		}
		dir := filepath.Dir(path)
		size[dir] += bytes.Count(text, []byte("\n"))
		f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil {
				methods[dir+"."+receiver(fn.Recv.List[0].Type)]++
			}
		}
	}
	check := func(counts map[string]int, most int, unit string) {
		if len(counts) < 10 {
			t.Fatalf("%s of %d things were counted; the test looks in the wrong place", unit, len(counts))
		}
		for name, n := range counts {
			if n > most {
				t.Errorf("%s has %d %s, over %d", name, n, unit, most)
			}
		}
	}
	check(size, mostLines, "lines")
	check(methods, mostMethods, "methods")
}

// receiver is the name of a receiver's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}
