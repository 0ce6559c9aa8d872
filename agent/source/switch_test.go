package source

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parseFile parses one Go file.
func parseFile(t *testing.T, path string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// sourceKinds returns the types of package config that implement config.Source:
// those with a method isSource.
func sourceKinds(t *testing.T) map[string]bool {
	kinds := map[string]bool{}
	files, err := filepath.Glob("../config/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		for _, d := range parseFile(t, path).Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "isSource" {
				kinds[f.Recv.List[0].Type.(*ast.Ident).Name] = true
			}
		}
	}
	return kinds
}

// switchCases returns the types of package config that the type switches of one
// function name.
func switchCases(t *testing.T, path, function string) map[string]bool {
	cases := map[string]bool{}
	for _, d := range parseFile(t, path).Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != function {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CaseClause); ok {
				for _, e := range c.List {
					if s, ok := e.(*ast.SelectorExpr); ok && s.X.(*ast.Ident).Name == "config" {
						cases[s.Sel.Name] = true
					}
				}
			}
			return true
		})
	}
	return cases
}

func missingKinds(kinds, cases map[string]bool) (missing []string) {
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		if !cases[kind] {
			missing = append(missing, kind)
		}
	}
	return missing
}

// A new kind of camera needs a case in both switches. The compiler does not
// notice one that is missing.
func TestEveryKindOfSourceIsOpenedAndRead(t *testing.T) {
	kinds := sourceKinds(t)
	if len(kinds) < 8 {
		t.Fatalf("only %d kinds were found", len(kinds))
	}
	opens, reads := switchCases(t, "../opener/opener.go", "openCamera"), switchCases(t, "open.go", "OpenCamera")
	if m := missingKinds(kinds, opens); len(m) > 0 {
		t.Errorf("opener.openCamera lacks a case for %s", strings.Join(m, ", "))
	}
	if m := missingKinds(kinds, reads); len(m) > 0 {
		t.Errorf("source.OpenCamera lacks a case for %s", strings.Join(m, ", "))
	}
	kinds["PlantedSource"] = true
	if !slices.Contains(missingKinds(kinds, opens), "PlantedSource") || !slices.Contains(missingKinds(kinds, reads), "PlantedSource") {
		t.Error("control: a kind without a case was not found")
	}
}
