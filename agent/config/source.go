package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Source is where the pictures of a camera come from: one of the types in this
// file whose names end in Source. Parse makes it once from the keys source,
// command, format, transport, decoder and every. Package opener has one type switch that
// opens a Source, package source has one that reads it, and a test in package
// source finds a kind that either switch lacks.
type Source interface {
	// String returns the key source, with an absolute path in the place of a
	// relative one; "" for a command.
	String() string
	isSource()
}

// SceneSource is the built-in street, scene:WORDS.
type SceneSource struct {
	Words string // preset and options; package scene parses them
}

// RecordingSource is a recording in a file, played in a loop.
type RecordingSource struct {
	Path   string
	Format RecordingFormat
}

// MJPEGSource is an endless Motion-JPEG stream over HTTP or HTTPS.
type MJPEGSource struct{ Address }

// SnapshotSource is an HTTP or HTTPS address that is polled: each request gives
// one picture or one short clip.
type SnapshotSource struct {
	Address
	PollEvery time.Duration // the polling interval, 10 s–1 h
}

// RTSPSource is a stream over RTSP or RTSPS.
type RTSPSource struct {
	Address
	UDP    bool // pictures come by UDP instead of inside the RTSP connection
	FFmpeg bool // H.265 is decoded by the program ffmpeg; otherwise it is refused
}

// DeviceSource is a V4L2 device of the kernel.
type DeviceSource struct {
	Path string // below /dev
}

// CSISource is a camera on the CSI connector of a Raspberry Pi: its number, and
// the size, the rate and the codec that rpicam-vid is asked for.
type CSISource struct {
	Number        int    // of the connector, 0–9
	Width, Height int    // pixels, 64–4096, even
	Rate          int    // pictures a second, 1–60
	Codec         string // mjpeg or yuv420

	text string
}

// CommandSource is the output of a program.
type CommandSource struct {
	Words  []string // the full path of the program, then its arguments
	Format string   // of its pictures: formatShape; empty: the data itself tells
}

// Address is the network address of a camera. The zero value is no address.
type Address struct {
	URL      string // as in site.toml, without user and password
	HostPort string // host:port; the scheme's usual port where the URL names none
	TLS      bool   // https or rtsps
}

func (SceneSource) isSource()     {}
func (RecordingSource) isSource() {}
func (MJPEGSource) isSource()     {}
func (SnapshotSource) isSource()  {}
func (RTSPSource) isSource()      {}
func (DeviceSource) isSource()    {}
func (CSISource) isSource()       {}
func (CommandSource) isSource()   {}

// String returns scene: and the words.
func (s SceneSource) String() string { return scenePrefix + s.Words }

// String returns the path.
func (s RecordingSource) String() string { return s.Path }

// String returns the URL.
func (a Address) String() string { return a.URL }

// String returns the path.
func (s DeviceSource) String() string { return s.Path }

// String returns the text that the source was parsed from.
func (s CSISource) String() string { return s.text }

// String returns "": a command is no value of the key source.
func (CommandSource) String() string { return "" }

func (a Address) address() Address { return a }

// Address returns the one network address of the camera; the zero value where
// it has none.
func (c Camera) Address() Address {
	if s, ok := c.Source.(interface{ address() Address }); ok {
		return s.address()
	}
	return Address{}
}

// RefusesBasic reports whether the camera's password must not be sent by Basic
// authentication: without TLS, to another machine, unless basic_auth allows it.
func (c Camera) RefusesBasic() bool {
	a := c.Address()
	host, _, err := net.SplitHostPort(a.HostPort)
	return err == nil && !a.TLS && !c.BasicAuth && !isLoopback(host)
}

// Polled reports whether the camera is polled: its picture is then seen at
// instants, not all the time.
func (c Camera) Polled() bool {
	_, polled := c.Source.(SnapshotSource)
	return polled
}

// RecordingFormat is the format of a recording. The suffix of its name decides.
type RecordingFormat uint8

// The formats.
const (
	AVIRecording  RecordingFormat = iota // Motion-JPEG in AVI, and every other suffix
	JPEGRecording                        // .mjpeg, .mjpg: JPEGs one after another
	H264Recording                        // .mp4, .m4v, .mov, and .h264, .264, .avc: H.264
	StillImage                           // .jpg, .jpeg: one picture
)

// RecordingFormatOf returns the format of the recording with that path. It does
// not read the file.
func RecordingFormatOf(path string) RecordingFormat {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".mjpeg", ".mjpg":
		return JPEGRecording
	case ".mp4", ".m4v", ".mov", ".h264", ".264", ".avc":
		return H264Recording
	case ".jpg", ".jpeg":
		return StillImage
	}
	return AVIRecording
}

const (
	scenePrefix  = "scene:"
	devicePrefix = "/dev/"
)

var (
	errSourceScheme = errors.New("must be rtsp(s)://, http(s)://, csi:N, a device, a file, or scene:NAME")
	errSourceURL    = errors.New("must be a URL with a host")
	errSourcePort   = errors.New("must have a port of 1–65535")
	errSourceHost   = errors.New(hostRule)
	errBareIPv6     = errors.New("must have an IPv6 address in brackets")
)

// ParseSource parses the key source; its form decides the kind. The text of an
// http(s):// address is an MJPEGSource here: the key every makes it a
// SnapshotSource. A text of no other kind is the path of a recording. The error
// continues the sentence "camera.source …".
func ParseSource(text string) (Source, error) {
	scheme, _, _ := strings.Cut(text, ":")
	switch {
	case scheme == "scene":
		return SceneSource{Words: strings.TrimPrefix(text, scenePrefix)}, nil
	case scheme == "csi":
		return parseCSI(text)
	case strings.HasPrefix(text, devicePrefix):
		return DeviceSource{Path: text}, nil
	case !strings.Contains(text, "://"):
		return RecordingSource{Path: text, Format: RecordingFormatOf(text)}, nil
	}
	if usualPort(scheme) == "" {
		return nil, errSourceScheme
	}
	a, err := parseAddress(text)
	switch {
	case err != nil:
		return nil, err
	case scheme == "rtsp" || scheme == "rtsps":
		return RTSPSource{Address: a}, nil
	}
	return MJPEGSource{Address: a}, nil
}

// usualPort returns the port of a URL that names none; "" for a scheme of no
// camera. The ports are IANA's.
func usualPort(scheme string) string {
	return map[string]string{"http": "80", "https": "443", "rtsp": "554", "rtsps": "322"}[scheme]
}

// parseAddress parses a URL with a host.
func parseAddress(text string) (Address, error) {
	u, err := url.Parse(strings.TrimSpace(text)) // blanks at the ends are told elsewhere
	if hasBareIPv6(text) {
		return Address{}, errBareIPv6
	}
	if err != nil || u.Hostname() == "" {
		return Address{}, errSourceURL
	}
	if !isHost(u.Hostname()) {
		return Address{}, errSourceHost
	}
	if !isPort(u.Port()) {
		return Address{}, errSourcePort
	}
	port := u.Port()
	if port == "" {
		port = usualPort(u.Scheme)
	}
	return Address{URL: text, HostPort: net.JoinHostPort(u.Hostname(), port), TLS: u.Scheme == "https" || u.Scheme == "rtsps"}, nil
}

// parseCSI parses csi:0?size=640x480&rate=15&codec=yuv420. The defaults are
// 640×480, 15 pictures a second, and yuv420, which needs neither compression
// nor decompression. Rows of yuv420 are without padding only where the width is
// a multiple of 64, so other widths are refused for it.
func parseCSI(source string) (CSISource, error) {
	wrong := errors.New("must be like csi:0 or csi:0?size=640x480&rate=15&codec=yuv420")
	c := CSISource{Width: 640, Height: 480, Rate: 15, Codec: "yuv420", text: source}
	name, query, _ := strings.Cut(strings.TrimPrefix(source, "csi:"), "?")
	var err error
	if c.Number, err = strconv.Atoi(name); err != nil || c.Number < 0 || c.Number > maxCSINumber {
		return c, wrong
	}
	words, err := url.ParseQuery(query)
	if err != nil {
		return c, wrong
	}
	for key := range words {
		switch v := words.Get(key); key {
		case "size":
			w, h, _ := strings.Cut(v, "x")
			c.Width, err = strconv.Atoi(w)
			if err == nil {
				c.Height, err = strconv.Atoi(h)
			}
		case "rate":
			c.Rate, err = strconv.Atoi(v)
		case "codec":
			c.Codec = v
		default:
			err = wrong
		}
		if err != nil {
			return c, wrong
		}
	}
	switch {
	case c.Width < minCSISide || c.Width > maxCSISide || c.Height < minCSISide || c.Height > maxCSISide || c.Width%2+c.Height%2 > 0:
		return c, errors.New("must have a size of 64–4096, even")
	case c.Rate < 1 || c.Rate > maxCSIRate:
		return c, errors.New("must have a rate of 1–60")
	case c.Codec != "yuv420" && c.Codec != "mjpeg":
		return c, errors.New("must have the codec yuv420 or mjpeg")
	case c.Codec == "yuv420" && c.Width%yuvAlignment != 0:
		return c, errors.New("must have a width that is a multiple of 64, or codec=mjpeg")
	}
	return c, nil
}

// PipeFormat returns the format of the pictures that rpicam-vid writes, in the
// form of the key format: mjpeg, or yuv420:WxH.
func (s CSISource) PipeFormat() string {
	if s.Codec != "yuv420" {
		return s.Codec
	}
	return fmt.Sprintf("yuv420:%dx%d", s.Width, s.Height)
}
