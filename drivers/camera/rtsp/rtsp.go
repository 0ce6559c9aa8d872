// Package rtsp receives the pictures of a network camera by RTSP, RFC 2326, with
// gortsplib: M-JPEG as JPEGs, H.264 and H.265 as access units for a decoder
// elsewhere.
//
// The caller opens all sockets. By TCP, pictures come over the RTSP connection. By
// UDP they come over two sockets that are only read: packets that the library
// sends through them are dropped, so that a process without the right to send may
// hold them. So the camera's RTCP reports are not answered; requests over TCP keep
// the session alive.
//
// It sets up one video stream and refuses sound, back channels, other codecs, and
// access units before the first random access picture and between a loss and the
// next one. No error holds the password.
package rtsp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
)

// ErrRefused is returned when the camera answers 401 Unauthorized.
var ErrRefused = errors.New("the user or the password is refused")

// Codec is the compression of the pictures.
type Codec uint8

// The supported codecs.
const (
	MJPEG Codec = iota
	H264
	H265
)

// String returns the usual name, such as H.264.
func (c Codec) String() string { return [...]string{"M-JPEG", "H.264", "H.265"}[c] }

// Opts says how to reach a camera.
type Opts struct {
	User, Password string      // sent as Digest or Basic when the camera asks for it
	TLS            *tls.Config // for rtsps; nil: the system's roots
	// Dial opens the TCP connection; nil: the library's own dialler.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// OpenUDP opens two UDP sockets, at an even port and the next one; nil:
	// pictures come by TCP.
	OpenUDP func(ctx context.Context) (rtp, rtcp *net.UDPConn, err error)
	Connect time.Duration // time limit of each read and write
}

// Session is one RTSP session, set up and ready to play.
type Session struct {
	client *gortsplib.Client
	media  *description.Media
	format format.Format
	codec  Codec
	secret string
	losses atomic.Uint64
}

// Open connects, sends DESCRIBE, and sets up the first video stream with a known
// codec; ctx ends that, and does not end the session later. Errors name neither
// user nor password; ErrRefused is a refused password.
func Open(ctx context.Context, address *url.URL, o Opts) (*Session, error) {
	s := &Session{secret: o.Password}
	s.client = &gortsplib.Client{
		Scheme: address.Scheme, Host: address.Host, TLSConfig: o.TLS, DialContext: o.Dial, UserAgent: "kerb",
		ReadTimeout: o.Connect, WriteTimeout: o.Connect, DisableRTCPSenderReports: true,
		OnPacketsLost:     func(uint64) { s.losses.Add(1) },
		OnDecodeError:     func(error) { s.losses.Add(1) },
		OnTransportSwitch: func(error) {},
	}
	by := gortsplib.ProtocolTCP
	if o.OpenUDP != nil {
		by = gortsplib.ProtocolUDP
		s.client.ListenPacket = listenPacketFrom(ctx, o.OpenUDP)
	}
	s.client.Protocol = &by
	if err := s.client.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, s.client.Close)
	err := s.setupVideo(address, o)
	if !stop() {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		s.client.Close()
		return nil, s.hidePassword(err)
	}
	return s, nil
}

// setupVideo sends DESCRIBE and SETUP for the first medium with a known codec.
func (s *Session) setupVideo(address *url.URL, o Opts) error {
	u := base.URL(*address)
	if o.User != "" {
		u.User = url.UserPassword(o.User, o.Password)
	}
	about, _, err := s.client.Describe(&u)
	if status, ok := errors.AsType[liberrors.ErrClientBadStatusCode](err); ok && status.Code == base.StatusUnauthorized {
		return ErrRefused
	}
	if err != nil {
		return err
	}
	var kinds []string
	for _, m := range about.Medias {
		for _, f := range m.Formats {
			kinds = append(kinds, f.RTPMap())
			if s.format != nil || m.IsBackChannel {
				continue
			}
			switch f.(type) {
			case *format.MJPEG:
				s.codec = MJPEG
			case *format.H264:
				s.codec = H264
			case *format.H265:
				s.codec = H265
			default:
				continue
			}
			s.media, s.format = m, f
		}
	}
	if s.format == nil {
		return fmt.Errorf("camera has no M-JPEG, H.264 or H.265 but %s", strings.Join(kinds, ", "))
	}
	_, err = s.client.Setup(about.BaseURL, s.media, 0, 0)
	return err
}

// hidePassword replaces an error whose text holds the password.
func (s *Session) hidePassword(err error) error {
	if err != nil && s.secret != "" && (strings.Contains(err.Error(), s.secret) || strings.Contains(err.Error(), url.QueryEscape(s.secret))) {
		return errors.New("camera refuses, in words that hold the password")
	}
	return err
}

// Codec returns the compression of the pictures.
func (s *Session) Codec() Codec { return s.codec }

// Play sends PLAY. Each picture then goes to take, from one goroutine, until Close:
// a JPEG, or an access unit of H.264 or H.265 in byte stream format (Annex B), with
// random true for a random access picture. The first unit of H.26x, and the first
// after a loss, is always one. The bytes belong to take.
func (s *Session) Play(take func(unit []byte, random bool)) error {
	on, err := s.newDepacketizer(take)
	if err != nil {
		return err
	}
	s.client.OnPacketRTP(s.media, s.format, on)
	_, err = s.client.Play(nil)
	return s.hidePassword(err)
}

// Wait waits for the end of the session and returns the reason.
func (s *Session) Wait() error { return s.hidePassword(s.client.Wait()) }

// Close ends the session and its connection.
func (s *Session) Close() { s.client.Close() }

// readOnlyUDP is a UDP socket that drops all writes.
type readOnlyUDP struct{ *net.UDPConn }

// ReadFrom reads by recvmsg, the only call for it that the cage allows.
func (d readOnlyUDP) ReadFrom(b []byte) (int, net.Addr, error) {
	n, _, _, from, err := d.ReadMsgUDP(b, nil)
	return n, from, err
}

// WriteTo drops the packet and reports success.
func (d readOnlyUDP) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), nil }

// listenPacketFrom returns a ListenPacket function for the library: the first call
// opens both sockets and returns the one for RTP, the second that for RTCP.
func listenPacketFrom(ctx context.Context, packets func(context.Context) (rtp, rtcp *net.UDPConn, err error)) func(string, string) (net.PacketConn, error) {
	var second *net.UDPConn
	return func(string, string) (net.PacketConn, error) {
		if second != nil {
			c := second
			second = nil
			return readOnlyUDP{c}, nil
		}
		first, next, err := packets(ctx)
		if err != nil {
			return nil, err
		}
		second = next
		return readOnlyUDP{first}, nil
	}
}
