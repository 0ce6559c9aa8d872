package rtsp

import (
	"errors"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph265"
	"github.com/pion/rtp"
)

// newDepacketizer returns the function that joins RTP packets to pictures and
// passes them to take.
func (s *Session) newDepacketizer(take func(unit []byte, random bool)) (func(*rtp.Packet), error) {
	switch f := s.format.(type) {
	case *format.MJPEG:
		return s.jpegDepacketizer(take), nil
	case *format.H264:
		d, err := f.CreateDecoder()
		return s.unitDepacketizer(newByteStream(avc, f.SPS, f.PPS), d.Decode, take), err
	case *format.H265:
		d, err := f.CreateDecoder()
		return s.unitDepacketizer(newByteStream(hevc, f.VPS, f.SPS, f.PPS), d.Decode, take), err
	}
	return nil, errors.New("no such codec")
}

// jpegDepacketizer joins the packets of a JPEG and counts losses.
func (s *Session) jpegDepacketizer(take func([]byte, bool)) func(*rtp.Packet) {
	j := &jpegJoiner{picture: func(u []byte) {
		s.units.Add(1)
		s.pictures.Add(1)
		take(u, true)
	}}
	return func(p *rtp.Packet) {
		fatal, err := j.addPacket(p)
		if err != nil {
			s.losses.Add(1)
		}
		if fatal {
			s.fail(err)
		}
	}
}

// unitDepacketizer joins the packets of an access unit, RFC 6184 or RFC 7798, and
// counts losses.
func (s *Session) unitDepacketizer(b *byteStream, decode func(*rtp.Packet) ([][]byte, error), take func([]byte, bool)) func(*rtp.Packet) {
	return func(p *rtp.Packet) {
		lost := s.losses.Load()
		unit, err := decode(p)
		switch {
		case err == nil:
			s.units.Add(1)
			if out, random := b.joinUnit(unit, lost); out != nil {
				s.pictures.Add(1)
				take(out, random)
			}
		case errors.Is(err, rtph264.ErrMorePacketsNeeded), errors.Is(err, rtph265.ErrMorePacketsNeeded):
		case errors.Is(err, rtph264.ErrNonStartingPacketAndNoPrevious), errors.Is(err, rtph265.ErrNonStartingPacketAndNoPrevious):
		default:
			s.losses.Add(1)
		}
	}
}

// nalSyntax describes the NAL units of one codec, as far as a byte stream needs
// it.
type nalSyntax struct {
	nalType        func(nal []byte) uint8
	isRandomAccess func(nal []byte) bool // of a picture at which decoding can begin
	delimiterType  uint8
	delimiter      []byte // an access unit delimiter with its start code
}

// NAL unit types: H.264, table 7-1; H.265, table 7-1.
const (
	avcIDR        = 5 // coded slice of an IDR picture
	avcSEI        = 6
	avcDelimiter  = 9
	hevcFirstIRAP = 16 // BLA, IDR and CRA pictures
	hevcLastIRAP  = 21
	hevcDelimiter = 35

	avcRecoveryPoint = 6 // payloadType, D.1.1
)

var (
	avc = nalSyntax{
		nalType:        func(n []byte) uint8 { return n[0] & 0x1f },
		isRandomAccess: func(n []byte) bool { return n[0]&0x1f == avcIDR || isRecoveryPoint(n) },
		delimiterType:  avcDelimiter, delimiter: []byte{0, 0, 0, 1, 0x09, 0xf0},
	}
	hevc = nalSyntax{
		nalType:        func(n []byte) uint8 { return n[0] >> 1 & 0x3f },
		isRandomAccess: func(n []byte) bool { k := n[0] >> 1 & 0x3f; return k >= hevcFirstIRAP && k <= hevcLastIRAP },
		delimiterType:  hevcDelimiter, delimiter: []byte{0, 0, 0, 1, 0x46, 0x01, 0x50},
	}
)

// isRecoveryPoint reports an SEI message of a recovery point (H.264, D.1.8): cameras
// with gradual refresh send no IDR picture after the first.
func isRecoveryPoint(nal []byte) bool {
	return nal[0]&0x1f == avcSEI && len(nal) > 1 && nal[1] == avcRecoveryPoint
}

// byteStream converts access units to byte stream format: Annex B of H.264 and
// H.265.
type byteStream struct {
	nalSyntax
	params [][]byte // parameter sets of the session's description
	synced bool     // a random access picture has come since the last loss
	losses uint64   // the count of losses at that time
}

func newByteStream(y nalSyntax, params ...[]byte) *byteStream {
	return &byteStream{nalSyntax: y, params: params}
}

// joinUnit returns one access unit with start codes, and nil while it cannot be
// decoded. Parameter sets precede a random access picture. A delimiter follows each
// unit, so that the decoder knows the end without waiting for the next one.
func (b *byteStream) joinUnit(nals [][]byte, lost uint64) (out []byte, random bool) {
	for _, n := range nals {
		if len(n) > 0 {
			random = random || b.nalSyntax.isRandomAccess(n)
		}
	}
	if lost != b.losses {
		b.losses, b.synced = lost, false
	}
	if !b.synced && !random {
		return nil, false
	}
	b.synced = true
	add := func(n []byte) {
		if len(n) > 0 && b.nalType(n) != b.delimiterType {
			out = append(append(out, 0, 0, 0, 1), n...)
		}
	}
	if random {
		for _, p := range b.params {
			add(p)
		}
	}
	for _, n := range nals {
		add(n)
	}
	if out == nil {
		return nil, false
	}
	return append(out, b.delimiter...), random
}
