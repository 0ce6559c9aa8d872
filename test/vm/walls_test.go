package vm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// report is what kerb measured of one role's walls.
type report struct {
	Role     string
	Machine  string
	Kernel   string
	Landlock int
	Walls    []struct {
		Name, Errno, How, May string
		Holds                 bool
	}
}

// open names what should hold and does not.
func (r report) open() (names []string) {
	for _, w := range r.Walls {
		if !w.Holds && w.May == "" {
			names = append(names, w.Name)
		}
	}
	return names
}

// byFiles are the attempts of an uplink that only Landlock refuses.
var byFiles = []string{"pass Landlock", "read a file it was not given", "open a file for writing", "create a file"}

// The walls of sense stand without Landlock and on every processor. What is
// missing around uplink is told, and is no more than what Landlock would give.
// KERB_LONG boots every kernel and runs all of kerb prove in it.
func TestTheWallsStandInOtherKernels(t *testing.T) {
	dir := os.Getenv("KERB_VM")
	if dir == "" {
		t.Skip("KERB_VM does not name a folder made by test/vm/prepare: no virtual machine")
	}
	long := os.Getenv("KERB_LONG") != ""
	for _, k := range []struct {
		name, arch, line string
		machine          machine
		abi              bool
		long             bool
	}{
		{"amd64 without Landlock", "amd64", "lsm=capability", pc, false, false},
		{"amd64", "amd64", "lsm=landlock", pc, true, true},
		{"arm64 without Landlock", "arm64", "lsm=capability", arm, false, true},
		{"arm64", "arm64", "lsm=landlock", arm, true, true},
	} {
		t.Run(k.name, func(t *testing.T) {
			if k.long && !long {
				t.Skip("KERB_LONG is not set")
			}
			if _, err := os.Stat(filepath.Join(dir, k.machine.kernel)); err != nil {
				t.Skip(err)
			}
			line := k.line
			if long {
				line += " kerb.walls=prove"
			}
			results := k.machine.boot(t, dir, line, map[string]string{
				"init": build(t, k.arch, "./walls"), "kerb": build(t, k.arch, "../../agent"),
			})
			for _, uid := range []string{"0", "1000"} {
				if long {
					proved(t, results[uid+" prove -for"], k.arch, k.abi)
					continue
				}
				for _, role := range []string{"free", "sense", "uplink", "supervisor", "decode"} {
					r := said[report](t, results[uid+" try "+role])
					stands(t, uid, r, k.arch, k.abi)
				}
			}
		})
	}
}

// said is what kerb printed, as JSON.
func said[T any](t *testing.T, raw json.RawMessage) (v T) {
	t.Helper()
	var r struct {
		Out           json.RawMessage
		Words, Failed string
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatalf("the guest said %q: %v", raw, err)
	}
	if err := json.Unmarshal(r.Out, &v); err != nil {
		t.Fatalf("%s: %v\n%s", r.Failed, err, r.Words)
	}
	return v
}

// stands checks one role.
func stands(t *testing.T, uid string, r report, arch string, landlock bool) {
	t.Helper()
	open := r.open()
	t.Logf("uid %s, %s on %s, Linux %s, Landlock ABI %d: %d walls, open: %q", uid, r.Role, r.Machine, r.Kernel, r.Landlock, len(r.Walls), open)
	if r.Machine != arch || len(r.Walls) < 30 {
		t.Errorf("%s: %d walls measured on %s", r.Role, len(r.Walls), r.Machine)
	}
	switch r.Role {
	case "free":
		if len(open) < 20 {
			t.Errorf("control: only %q go through without walls", open)
		}
		return
	case "uplink":
		if (r.Landlock > 0) != landlock {
			t.Errorf("Landlock ABI %d", r.Landlock)
		}
		allowed := []string{}
		if r.Landlock == 0 {
			allowed = append(allowed, byFiles...)
		}
		open = slices.DeleteFunc(open, func(name string) bool { return slices.Contains(allowed, name) })
	case "decode":
		if (r.Landlock > 0) != landlock || len(r.Walls) < 40 {
			t.Errorf("Landlock ABI %d, %d walls", r.Landlock, len(r.Walls))
		}
		if r.Landlock == 0 {
			open = slices.DeleteFunc(open, func(name string) bool { return slices.Contains(byFiles[:2], name) })
		}
	}
	if len(open) > 0 {
		t.Errorf("uid %s: %s can %q", uid, r.Role, open)
	}
}

// proved checks a whole bundle: no fault but walls that this kernel lacks.
func proved(t *testing.T, raw json.RawMessage, arch string, landlock bool) {
	t.Helper()
	b := said[struct {
		Took   float64 `json:"took_s"`
		UID    int
		Faults []string
		Walls  []report
		Canary struct {
			Pictures         int
			Controls, Places []struct {
				Place, Refused string
				Bytes          int
				Found          []string
			}
		}
	}](t, raw)
	for _, r := range b.Walls {
		stands(t, "", r, arch, landlock)
	}
	for _, f := range b.Faults {
		if !strings.HasPrefix(f, "walls: uplink can ") {
			t.Errorf("uid %d: %s", b.UID, f)
		}
	}
	if b.Canary.Pictures == 0 || len(b.Canary.Controls) < 6 || len(b.Canary.Places) < 6 {
		t.Errorf("uid %d: too little was looked at: %+v", b.UID, b.Canary)
	}
	t.Logf("uid %d: %.1f s, %d pictures, faults %q", b.UID, b.Took, b.Canary.Pictures, b.Faults)
	for _, p := range append(b.Canary.Controls, b.Canary.Places...) {
		t.Logf("  %-34s %9d KB %q %s", p.Place, p.Bytes>>10, p.Found, p.Refused)
	}
}
