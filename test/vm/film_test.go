package vm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCameraThroughTheRealKernel(t *testing.T) {
	dir := os.Getenv("KERB_VM")
	if dir == "" {
		t.Skip("KERB_VM does not name a folder made by test/vm/prepare: no virtual machine")
	}
	files := map[string]string{"init": build(t, "amd64", "./film")}
	modules, err := filepath.Glob(filepath.Join(dir, "video", "*.ko"))
	if err != nil || len(modules) == 0 {
		t.Fatalf("no modules in %s: run test/vm/prepare again (%v)", filepath.Join(dir, "video"), err)
	}
	for _, m := range modules {
		files[filepath.Base(m)] = m
	}
	results := loops.boot(t, dir, "", files)
	var formats []string
	if err := json.Unmarshal(results["formats"], &formats); err != nil || !strings.Contains(strings.Join(formats, "\n"), "YUYV 640×480") {
		t.Errorf("formats %q (%v)", formats, err)
	}
	for _, name := range []string{"whole", "reduced", "slow", "caged"} {
		t.Run(name, func(t *testing.T) {
			var r struct {
				Set                               string
				Width, Height, Pictures, Distinct int
				Dropped                           uint64
				Mean                              int
			}
			if err := json.Unmarshal(results[name], &r); err != nil {
				t.Fatalf("the guest did not get to it: %v", err)
			}
			t.Logf("%+v", r)
			if r.Pictures != 20 || r.Distinct < 15 || r.Mean < 20 || r.Mean > 235 {
				t.Error("it does not move, or is no picture")
			}
			if small := name == "reduced"; small != (r.Width*r.Height <= 100*100) || r.Width*r.Height > 640*480 {
				t.Errorf("%d×%d", r.Width, r.Height)
			}
			if name == "slow" && r.Dropped < 20 {
				t.Errorf("%d pictures dropped by a reader that takes 0.3 s for each", r.Dropped)
			}
		})
	}
}
