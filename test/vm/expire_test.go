package vm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const aimSite = `[device]
name = "pi-0a1b"
site = "high-street"
tenant = "camden"
state = "/tmp/0/state"
clock_floor = "2020-01-01"
[broker]
url = "mqtt://127.0.0.1:1"
[[camera]]
name = "north"
source = "scene:calm?size=160x120&rate=5"
[[camera.line]]
id = "across"
from = [0.0, 0.5]
to = [1.0, 0.5]
classes = ["person"]
`

const aimPolicy = `schema = "kerb.policy/1"
version = 1
title = "test"
purpose = "statistical"
count.streams = ["line"]
count.classes = ["person"]
camera.follow_max = "60s"
clear.window = "1m"
clear.method = "noise"
clear.epsilon = 1
clear.below = 0
clear.overlap = 2
keep.retention = "24h"
aim.show = "silhouettes"
aim.session = "10m"
`

// A minute of aiming is a minute, also while a real kernel's clock is set a day
// ahead and then to the day before.
func TestAimingEndsInTimeWhateverIsDoneToTheClock(t *testing.T) {
	dir := os.Getenv("KERB_VM")
	if dir == "" {
		t.Skip("KERB_VM does not name a folder made by test/vm/prepare: no virtual machine")
	}
	files := map[string]string{"init": build(t, "amd64", "./walls"), "kerb": build(t, "amd64", "../../agent")}
	for name, text := range map[string]string{"site.toml": aimSite, "policy.toml": aimPolicy} {
		files[name] = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(files[name], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	results := pc.boot(t, dir, "kerb.walls=expire", files)
	var r struct {
		Ran    float64   `json:"ran_s"`
		Moved  []float64 `json:"moved_s"`
		Last   string
		Words  string
		Failed string
	}
	if err := json.Unmarshal(results["expire"], &r); err != nil {
		t.Fatalf("the guest said %q: %v", results["expire"], err)
	}
	t.Logf("ended after %.1f s: %s; the wall clock moved by %.0f s", r.Ran, r.Last, r.Moved)
	if len(r.Moved) != 2 || r.Moved[0] < 86000 || r.Moved[1] > -172000 {
		t.Fatalf("control: the clock was not set: %.0f s", r.Moved)
	}
	// An emulated processor may be late with the end, but not by half a minute.
	if r.Failed != "" || !strings.Contains(r.Last, `"ended":"expired"`) || r.Ran < 58 || r.Ran > 90 {
		t.Errorf("%s\n%s", r.Failed, r.Words)
	}
}
