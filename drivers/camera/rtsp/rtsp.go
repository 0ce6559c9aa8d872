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
// It sets up one video stream and refuses sound, back channels, other codecs,
// redirects to another host, and access units before the first random access
// picture and between a loss and the next one. What cameras get wrong is put right
// below the library, on the connection: see wire.go. No error holds the password,
// or any byte that came from a camera.
package rtsp

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"kerb/drivers/camera/auth"
)

// ErrRefused is returned when the camera answers 401 Unauthorized.
var ErrRefused = auth.ErrRefused

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
	RefuseBasic    bool        // Basic is not answered: the connection has no TLS
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
	wire   atomic.Pointer[wire]
	media  *description.Media
	format format.Format
	codec  Codec
	udp    bool
	losses atomic.Uint64
	wait   time.Duration // for a packet, before the session is given up

	packets, units, pictures atomic.Uint64         // that came: of RTP, whole, and that can be shown
	fatal                    atomic.Pointer[error] // why no picture can come
}

// Open connects, sends DESCRIBE, and sets up the first video stream with a known
// codec; ctx ends that, and does not end the session later. ErrRefused is a refused
// password.
func Open(ctx context.Context, address *url.URL, o Opts) (*Session, error) {
	s := &Session{udp: o.OpenUDP != nil, wait: o.Connect}
	s.client = &gortsplib.Client{
		Scheme: address.Scheme, Host: address.Host, UserAgent: "kerb",
		ReadTimeout: o.Connect, WriteTimeout: o.Connect, DisableRTCPSenderReports: true, AnyPortEnable: true,
		OnPacketsLost:     func(uint64) { s.losses.Add(1) },
		OnDecodeError:     func(error) { s.losses.Add(1) },
		OnTransportSwitch: func(error) {},
	}
	s.client.DialContext = s.dialWire(address, o)
	s.client.DialTLSContext = s.client.DialContext
	by := gortsplib.ProtocolTCP
	if s.udp {
		by = gortsplib.ProtocolUDP
		s.client.ListenPacket = listenPacketFrom(ctx, o.OpenUDP)
	}
	s.client.Protocol = &by
	if err := s.client.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, s.client.Close)
	err := s.setupVideo(address)
	if !stop() {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		s.client.Close()
		return nil, s.explain(err)
	}
	return s, nil
}

// dialWire returns the dial function of the library: it connects, by TLS for rtsps,
// and puts a wire below the library. It refuses another host than the camera's.
func (s *Session) dialWire(address *url.URL, o Opts) func(ctx context.Context, network, addr string) (net.Conn, error) {
	asked := *address
	asked.User = nil
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(addr); err != nil || host != asked.Hostname() {
			return nil, errOtherHost
		}
		dial := o.Dial
		if dial == nil {
			dial = (&net.Dialer{}).DialContext
		}
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, errDial{err}
		}
		if asked.Scheme == "rtsps" {
			if conn, err = startTLS(ctx, conn, o.TLS, asked.Hostname()); err != nil {
				return nil, errDial{err}
			}
		}
		w := newWire(conn, &asked, o.User, o.Password)
		w.auth.RefuseBasic = o.RefuseBasic
		s.wire.Store(w)
		return w, nil
	}
}

// startTLS makes the handshake. It closes conn where that fails.
func startTLS(ctx context.Context, conn net.Conn, config *tls.Config, name string) (net.Conn, error) {
	if config == nil {
		config = &tls.Config{}
	}
	if config = config.Clone(); config.ServerName == "" {
		config.ServerName = name
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, auth.ExplainTLS(err)
	}
	return secure, nil
}

// setupVideo sends DESCRIBE and SETUP for the first medium with a known codec.
func (s *Session) setupVideo(address *url.URL) error {
	u := base.URL(*address)
	u.User = nil // the wire answers challenges
	about, _, err := s.client.Describe(&u)
	if err != nil {
		return err
	}
	for _, m := range about.Medias {
		for _, f := range m.Formats {
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
		return s.otherCodecs()
	}
	_, err = s.client.Setup(about.BaseURL, s.media, 0, 0)
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
	s.client.OnPacketRTP(s.media, s.format, func(p *rtp.Packet) {
		s.packets.Add(1)
		on(p)
	})
	_, err = s.client.Play(nil)
	return s.explain(err)
}

// Wait waits for the end of the session and returns the reason.
func (s *Session) Wait() error {
	err := s.client.Wait()
	if why := s.fatal.Load(); why != nil {
		return *why
	}
	return s.explain(err)
}

// fail ends the session, as no picture can come.
func (s *Session) fail(why error) {
	if s.fatal.CompareAndSwap(nil, &why) {
		go s.client.Close() // it waits for the goroutine that is here
	}
}

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
