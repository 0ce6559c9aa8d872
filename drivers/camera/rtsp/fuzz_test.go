package rtsp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"
	"testing/iotest"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/conn"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/sdpunmarshaler"
	"github.com/pion/rtp"
)

// FuzzRTP is what a hostile camera can put into packets: it never panics, and
// what goes to a decoder is a byte stream that begins with a picture that needs
// no other. The first byte of each packet is its length; its top bit, the marker.
func FuzzRTP(f *testing.F) {
	f.Add(uint8(1), []byte("\x09\x65123456\x83\x06789\x85\x5cabcd\x86\x7c\x85abcd"))
	f.Add(uint8(2), []byte("\x0a\x26\x0112345678\x89\x02\x01xyzabc"))
	f.Add(uint8(0), []byte("\x8c\x00\x00\x00\x00\x01\x32\x08\x08abcd\xff\xd9"))
	f.Fuzz(func(t *testing.T, codec uint8, data []byte) {
		s := &Session{codec: Codec(codec % 3)}
		s.fatal.Store(&errTooWide) // so that no client has to be closed
		s.format = []format.Format{&format.MJPEG{}, &format.H264{PayloadTyp: 96, PacketizationMode: 1}, &format.H265{PayloadTyp: 96}}[s.codec]
		began := false
		on, err := s.newDepacketizer(func(unit []byte, random bool) {
			switch {
			case len(unit) == 0:
				t.Error("an empty picture")
			case s.codec == MJPEG && !bytes.HasPrefix(unit, []byte{0xff, 0xd8}):
				t.Errorf("no JPEG: %x", unit[:min(len(unit), 8)])
			case s.codec != MJPEG && !bytes.HasPrefix(unit, []byte{0, 0, 0, 1}):
				t.Errorf("no byte stream: %x", unit[:min(len(unit), 8)])
			case !began && !random:
				t.Error("begins with a picture that needs another")
			}
			began = true
		})
		if err != nil {
			t.Fatal(err)
		}
		for n := uint16(0); len(data) > 1; n++ {
			size := min(int(data[0]&0x7f), len(data)-1)
			p := &rtp.Packet{Payload: data[1 : 1+size]}
			p.SequenceNumber, p.Timestamp, p.Marker = n, uint32(n/4)*3000, data[0]&0x80 != 0
			on(p)
			data = data[1+size:]
		}
	})
}

// FuzzSDP reads a session description: its kept parts do not change when it is
// read again, and the library takes it unless no stream is left.
func FuzzSDP(f *testing.F) {
	f.Add([]byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track1\r\n"))
	f.Add([]byte("a=control:rtsp://cam/x\nm=Video 5/2 rtp/avp 96 x\na=rtpmap: 96 H264/90000\na=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z01AH42NQCgC3/g=,aO44gA==\nm=audio 0 RTP/AVP 0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, _ := standardSDP(data)
		again, _ := standardSDP(out)
		if !bytes.Equal(out, again) {
			t.Errorf("%q is read again as %q", out, again)
		}
		if _, err := sdpunmarshaler.Unmarshal(out); err != nil {
			t.Errorf("the library refuses %q: %v", out, err)
		}
	})
}

// FuzzRTSP reads what a camera sends: whatever that is, the library gets answers and
// frames in the standard form, and it makes no difference how the bytes arrive.
func FuzzRTSP(f *testing.F) {
	f.Add([]byte("RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Base: x\r\nContent-Length: 5\r\n\r\nv=0\r\n$\x00\x00\x04abcd"))
	f.Add([]byte("OPTIONS rtsp://c RTSP/1.0\nCSeq: 9\n\nRTSP/1.0 401\nWWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\n\njunk$\x09\x00\x01a"))
	f.Add([]byte("RTSP/1.0 302 Moved\r\nLocation: rtsp://camera/other\r\n\r\nRTSP/1.0 200 OK\r\nTransport: RTP/AVP;interleaved=7\r\nSession: 1;timeout=x\r\n\r\n"))
	address, err := url.Parse("rtsp://camera/live")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got [2][]byte
		for i, from := range []io.Reader{bytes.NewReader(data), iotest.OneByteReader(bytes.NewReader(data))} {
			c := newWire(deaf{Reader: from}, address, "user", "password")
			for n, method := range []string{"OPTIONS", "DESCRIBE", "SETUP", "PLAY", "GET_PARAMETER"} {
				if _, err := fmt.Fprintf(c, "%s rtsp://camera/live RTSP/1.0\r\nCSeq: %d\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n", method, n+1); err != nil {
					t.Fatal(err)
				}
			}
			got[i], _ = io.ReadAll(c)
			checkStandard(t, got[i])
		}
		if !bytes.Equal(got[0], got[1]) {
			t.Errorf("%q in one piece, %q in small ones", got[0], got[1])
		}
	})
}

// deaf is a connection to which all can be written.
type deaf struct {
	io.Reader
	net.Conn
}

func (d deaf) Read(b []byte) (int, error)  { return d.Reader.Read(b) }
func (d deaf) Write(b []byte) (int, error) { return len(b), nil }

// checkStandard reads all messages as the library does. The last may be cut short.
func checkStandard(t *testing.T, data []byte) {
	t.Helper()
	in := conn.NewConn(bufio.NewReader(bytes.NewReader(data)), nil)
	for {
		switch m, err := in.Read(); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return
		case err != nil:
			t.Fatalf("the library refuses %q: %v", data, err)
		default:
			if res, ok := m.(*base.Response); ok && len(res.Header["CSeq"]) != 1 {
				t.Fatalf("not numbered: %v", res)
			}
		}
	}
}
