// Film is the init process of a virtual machine. It loads vivid, the kernel's
// virtual camera driver, and runs the scenarios that kerb.film= on the kernel's
// command line selects: formats, probe, counting, publishing, faults, restarts,
// or cost. It prints one line of JSON per scenario, stops at the first that
// fails, and powers the machine off. It judges no result: the test outside the
// machine does. Only the publish scenario has a network card.
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

// cameraModules are vivid and its dependencies, in loading order.
var cameraModules = []string{
	"mc", "videodev", "videobuf2-common", "videobuf2-memops", "videobuf2-v4l2", "videobuf2-vmalloc", "videobuf2-dma-contig",
	"v4l2-dv-timings", "v4l2-tpg", "rc-core", "cec", "vivid",
}

func main() {
	for _, m := range []struct{ fs, at string }{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/tmp"}} {
		_ = os.MkdirAll(m.at, 0o755)
		_ = unix.Mount(m.fs, m.at, m.fs, 0, "")
	}
	for _, s := range chosenScenarios() {
		start := time.Now()
		result, err := s.run()
		if err != nil {
			fmt.Println("GUEST ERROR", s.name, err)
			break
		}
		line, _ := json.Marshal(map[string]any{"scenario": s.name, "seconds": time.Since(start).Seconds(), "result": result})
		fmt.Printf("RESULT %s\n", line)
	}
	// Inside the walls this call is refused. The kernel then panics because init
	// ended, and the machine stops too.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// scenario is one use of the camera.
type scenario struct {
	name string
	run  func() (any, error)
}

// chosenScenarios returns the scenarios of this start. caged comes last,
// because this process cannot leave the walls again.
func chosenScenarios() []scenario {
	line, _ := os.ReadFile("/proc/cmdline")
	_, film, _ := strings.Cut(string(line), "kerb.film=")
	first := []scenario{{"formats", listFormats}, {"probed", runProbe}}
	switch film, _, _ = strings.Cut(strings.TrimSpace(film), " "); film {
	case "publish":
		return append(first, scenario{"published", runPublish})
	case "faults":
		return append(first, scenario{"faults", runFaults})
	case "restarts":
		return append(first, scenario{"restarts", measureRestarts})
	case "cost":
		return append(first, scenario{"costs", measureCosts})
	}
	return append(first, scenario{"counted", runCounted}, scenario{"whole", watchWhole}, scenario{"reduced", watchReduced}, scenario{"slow", watchSlowly}, scenario{"caged", watchCaged})
}

func watchWhole() (any, error)   { return watchCamera(640*480, 0) }
func watchReduced() (any, error) { return watchCamera(100*100, 0) }
func watchSlowly() (any, error)  { return watchCamera(640*480, 300*time.Millisecond) }

const videoDevice = "/dev/video0"

// watched holds the results of one opening of the camera.
type watched struct {
	Set      string
	Width    int
	Height   int
	Pictures int
	Distinct int // pictures that differ from the one before
	Dropped  uint64
	Mean     int // luma of the last picture, 0–255
}

// vividOptions make vivid create one webcam.
const vividOptions = "n_devs=1 node_types=0x1 num_inputs=1 input_types=0"

// loadModules loads kernel modules, the last one with options.
func loadModules(options string, modules ...string) error {
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

// listFormats returns the formats that the driver enumerates.
func listFormats() (any, error) {
	if err := loadModules(vividOptions, cameraModules...); err != nil {
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
	for _, f := range dev.ListFormats() {
		all = append(all, f.String())
	}
	return all, nil
}

// stablePath is the path at which udev would link the camera.
const stablePath = "/dev/v4l/by-path/platform-vivid.0-video-index0"

// runProbe returns the output of kerb probe for the camera, the site.toml that
// it writes, and the output of kerb check for that file.
func runProbe() (any, error) {
	if err := errors.Join(os.MkdirAll("/dev/v4l/by-path", 0o755), os.Symlink("../../video0", stablePath)); err != nil {
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

// openVideo opens the camera, and waits up to 2 s for its device file.
func openVideo() (int, error) {
	for range 100 {
		if fd, err := unix.Open(videoDevice, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
			return fd, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return -1, fmt.Errorf("no %s", videoDevice)
}

// watchCamera opens the camera and reads pictures of at most that many pixels.
func watchCamera(pixels int, pause time.Duration) (w watched, err error) {
	fd, err := openVideo()
	if err != nil {
		return w, err
	}
	return readPictures(fd, pixels, pause)
}

// readPictures reads 20 pictures with a pause after each.
func readPictures(fd, pixels int, pause time.Duration) (w watched, err error) {
	d, err := camera.OpenDevice(context.Background(), fd, camera.Limits{MaxPixels: pixels}, camera.Live{Newest: true})
	if err != nil {
		return w, err
	}
	defer d.Close()
	w.Set = d.CaptureFormat().String()
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

// watchCaged opens the camera, builds the walls and captures, all in this
// process. No other scenario can follow, because the walls stay.
func watchCaged() (any, error) {
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
	return readPictures(fd, 640*480, 0)
}
