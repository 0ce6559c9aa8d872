package camera

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
)

// picture is a JPEG of w×h made of a slope and a bright square that stands at
// another place in each picture n.
func picture(tb testing.TB, w, h, n int) []byte {
	tb.Helper()
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = byte(100+i%50), byte(140-i%50)
	}
	for y := range h {
		for x := range w {
			v := byte((x+2*y)/3 + 9*(n%3)) // n changes every cell, as the light does
			if (x/8+n)%7 == 0 && (y/8+n)%5 == 0 {
				v = 230
			}
			m.Y[y*m.YStride+x] = v
		}
	}
	return encode(tb, m, 85)
}

func encode(tb testing.TB, m image.Image, quality int) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// reference is the luma of a JPEG as image/jpeg decodes it.
func reference(tb testing.TB, src []byte) []byte {
	tb.Helper()
	m, err := jpeg.Decode(bytes.NewReader(src))
	if err != nil {
		tb.Fatal(err)
	}
	r := m.Bounds()
	var out []byte
	for y := range r.Dy() {
		for x := range r.Dx() {
			switch m := m.(type) {
			case *image.YCbCr:
				out = append(out, m.Y[y*m.YStride+x])
			default:
				out = append(out, color.GrayModel.Convert(m.At(x, y)).(color.Gray).Y)
			}
		}
	}
	return out
}

// near fails unless two pictures differ by at most one level anywhere.
func near(tb testing.TB, got, want []byte) {
	tb.Helper()
	if len(got) != len(want) {
		tb.Fatalf("%d bytes, must be %d", len(got), len(want))
	}
	for i := range got {
		if d := int(got[i]) - int(want[i]); d < -1 || d > 1 {
			tb.Fatalf("sample %d is %d, must be %d", i, got[i], want[i])
		}
	}
}

// bomb is a small JPEG that declares 30000×30000.
func bomb(tb testing.TB) []byte {
	tb.Helper()
	src := encode(tb, image.NewGray(image.Rect(0, 0, 8, 8)), 75)
	i := bytes.Index(src, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(src[i+5:], 30000)
	binary.BigEndian.PutUint16(src[i+7:], 30000)
	return src
}

// packChunk and packList build an AVI file.
func packChunk(id string, body ...[]byte) []byte {
	data := bytes.Join(body, nil)
	out := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(data)))
	out = append(out, data...)
	if len(data)&1 == 1 {
		out = append(out, 0)
	}
	return out
}

func packList(id, kind string, body ...[]byte) []byte {
	return packChunk(id, append([][]byte{[]byte(kind)}, body...)...)
}

// aviHead is the header list of an AVI file with one video stream, after one
// of sound, as is common.
func aviHead(fourcc string, rate uint32) []byte {
	video := make([]byte, 56)
	copy(video, "vids"+fourcc)
	binary.LittleEndian.PutUint32(video[20:], 1)
	binary.LittleEndian.PutUint32(video[24:], rate)
	format := make([]byte, 40)
	copy(format[16:], fourcc)
	sound := make([]byte, 56)
	copy(sound, "auds")
	return packList("LIST", "hdrl",
		packChunk("avih", make([]byte, 56)),
		packList("LIST", "strl", packChunk("strh", sound), packChunk("strf", make([]byte, 16))),
		packList("LIST", "strl", packChunk("strh", video), packChunk("strf", format)))
}

// avi is an AVI file of 10 pictures a second.
func avi(frames ...[]byte) []byte {
	var movi [][]byte
	for _, f := range frames {
		movi = append(movi, packChunk("01dc", f), packChunk("00wb", []byte("sound")))
	}
	return packList("RIFF", "AVI ", aviHead("MJPG", 10), packList("LIST", "movi", movi...), packChunk("idx1", []byte{1, 2, 3, 4}))
}

// file writes data to a fresh file.
func file(tb testing.TB, name string, data []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// pictures are n different ones of one size.
func pictures(tb testing.TB, n int) (all [][]byte) {
	tb.Helper()
	for i := range n {
		all = append(all, picture(tb, 83, 61, i))
	}
	return all
}
