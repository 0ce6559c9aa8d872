package vm

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kerb/test/broker"
)

// film boots a machine with the kernel's made-up camera, for what of test/vm/film
// is asked for. More are files of the folder that prepare made, or of elsewhere.
func film(t *testing.T, m machine, line string, more ...string) map[string]json.RawMessage {
	t.Helper()
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
	for _, m := range more {
		if !filepath.IsAbs(m) {
			m = filepath.Join(dir, m)
		}
		modules = append(modules, m)
	}
	for _, m := range modules {
		files[filepath.Base(m)] = m
	}
	return m.boot(t, dir, line, files)
}

func TestCameraThroughTheRealKernel(t *testing.T) {
	results := film(t, loops, "")
	var formats []string
	if err := json.Unmarshal(results["formats"], &formats); err != nil || !strings.Contains(strings.Join(formats, "\n"), "YUYV 640×480") {
		t.Errorf("formats %q (%v)", formats, err)
	}
	t.Run("kerb probe finds it, and begins a site.toml with it", func(t *testing.T) { probedCamera(t, results["probed"]) })
	t.Run("kerb run counts in it, inside its walls", func(t *testing.T) {
		r := counted(t, results["counted"])
		if r.Observed < 5 || r.Streams[0] != "usb1-line" {
			t.Errorf("%d s seen of %v", r.Observed, r.Streams)
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

// ran is what kerb run in the guest left in its spool, and said.
type ran struct {
	Observed int
	Streams  []string
	Words    string
}

func counted(t *testing.T, raw json.RawMessage) (r ran) {
	t.Helper()
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatalf("the guest did not get to it: %v", err)
	}
	t.Logf("%d s seen of %v\n%s", r.Observed, r.Streams, r.Words)
	for line := range strings.Lines(r.Words) {
		if strings.Contains(line, `from="sense usb1"`) && strings.Contains(line, "walls are missing") {
			t.Error(line)
		}
	}
	return r
}

// Windows of the camera reach a broker outside the machine. It runs in real time:
// a machine whose clock leaps over idleness would leap over the broker's answers.
func TestCameraIsPublished(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("two windows of a minute each: KERB_LONG=1, or make vm-cameras")
	}
	b := broker.New(t)
	host := pc.with("-netdev", "user,id=host", "-device", "e1000,netdev=host")
	results := film(t, host, fmt.Sprintf("kerb.film=publish kerb.broker=mqtt://10.0.2.2:%d", b.Port), "host/e1000.ko")
	counted(t, results["published"])
	whole := 0
	for _, m := range b.MessagesOn("/count/usb1-line", time.Time{}) {
		var w struct {
			Quality string
			Seconds int `json:"observed_s"`
			Counts  []json.RawMessage
		}
		if err := json.Unmarshal(m.Body, &w); err != nil {
			t.Fatalf("%s: %v", m.Body, err)
		}
		t.Logf("%s: %s, %d s seen, %d counts", m.Topic, w.Quality, w.Seconds, len(w.Counts))
		if w.Quality == "ok" && w.Seconds >= 50 && len(w.Counts) > 0 {
			whole++
		}
	}
	if whole == 0 {
		t.Error("no whole minute of the camera arrived at the broker")
	}
}

// A camera of the kernel comes back after everything that the kernel can do to it,
// in the machine's own time, and nothing grows. KERB_LONG does each twenty times instead of twice.
func TestCameraComesBack(t *testing.T) {
	results := trouble(t, "faults", buildTests(t, "agent.test", "../../agent"))
	var words string
	if err := json.Unmarshal(results["faults"], &words); err != nil {
		t.Fatalf("the guest did not get to it: %v", err)
	}
	t.Log(words)
	if !strings.Contains(words, "--- PASS: TestEveryFaultOfADevice") {
		t.Error("the test in the guest did not pass")
	}
}

// trouble boots the machine for what may take hours with KERB_LONG.
func trouble(t *testing.T, what string, more ...string) map[string]json.RawMessage {
	t.Helper()
	line, m := "kerb.film="+what, loops.with("-m", "1024")
	if os.Getenv("KERB_LONG") != "" {
		line, m.limit = line+" kerb.long", 2*time.Hour
	}
	return film(t, m, line, more...)
}

// The camera is open again, and stays so, after kerb's own processes were killed.
func TestCameraComesBackToWhoWasKilled(t *testing.T) {
	results := trouble(t, "restarts")
	type holding struct{ Files, Threads, Children, Resident int }
	var r struct {
		Sense, All    []float64
		Before, After holding
	}
	if err := json.Unmarshal(results["restarts"], &r); err != nil {
		t.Fatalf("the guest did not get to it: %v", err)
	}
	for name, took := range map[string][]float64{"the process that sees": r.Sense, "all of kerb run": r.All} {
		slices.Sort(took)
		t.Logf("%s killed ×%d: the camera open again for good after %.2f s in the middle, %.2f s at most", name, len(took), took[len(took)/2], took[len(took)-1])
		if took[len(took)-1] > 5 {
			t.Errorf("%s: more than 5 s", name)
		}
	}
	t.Logf("the supervisor held %+v, then %+v", r.Before, r.After)
	if r.After.Files > r.Before.Files || r.After.Children > r.Before.Children || r.After.Threads > r.Before.Threads+4 || r.After.Resident > r.Before.Resident+r.Before.Resident/10+4096 {
		t.Error("the supervisor grew")
	}
}

// The test compares the cost of a picture with that of ffmpeg and motion at the same job in
// the same machine, whose clock counts instructions: it is a ratio of those, and
// no time of a board.
func TestWhatACameraCosts(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("five programs for a minute each: KERB_LONG=1, or make vm-cameras")
	}
	for _, name := range []string{"ffmpeg", "motion"} {
		if _, err := os.Stat("/usr/bin/" + name); err != nil {
			t.Skipf("install the package %s: %v", name, err)
		}
	}
	host := loops.with("-m", "1024", "-fsdev", "local,id=host,path=/,security_model=none,readonly=on", "-device", "virtio-9p-pci,fsdev=host,mount_tag=host")
	files := []string{buildTests(t, "agent.test", "../../agent")}
	for _, m := range []string{"virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "netfs", "fscache", "9pnet", "9pnet_virtio", "9p"} {
		files = append(files, "host/"+m+".ko")
	}
	var ms map[string]float64
	if err := json.Unmarshal(film(t, host, "kerb.film=cost", files...)["costs"], &ms); err != nil {
		t.Fatalf("the guest did not get to it: %v", err)
	}
	kerb, gray, yuyv := ms["kerb luma"], ms["ffmpeg gray"], ms["ffmpeg yuyv422"]
	t.Logf("640×480, ten pictures a second, ms of this machine for each picture")
	t.Logf("luma: kerb %.2f, ffmpeg %.2f of GREY and %.2f of YUYV, ratio %.2f and %.2f", kerb, gray, yuyv, kerb/gray, kerb/yuyv)
	t.Logf("what moves: kerb run %.2f, motion %.2f, ratio %.2f", ms["kerb run"], ms["motion"], ms["kerb run"]/ms["motion"])
	if kerb <= 0 || gray <= 0 || ms["kerb run"] < kerb || ms["motion"] < gray {
		t.Errorf("who looks for what moves has the luma first: %v", ms)
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
