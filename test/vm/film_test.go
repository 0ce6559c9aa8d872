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
	files := map[string]string{
		"init": build(t, "amd64", "./film"), "kerb": build(t, "amd64", "../../agent"), "policy.toml": "../../configs/policy-standard.toml",
	}
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
	t.Run("kerb probe finds it, and begins a site.toml with it", func(t *testing.T) { probedCamera(t, results["probed"]) })
	t.Run("kerb run counts in it, inside its walls", func(t *testing.T) {
		var r struct {
			Observed int
			Streams  []string
			Words    string
		}
		if err := json.Unmarshal(results["counted"], &r); err != nil {
			t.Fatalf("the guest did not get to it: %v", err)
		}
		t.Logf("%d s seen of %v\n%s", r.Observed, r.Streams, r.Words)
		if r.Observed < 5 || r.Streams[0] != "usb1-line" {
			t.Errorf("%d s seen of %v", r.Observed, r.Streams)
		}
		for line := range strings.Lines(r.Words) {
			if strings.HasPrefix(line, "sense usb1:") && strings.Contains(line, "walls are missing") {
				t.Error(line)
			}
		}
	})
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

func probedCamera(t *testing.T, raw json.RawMessage) {
	var said struct {
		Found struct {
			Attached []struct {
				Source, Device, Name, Choice string
				Formats                      []string
			}
		}
		Again struct {
			Cameras []struct{ Source, Error string }
		}
		Site, Check string
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		t.Fatalf("the guest did not get to it: %v", err)
	}
	t.Logf("%+v\n%s", said.Found, said.Check)
	const stable = "/dev/v4l/by-path/platform-vivid.0-video-index0"
	if len(said.Found.Attached) != 1 {
		t.Fatalf("%d cameras", len(said.Found.Attached))
	}
	c := said.Found.Attached[0]
	if c.Source != stable || c.Device != "/dev/video0" || c.Name != "vivid" || !strings.HasPrefix(c.Choice, "GREY 640×") && !strings.HasPrefix(c.Choice, "NV12 640×") {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(said.Site, "source = \""+stable+"\"") || !strings.Contains(said.Check, "camera  usb1: auto") {
		t.Errorf("%s\n%s", said.Site, said.Check)
	}
	if n := said.Again.Cameras; len(n) != 1 || n[0].Source != stable || n[0].Error != "" {
		t.Errorf("named: %+v", n)
	}
}
