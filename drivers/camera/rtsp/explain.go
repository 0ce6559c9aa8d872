package rtsp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"

	"kerb/drivers/camera/head"
)

// errDial is an error of the dialler or of TLS.
type errDial struct{ error }

// Unwrap returns the reason.
func (e errDial) Unwrap() error { return e.error }

// errCodec is returned for a camera without a known codec; it holds those that it
// has.
type errCodec []string

// knownCodecs are the codecs that a camera may have instead, by their names in SDP.
var knownCodecs = []string{"AV1", "H263", "H263-1998", "H263-2000", "JPEG2000", "MP2T", "MP4V-ES", "MPEG4-GENERIC", "MPV", "OPUS", "PCMA", "PCMU", "THEORA", "VND.ONVIF.METADATA", "VP8", "VP9"}

// Error names the codecs that are known by their names.
func (e errCodec) Error() string {
	var found []string
	for _, name := range e {
		if slices.Contains(knownCodecs, name) && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	if found == nil {
		return "camera has no M-JPEG, H.264 or H.265"
	}
	return "camera has no M-JPEG, H.264 or H.265 but " + strings.Join(found, ", ")
}

// otherCodecs returns the error of a camera without a known codec.
func (s *Session) otherCodecs() (e errCodec) {
	if w := s.wire.Load(); w != nil {
		w.mu.Lock()
		e = w.codecs
		w.mu.Unlock()
	}
	return e
}

// own are the errors whose text is kerb's.
var own = []error{errOtherHost, errTeardown, errLargeAnswer, head.ErrNoEnd, head.ErrNoStatus, errTooWide, errNoTable}

// explain replaces an error of the library, whose text may quote the camera, by one
// in kerb's words that says what to do.
func (s *Session) explain(err error) error {
	if err == nil {
		return nil
	}
	for _, o := range own {
		if errors.Is(err, o) {
			return o
		}
	}
	if e, ok := errors.AsType[errDial](err); ok {
		return e.error
	}
	if e, ok := errors.AsType[errCodec](err); ok {
		return e
	}
	if e, ok := errors.AsType[liberrors.ErrClientBadStatusCode](err); ok {
		return s.explainStatus(int(e.Code))
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("camera has closed the connection")
	}
	switch err.(type) {
	case liberrors.ErrClientTerminated:
		return errors.New("session is closed")
	case liberrors.ErrClientRequestTimedOut:
		return errors.New("camera does not answer")
	case liberrors.ErrClientTCPTimeout, liberrors.ErrClientUDPTimeout:
		if s.pictures.Load() == 0 {
			return s.WhyNone(s.wait)
		}
		return errors.New("camera sends no more pictures")
	case liberrors.ErrClientSDPInvalid:
		if e := s.otherCodecs(); len(e) > 0 {
			return e
		}
		return errors.New("camera's description of its streams (SDP) cannot be read")
	case liberrors.ErrClientServerRequestedUDP, liberrors.ErrClientTransportHeaderNoInterleavedIDs:
		return errUDPOnly
	case liberrors.ErrClientServerRequestedTCP:
		return errTCPOnly
	}
	return fmt.Errorf("camera's answer cannot be used (%T)", err)
}

var (
	errUDPOnly = errors.New(`camera sends pictures by UDP only: set transport = "udp"`)
	errTCPOnly = errors.New("camera sends pictures by TCP only: leave out transport")
)

// explainStatus says what an answer with that status means.
func (s *Session) explainStatus(status int) error {
	switch code := base.StatusCode(status); code {
	case base.StatusUnauthorized, base.StatusConnectionCredentialsNotAccepted:
		if w := s.wire.Load(); w != nil && status == 401 {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.noAnswer != nil {
				return w.noAnswer
			}
		}
		return ErrRefused
	case base.StatusForbidden:
		return errors.New("camera answers 403 Forbidden: may this user watch the stream?")
	case base.StatusNotFound, base.StatusGone:
		return fmt.Errorf("camera answers %d: it has no stream of this name: look for the path in its manual", status)
	case base.StatusUnsupportedTransport, base.StatusNotAcceptable:
		why := errUDPOnly
		if s.udp {
			why = errTCPOnly
		}
		return fmt.Errorf("camera answers %d: %w", status, why)
	case base.StatusNotEnoughBandwidth, base.StatusServiceUnavailable:
		return fmt.Errorf("camera answers %d: it has no session free: end another viewer, or raise its limit", status)
	case base.StatusSessionNotFound:
		return fmt.Errorf("camera answers %d: it has ended the session", status)
	default:
		if text := base.StatusMessages[code]; text != "" {
			return fmt.Errorf("camera answers %d %s", status, text)
		}
		return fmt.Errorf("camera answers %d", status)
	}
}

// WhyNone says why no picture came in the time since Play.
func (s *Session) WhyNone(waited time.Duration) error {
	if why := s.fatal.Load(); why != nil {
		return *why
	}
	switch {
	case s.packets.Load() == 0 && s.udp:
		return fmt.Errorf("no packet came by UDP in %v: does a firewall drop them? without transport they come by TCP", waited)
	case s.packets.Load() == 0:
		return fmt.Errorf("camera sends nothing in %v after PLAY", waited)
	case s.units.Load() == 0:
		return fmt.Errorf("no whole picture in %v: packets came, but the last of each picture is not marked, or many are lost", waited)
	case s.pictures.Load() == 0:
		return fmt.Errorf("no key frame in %v: set the camera's key frame interval (GOP, I-frame) to 4 s or less", waited)
	}
	return fmt.Errorf("no picture in %v: pictures came, but their decoder delivers none", waited)
}
