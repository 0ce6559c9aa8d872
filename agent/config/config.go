// Package config reads site.toml, the file of the engineer: the device, its
// cameras and loops, their lines and zones, and the broker. Parse decodes the
// file, checks every key and every relation between keys, and returns plain
// values in which paths are absolute and defaults are set.
//
// It refuses a file with any mistake, and reports all of them in one
// mistake.List. It refuses secrets in the file: passwords and keys are named by
// their files. Whether the policy allows what the site counts is checked by
// package policy.
package config

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kerb/agent/mistake"
	"kerb/agent/week"
	"kerb/counting"
)

// Site is a checked site.toml.
type Site struct {
	Device      Device
	Broker      Broker
	Trust       Trust
	Enrol       Enrol
	Cameras     []Camera
	Loops       Loops
	Comparisons []Comparison
	Labels      map[string]Label // by the id of the stream; of those that site.toml labels
	Lamp        Lamp
	AccessPoint AccessPoint

	Version int64  // of the file, as the engineer numbers it; 0: not numbered
	Hash    string // sha256:… of the file's bytes; "" for a site that was not read from a file

	file       string
	sheet      *mistake.Sheet
	labelOrder []string // ids of Labels in the order of the file
}

// Device names this device. Name, Site and Tenant are levels of its topics.
type Device struct {
	Name, Site, Tenant string
	Place              Place
	State              string    // path of the spool's directory
	ClockFloor         time.Time // a clock that shows this time or a later one is accepted without a time server; zero: never
	Strict             bool      // refuse to run where a wall around a process does not hold
	Bench              bool      // made-up sources may publish to a broker on another machine
}

// Place is the position of the device; the zero value means that none is given.
type Place struct {
	Lat, Lon    float64 // degrees, WGS 84
	Description string
}

// Broker is the MQTT broker that the messages go to.
type Broker struct {
	URL               string // mqtt, mqtts, ws or wss
	User              string
	PasswordFile      string // never the password itself
	CAFile            string // PEM; empty: the system's
	CertFile, KeyFile string // PEM, for mutual TLS

	ClientID    string        // empty: made from the device's name and the machine
	ALPN        []string      // protocols offered in the TLS handshake
	Confirm     time.Duration // watermark mode: how long to wait for a watermark before sending again; 0: no watermark is awaited
	NewestFirst bool          // late windows go newest first
	Pace        time.Duration // least time between two messages of late windows
	ByteRate    int           // bytes a second for late windows; 0: no limit
	Spread      time.Duration // windows go within this time after their end
	RetryMin    time.Duration // longest wait before the first connection
	RetryMax    time.Duration // longest wait after failures
}

// Camera is one camera with the lines, zones and masks in its picture.
type Camera struct {
	Name         string
	Source       Source // where its pictures come from
	User         string
	PasswordFile string     // never the password itself
	BasicAuth    bool       // Basic authentication is allowed without TLS
	CAFile       string     // PEM; empty: the system's
	Certificate  string     // SHA-256 of the camera's certificate, 32 bytes; empty: CAFile decides
	FPS          float64    // pictures a second that are processed, 1–30; 0: all
	Hours        week.Spans // when the camera is open, in the time zone of the policy's hours; nil: always
	Detector     string     // auto, neural or motion
	Model        string     // the network's file, or the name of one in the binary; empty: auto chooses
	ModelSum     string     // the hash that the file must have, as sha256:…; empty: not checked
	Lines        []Line
	Zones        []Zone
	Masks        []counting.Polygon
	Heights      []counting.Height  // none or two
	Distance     *counting.Distance // on the ground, along the road; nil: none
}

// Lamp is the status lamp. There is none where GPIO is empty.
type Lamp struct {
	GPIO      string // the line's name in the kernel
	Chip      string // the chip's label; empty: the board's own
	ActiveLow bool
}

// AccessPoint is the access point of an aiming session, which kerb access-point opens.
type AccessPoint struct {
	Country string // where the device stands, ISO 3166-1 alpha-2; empty: none is opened
	Always  bool   // also beside a network that a telephone could join
}

// Line is a counting line with the classes that are counted over it.
type Line struct {
	counting.Line
	Classes []counting.Class
}

// Zone is a zone with the classes that are counted in it.
type Zone struct {
	counting.Zone
	Classes []counting.Class
}

// HasDecoder reports whether ffmpeg decodes the H.265 of a camera.
func (s *Site) HasDecoder() bool {
	for _, c := range s.Cameras {
		if src, ok := c.Source.(RTSPSource); ok && src.FFmpeg {
			return true
		}
	}
	return false
}

// Streams returns every stream that the site declares, in the order of the
// file.
func (s *Site) Streams() (all []counting.Stream) {
	for _, c := range s.Cameras {
		all = append(all, c.Streams()...)
	}
	return append(all, s.Loops.Streams()...)
}

// Streams returns the streams of one camera: its lines, then its zones.
func (c Camera) Streams() (all []counting.Stream) {
	for _, l := range c.Lines {
		s := counting.Stream{ID: l.ID, Kind: counting.LineStream, Sensor: c.Name, Classes: l.Classes}
		if e := counting.SpeedError(c.Heights, c.Distance, l.Line); e <= counting.MaxSpeedError && s.CountsVehicles() {
			s.Measures, s.SpeedError = counting.QuantitiesOf(counting.LineStream), e
		}
		all = append(all, s)
	}
	for _, z := range c.Zones {
		s := counting.Stream{ID: z.ID, Kind: counting.ZoneStream, Sensor: c.Name, Polled: c.Polled(), Classes: z.Classes}
		if !s.Polled {
			s.Measures = counting.QuantitiesOf(counting.ZoneStream)
		}
		all = append(all, s)
	}
	return all
}

// Dir is the directory of the file. Relative paths in the file start there.
func (s *Site) Dir() string { return filepath.Dir(s.file) }

// LocateKey is the position of a key, such as camera[0].line[1].classes, as file:line.
func (s *Site) LocateKey(key string) string { return s.sheet.Locate(key) }

// Load reads and checks the file. The error is a mistake.List if the file could
// be read.
func Load(path string) (*Site, error) {
	data, err := mistake.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the site file: %w", err)
	}
	return Parse(path, data)
}

// Parse checks the text of a file; the directory of name is the start of its
// relative paths. It reads the files that the text names, to check them.
func Parse(name string, data []byte) (*Site, error) {
	return dropWrong(parse(name, data, false))
}

// ParseElsewhere is Parse of a file for another machine: files that the text names are
// not looked for, and a device.name of "serial" stays as it is.
func ParseElsewhere(name string, data []byte) (*Site, error) {
	return dropWrong(parse(name, data, true))
}

// dropWrong returns no site where there is an error.
func dropWrong(s *Site, err error) (*Site, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// LoadPart is Load of the file at path with the text of the file text, which may be a
// copy of it, and with mistakes it also returns the site as far as the file gives
// it, for the checks against a policy. It is nil where the file is not TOML, or not a
// site file.
func LoadPart(path, text string) (*Site, error) {
	data, err := mistake.ReadFile(text)
	if err != nil {
		return nil, fmt.Errorf("read the site file: %w", err)
	}
	return parse(path, data, false)
}

// parse is Parse, and with mistakes it also returns the site as LoadPart does.
func parse(name string, data []byte, elsewhere bool) (*Site, error) {
	var f siteFile
	sheet := mistake.DecodeTOML(name, data, &f)
	if sheet.Malformed() {
		return nil, sheet.Err()
	}
	if !sheet.HasKey("device") && (sheet.HasKey("clear") || sheet.HasKey("purpose")) {
		return nil, mistake.List{{File: name, Want: "is a policy, not a site file", Hint: "are the two files swapped?"}}
	}
	dir := filepath.Dir(name)
	c := checker{Sheet: sheet, ids: map[string]string{}, dir: dir, elsewhere: elsewhere, modelDirs: modelDirs(dir, f.Device.State)}
	if f.Version < 0 {
		c.Reject("version", "must be 1 or more", "raise it with each change of the file; leave it out where you do not number them")
	}
	c.checkDevice(f.Device)
	c.checkBroker(f.Broker)
	c.checkEnrol(f.Enrol, f.Broker)
	sources := c.checkCameras(f.Camera)
	c.checkLoops(f.Loop, f.Lamp)
	c.checkAccessPoint(f.AP)
	c.checkComparisons(f.Compare)
	c.checkLabels(f)
	c.checkMadeUp(f, sources)
	trust := c.checkTrust(f.Trust)
	s := f.toSite(name, sheet)
	if elsewhere { // the serial number of this board is not that device's
		s.Device.Name = f.Device.Name
	}
	s.Trust = trust
	s.Hash = fmt.Sprintf("sha256:%x", sha256.Sum256(data))
	for i, src := range sources {
		s.Cameras[i].Source = src
	}
	return s, sheet.Err()
}

// LoadBroker reads only [device] and [broker] of a file, and checks these two. kerb
// can then report to the broker that the rest is wrong. If the file is not
// TOML, the lines before the first syntax error are used.
func LoadBroker(path string) (*Site, error) {
	data, err := mistake.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the site file: %w", err)
	}
	f, sheet := decodeToSyntaxError(path, data)
	var wrong mistake.List
	f = siteFile{Device: f.Device, Broker: f.Broker, Enrol: f.Enrol}
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

// decodeToSyntaxError decodes a file, of one that is not TOML the lines before the
// first syntax error.
func decodeToSyntaxError(path string, data []byte) (f siteFile, sheet *mistake.Sheet) {
	sheet = mistake.DecodeTOML(path, data, &f)
	var wrong mistake.List
	if sheet.Malformed() && errors.As(sheet.Err(), &wrong) {
		lines := bytes.SplitAfter(data, []byte("\n"))
		data = bytes.Join(lines[:min(max(wrong[0].Line-1, 0), len(lines))], nil)
		sheet = mistake.DecodeTOML(path, data, &f)
	}
	return f, sheet
}

// resolvePath makes a path of the file absolute, starting at dir. An empty path
// stays empty.
func resolvePath(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// FrameInterval is the time between two pictures that are processed, 1/FPS; 0 where
// every picture is processed.
func (c Camera) FrameInterval() time.Duration {
	if c.FPS == 0 {
		return 0
	}
	return time.Duration(float64(time.Second) / cmp.Or(c.FPS, 1))
}

// RejectKey adds a mistake that was found only when the value of the key was used,
// and returns all mistakes of the file.
func (s *Site) RejectKey(key, want, hint string) error {
	s.sheet.Reject(key, want, hint)
	return s.sheet.Err()
}

// HasMistakeIn reports whether a key below the given one is wrong, so that a later check
// would say the same in other words.
func (s *Site) HasMistakeIn(key string) bool {
	var wrong mistake.List
	_ = errors.As(s.sheet.Err(), &wrong) // false leaves the list empty
	return slices.ContainsFunc(wrong, func(m mistake.Mistake) bool { return strings.HasPrefix(m.Key, key) })
}

// CameraName returns the name of camera i in the order of site.toml, "" where
// there is no such camera.
func (s *Site) CameraName(i int) string {
	if i < 0 || i >= len(s.Cameras) {
		return ""
	}
	return s.Cameras[i].Name
}

// FindCamera returns the camera of that name.
func (s *Site) FindCamera(name string) (Camera, bool) {
	for _, c := range s.Cameras {
		if c.Name == name {
			return c, true
		}
	}
	return Camera{}, false
}

// LoadDevice reads the table [device] alone, however wrong the rest of the file is. It
// is for commands that look at a device whose agent may have refused the file. A
// directory that is not given is DefaultState. The error is that of reading the file.
func LoadDevice(path string) (Device, error) {
	data, err := mistake.ReadFile(path)
	if err != nil {
		return Device{State: DefaultState}, fmt.Errorf("read the site file: %w", err)
	}
	f, sheet := decodeToSyntaxError(path, data)
	return siteFile{Device: f.Device}.toSite(path, sheet).Device, nil
}
