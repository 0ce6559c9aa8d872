package source

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
	"strings"
	"time"

	"kerb/agent/child"
	"kerb/agent/config"
	"kerb/agent/handover"
	"kerb/drivers/camera"
	"kerb/drivers/camera/rtsp"
)

// feed is a camera as it is opened, whoever opens it.
type Opener struct {
	Camera    config.Camera
	Limits    camera.Limits
	Secrets   Secrets
	Poll      *camera.PollState
	Requester handover.Requester
}

// Secrets are what a camera is opened with, and whom it is believed by.
type Secrets struct {
	password string
	tls      *tls.Config
}

// readSecrets reads the files that the camera names.
func ReadSecrets(c config.Camera) (k Secrets, err error) {
	if c.PasswordFile != "" {
		b, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return k, fmt.Errorf("read the camera's password: %w", err)
		}
		k.password = strings.TrimRight(string(b), "\r\n")
	}
	child.LoadRootCAs(c.Address().URL)
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
func (f Opener) Open(ctx context.Context, paced bool) (Pictures, error) {
	c, live := f.Camera, camera.Live{Newest: true, FrameInterval: f.Camera.FrameInterval()}
	switch src := c.Source.(type) {
	case config.SceneSource:
		return OpenScene(src.Words, paced)
	case config.MJPEGSource:
		o := camera.HTTPOpts{User: c.User, Password: f.Secrets.password, TLS: f.Secrets.tls, Dial: f.requestConn, Live: live}
		return camera.OpenMJPEG(ctx, src.URL, f.Limits, o)
	case config.SnapshotSource:
		return f.openSnapshot(ctx, src)
	case config.RTSPSource:
		o := rtsp.Opts{User: c.User, Password: f.Secrets.password, TLS: f.Secrets.tls, Dial: f.requestConn}
		if src.UDP {
			o.OpenUDP = f.requestUDP
		}
		return camera.OpenRTSP(ctx, src.URL, f.Limits, o, live, f.openStreamDecoder)
	case config.DeviceSource:
		fds, err := f.requestFDs(ctx, handover.RequestCamera, 1)
		if err != nil {
			return nil, err
		}
		return camera.OpenDevice(ctx, fds[0], f.Limits, live)
	case config.CSISource:
		return f.openPipe(ctx, src.PipeFormat(), live)
	case config.CommandSource:
		return f.openPipe(ctx, src.Format, live)
	case config.RecordingSource:
		return f.openRecording(ctx, src.Format, paced)
	}
	return nil, fmt.Errorf("camera %s: a source of the kind %T cannot be read", c.Name, c.Source)
}

// snapshotTimeout is the longest that one asking for a picture or a clip may take.
const snapshotTimeout = 20 * time.Second

// openSnapshot is one picture, or one short clip, at a time.
func (f Opener) openSnapshot(ctx context.Context, src config.SnapshotSource) (Pictures, error) {
	o := camera.SnapshotOpts{PollEvery: src.PollEvery, OpenClipDecoder: f.openClipDecoder}
	o.User, o.Password, o.TLS, o.Dial = f.Camera.User, f.Secrets.password, f.Secrets.tls, f.requestConn
	o.Connect = snapshotTimeout
	return camera.OpenSnapshot(ctx, src.URL, f.Limits, o, f.Poll)
}

// openPipe is what a program writes.
func (f Opener) openPipe(ctx context.Context, format string, live camera.Live) (Pictures, error) {
	layout, err := camera.ParseLayout(format)
	if err != nil {
		return nil, err
	}
	out, err := f.requestFile(ctx)
	if err != nil {
		return nil, err
	}
	return camera.OpenPipe(ctx, out, layout, f.Limits, live)
}

func (f Opener) openRecording(ctx context.Context, format config.RecordingFormat, paced bool) (Pictures, error) {
	open := func() (Pictures, error) {
		file, err := f.requestFile(ctx)
		if err != nil {
			return nil, err
		}
		if format != config.JPEGRecording {
			return camera.NewAVI(file, f.Limits)
		}
		s, err := camera.OpenStream(file, f.Limits, ClipRate)
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		return jpegFile{s, file}, nil
	}
	src, err := open()
	if err != nil || !paced {
		return src, err
	}
	return &realtime{Pictures: src, reopen: open}, nil
}

func (f Opener) requestFDs(ctx context.Context, what byte, n int) ([]int, error) {
	fds, err := f.Requester.Request(ctx, what)
	if err == nil && len(fds) != n {
		err = fmt.Errorf("be handed the camera: %d descriptors where there should be %d", len(fds), n)
	}
	return fds, err
}

func (f Opener) requestFile(ctx context.Context) (*os.File, error) {
	fds, err := f.requestFDs(ctx, handover.RequestCamera, 1)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "camera"), nil
}

// requestConn is what a client uses instead of the network. Another address than the
// camera's own is refused here, and could not be reached from a cage.
func (f Opener) requestConn(ctx context.Context, _, addr string) (net.Conn, error) {
	if addr != f.Camera.Address().HostPort {
		return nil, fmt.Errorf("camera leads to %s: not followed", addr)
	}
	file, err := f.requestFile(ctx)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FileConn(file)
}

// requestUDP is the two sockets at which a camera's packets arrive.
func (f Opener) requestUDP(ctx context.Context) (rtp, rtcp *net.UDPConn, err error) {
	fds, err := f.requestFDs(ctx, handover.RequestUDP, 2)
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

// openStreamDecoder is the program that decodes what a camera sends.
func (f Opener) openStreamDecoder(ctx context.Context, c rtsp.Codec) (io.WriteCloser, io.ReadCloser, error) {
	if c == rtsp.H265 {
		return f.requestDecoder(ctx, handover.RequestHEVC)
	}
	return f.requestDecoder(ctx, handover.RequestAVC)
}

// openClipDecoder is the program that decodes a clip.
func (f Opener) openClipDecoder(ctx context.Context) (io.WriteCloser, io.ReadCloser, error) {
	return f.requestDecoder(ctx, handover.RequestClip)
}

func (f Opener) requestDecoder(ctx context.Context, what byte) (io.WriteCloser, io.ReadCloser, error) {
	fds, err := f.requestFDs(ctx, what, 2)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "decoder"), os.NewFile(uintptr(fds[1]), "decoded"), nil
}
