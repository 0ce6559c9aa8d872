package rtsp

import (
	"bytes"
	"testing"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
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
