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
	"time"
)

// Feed is the kind of a camera's source.
type Feed uint8

// The kinds.
const (
	SceneFeed     Feed = iota // scene:NAME, the built-in street
	RecordingFeed             // a file, played in a loop
	StreamFeed                // http(s)://…, Motion-JPEG without end
	RTSPFeed                  // rtsp(s)://…
	DeviceFeed                // /dev/…, a camera of the kernel
	CSIFeed                   // csi:N, a Raspberry Pi's own, by rpicam-vid
	CommandFeed               // whatever a program writes
	SnapshotFeed              // http(s)://…, one picture or short clip at a time
)

// Feed is the kind of this camera's source.
func (c Camera) Feed() Feed {
	f := sourceKind(c.Source, len(c.Command) > 0)
	if f == StreamFeed && c.Asked > 0 {
		return SnapshotFeed
	}
	return f
}

// Still reports whether its picture is seen at instants, not all the time.
func (c Camera) Still() bool { return c.Feed() == SnapshotFeed }

// The bounds of the time between two askings for a picture.
const (
	minPollEvery = 10 * time.Second
	maxPollEvery = time.Hour
)

// checkPolled says what is wrong with a camera that is seen at instants.
func (c checker) checkPolled(key string, cam cameraFile) {
	switch d := cam.Every.Duration; {
	case !c.HasKey(key + ".every"):
		return
	case sourceKind(cam.Source, len(cam.Command) > 0) != StreamFeed:
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

func sourceKind(source string, command bool) Feed {
	scheme, _, _ := strings.Cut(source, ":")
	switch {
	case command:
		return CommandFeed
	case scheme == "scene":
		return SceneFeed
	case scheme == "csi":
		return CSIFeed
	case strings.HasPrefix(source, "/dev/"):
		return DeviceFeed
	case scheme == "rtsp" || scheme == "rtsps":
		return RTSPFeed
	case scheme == "http" || scheme == "https":
		return StreamFeed
	}
	return RecordingFeed
}

// Secure reports whether a camera is spoken to by TLS.
func (c Camera) Secure() bool {
	return strings.HasPrefix(c.Source, "https://") || strings.HasPrefix(c.Source, "rtsps://")
}

// Address is the one address of a network camera, host and port; "" if the
// camera has none.
func (c Camera) Address() string {
	switch c.Feed() {
	case StreamFeed, RTSPFeed, SnapshotFeed:
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

// CSI is a camera on a Raspberry Pi's own connector: its number, the size and
// the rate that are asked of it.
type CSI struct {
	Number        int
	Width, Height int
	Rate          int
	Codec         string // mjpeg or yuv420
}

// ParseCSI reads csi:0?size=640x480&rate=15&codec=yuv420. Left out, the size is
// 640×480, the rate 15, and the codec yuv420, which no one has to compress and
// decompress. That is without padding only where the width is a multiple of 64.
func ParseCSI(source string) (CSI, error) {
	wrong := errors.New("must be like csi:0 or csi:0?size=640x480&rate=15&codec=yuv420")
	c := CSI{Width: 640, Height: 480, Rate: 15, Codec: "yuv420"}
	name, query, _ := strings.Cut(strings.TrimPrefix(source, "csi:"), "?")
	var err error
	if c.Number, err = strconv.Atoi(name); err != nil || c.Number < 0 || c.Number > 9 {
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
	case c.Width < 64 || c.Width > 4096 || c.Height < 64 || c.Height > 4096 || c.Width%2+c.Height%2 > 0:
		return c, errors.New("must have a size of 64–4096, even")
	case c.Rate < 1 || c.Rate > 60:
		return c, errors.New("must have a rate of 1–60")
	case c.Codec != "yuv420" && c.Codec != "mjpeg":
		return c, errors.New("must have the codec yuv420 or mjpeg")
	case c.Codec == "yuv420" && c.Width%64 != 0:
		return c, errors.New("must have a width that is a multiple of 64, or codec=mjpeg")
	}
	return c, nil
}

// formatShape is what a program may write.
const formatShape = `^(mjpeg|yuv4mpeg|(gray|yuv420):[1-9][0-9]{0,4}x[1-9][0-9]{0,4})$`

var (
	formatPattern      = regexp.MustCompile(formatShape)
	fingerprintPattern = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)
)

const sourceExample = `for example "rtsp://camera.example/stream", "http://camera.example/mjpeg", "/dev/v4l/by-id/…", "csi:0", a file, or "scene:calm"`

// checkSource says what is wrong with where pictures come from. What a scene is
// called is known to those who draw it.
func (c checker) checkSource(key string, cam cameraFile) {
	at, source := key+".source", cam.Source
	scheme, rest, addressed := strings.Cut(source, "://")
	switch feed := sourceKind(source, len(cam.Command) > 0); {
	case feed == CommandFeed:
		c.checkCommand(key, cam)
	case source == "":
		c.Reject(at, "is missing", sourceExample)
	case feed == CSIFeed:
		if _, err := ParseCSI(source); err != nil {
			c.Reject(at, err.Error(), "")
		}
	case feed == SceneFeed || feed == DeviceFeed:
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

// checkSecrets are the keys that go with an address.
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

// credentialPrefix is where systemd puts a secret of that name: systemd.exec(5),
// LoadCredential=.
const credentialPrefix = "credential:"

// resolveSecret takes the place of a secret against the file's own directory, or
// against that of the service's credentials.
func resolveSecret(dir, path string) string {
	if name, ok := strings.CutPrefix(path, credentialPrefix); ok {
		return filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), name)
	}
	return resolvePath(dir, path)
}

// parseFingerprint is the SHA-256 that text spells.
func parseFingerprint(text string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil {
		return ""
	}
	return string(b)
}
