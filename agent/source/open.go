// Package source opens the sources of a sensing process: the pictures of a camera or a
// clip, and the edges of loops. OpenCamera is the switch from the kind of a camera's
// source to its driver, OpenLoops the one for loops, OpenClip the one for the clip
// of a command line.
//
// It refuses to open devices, sockets and programs for a camera: OpenCamera requests
// open descriptors over package handover, and package opener opens them on the other
// side. It refuses a camera that redirects to another address, a certificate that is
// not the pinned one, and pictures beyond Limits.
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
	"kerb/drivers/camera/auth"
	"kerb/drivers/camera/rtsp"
)

// CameraOpts are the options of OpenCamera.
type CameraOpts struct {
	Camera    config.Camera
	Limits    camera.Limits
	Secrets   Secrets
	Poll      *camera.PollState  // of a polled camera: the state that outlives one opening
	Requester handover.Requester // gives the open descriptors
}

// Secrets are the password of a camera and the TLS configuration that verifies it.
type Secrets struct {
	password string
	tls      *tls.Config
}

// ReadSecrets reads the files that the camera's keys password_file and ca_file name,
// and the system's certificate authorities if the address needs them. Without
// ca_file and certificate the system's authorities are trusted.
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
		// The certificate is pinned by its hash instead of verified by an authority.
		k.tls.InsecureSkipVerify = true
		k.tls.VerifyConnection = func(s tls.ConnectionState) error {
			if sum := sha256.Sum256(s.PeerCertificates[0].Raw); !bytes.Equal(sum[:], []byte(c.Certificate)) {
				return auth.CertificateError(fmt.Sprintf("the camera shows another certificate, %x", sum))
			}
			return nil
		}
	}
	return k, nil
}

// OpenCamera is the switch that reads each kind of source: it requests the open
// descriptors of the camera and starts the driver. Recordings are played at their
// own rate, in a loop.
func OpenCamera(ctx context.Context, o CameraOpts) (Pictures, error) {
	c, live := o.Camera, camera.Live{Newest: true, FrameInterval: o.Camera.FrameInterval()}
	switch src := c.Source.(type) {
	case config.SceneSource:
		return OpenScene(src.Words, true)
	case config.MJPEGSource:
		h := camera.HTTPOpts{RefuseBasic: c.RefusesBasic(), User: c.User, Password: o.Secrets.password, TLS: o.Secrets.tls, Dial: o.requestConn, Live: live}
		return camera.OpenMJPEG(ctx, src.URL, o.Limits, h)
	case config.SnapshotSource:
		return o.openSnapshot(ctx, src)
	case config.RTSPSource:
		r := rtsp.Opts{RefuseBasic: c.RefusesBasic(), User: c.User, Password: o.Secrets.password, TLS: o.Secrets.tls, Dial: o.requestConn}
		if src.UDP {
			r.OpenUDP = o.requestUDP
		}
		var decode camera.Decoder
		if src.FFmpeg {
			decode = o.openDecoder
		}
		return camera.OpenRTSP(ctx, src.URL, o.Limits, r, live, decode)
	case config.DeviceSource:
		fds, err := o.requestFDs(ctx, handover.RequestCamera, 1)
		if err != nil {
			return nil, err
		}
		return camera.OpenDevice(ctx, fds[0], o.Limits, live)
	case config.CSISource:
		return o.openPipe(ctx, src.PipeFormat(), live)
	case config.CommandSource:
		return o.openPipe(ctx, src.Format, live)
	case config.RecordingSource:
		return o.openRecording(ctx, src.Format)
	}
	return nil, fmt.Errorf("camera %s: a source of the kind %T cannot be read", c.Name, c.Source)
}

// snapshotTimeout is the longest that one request for a picture or a clip may take.
// Chosen by hand.
const snapshotTimeout = 20 * time.Second

// openSnapshot opens an address that gives one picture, or one short clip, for each
// request.
func (o CameraOpts) openSnapshot(ctx context.Context, src config.SnapshotSource) (Pictures, error) {
	s := camera.SnapshotOpts{PollEvery: src.PollEvery}
	s.RefuseBasic = o.Camera.RefusesBasic()
	s.User, s.Password, s.TLS, s.Dial = o.Camera.User, o.Secrets.password, o.Secrets.tls, o.requestConn
	s.Connect = snapshotTimeout
	return camera.OpenSnapshot(ctx, src.URL, o.Limits, s, o.Poll)
}

// openPipe opens the output of a program, with pictures in a format of the key
// format of site.toml.
func (o CameraOpts) openPipe(ctx context.Context, format string, live camera.Live) (Pictures, error) {
	layout, err := camera.ParseLayout(format)
	if err != nil {
		return nil, err
	}
	out, err := o.requestFile(ctx)
	if err != nil {
		return nil, err
	}
	return camera.OpenPipe(ctx, out, layout, o.Limits, live)
}

// openRecording opens a recording and plays it in real time.
func (o CameraOpts) openRecording(ctx context.Context, format config.RecordingFormat) (Pictures, error) {
	open := func() (Pictures, error) {
		file, err := o.requestFile(ctx)
		if err != nil {
			return nil, err
		}
		switch format {
		case config.JPEGRecording:
		case config.H264Recording:
			v, err := camera.NewVideo(file, o.Limits, ClipRate)
			if err != nil {
				file.Close()
			}
			return v, err
		default:
			return camera.NewAVI(file, o.Limits)
		}
		s, err := camera.OpenStream(file, o.Limits, ClipRate)
		if err != nil {
			file.Close() // closed already where the stream had begun
			return nil, err
		}
		return s, nil
	}
	src, err := open()
	if err != nil {
		return nil, err
	}
	return &realtimePlayer{Pictures: src, reopen: open}, nil
}

// requestFDs requests n descriptors of the kind what, a Request constant of package
// handover.
func (o CameraOpts) requestFDs(ctx context.Context, what byte, n int) ([]int, error) {
	fds, err := o.Requester.Request(ctx, what)
	if err == nil && len(fds) != n {
		err = fmt.Errorf("be handed the camera: %d descriptors where there should be %d", len(fds), n)
	}
	return fds, err
}

// requestFile requests the camera as one file.
func (o CameraOpts) requestFile(ctx context.Context) (*os.File, error) {
	fds, err := o.requestFDs(ctx, handover.RequestCamera, 1)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "camera"), nil
}

// requestConn is the dial function of HTTP and RTSP clients: it requests a connection
// to the camera. It refuses every other address, to which a redirect may lead; the
// other side of the handover dials only the camera, too.
func (o CameraOpts) requestConn(ctx context.Context, _, addr string) (net.Conn, error) {
	if addr != o.Camera.Address().HostPort {
		return nil, errors.New("camera leads to another address: not followed")
	}
	file, err := o.requestFile(ctx)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FileConn(file)
}

// requestUDP requests the two sockets at which the RTP and RTCP packets of a camera
// arrive.
func (o CameraOpts) requestUDP(ctx context.Context) (rtp, rtcp *net.UDPConn, err error) {
	fds, err := o.requestFDs(ctx, handover.RequestUDP, 2)
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

// openDecoder requests the program that decodes H.265: its standard input and its
// standard output.
func (o CameraOpts) openDecoder(ctx context.Context) (io.WriteCloser, io.ReadCloser, error) {
	fds, err := o.requestFDs(ctx, handover.RequestHEVC, 2)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "decoder"), os.NewFile(uintptr(fds[1]), "decoded"), nil
}
