package scene

import (
	"context"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"hash/fnv"
	"path/filepath"
	"strings"
	"testing"
)

// findFusable lists the products of floats in the given sources that a compiler
// may fuse with a sum, by position.
func findFusable(t *testing.T, sources map[string]any) []string {
	t.Helper()
	set := token.NewFileSet()
	var files []*ast.File
	for name, src := range sources {
		f, err := parser.ParseFile(set, name, src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	conf := types.Config{Importer: importer.ForCompiler(set, "source", nil)}
	if _, err := conf.Check("scene", set, files, &info); err != nil {
		t.Fatal(err)
	}
	float := func(e ast.Expr) bool {
		tv := info.Types[e]
		b, ok := tv.Type.Underlying().(*types.Basic)
		return ok && tv.Value == nil && b.Info()&types.IsFloat != 0
	}
	var found []string
	for _, f := range files {
		var path []ast.Node
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil {
				path = path[:len(path)-1]
				return true
			}
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if n.Op == token.MUL && float(n) && !isRounded(path, info) {
					found = append(found, set.Position(n.Pos()).String())
				}
			case *ast.AssignStmt:
				if n.Tok == token.MUL_ASSIGN && float(n.Lhs[0]) {
					found = append(found, set.Position(n.Pos()).String())
				}
			}
			path = append(path, n)
			return true
		})
	}
	return found
}

// isRounded reports whether the expression that the path leads to is an operand
// of another product, a quotient, a comparison or a conversion, and so cannot
// be fused with a sum.
func isRounded(path []ast.Node, info types.Info) bool {
	for i := len(path) - 1; i >= 0; i-- {
		switch n := path[i].(type) {
		case *ast.ParenExpr:
			continue
		case *ast.BinaryExpr:
			switch n.Op {
			case token.MUL, token.QUO, token.LSS, token.GTR, token.LEQ, token.GEQ:
				return true
			}
		case *ast.CallExpr:
			return info.Types[n.Fun].IsType()
		}
		return false
	}
	return false
}

func TestNoProductCanBeFusedWithASum(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]any{}
	for _, n := range names {
		if !strings.HasSuffix(n, "_test.go") {
			sources[n] = nil
		}
	}
	for _, where := range findFusable(t, sources) {
		t.Errorf("%s: the product needs a float64(…) around it", where)
	}
}

func TestAProductThatCanBeFusedIsFound(t *testing.T) {
	for body, want := range map[string]int{
		"return x*y + z":            1,
		"q := x*y; return q + z":    1,
		"x *= y; return x + z":      1,
		"return f(x*y, y, z) - z":   1,
		"return float64(x*y) + z":   0,
		"return float64((x*y)*z)":   0,
		"if x*y > z { return x }":   0,
		"return x*y/z + z":          0,
		"const k = 2 * 3; return k": 0,
	} {
		src := "package p\nfunc f(x, y, z float64) float64 { " + body + "; return z }"
		if got := findFusable(t, map[string]any{"p.go": src}); len(got) != want {
			t.Errorf("%s: found %d, want %d", body, len(got), want)
		}
	}
}

// sceneDigest is a hash of all outputs of a scene over some pictures.
func sceneDigest(t *testing.T, o Opts, pictures int) string {
	s := openScene(t, o)
	h := fnv.New64a()
	buf := make([]byte, s.width*s.height)
	for range pictures {
		at, err := s.ReadInto(context.Background(), buf)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(buf)
		fmt.Fprintln(h, at.UnixNano(), s.PresentIn(0), s.PresentIn(1), s.PresentIn(2), s.Boxes(nil))
	}
	fmt.Fprintln(h, s.Lines(), s.Zones(), s.Heights(), s.Distance(), s.Truth())
	return fmt.Sprintf("%016x", h.Sum64())
}

// golden are the digests that every machine must produce. A deliberate change
// of the drawing changes them; then they are replaced.
var golden = [len(presetConditions)]string{
	Calm:  "41de636689c47a71",
	Busy:  "ada76d56da7b1e9c",
	Windy: "f3f6bd6ad2357773",
	Rain:  "c881b98ba97e2d03",
	Dusk:  "3f60ea95d25d3cf6",
	Night: "5b62401d1f7cf94e",
	Jam:   "1ebdf8f5930c1ff1",
}

func TestSameSeedGivesTheSameBytesOnEveryMachine(t *testing.T) {
	for p, want := range golden {
		got := sceneDigest(t, Opts{Seed: 3, Width: 200, Height: 112, Rate: 5, Boxes: true, Conditions: Preset(p).Conditions()}, 40)
		if got != want {
			t.Errorf("%v: %s, want %s", Preset(p), got, want)
		}
	}
}
