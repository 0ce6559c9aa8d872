package probe

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kerb/agent/handover"
	"kerb/agent/opener"
	"kerb/agent/policy"
	"kerb/agent/process"
	"kerb/agent/source"
	"kerb/drivers/camera"
	"kerb/drivers/camera/v4l2"
	loopdriver "kerb/drivers/loop"
)

// attachedCamera is a camera of this device, as site.toml may name it.
type attachedCamera struct {
	Source  string   `json:"source"`           // a path that stays, or csi:N
	Device  string   `json:"device,omitempty"` // where it is at present
	Name    string   `json:"name"`             // what its driver calls it
	Formats []string `json:"formats"`
	Choice  string   `json:"choice,omitempty"` // what kerb would set
}

// attachedChip is a GPIO chip with named lines, to which loops can be wired.
type attachedChip struct {
	Chip  string         `json:"chip"` // its label
	Path  string         `json:"path"`
	Lines []attachedLine `json:"lines"`
}

type attachedLine struct {
	Name string `json:"name"`
	User string `json:"user,omitempty"` // who holds it
}

// startRate is how many pictures a second a starting site.toml looks at.
const startRate = 10

// attached are the cameras of this device: those of the kernel, and a Raspberry
// Pi's own.
func FindCameras(ctx context.Context) (all []attachedCamera) {
	nodes, _ := filepath.Glob("/dev/video*") // the pattern is right
	slices.SortFunc(nodes, func(a, b string) int { return numberOf(a) - numberOf(b) })
	for _, node := range nodes {
		if c, ok := videoNode(node); ok {
			all = append(all, c)
		}
	}
	return append(all, ribbons(ctx)...)
}

func numberOf(node string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(node, "/dev/video"))
	return n
}

// stages are nodes of a Raspberry Pi that look like cameras and are stages of its
// own picture processing.
var stages = regexp.MustCompile(`^(bcm2835-(isp|codec)|pispbe|rpi-hevc|rp1-cfe|unicam)`)

// videoNode is what the kernel says of one node, if that is a camera which kerb
// can read.
func videoNode(node string) (attachedCamera, bool) {
	f, err := opener.OpenDevice(node)
	if err != nil {
		return attachedCamera{}, false
	}
	fds, err := handover.DetachFDs([]*os.File{f})
	if err != nil {
		return attachedCamera{}, false
	}
	dev, err := v4l2.New(fds[0])
	if err != nil {
		return attachedCamera{}, false
	}
	defer dev.Close()
	formats := dev.ListFormats()
	if len(formats) == 0 || stages.MatchString(dev.Name()) {
		return attachedCamera{}, false
	}
	c := attachedCamera{Source: lastingPath(node), Device: node, Name: string(process.PlainText([]byte(dev.Name())))}
	for _, f := range formats {
		c.Formats = append(c.Formats, f.String())
	}
	if choice, ok := camera.ChooseFormat(formats, source.Limits(policy.ClipPixels), startRate); ok {
		c.Choice = choice.String()
	}
	return c, true
}

// lastingPath names the socket that a camera is plugged into, or itself, where
// udev does; its number is another one after the next start.
func lastingPath(node string) string {
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

// ribbon is a camera in the list of rpicam-hello:
//
//	0 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx708@1a)
var ribbon = regexp.MustCompile(`(?m)^([0-9]) : (\S+) \[([^\]\n]*)\]`)

// ribbons are the cameras that libcamera finds, where rpicam-apps are installed.
func ribbons(ctx context.Context) (all []attachedCamera) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for _, name := range []string{"rpicam-hello", "libcamera-hello"} { // its name before 2023
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, path, "--list-cameras")
		cmd.WaitDelay = time.Second
		out, _ := cmd.Output() // it fails where there are none
		for _, m := range ribbon.FindAllSubmatch(bytes.ReplaceAll(out, []byte("\r"), nil), 10) {
			all = append(all, attachedCamera{
				Source: "csi:" + string(m[1]), Name: process.PlainText(m[2]), Formats: []string{process.PlainText(m[3])},
				Choice: fmt.Sprintf("YU12 640×480 %d/s", ribbonRate),
			})
		}
		return all
	}
	return nil
}

// ribbonRate is what csi:N asks for.
const ribbonRate = 15

// chips are the GPIO chips whose lines have names.
func FindChips() (all []attachedChip) {
	lines, err := loopdriver.ListLines()
	if err != nil {
		return nil
	}
	for _, l := range lines {
		i := slices.IndexFunc(all, func(c attachedChip) bool { return c.Path == l.Path })
		if i < 0 {
			all = append(all, attachedChip{Chip: l.Chip, Path: l.Path})
			i = len(all) - 1
		}
		all[i].Lines = append(all[i].Lines, attachedLine{l.Name, l.User})
	}
	return all
}

// freeLines are the lines of a chip that nobody holds.
func (c attachedChip) freeLines() (names []string) {
	for _, l := range c.Lines {
		if l.User == "" {
			names = append(names, l.Name)
		}
	}
	return names
}

func (c attachedChip) String() string {
	free := c.freeLines()
	if len(free) == 0 {
		return fmt.Sprintf("%s %s: all %d lines are held", c.Path, c.Chip, len(c.Lines))
	}
	return fmt.Sprintf("%s %s: %d lines, %d free: %s … %s", c.Path, c.Chip, len(c.Lines), len(free), free[0], free[len(free)-1])
}
