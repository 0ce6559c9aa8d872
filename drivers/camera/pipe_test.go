package camera

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"kerb/drivers/camera/cameratest"
)

// y4m is a YUV4MPEG2 stream of pictures in 4:2:0, numbered by their brightness.
func y4m(w, h, n int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "YUV4MPEG2 W%d H%d F10:1 Ip A1:1 C420jpeg\n", w, h)
	for i := range n {
		b.WriteString("FRAME\n")
		b.Write(bytes.Repeat([]byte{byte(10 + i)}, w*h))
		b.Write(bytes.Repeat([]byte{200}, 2*((w+1)/2)*((h+1)/2)))
	}
	return b.Bytes()
}

func TestWhatProgramsWriteConforms(t *testing.T) {
	all := pictures(t, 9)
	for name, data := range map[string][]byte{"JPEGs": bytes.Join(all, nil), "YUV4MPEG2": y4m(83, 61, 9)} {
		t.Run(name, func(t *testing.T) {
			cameratest.TestSource(t, cameratest.Case{
				Open: func() (cameratest.Source, error) {
					return opened(OpenPipe(t.Context(), bytes.NewReader(data), Layout{}, Limits{}, Live{}))
				},
				OpenStalled: func() (cameratest.Source, error) {
					return opened(OpenPipe(t.Context(), &endless{bytes.NewReader(data), make(chan struct{})}, Layout{}, Limits{}, Live{Stall: time.Hour}))
				},
				Pictures: 9,
			})
		})
	}
}

func TestLargePicturesOfAProgramAreReduced(t *testing.T) {
	s, err := OpenPipe(t.Context(), bytes.NewReader(y4m(101, 67, 2)), Layout{}, Limits{MaxPixels: 50 * 33}, Live{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w, h := s.Size()
	dst := make([]byte, w*h)
	for i := range 2 {
		if _, err := s.ReadInto(t.Context(), dst); err != nil || w != 50 || h != 33 {
			t.Fatalf("%d×%d: %v", w, h, err)
		}
		for _, v := range dst {
			if v != byte(10+i) {
				t.Fatalf("picture %d holds %d: colour, or another picture", i, v)
			}
		}
	}
}

// A reader that is slower than the camera gets the newest picture, and knows
// how many it missed.
// A stream of which only the newest picture is wanted is read by a goroutine of
// its own. An error inside a picture must not race with ReadInto; the race detector
// finds it.
func TestAnErrorInsideAPictureIsReadByOneGoroutine(t *testing.T) {
	data := y4m(64, 48, 3)
	for range 20 {
		broken := io.MultiReader(bytes.NewReader(data[:len(data)-2000]), iotest.ErrReader(io.ErrNoProgress))
		s, err := OpenPipe(t.Context(), broken, Layout{}, Limits{}, Live{Newest: true})
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 64*48)
		for err == nil {
			_, err = s.ReadInto(t.Context(), dst)
		}
		if !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("the stream ended with %v", err)
		}
		s.Close()
	}
}

func TestTheNewestPictureWins(t *testing.T) {
	r, w := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		w.Write(y4m(16, 16, 50))
	}()
	s, err := OpenPipe(t.Context(), r, Layout{}, Limits{}, Live{Newest: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	<-written
	dst := make([]byte, 16*16)
	last := byte(0)
	for range 50 {
		_, err := s.ReadInto(t.Context(), dst)
		if err != nil || dst[0] <= last {
			t.Fatalf("%d after %d: %v", dst[0], last, err)
		}
		if last = dst[0]; last == 59 {
			break
		}
	}
	if s.Dropped() < 40 {
		t.Errorf("%d pictures dropped of 50, of which one or two could be read", s.Dropped())
	}
}

func TestAProgramThatStallsIsGivenUp(t *testing.T) {
	for name, data := range map[string][]byte{"JPEGs": pictures(t, 1)[0], "YUV4MPEG2": y4m(16, 16, 1), "within a picture": y4m(16, 16, 2)[:500]} {
		for _, newest := range []bool{false, true} {
			s, err := OpenPipe(t.Context(), &endless{bytes.NewReader(data), make(chan struct{})}, Layout{}, Limits{}, Live{Stall: 50 * time.Millisecond, Newest: newest})
			if err != nil {
				t.Fatal(err)
			}
			w, h := s.Size()
			dst := make([]byte, w*h)
			for err == nil {
				_, err = s.ReadInto(t.Context(), dst)
			}
			if !strings.Contains(err.Error(), "no picture for 50ms") {
				t.Errorf("%s: %v", name, err)
			}
			s.Close()
		}
	}
	_, err := OpenPipe(t.Context(), &endless{bytes.NewReader(nil), make(chan struct{})}, Layout{}, Limits{}, Live{Connect: 50 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "no picture in the first 50ms") {
		t.Errorf("%v", err)
	}
}

func TestLayouts(t *testing.T) {
	for text, want := range map[string]Layout{
		"": {}, "mjpeg": {}, "yuv4mpeg": {}, "gray:4x2": {Width: 4, Height: 2}, "yuv420:4x2": {Width: 4, Height: 2, Colour: 4},
	} {
		if y, err := ParseLayout(text); err != nil || y != want {
			t.Errorf("%q: %+v, %v", text, y, err)
		}
	}
	for _, text := range []string{"gray", "gray:0x2", "gray:-4x2", "rgb:4x2", "gray:4x2x", "gray:99999x9"} {
		if _, err := ParseLayout(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	for _, line := range []string{"", "YUV4MPEG2", "YUV4MPEG2 W4", "YUV4MPEG2 Wx H2", "YUV4MPEG2 W4 H2 Cmono16", "YUV4MPEG2 W4 H2 C420p10"} {
		if _, err := parseY4MHeader(line); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}
