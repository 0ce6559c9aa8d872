package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// SourceKind is the kind of a camera's source. The driver of the camera follows from
// it.
type SourceKind uint8

// The kinds.
const (
	SceneSource     SourceKind = iota // scene:NAME, the built-in street
	RecordingSource                   // path of a recording, played in a loop
	MJPEGSource                       // http(s)://…, an endless Motion-JPEG stream
	RTSPSource                        // rtsp(s)://…
	DeviceSource                      // /dev/…, a V4L2 device
	CSISource                         // csi:N, a camera on a Raspberry Pi's connector, read with rpicam-vid
	CommandSource                     // the output of a program
	SnapshotSource                    // http(s)://…, polled: one picture or short clip for each request
)

// Kind is the kind of this camera's source.
func (c Camera) Kind() SourceKind {
	f := sourceKind(c.Source, len(c.Command) > 0)
	if f == MJPEGSource && c.PollEvery > 0 {
		return SnapshotSource
	}
	return f
}

// Polled reports whether the camera is polled: its picture is then seen at
// instants, not all the time.
func (c Camera) Polled() bool { return c.Kind() == SnapshotSource }

// checkPolled checks the keys of a camera with the key every.
func (c checker) checkPolled(key string, cam cameraFile) {
	switch d := cam.Every.Duration; {
	case !c.HasKey(key + ".every"):
		return
	case sourceKind(cam.Source, len(cam.Command) > 0) != MJPEGSource:
		c.Reject(key+".every", "must go with an http(s):// source", "it is for an address that gives one picture; fps is for all others")
	case d < minPollEvery || d > maxPollEvery:
		c.Reject(key+".every", `must be "10s"–"1h"`, "about as often as the picture changes")
	}
	for i := range cam.Lines {
		c.Reject(fmt.Sprintf("%s.line[%d]", key, i), "must not lie in a picture that is seen at instants: what passes in between is not seen", "count who is there, in a [[camera.zone]]")
	}
	if c.HasKey(key + ".fps") {
		c.Reject(key+".fps", "must be left out beside every", "")
	}
	if cam.Detector == "motion" {
		c.Reject(key+".detector", "must be auto or neural beside every: in one picture nothing moves", "leave it out")
	}
}

// sourceKind tells the kind from the form of the source alone. A polled address
// is Motion-JPEG here; only its polling interval tells the difference.
func sourceKind(source string, command bool) SourceKind {
	scheme, _, _ := strings.Cut(source, ":")
	switch {
	case command:
		return CommandSource
	case scheme == "scene":
		return SceneSource
	case scheme == "csi":
		return CSISource
	case strings.HasPrefix(source, "/dev/"):
		return DeviceSource
	case scheme == "rtsp" || scheme == "rtsps":
		return RTSPSource
	case scheme == "http" || scheme == "https":
		return MJPEGSource
	}
	return RecordingSource
}

// UsesTLS reports whether the connection to the camera uses TLS.
func (c Camera) UsesTLS() bool {
	return strings.HasPrefix(c.Source, "https://") || strings.HasPrefix(c.Source, "rtsps://")
}

// HostPort is the one network address of the camera, host:port; "" if it has
// none.
func (c Camera) HostPort() string {
	switch c.Kind() {
	case MJPEGSource, RTSPSource, SnapshotSource:
	default:
		return ""
	}
	u, err := url.Parse(c.Source)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "rtsp": "554", "rtsps": "322"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// CSI is a camera on the CSI connector of a Raspberry Pi: its number, and the
// size, the rate and the codec that rpicam-vid is asked for.
type CSI struct {
	Number        int
	Width, Height int
	Rate          int
	Codec         string // mjpeg or yuv420
}

// ParseCSI parses csi:0?size=640x480&rate=15&codec=yuv420. The defaults are
// 640×480, 15 pictures a second, and yuv420, which needs neither compression
// nor decompression. Rows of yuv420 are without padding only where the width is
// a multiple of 64, so other widths are refused for it.
func ParseCSI(source string) (CSI, error) {
	wrong := errors.New("must be like csi:0 or csi:0?size=640x480&rate=15&codec=yuv420")
	c := CSI{Width: 640, Height: 480, Rate: 15, Codec: "yuv420"}
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

// formatShape is the pattern of the key format: the pixel formats that a
// program may write.
const formatShape = `^(mjpeg|yuv4mpeg|(gray|yuv420):[1-9][0-9]{0,4}x[1-9][0-9]{0,4})$`

var (
	formatPattern      = regexp.MustCompile(formatShape)
	fingerprintPattern = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)
)

const sourceExample = `for example "rtsp://camera.example/stream", "http://camera.example/mjpeg", "/dev/v4l/by-id/…", "csi:0", a file, or "scene:calm"`

// checkSource checks the source of pictures and the keys that go with it. The
// names of scenes are checked by their driver.
func (c checker) checkSource(key string, cam cameraFile) {
	at, source := key+".source", cam.Source
	scheme, rest, addressed := strings.Cut(source, "://")
	switch feed := sourceKind(source, len(cam.Command) > 0); {
	case feed == CommandSource:
		c.checkCommand(key, cam)
	case source == "":
		c.Reject(at, "is missing", sourceExample)
	case feed == CSISource:
		if _, err := ParseCSI(source); err != nil {
			c.Reject(at, err.Error(), "")
		}
	case feed == SceneSource || feed == DeviceSource:
	case addressed && strings.Contains(rest, "@"):
		c.RejectSecret(at, "must not hold a user or password", "use user and password_file")
	case addressed && !slices.Contains([]string{"http", "https", "rtsp", "rtsps"}, scheme):
		c.Reject(at, "must be rtsp(s)://, http(s)://, csi:N, a device, a file, or scene:NAME", sourceExample)
	case addressed:
		if u, err := url.Parse(source); err != nil || u.Hostname() == "" || !isPort(u.Port()) {
			c.Reject(at, "must be a URL with a host", sourceExample)
		}
	default:
		c.checkFile(at, source)
	}
	c.checkSecrets(key, cam)
	c.checkPolled(key, cam)
}

func (c checker) checkCommand(key string, cam cameraFile) {
	if cam.Source != "" {
		c.Reject(key+".source", "must be left out beside command", "pictures come from one place")
	}
	if !filepath.IsAbs(cam.Command[0]) {
		c.Reject(key+".command", "must begin with the full path of a program", `for example ["/usr/bin/rpicam-vid", "-n", "-t", "0", "-o", "-"]`)
	} else if info, err := os.Stat(cam.Command[0]); err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		c.Reject(key+".command", "must begin with a program that can be started", "looked for "+cam.Command[0])
	}
	for _, word := range cam.Command {
		if _, after, ok := strings.Cut(word, "://"); ok && strings.Contains(after, "@") {
			c.RejectSecret(key+".command", "must not hold a password: every user of this device could see it in ps", "use source with user and password_file")
		}
	}
	if cam.Format != "" && !formatPattern.MatchString(cam.Format) {
		c.Reject(key+".format", "must be mjpeg, yuv4mpeg, gray:WxH or yuv420:WxH", "leave it out for the first two")
	}
}

// checkSecrets checks the keys that go with an address: files, certificate and
// transport.
func (c checker) checkSecrets(key string, cam cameraFile) {
	c.checkFile(key+".password_file", cam.PasswordFile)
	c.checkFile(key+".ca_file", cam.CAFile)
	if cam.Certificate != "" && !fingerprintPattern.MatchString(strings.ReplaceAll(cam.Certificate, ":", "")) {
		c.Reject(key+".certificate", "must be the SHA-256 of the camera's certificate, 64 digits", "kerb probe shows it")
	}
	secure := strings.HasPrefix(cam.Source, "https://") || strings.HasPrefix(cam.Source, "rtsps://")
	if (cam.CAFile != "" || cam.Certificate != "") && !secure {
		c.Reject(key+".source", "must be https:// or rtsps:// beside ca_file or certificate", "")
	}
	switch cam.Transport {
	case "", "tcp", "udp":
	default:
		c.Reject(key+".transport", "must be tcp or udp", "leave it out for tcp, which loses nothing")
	}
	if cam.Transport == "udp" && !strings.HasPrefix(cam.Source, "rtsp") {
		c.Reject(key+".transport", "must go with an rtsp:// source", "")
	}
}

// credentialPrefix names a secret in systemd's credentials directory: see
// LoadCredential= in systemd.exec(5).
const credentialPrefix = "credential:"

// resolveSecret makes the path of a secret absolute: in systemd's credentials
// directory, or starting at dir.
func resolveSecret(dir, path string) string {
	if name, ok := strings.CutPrefix(path, credentialPrefix); ok {
		return filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), name)
	}
	return resolvePath(dir, path)
}

// parseFingerprint decodes a SHA-256 in hexadecimal, with or without colons. It
// returns "" if the text is not hexadecimal.
func parseFingerprint(text string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil {
		return ""
	}
	return string(b)
}
