package camera

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"kerb/drivers/camera/cameratest"
)

// small keeps the fuzzing quick.
var small = Limits{MaxPixels: 1 << 16, MaxBytes: 1 << 16}

// drips gives a few bytes at a time.
type drips struct{ rest []byte }

func (d *drips) Read(b []byte) (int, error) {
	if len(d.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, d.rest[:min(len(d.rest), 7)])
	d.rest = d.rest[n:]
	return n, nil
}

// drain reads a source to its end and fails if it does not come to one.
func drain(t *testing.T, s cameratest.Source) (good int) {
	t.Helper()
	w, h := s.Size()
	if w*h < 1 || w*h > small.MaxPixels {
		t.Fatalf("size is %d×%d", w, h)
	}
	dst := make([]byte, w*h)
	for n := 0; n < 10000; n++ {
		at, err := s.ReadInto(context.Background(), dst)
		var b BadFrame
		switch {
		case errors.As(err, &b):
			if b.Frame != n {
				t.Fatalf("picture %d is called %d", n, b.Frame)
			}
		case err != nil:
			if _, again := s.ReadInto(context.Background(), dst); again == nil {
				t.Fatalf("goes on after %v", err)
			}
			return good
		case at.IsZero():
			t.Fatalf("picture %d has no time", n)
		default:
			good++
		}
	}
	t.Fatal("does not end")
	return 0
}

func FuzzAVI(f *testing.F) {
	one, two := picture(f, 24, 16, 0), picture(f, 24, 16, 1)
	f.Add(avi(one, nil, two))
	f.Add(avi(one, two[:100], two))
	f.Add(append(avi(one), packList("RIFF", "AVIX", packList("LIST", "movi", packList("LIST", "rec ", packChunk("01dc", two))))...))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := openAVIReader(bytes.NewReader(data), int64(len(data)), "clip.avi", small)
		if err != nil {
			return
		}
		frames := a.Frames()
		if good := drain(t, a); good > frames {
			t.Errorf("%d pictures of %d", good, frames)
		}
	})
}

// FuzzStream also checks that it makes no difference how the bytes arrive.
func FuzzStream(f *testing.F) {
	one, two := picture(f, 24, 16, 0), picture(f, 24, 16, 1)
	f.Add(bytes.Join([][]byte{one, two, one}, []byte("\r\n")))
	f.Add(bytes.Join([][]byte{one, two[:100], one, {0xff, 0xd8, 0xff}, two}, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		var good [2]int
		for i, r := range []io.Reader{bytes.NewReader(data), &drips{data}} {
			s, err := OpenStream(r, small, 10)
			if err != nil {
				continue
			}
			good[i] = drain(t, s)
			s.Close()
		}
		if good[0] != good[1] {
			t.Errorf("%d pictures in large pieces, %d in small", good[0], good[1])
		}
	})
}

func FuzzMultipart(f *testing.F) {
	one := string(picture(f, 24, 16, 0))
	f.Add([]byte("--frame\r\nContent-Type: image/jpeg\r\n\r\n"+one+"\r\n--frame\r\n\r\n"+one+"\r\n--frame--\r\n"), "frame")
	f.Add([]byte("--x\nContent-Type: text/plain\n\nhello\n--x\n\n"+one+"--x\n"+one), "")
	f.Fuzz(func(t *testing.T, data []byte, boundary string) {
		var good [2]int
		for i, r := range []io.Reader{bytes.NewReader(data), &drips{data}} {
			s := &Stream{rate: 10}
			s.splitter.multipart = &multipartScanner{boundary: parseBoundary("multipart/x-mixed-replace; boundary=" + boundary)}
			s.startReading(r, small)
			if err := s.findFormat(context.Background(), nil); err == nil {
				good[i] = drain(t, s)
			}
			s.Close()
		}
		if good[0] != good[1] {
			t.Errorf("%d pictures in large pieces, %d in small", good[0], good[1])
		}
	})
}

// FuzzPipe reads what a program writes: whatever that is, it is told apart,
// delivered at one size, and makes no difference how it arrives.
func FuzzPipe(f *testing.F) {
	one := picture(f, 24, 16, 0)
	f.Add(append([]byte("YUV4MPEG2 W4 H2 F30:1 Cmono\nFRAME\n01234567FRAME Ixyz\n"), "abcdefgh"...), uint8(0))
	f.Add([]byte("YUV4MPEG2 W3 H3 F25:1 Ip C420mpeg2\nFRAME\n012345678ccccccccFRAME\n01234"), uint8(0))
	f.Add([]byte("YUV4MPEG2 W600 H600 C444alpha\nFRAME\n"), uint8(0))
	f.Add(bytes.Join([][]byte{one, one[:50], one}, nil), uint8(0))
	f.Add([]byte("0123456789"), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, side uint8) {
		var y Layout
		if side > 0 {
			y = YUV420(int(side), int(side)/2+1)
		}
		var good [2]int
		for i, r := range []io.Reader{bytes.NewReader(data), &drips{data}} {
			s, err := OpenPipe(t.Context(), r, y, small, Live{})
			if err != nil {
				continue
			}
			good[i] = drain(t, s)
			s.Close()
		}
		if good[0] != good[1] {
			t.Errorf("%d pictures in large pieces, %d in small", good[0], good[1])
		}
	})
}
