package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// formatShape is the pattern of the key format: the pixel formats that a
// program may write.
const formatShape = `^(mjpeg|yuv4mpeg|(gray|yuv420):[1-9][0-9]{0,4}x[1-9][0-9]{0,4})$`

var (
	formatPattern      = regexp.MustCompile(formatShape)
	fingerprintPattern = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)
)

const sourceExample = `for example "rtsp://camera.example/stream", "http://camera.example/mjpeg", "/dev/v4l/by-id/…", "csi:0", a file, or "scene:calm"`

// toSource makes the source of a camera from its keys. The path of a recording
// starts at dir.
func (cam cameraFile) toSource(dir string) (Source, error) {
	if len(cam.Command) > 0 {
		return CommandSource{Words: cam.Command, Format: cam.Format}, nil
	}
	src, err := ParseSource(cam.Source)
	switch s := src.(type) {
	case MJPEGSource:
		if d := cam.Every.Duration; d > 0 {
			return SnapshotSource{Address: s.Address, PollEvery: d}, nil
		}
	case RTSPSource:
		s.UDP, s.FFmpeg = cam.Transport == "udp", cam.Decoder == "ffmpeg"
		return s, nil
	case RecordingSource:
		if !strings.Contains(s.Path, ":") {
			s.Path = resolvePath(dir, s.Path)
		}
		return s, nil
	}
	return src, err
}

// checkSource checks the source of pictures and the keys that go with it, and
// returns the source, nil where it is wrong. The names of scenes are checked by
// their driver.
func (c checker) checkSource(key string, cam cameraFile) Source {
	src, err := cam.toSource(c.dir)
	at, hint := key+".source", ""
	addressed := (Camera{Source: src}).Address() != Address{}
	if errors.Is(err, errSourceScheme) || errors.Is(err, errSourceURL) || errors.Is(err, errSourcePort) {
		addressed, hint = true, sourceExample
	}
	if errors.Is(err, errSourceHost) {
		addressed, hint = true, hostHint
	}
	_, rest, _ := strings.Cut(cam.Source, "://")
	_, recording := src.(RecordingSource)
	switch {
	case len(cam.Command) > 0:
		c.checkCommand(key, cam)
	case cam.Source == "":
		c.Reject(at, "is missing", sourceExample)
	case addressed && strings.Contains(rest, "@"):
		c.RejectSecret(at, "must not hold a user or password", "use user and password_file")
	case err != nil:
		c.Reject(at, err.Error(), hint)
	case recording && usbPattern.MatchString(cam.Source):
		c.Reject(at, "must be the path of the device, if it is a USB camera", "for example /dev/v4l/by-id/…: kerb probe lists those that are there")
	case recording && oneSlash.MatchString(cam.Source):
		c.Reject(at, "must have two slashes behind the scheme", "for example rtsp://camera.example/stream")
	case recording && looksLikeAddress(cam.Source) && !isFile(resolvePath(c.dir, cam.Source)):
		c.Reject(at, "must begin with a scheme if it is an address", "for example http://"+cam.Source+" or rtsp://"+cam.Source)
	case recording:
		c.checkFile(at, cam.Source)
	}
	if !recording {
		c.checkVerbatim(at, cam.Source)
	}
	c.checkVerbatim(key+".user", cam.User)
	c.checkSecrets(key, cam)
	c.checkPolled(key, cam)
	return src
}

// addressPattern is the beginning of an address without a scheme: a host with a dot
// or a port, and then a path or nothing.
var addressPattern = regexp.MustCompile(`^([0-9]{1,3}(\.[0-9]{1,3}){3}(:[0-9]+)?|[A-Za-z0-9.-]+:[0-9]+)(/.*)?$`)

// usbPattern are the names under which other programs know a USB camera, and oneSlash an
// address with a slash too few.
var (
	usbPattern = regexp.MustCompile(`^(usb:|v4l2?:|video)[0-9]+$`)
	oneSlash   = regexp.MustCompile(`^(https?|rtsps?):/?[^/]`)
)

// looksLikeAddress reports whether a text is an address that lacks its scheme.
func looksLikeAddress(text string) bool { return addressPattern.MatchString(text) }

// isFile reports whether there is a regular file.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func (c checker) checkCommand(key string, cam cameraFile) {
	if cam.Source != "" {
		c.Reject(key+".source", "must be left out beside command", "pictures come from one place")
	}
	if !filepath.IsAbs(cam.Command[0]) {
		c.Reject(key+".command", "must begin with the full path of a program", `for example ["/usr/bin/rpicam-vid", "-n", "-t", "0", "-o", "-"]`)
	} else if info, err := os.Stat(cam.Command[0]); !c.elsewhere && (err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0) {
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

// checkSecrets checks the keys that go with an address: files, certificate,
// transport and decoder.
func (c checker) checkSecrets(key string, cam cameraFile) {
	c.checkFile(key+".password_file", cam.PasswordFile)
	c.checkPassword(key+".password_file", cam.PasswordFile)
	c.checkFile(key+".ca_file", cam.CAFile)
	c.checkPEM(key+".ca_file", cam.CAFile, certificatePEM)
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
	switch {
	case cam.Decoder == "":
	case cam.Decoder != "ffmpeg":
		c.Reject(key+".decoder", "must be ffmpeg", "leave it out: H.264 needs no program")
	case !strings.HasPrefix(cam.Source, "rtsp"):
		c.Reject(key+".decoder", "must go with an rtsp:// source", "only H.265 over RTSP is decoded by ffmpeg")
	}
}

// checkPolled checks the keys of a camera with the key every.
func (c checker) checkPolled(key string, cam cameraFile) {
	scheme, _, _ := strings.Cut(cam.Source, ":")
	switch d := cam.Every.Duration; {
	case !c.HasKey(key + ".every"):
		return
	case len(cam.Command) > 0 || scheme != "http" && scheme != "https":
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

// credentialPrefix names a secret in systemd's credentials directory: see
// LoadCredential= in systemd.exec(5).
const credentialPrefix = "credential:"

// credentialsDir is the variable with which systemd names the directory.
const credentialsDir = "CREDENTIALS_DIRECTORY"

// resolveSecret makes the path of a secret absolute: in systemd's credentials
// directory, or starting at dir.
func resolveSecret(dir, path string) string {
	if name, ok := strings.CutPrefix(path, credentialPrefix); ok {
		return filepath.Join(os.Getenv(credentialsDir), name)
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
