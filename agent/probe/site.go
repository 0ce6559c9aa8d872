package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"kerb/agent/config"
)

// WriteSite writes a first site.toml with the attached cameras of f, each with a line
// across its picture. Without a camera the file has examples as comments, and kerb check
// says that a camera is missing: nothing made up stands in for one. An existing file is an error unless replace is set.
func WriteSite(path string, replace bool, f Inventory) (err error) {
	text := siteText(f)
	if _, err := config.Parse(path, []byte(text)); err != nil && len(f.Attached) > 0 {
		return fmt.Errorf("what was found makes no site.toml: %w", err)
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if replace {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(path, flags, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: another name, or -force to replace it", path)
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

const siteHead = `# site.toml, as kerb probe began it: what this device looks at and where it reports.
# Names and broker are examples. Change them, draw the lines (kerb aim NAME), then
# kerb check. All keys: kerb schema site.

[device]
# Levels of the topic kerb/v1/{tenant}/{site}/{device}/…: a–z, 0–9, _ and -.
name = "%s"
site = "my-street"
tenant = "my-city"
# Where the spool lives%s.
state = "%s"
# place = { lat = 51.5390, lon = -0.1426, description = "lamp post 7, looking north" }

[broker]
# mqtt, mqtts, ws or wss. A password is never written here.
url = "mqtts://broker.example:8883"
# user = "%[1]s"
# password_file = "password"
`

const siteCamera = `
# %s
[[camera]]
name = "%s"
source = "%s"
# Pictures a second that are looked at. 8–15 is enough to follow people.
fps = %d

# From (x, y) to (x, y): 0 is left and top, 1 is right and bottom. Drawn from left
# to right, side a is above the line and side b below it.
[[camera.line]]
id = "%[2]s-line"
from = [0.05, 0.6]
to = [0.95, 0.6]
classes = ["person", "bicycle", "vehicle"]
`

const siteNetwork = `
# A camera of the network:
# [[camera]]
# name = "pole"
# source = "rtsp://192.0.2.10/stream"
# user = "viewer"
# password_file = "camera-password"
# [[camera.line]]
# id = "pole-line"
# from = [0.05, 0.6]
# to = [0.95, 0.6]
# classes = ["person", "bicycle", "vehicle"]
`

const siteLoops = `
# Loops, at the lines of %s:
# [loop]
# source = "gpio"
# [[loop.line]]
# name = "L1A"
# gpio = "%s"
# [[loop.lane]]
# id = "lane-1"
# loops = ["L1A"]
`

// siteText returns the text of the file.
func siteText(f Inventory) string {
	host, _ := os.Hostname()
	var b strings.Builder
	why, dir := "", config.DefaultState
	if MeasureDisk(dir).Denied {
		why, dir = "; on a device it is "+dir+", which this user may not make", "state"
	}
	fmt.Fprintf(&b, siteHead, topicLevel(host), why, dir)
	usb := 0
	for _, c := range f.Attached {
		name := strings.ReplaceAll(c.Source, ":", "")
		if c.Device != "" {
			usb++
			name = fmt.Sprintf("usb%d", usb)
		}
		fmt.Fprintf(&b, siteCamera, c.Name+": "+c.Choice, name, c.Source, siteRate)
	}
	if len(f.Attached) == 0 {
		b.WriteString("\n# No camera was found. Take the # off the lines of one of these, and put your own values in.\n")
	}
	b.WriteString(siteNetwork)
	for _, c := range f.GPIO {
		if free := c.freeLines(); len(free) > 0 {
			fmt.Fprintf(&b, siteLoops, c.Chip, free[0])
			break
		}
	}
	return b.String()
}

// topicLevel turns a host name into a level of an MQTT topic: its first label, with
// other characters than a–z, 0–9 and _ replaced by hyphens, cut to 32 bytes; pi where
// that is empty.
func topicLevel(host string) string {
	host, _, _ = strings.Cut(strings.ToLower(host), ".")
	host = strings.Trim(regexp.MustCompile(`[^a-z0-9_]+`).ReplaceAllString(host, "-"), "-")
	if host = host[:min(len(host), 32)]; host == "" {
		return "pi"
	}
	return host
}
