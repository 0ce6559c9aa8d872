// Package rtsp receives the pictures of a network camera by RTSP, RFC 2326, with
// gortsplib: M-JPEG as JPEGs, H.264 and H.265 as access units for a decoder
// elsewhere. It asks for video and nothing else; sound is never set up.
//
// The library may dial by itself; here it is handed what is open already. By
// TCP, pictures come over the one connection. By UDP they come over two sockets
// that are handed in as well, and that are only ever read: what the library
// wants to send through them is thrown away, so that whoever holds them needs no
// right to send. The camera's reports go unanswered; it is kept alive by
// requests over TCP.
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

// ErrRefused is a wrong user or password.
var ErrRefused = errors.New("the user or the password is refused")

// Codec is how the pictures are compressed.
type Codec uint8

// The codecs.
const (
	MJPEG Codec = iota
	H264
	H265
)

func (c Codec) String() string { return [...]string{"M-JPEG", "H.264", "H.265"}[c] }

// Opts says how to reach a camera.
type Opts struct {
	User, Password string // sent as Digest or Basic, when the camera asks
	TLS            *tls.Config
	Dial           func(ctx context.Context, network, addr string) (net.Conn, error)
	// Packets gives two UDP sockets at an even port and the one after it; nil:
	// pictures come by TCP.
	Packets func(ctx context.Context) (rtp, rtcp *net.UDPConn, err error)
	Connect time.Duration // for each step until pictures are to come
}

// Session is a camera that is about to play.
type Session struct {
	client *gortsplib.Client
	media  *description.Media
	format format.Format
	codec  Codec
	secret string
	losses atomic.Uint64
}

// Open connects, and asks what the camera has; ctx bounds that and nothing after
// it. Errors name neither user nor password.
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
	if o.Packets != nil {
		by = gortsplib.ProtocolUDP
		s.client.ListenPacket = listenPacketFrom(ctx, o.Packets)
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

// hidePassword takes what may hold the password out of an error.
func (s *Session) hidePassword(err error) error {
	if err != nil && s.secret != "" && (strings.Contains(err.Error(), s.secret) || strings.Contains(err.Error(), url.QueryEscape(s.secret))) {
		return errors.New("camera refuses, in words that hold the password")
	}
	return err
}

// Codec is how the pictures are compressed.
func (s *Session) Codec() Codec { return s.codec }

// Bad is how often packets were lost or wrong.
func (s *Session) Bad() uint64 { return s.losses.Load() }

// Play asks for pictures. Each goes to take, from one goroutine, until Close: a
// JPEG, or an access unit of H.264 or H.265 in the byte stream format of its
// Annex B. After a loss H.26x goes on with the next picture that needs no other.
// What take is given is its own.
func (s *Session) Play(take func(unit []byte, random bool)) error {
	on, err := s.newDepacketizer(take)
	if err != nil {
		return err
	}
	s.client.OnPacketRTP(s.media, s.format, on)
	_, err = s.client.Play(nil)
	return s.hidePassword(err)
}

// Wait waits for the end and tells its reason.
func (s *Session) Wait() error { return s.hidePassword(s.client.Wait()) }

// Close ends the session.
func (s *Session) Close() { s.client.Close() }

// readOnlyUDP is a UDP socket that is only read.
type readOnlyUDP struct{ *net.UDPConn }

// ReadFrom reads by recvmsg, the one call that a caged process has for it.
func (d readOnlyUDP) ReadFrom(b []byte) (int, net.Addr, error) {
	n, _, _, from, err := d.ReadMsgUDP(b, nil)
	return n, from, err
}

// WriteTo says that it was sent.
func (d readOnlyUDP) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), nil }

// listenPacketFrom gives the library the one socket, then the other.
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
