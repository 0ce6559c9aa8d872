package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kerb/agent/config"
	"kerb/drivers/camera"
	"kerb/drivers/camera/rtsp"
)

// An opener gives descriptors: a hatch asks for them, a door opens them.
type opener interface {
	open(ctx context.Context, what byte) ([]int, error)
}

// feed is a camera as it is opened, whoever opens it.
type feed struct {
	camera  config.Camera
	limits  camera.Limits
	secrets secrets
	asked   *camera.Asked
	from    opener
}

// secrets are what a camera is opened with, and whom it is believed by.
type secrets struct {
	password string
	tls      *tls.Config
}

// readSecrets reads the files that the camera names.
func readSecrets(c config.Camera) (k secrets, err error) {
	if c.PasswordFile != "" {
		b, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return k, fmt.Errorf("read the camera's password: %w", err)
		}
		k.password = strings.TrimRight(string(b), "\r\n")
	}
	trust(c.Source)
	k.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return k, fmt.Errorf("read who may vouch for the camera: %w", err)
		}
		if k.tls.RootCAs = x509.NewCertPool(); !k.tls.RootCAs.AppendCertsFromPEM(pem) {
			return k, fmt.Errorf("%s: holds no certificate in PEM", c.CAFile)
		}
	}
	if c.Certificate != "" {
		// The camera's own certificate is known: nobody has to vouch for it.
		k.tls.InsecureSkipVerify = true
		k.tls.VerifyConnection = func(s tls.ConnectionState) error {
			if sum := sha256.Sum256(s.PeerCertificates[0].Raw); !bytes.Equal(sum[:], []byte(c.Certificate)) {
				return fmt.Errorf("the camera shows another certificate, %x", sum)
			}
			return nil
		}
	}
	return k, nil
}

// open is the visible switch from the words of site.toml to a driver. Recorded
// sources are played at their own pace when paced is set.
func (f feed) open(ctx context.Context, paced bool) (source, error) {
	c, live := f.camera, camera.Live{Newest: true, Every: f.camera.Every()}
	switch c.Feed() {
	case config.SceneFeed:
		return openScene(strings.TrimPrefix(c.Source, "scene:"), paced)
	case config.StreamFeed:
		o := camera.HTTP{User: c.User, Password: f.secrets.password, TLS: f.secrets.tls, Dial: f.dial, Live: live}
		return camera.OpenMJPEG(ctx, c.Source, f.limits, o)
	case config.SnapshotFeed:
		return f.snapshot(ctx)
	case config.RTSPFeed:
		o := rtsp.Opts{User: c.User, Password: f.secrets.password, TLS: f.secrets.tls, Dial: f.dial}
		if c.UDP {
			o.Packets = f.hear
		}
		return camera.OpenRTSP(ctx, c.Source, f.limits, o, live, f.decoder)
	case config.DeviceFeed:
		fds, err := f.ask(ctx, pleaseOpen, 1)
		if err != nil {
			return nil, err
		}
		return camera.OpenDevice(ctx, fds[0], f.limits, live)
	case config.CSIFeed, config.CommandFeed:
		return f.pipe(ctx, live)
	}
	return f.recording(ctx, paced)
}

// snapshotTime is the longest that one asking for a picture or a clip may take.
const snapshotTime = 20 * time.Second

// snapshot is one picture, or one short clip, at a time.
func (f feed) snapshot(ctx context.Context) (source, error) {
	o := camera.SnapshotOpts{Every: f.camera.Asked, Clip: f.clip}
	o.User, o.Password, o.TLS, o.Dial = f.camera.User, f.secrets.password, f.secrets.tls, f.dial
	o.Connect = snapshotTime
	return camera.OpenSnapshot(ctx, f.camera.Source, f.limits, o, f.asked)
}

// pipe is what a program writes.
func (f feed) pipe(ctx context.Context, live camera.Live) (source, error) {
	format := f.camera.Format
	if f.camera.Feed() == config.CSIFeed {
		csi, err := config.ParseCSI(f.camera.Source)
		if err != nil {
			return nil, err
		}
		if format = csi.Codec; format == "yuv420" {
			format = fmt.Sprintf("yuv420:%dx%d", csi.Width, csi.Height)
		}
	}
	layout, err := camera.ParseLayout(format)
	if err != nil {
		return nil, err
	}
	out, err := f.file(ctx)
	if err != nil {
		return nil, err
	}
	return camera.OpenPipe(ctx, out, layout, f.limits, live)
}

func (f feed) recording(ctx context.Context, paced bool) (source, error) {
	open := func() (source, error) {
		file, err := f.file(ctx)
		if err != nil {
			return nil, err
		}
		if ext := strings.ToLower(filepath.Ext(f.camera.Source)); ext != ".mjpeg" && ext != ".mjpg" {
			return camera.ReadAVI(file, f.limits)
		}
		s, err := camera.OpenStream(file, f.limits, clipRate)
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		return jpegFile{s, file}, nil
	}
	src, err := open()
	if err != nil || !paced {
		return src, err
	}
	return &paceKeeper{source: src, again: open}, nil
}

func (f feed) ask(ctx context.Context, what byte, n int) ([]int, error) {
	fds, err := f.from.open(ctx, what)
	if err == nil && len(fds) != n {
		err = fmt.Errorf("be handed the camera: %d descriptors where there should be %d", len(fds), n)
	}
	return fds, err
}

func (f feed) file(ctx context.Context) (*os.File, error) {
	fds, err := f.ask(ctx, pleaseOpen, 1)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "camera"), nil
}

// dial is what a client uses instead of the network. Another address than the
// camera's own is refused here, and could not be reached from a cage.
func (f feed) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	if addr != f.camera.Address() {
		return nil, fmt.Errorf("camera leads to %s: not followed", addr)
	}
	file, err := f.file(ctx)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FileConn(file)
}

// hear is the two sockets at which a camera's packets arrive.
func (f feed) hear(ctx context.Context) (rtp, rtcp *net.UDPConn, err error) {
	fds, err := f.ask(ctx, pleaseHear, 2)
	if err != nil {
		return nil, nil, err
	}
	var conns [2]*net.UDPConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "packets")
		c, e := net.FilePacketConn(file)
		err = errors.Join(err, e, file.Close())
		conns[i], _ = c.(*net.UDPConn)
	}
	return conns[0], conns[1], err
}

// decoder is the program that decodes what a camera sends.
func (f feed) decoder(ctx context.Context, c rtsp.Codec) (io.WriteCloser, io.ReadCloser, error) {
	if c == rtsp.H265 {
		return f.decode(ctx, pleaseHEVC)
	}
	return f.decode(ctx, pleaseAVC)
}

// clip is the program that decodes a clip.
func (f feed) clip(ctx context.Context) (io.WriteCloser, io.ReadCloser, error) {
	return f.decode(ctx, pleaseClip)
}

func (f feed) decode(ctx context.Context, what byte) (io.WriteCloser, io.ReadCloser, error) {
	fds, err := f.ask(ctx, what, 2)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "decoder"), os.NewFile(uintptr(fds[1]), "decoded"), nil
}

// opened is a door as an opener, for one who needs no walls.
type opened struct{ *door }

func (o opened) open(ctx context.Context, what byte) ([]int, error) {
	files, err := o.door.open(ctx, what)
	if err != nil {
		return nil, err
	}
	return loose(files)
}
