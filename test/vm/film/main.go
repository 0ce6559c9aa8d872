// Film is the first program of a virtual machine: it loads vivid, the kernel's
// made-up camera, and does with it what kerb.film on the kernel's command line
// says. It prints one line of JSON per scenario.
package main

import (
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
	for _, s := range asked() {
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

// scenario is one thing that is done with the camera.
type scenario struct {
	name string
	run  func() (any, error)
}

// asked are the scenarios of this start. The walls of the last one are never
// left again.
func asked() []scenario {
	line, _ := os.ReadFile("/proc/cmdline")
	_, film, _ := strings.Cut(string(line), "kerb.film=")
	first := []scenario{{"formats", formats}, {"probed", probed}}
	switch film, _, _ = strings.Cut(strings.TrimSpace(film), " "); film {
	case "publish":
		return append(first, scenario{"published", published})
	case "faults":
		return append(first, scenario{"faults", faults})
	case "restarts":
		return append(first, scenario{"restarts", restarts})
	case "cost":
		return append(first, scenario{"costs", costs})
	}
	return append(first, scenario{"counted", counted}, scenario{"whole", whole}, scenario{"reduced", reduced}, scenario{"slow", slow}, scenario{"caged", caged})
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

// vividOptions make one webcam.
const vividOptions = "n_devs=1 node_types=0x1 num_inputs=1 input_types=0"

// load loads modules of the kernel, the last one with options.
func load(options string, modules ...string) error {
	for i, m := range modules {
		f, err := os.Open("/" + m + ".ko")
		if err != nil {
			return err
		}
		words := ""
		if i == len(modules)-1 {
			words = options
		}
		err = unix.FinitModule(int(f.Fd()), words, 0)
		f.Close()
		if err != nil {
			return fmt.Errorf("load %s: %w", m, err)
		}
	}
	return nil
}

// formats are what the driver enumerates.
func formats() (any, error) {
	if err := load(vividOptions, cameraModules...); err != nil {
		return nil, err
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
