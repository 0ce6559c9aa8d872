package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"kerb/agent/handover"
	"kerb/agent/opener"
	"kerb/agent/policy"
	"kerb/agent/process"
	"kerb/agent/source"
	"kerb/drivers/camera"
	"kerb/drivers/camera/v4l2"
	loopdriver "kerb/drivers/loop"
)

// An AttachedCamera is a camera of this device that site.toml can name.
type AttachedCamera struct {
	Source  string   `json:"source"`           // for source in site.toml: a path that survives a restart, or csi:N
	Device  string   `json:"device,omitempty"` // its present device node, such as /dev/video0
	Name    string   `json:"name"`             // the driver's name for it
	Formats []string `json:"formats"`
	Choice  string   `json:"choice,omitempty"` // the format that kerb would set
}

// A Chip is a GPIO chip with named lines, to which loops can be wired.
type Chip struct {
	Chip  string     `json:"chip"` // its label
	Path  string     `json:"path"`
	Lines []ChipLine `json:"lines"`
}

// A ChipLine is one line of a GPIO chip.
type ChipLine struct {
	Name string `json:"name"`
	User string `json:"user,omitempty"` // the program or driver that uses it; empty: free
}

// siteRate is fps in a first site.toml, in pictures a second. 8–15 are enough to follow
// people.
const siteRate = 10

// FindCameras lists the cameras of this device: V4L2 devices in the order of their
// numbers, and then the cameras that libcamera finds on a Raspberry Pi.
func FindCameras(ctx context.Context) (all []AttachedCamera) {
	nodes, _ := filepath.Glob("/dev/video*") // the pattern is right
	slices.SortFunc(nodes, func(a, b string) int { return nodeNumber(a) - nodeNumber(b) })
	for _, node := range nodes {
		if c, ok := describeNode(node); ok {
			all = append(all, c)
		}
	}
	return append(all, listPiCameras(ctx)...)
}

// nodeNumber returns N of /dev/videoN.
func nodeNumber(node string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(node, "/dev/video"))
	return n
}

// pipelineStages matches the names of V4L2 devices of a Raspberry Pi that are stages of
// its image pipeline (ISP, codec, CSI receiver) and no cameras.
var pipelineStages = regexp.MustCompile(`^(bcm2835-(isp|codec)|pispbe|rpi-hevc|rp1-cfe|unicam)`)

// describeNode asks the kernel for name and formats of a V4L2 device. It reports false
// for a device that is no camera, or a camera whose formats kerb cannot read.
func describeNode(node string) (AttachedCamera, bool) {
	f, err := opener.OpenDevice(node)
	if err != nil {
		return AttachedCamera{}, false
	}
	fds, err := handover.DetachFDs([]*os.File{f})
	if err != nil {
		return AttachedCamera{}, false
	}
	dev, err := v4l2.New(fds[0])
	if err != nil {
		return AttachedCamera{}, false
	}
	defer dev.Close()
	formats := dev.ListFormats()
	if len(formats) == 0 || pipelineStages.MatchString(dev.Name()) {
		return AttachedCamera{}, false
	}
	c := AttachedCamera{Source: stablePath(node), Device: node, Name: string(process.PlainText([]byte(dev.Name())))}
	for _, f := range formats {
		c.Formats = append(c.Formats, f.String())
	}
	if choice, ok := camera.ChooseFormat(formats, source.Limits(policy.ClipPixels), siteRate); ok {
		c.Choice = choice.String()
	}
	return c, true
}

// stablePath returns udev's link to a device by its USB port (by-path), or else by its
// serial number (by-id), because the number in /dev/videoN may change with each start.
// Without udev it returns the node itself.
func stablePath(node string) string {
	for _, by := range []string{"/dev/v4l/by-path/*", "/dev/v4l/by-id/*"} {
		links, _ := filepath.Glob(by)
		for _, link := range links {
			if to, err := filepath.EvalSymlinks(link); err == nil && to == node {
				return link
			}
		}
	}
	return node
}

// piCameraRow matches a camera in the list of rpicam-hello:
//
//	0 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx708@1a)
var piCameraRow = regexp.MustCompile(`(?m)^([0-9]) : (\S+) \[([^\]\n]*)\]`)

// listTimeout bounds rpicam-hello --list-cameras; chosen by hand.
const listTimeout = 15 * time.Second

// listPiCameras lists the cameras that libcamera finds, where rpicam-apps are
// installed.
func listPiCameras(ctx context.Context) (all []AttachedCamera) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	for _, name := range []string{"rpicam-hello", "libcamera-hello"} { // its name before 2023
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, path, "--list-cameras")
		cmd.WaitDelay = time.Second
		out, _ := cmd.Output() // its exit status is an error where there is no camera
		for _, m := range piCameraRow.FindAllSubmatch(bytes.ReplaceAll(out, []byte("\r"), nil), 10) {
			all = append(all, AttachedCamera{
				Source: "csi:" + string(m[1]), Name: process.PlainText(m[2]), Formats: []string{process.PlainText(m[3])},
				Choice: fmt.Sprintf("YU12 640×480 %d/s", piCameraRate),
			})
		}
		return all
	}
	return nil
}

// piCameraRate is the rate that kerb asks of csi:N, in pictures a second.
const piCameraRate = 15

// ListChips lists the GPIO chips that have named lines; none where the kernel lists
// none.
func ListChips() (all []Chip) {
	lines, err := loopdriver.ListLines()
	if err != nil {
		return nil
	}
	for _, l := range lines {
		i := slices.IndexFunc(all, func(c Chip) bool { return c.Path == l.Path })
		if i < 0 {
			all = append(all, Chip{Chip: l.Chip, Path: l.Path})
			i = len(all) - 1
		}
		all[i].Lines = append(all[i].Lines, ChipLine{l.Name, l.User})
	}
	return all
}

// freeLines lists the names of the lines that no program or driver uses.
func (c Chip) freeLines() (names []string) {
	for _, l := range c.Lines {
		if l.User == "" {
			names = append(names, l.Name)
		}
	}
	return names
}

// String describes the chip and its free lines in one line.
func (c Chip) String() string {
	free := c.freeLines()
	if len(free) == 0 {
		return fmt.Sprintf("%s %s: all %d lines are held", c.Path, c.Chip, len(c.Lines))
	}
	return fmt.Sprintf("%s %s: %d lines, %d free: %s … %s", c.Path, c.Chip, len(c.Lines), len(free), free[0], free[len(free)-1])
}

// ListDenied lists those of the device files that this user may not open for reading
// and writing.
func ListDenied(paths []string) (denied []string) {
	for _, path := range paths {
		if errors.Is(unix.Access(path, unix.R_OK|unix.W_OK), unix.EACCES) {
			denied = append(denied, path)
		}
	}
	return denied
}

// groupOf names the group of a kind of device, as Debian and Raspberry Pi OS do.
func groupOf(path string) string {
	if strings.HasPrefix(path, "/dev/gpiochip") {
		return "gpio"
	}
	return "video"
}
