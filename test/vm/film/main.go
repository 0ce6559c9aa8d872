// Film is the first and only program of the virtual machine: it loads vivid,
// the kernel's made-up camera, and captures from it through kerb's driver, at
// last inside the walls. It prints one line of JSON per scenario.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"kerb/agent/cage"
	"kerb/drivers/camera"
	"kerb/drivers/camera/v4l2"
)

// vivid and what it needs, in the order in which they can be loaded.
var cameraModules = []string{
	"mc", "videodev", "videobuf2-common", "videobuf2-memops", "videobuf2-v4l2", "videobuf2-vmalloc", "videobuf2-dma-contig",
	"v4l2-dv-timings", "v4l2-tpg", "rc-core", "cec", "vivid",
}

func main() {
	for _, m := range []struct{ fs, at string }{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/tmp"}} {
		_ = os.MkdirAll(m.at, 0o755)
		_ = unix.Mount(m.fs, m.at, m.fs, 0, "")
	}
	for _, s := range []struct {
		name string
		run  func() (any, error)
	}{{"formats", formats}, {"probed", probed}, {"counted", counted}, {"whole", whole}, {"reduced", reduced}, {"slow", slow}, {"caged", caged}} {
		start := time.Now()
		result, err := s.run()
		if err != nil {
			fmt.Println("GUEST ERROR", s.name, err)
			break
		}
		line, _ := json.Marshal(map[string]any{"scenario": s.name, "seconds": time.Since(start).Seconds(), "result": result})
		fmt.Printf("RESULT %s\n", line)
	}
	// Inside the walls this is refused; the kernel then panics for want of its
	// first program, and the machine ends all the same.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func whole() (any, error)   { return watch(640*480, 0) }
func reduced() (any, error) { return watch(100*100, 0) }
func slow() (any, error)    { return watch(640*480, 300*time.Millisecond) }

const videoDevice = "/dev/video0"

// watched is what became of one opening of the camera.
type watched struct {
	Set      string
	Width    int
	Height   int
	Pictures int
	Distinct int // pictures that differ from the one before
	Dropped  uint64
	Mean     int // level of the last
}

// formats are what the driver enumerates.
func formats() (any, error) {
	for _, m := range cameraModules {
		f, err := os.Open("/" + m + ".ko")
		if err != nil {
			return nil, err
		}
		options := ""
		if m == "vivid" {
			options = "n_devs=1 node_types=0x1 num_inputs=1 input_types=0"
		}
		if err := unix.FinitModule(int(f.Fd()), options, 0); err != nil {
			return nil, fmt.Errorf("load %s: %w", m, err)
		}
		f.Close()
	}
	fd, err := openVideo()
	if err != nil {
		return nil, err
	}
	dev, err := v4l2.New(fd)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	all := []string{dev.Name()}
	for _, f := range dev.Formats() {
		all = append(all, f.String())
	}
	return all, nil
}

// stable is where udev would put the camera.
const stable = "/dev/v4l/by-path/platform-vivid.0-video-index0"

// probed is what kerb probe says of the camera, the site.toml that it writes, and
// what kerb check says of that.
func probed() (any, error) {
	if err := errors.Join(os.MkdirAll("/dev/v4l/by-path", 0o755), os.Symlink("../../video0", stable)); err != nil {
		return nil, err
	}
	var said struct {
		Found, Again json.RawMessage
		Site, Check  string
	}
	out, err := exec.Command("/kerb", "probe", "-json", "-write", "/site.toml").Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("kerb probe: %w: %s", err, exit.Stderr)
	}
	said.Found = out
	text, err := os.ReadFile("/site.toml")
	if err != nil {
		return nil, err
	}
	said.Site = string(text)
	out, err = exec.Command("/kerb", "check", "-site", "/site.toml", "-policy", "/policy.toml").CombinedOutput()
	if said.Check = string(out); err != nil {
		return nil, fmt.Errorf("kerb check: %w: %s", err, out)
	}
	said.Again, err = exec.Command("/kerb", "probe", "-json", "-site", "/site.toml").Output()
	return said, err
}

// counted is all of kerb run with the site.toml that kerb probe wrote. Nobody
// listens at the broker's address; what was seen is in the spool.
func counted() (any, error) {
	words, err := os.Create("/words")
	if err != nil {
		return nil, err
	}
	defer words.Close()
	kerb := exec.Command("/kerb", "run", "-site", "/site.toml", "-policy", "/policy.toml")
	kerb.Stderr = words
	if err := kerb.Start(); err != nil {
		return nil, err
	}
	said := func() string { b, _ := os.ReadFile("/words"); return string(b) }
	for end := time.Now().Add(2 * time.Minute); !strings.Contains(said(), "camera open"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			_ = kerb.Process.Kill()
			return nil, fmt.Errorf("kerb run opens no camera:\n%s", said())
		}
	}
	time.Sleep(10 * time.Second)
	if err := kerb.Process.Signal(unix.SIGTERM); err != nil {
		return nil, err
	}
	if err := kerb.Wait(); err != nil {
		return nil, fmt.Errorf("kerb run: %w\n%s", err, said())
	}
	out, err := exec.Command("/kerb", "spool", "-json", "/var/lib/kerb/spool.db").Output()
	if err != nil {
		return nil, fmt.Errorf("kerb spool: %w\n%s", err, said())
	}
	var r struct {
		Observed int
		Streams  []string
		Words    string
	}
	for line := range bytes.Lines(out) {
		var w struct {
			Window struct {
				Stream   string
				Observed int `json:"observed_s"`
			}
		}
		if err := json.Unmarshal(line, &w); err != nil {
			return nil, err
		}
		r.Observed += w.Window.Observed
		r.Streams = append(r.Streams, w.Window.Stream)
	}
	r.Words = said()
	return r, nil
}

func openVideo() (int, error) {
	for range 100 {
		if fd, err := unix.Open(videoDevice, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
			return fd, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return -1, fmt.Errorf("no %s", videoDevice)
}

func watch(pixels int, pause time.Duration) (w watched, err error) {
	fd, err := openVideo()
	if err != nil {
		return w, err
	}
	return look(fd, pixels, pause)
}

func look(fd, pixels int, pause time.Duration) (w watched, err error) {
	d, err := camera.OpenDevice(context.Background(), fd, camera.Limits{MaxPixels: pixels}, camera.Live{Newest: true})
	if err != nil {
		return w, err
	}
	defer d.Close()
	w.Set = d.Format().String()
	w.Width, w.Height = d.Size()
	dst, before := make([]byte, w.Width*w.Height), make([]byte, w.Width*w.Height)
	for range 20 {
		if _, err := d.ReadInto(context.Background(), dst); err != nil {
			return w, err
		}
		w.Pictures++
		if string(dst) != string(before) {
			w.Distinct++
		}
		copy(before, dst)
		time.Sleep(pause)
	}
	sum := 0
	for _, v := range dst {
		sum += int(v)
	}
	w.Mean, w.Dropped = sum/len(dst), d.Dropped()
	return w, nil
}

// caged opens the camera, builds the walls, and captures: all in this process,
// which is why nothing else can be done after it.
func caged() (any, error) {
	fd, err := openVideo()
	if err != nil {
		return nil, err
	}
	if _, err := cage.Sense().Video().Apply(); err != nil {
		return nil, err
	}
	if _, err := os.Open("/proc/self/status"); err == nil {
		return nil, errors.New("the walls do not hold")
	}
	return look(fd, 640*480, 0)
}
