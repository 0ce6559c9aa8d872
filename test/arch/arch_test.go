// Package arch keeps the rooms apart: who may import whom is data, in
// table_test.go, and this test compares it with what the packages really do.
package arch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "kerb"

// A unit is a package as the go command lists it.
type unit struct {
	ImportPath string
	Imports    []string
	Standard   bool
	Module     *struct{ Path string }
}

func TestEveryImportIsInTheTable(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64", "arm"} {
		t.Run(arch, func(t *testing.T) {
			for _, fault := range check(list(t, arch), rooms) {
				t.Error(fault)
			}
		})
	}
}

func TestEveryDependencyHasItsReason(t *testing.T) {
	out, err := run("", "go", "mod", "edit", "-json")
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Tool []struct{ Path string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		if !r.Indirect && libraries[r.Path] == "" {
			t.Errorf("go.mod requires %s, which has no reason in the table", r.Path)
		}
	}
	for path := range libraries {
		if !slices.ContainsFunc(mod.Require, func(r struct {
			Path     string
			Indirect bool
		},
		) bool {
			return r.Path == path
		}) {
			t.Errorf("the table gives a reason for %s, which go.mod does not require", path)
		}
	}
}

// The control: a check that cannot fail shows nothing.
func TestThePlantedEdgesAreFound(t *testing.T) {
	table := []room{
		{path: "counting", bans: values},
		{path: "counting/vision", ours: []string{"counting"}, bans: darkRoom},
		{path: "agent/gone"},
	}
	units := []unit{
		{ImportPath: "kerb/counting/vision", Imports: []string{"kerb/counting", "net", "kerb/agent/store", "example.org/lib/deep"}},
		{ImportPath: "kerb/counting", Imports: []string{"fmt"}},
		{ImportPath: "kerb/unknown"},
		{ImportPath: "example.org/lib/deep", Module: &struct{ Path string }{"example.org/lib"}},
	}
	faults := strings.Join(check(units, table), "\n")
	for _, want := range []string{
		"counting/vision imports net", "counting/vision imports agent/store",
		"counting/vision imports example.org/lib", "unknown is not in the table", "agent/gone is in the table",
	} {
		if !strings.Contains(faults, want) {
			t.Errorf("planted, but not found: %s\ngot:\n%s", want, faults)
		}
	}
}

func check(units []unit, table []room) (faults []string) {
	modules := map[string]string{}
	for _, u := range units {
		if u.Module != nil && u.Module.Path != module {
			modules[u.ImportPath] = u.Module.Path
		}
	}
	seen := map[string]bool{}
	for _, u := range units {
		path, ours := strings.CutPrefix(u.ImportPath, module+"/")
		if !ours {
			continue
		}
		r, ok := find(path, table)
		if !ok {
			faults = append(faults, path+" is not in the table")
			continue
		}
		seen[r.path] = true
		for _, imp := range u.Imports {
			if fault := r.judge(path, imp, modules[imp]); fault != "" {
				faults = append(faults, fault)
			}
		}
	}
	for _, r := range table {
		if !seen[r.path] {
			faults = append(faults, r.path+" is in the table, but there is no such package")
		}
	}
	return faults
}

func find(path string, table []room) (room, bool) {
	for _, r := range table {
		if r.path == path {
			return r, true
		}
	}
	return room{}, false
}

func (r room) judge(path, imp, mod string) string {
	if why := r.bans[imp]; why != "" {
		return fmt.Sprintf("%s imports %s: %s", path, imp, why)
	}
	if sub, ours := strings.CutPrefix(imp, module+"/"); ours {
		if !slices.Contains(r.ours, sub) && !slices.Contains(r.ours, everything) {
			return fmt.Sprintf("%s imports %s, which the table does not allow", path, sub)
		}
		return ""
	}
	if mod != "" && !slices.Contains(r.libs, mod) {
		return fmt.Sprintf("%s imports %s, which the table does not allow", path, mod)
	}
	return ""
}

func list(t *testing.T, goarch string) (units []unit) {
	t.Helper()
	out, err := run("GOARCH="+goarch, "go", "list", "-deps", "-json=ImportPath,Imports,Standard,Module", "./agent/...", "./configs/...", "./counting/...", "./drivers/...")
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var u unit
		if err := dec.Decode(&u); errors.Is(err, io.EOF) {
			return units
		} else if err != nil {
			t.Fatal(err)
		}
		units = append(units, u)
	}
}

func run(env, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", env)
	cmd.Stderr = os.Stderr
	return cmd.Output()
}
