// Package config reads site.toml, the engineer's file: which device, which
// sensors, which lines and zones, which broker. It turns the file into plain
// values and refuses a wrong one with every mistake at once.
package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kerb/agent/mistake"
	"kerb/agent/week"
	"kerb/counting"
)

// Site is what site.toml says, checked.
type Site struct {
	Device  Device
	Broker  Broker
	Trust   Trust
	Cameras []Camera
	Loops   Loops
	Compare []Compare
	Lamp    Lamp

	file  string
	sheet *mistake.Sheet
}

// Device says who this device is. The three names are levels of its topics.
type Device struct {
	Name, Site, Tenant string
	Place              Place
	State              string    // the directory of the spool
	ClockFloor         time.Time // a clock that shows at least this is believed without a time server; zero: never
	Strict             bool      // not to run where a wall around a process does not hold
}

// Place is where the device hangs; the zero value is "not told".
type Place struct {
	Lat, Lon    float64 // degrees, WGS 84
	Description string
}

// Broker is where the messages go.
type Broker struct {
	URL               string // mqtt, mqtts, ws or wss
	User              string
	PasswordFile      string // never the password itself
	CAFile            string // PEM; empty: the system's
	CertFile, KeyFile string // PEM, for mutual TLS
}

// Camera is one camera and what is counted in its picture.
type Camera struct {
	Name         string
	Source       string   // see Feed
	Command      []string // a program that writes pictures, instead of a source
	Format       string   // of what it writes; empty: that tells by itself
	User         string
	PasswordFile string        // never the password itself
	CAFile       string        // PEM; empty: the system's
	Certificate  string        // SHA-256 of the camera's own, 32 bytes; empty: who vouches decides
	UDP          bool          // of RTSP: pictures by UDP
	FPS          float64       // pictures a second that are looked at; 0: every one
	Asked        time.Duration // the time between two askings for one picture; 0: they come by themselves
	Hours        week.Shifts   // when it is open, in the time zone of the policy's hours; nil: always
	Detector     string        // auto, neural or motion
	Model        string        // the network's file, or the name of one in the binary; empty: as auto chooses
	ModelSum     string        // what that file must hold, as sha256:…; empty: whatever it holds
	Lines        []Line
	Zones        []Zone
	Masks        []counting.Polygon
	Heights      []counting.Height // none or two
}

// Lamp is the status lamp; none where GPIO is empty.
type Lamp struct {
	GPIO      string // the line's name in the kernel
	Chip      string // the chip's label; empty: the board's own
	ActiveLow bool
}

// Line is a line and what is counted over it.
type Line struct {
	counting.Line
	Classes []counting.Class
}

// Zone is a zone and what is counted in it.
type Zone struct {
	counting.Zone
	Classes []counting.Class
}

// Streams is every stream that the site declares, in the order of the file.
func (s *Site) Streams() (all []counting.Stream) {
	for _, c := range s.Cameras {
		all = append(all, c.Streams()...)
	}
	return append(all, s.Loops.Streams()...)
}

// Streams is every stream of one camera: its lines, then its zones.
func (c Camera) Streams() (all []counting.Stream) {
	for _, l := range c.Lines {
		all = append(all, counting.Stream{ID: l.ID, Kind: counting.LineStream, Sensor: c.Name, Classes: l.Classes})
	}
	for _, z := range c.Zones {
		all = append(all, counting.Stream{ID: z.ID, Kind: counting.ZoneStream, Sensor: c.Name, Still: c.Still(), Classes: z.Classes})
	}
	return all
}

// Dir is the directory of the file, against which its paths are taken.
func (s *Site) Dir() string { return filepath.Dir(s.file) }

// At is the place of a key, such as camera[0].line[1].classes, as file:line.
func (s *Site) At(key string) string { return s.sheet.Locate(key) }

// Load reads and checks the file. The error is a mistake.List when the file
// could be read.
func Load(path string) (*Site, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the site file: %w", err)
	}
	return Parse(path, data)
}

// Parse is Load for a file that is already in memory.
func Parse(name string, data []byte) (*Site, error) {
	var f siteFile
	sheet := mistake.DecodeTOML(name, data, &f)
	if sheet.Malformed() {
		return nil, sheet.Err()
	}
	dir := filepath.Dir(name)
	c := checker{Sheet: sheet, ids: map[string]string{}, dir: dir, modelDirs: modelDirs(dir, f.Device.State)}
	c.checkDevice(f.Device)
	c.checkBroker(f.Broker)
	c.checkCameras(f.Camera)
	c.checkLoops(f.Loop)
	c.checkComparisons(f.Compare)
	trust := c.checkTrust(f.Trust)
	if err := sheet.Err(); err != nil {
		return nil, err
	}
	s := f.toSite(name, sheet)
	s.Trust = trust
	return s, nil
}

// Reach reads no more of a file than it takes to tell its broker that the rest
// is wrong: [device] and [broker], which must hold. Where the file is not even
// TOML, what stands before the fault is read.
func Reach(path string) (*Site, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the site file: %w", err)
	}
	var f siteFile
	sheet := mistake.DecodeTOML(path, data, &f)
	var wrong mistake.List
	if sheet.Malformed() && errors.As(sheet.Err(), &wrong) {
		lines := bytes.SplitAfter(data, []byte("\n"))
		data = bytes.Join(lines[:min(max(wrong[0].Line-1, 0), len(lines))], nil)
		sheet = mistake.DecodeTOML(path, data, &f)
	}
	f = siteFile{Device: f.Device, Broker: f.Broker}
	c := checker{Sheet: sheet, dir: filepath.Dir(path)}
	c.checkDevice(f.Device)
	c.checkBroker(f.Broker)
	if errors.As(sheet.Err(), &wrong) {
		for _, m := range wrong {
			if m.Key == "" || strings.HasPrefix(m.Key, "device.") || strings.HasPrefix(m.Key, "broker.") {
				return nil, m
			}
		}
	}
	return f.toSite(path, sheet), nil
}

// resolvePath takes a path of the file against the file's own directory.
func resolvePath(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// Every is the time between two pictures that are looked at; 0: all of them.
func (c Camera) Every() time.Duration {
	if c.FPS == 0 {
		return 0
	}
	return time.Duration(float64(time.Second) / cmp.Or(c.FPS, 1))
}

// Wrong adds a mistake that only the use of a key's value has shown, and
// returns all that is wrong with the file.
func (s *Site) Wrong(key, want, hint string) error {
	s.sheet.Reject(key, want, hint)
	return s.sheet.Err()
}
