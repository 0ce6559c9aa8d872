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
			units := list(t, arch)
			for _, fault := range append(check(units, rooms), checkApart(units)...) {
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

// TestEveryRowIsEnforced plants a violation into each row of the table: each of
// its bans, a room that it may not import, and a module that it may not import.
func TestEveryRowIsEnforced(t *testing.T) {
	const foreign = "example.org/lib"
	for _, r := range rooms {
		if r.why == "" {
			t.Errorf("%s: the table gives no reason for the room", r.path)
		}
		for imp, why := range r.bans {
			if fault := r.judge(r.path, imp, ""); why == "" || !strings.Contains(fault, imp) {
				t.Errorf("%s imports %s: planted, but not found", r.path, imp)
			}
		}
		if fault := r.judge(r.path, foreign, foreign); fault == "" {
			t.Errorf("%s imports %s: planted, but not found", r.path, foreign)
		}
		if slices.Contains(r.ours, everything) {
			continue
		}
		for _, other := range rooms {
			if !slices.Contains(r.ours, other.path) && r.judge(r.path, module+"/"+other.path, "") == "" {
				t.Errorf("%s imports %s: planted, but not found", r.path, other.path)
			}
		}
	}
}

// The control of the transitive rule: a room that reaches both sides through
// other rooms is found, and a room that may is not.
func TestAPlantedWayIsFound(t *testing.T) {
	units := []unit{
		{ImportPath: "kerb/agent", Imports: []string{"kerb/agent/sensor", "kerb/agent/publisher"}},
		{ImportPath: "kerb/agent/planted", Imports: []string{"kerb/agent/sensor", "kerb/agent/spooler"}},
		{ImportPath: "kerb/agent/sensor", Imports: []string{"kerb/counting/vision"}},
		{ImportPath: "kerb/agent/spooler", Imports: []string{"kerb/agent/publisher"}},
		{ImportPath: "kerb/agent/publisher", Imports: []string{"kerb/agent/store", "kerb/agent/uplink"}},
		{ImportPath: "kerb/counting/vision"},
		{ImportPath: "kerb/agent/store"},
		{ImportPath: "kerb/agent/uplink"},
	}
	faults := checkApart(units)
	if len(faults) != 2 || !strings.HasPrefix(faults[0], "agent/planted reaches counting/vision and agent/store") {
		t.Errorf("found %q", faults)
	}
}

// checkApart walks the imports of each package and reports those that reach
// both sides of a pair in the table apart.
func checkApart(units []unit) (faults []string) {
	imports := map[string][]string{}
	for _, u := range units {
		imports[u.ImportPath] = u.Imports
	}
	var reach func(from string, seen map[string]bool) map[string]bool
	reach = func(from string, seen map[string]bool) map[string]bool {
		for _, to := range imports[from] {
			if !seen[to] && strings.HasPrefix(to, module+"/") {
				seen[to] = true
				reach(to, seen)
			}
		}
		return seen
	}
	for _, u := range units {
		path, ours := strings.CutPrefix(u.ImportPath, module+"/")
		if !ours {
			continue
		}
		seen := reach(u.ImportPath, map[string]bool{u.ImportPath: true})
		for _, p := range apart {
			if seen[module+"/"+p.one] && seen[module+"/"+p.other] && !slices.Contains(p.except, path) {
				faults = append(faults, fmt.Sprintf("%s reaches %s and %s: %s", path, p.one, p.other, p.reason))
			}
		}
	}
	return faults
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
