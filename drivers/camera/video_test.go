package camera

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerb/drivers/camera/cameratest"
)

// avcVector returns the path of a stream of package h264.
func avcVector(name string) string { return filepath.Join("h264", "testdata", name+".264") }

func TestVideoConforms(t *testing.T) {
	for name, pictures := range map[string]int{"baseline": 12, "main": 12, "high": 12, "refresh": 24, "mono": 4} {
		t.Run(name, func(t *testing.T) {
			cameratest.TestSource(t, cameratest.Case{
				Open:     func() (cameratest.Source, error) { return opened(OpenVideo(avcVector(name), Limits{}, 25)) },
				Pictures: pictures,
			})
		})
	}
}

// A slice that is lost costs its picture and those that depend on it.
func TestDamagedVideoGoesOnAtTheNextKeyPicture(t *testing.T) {
	stream, err := os.ReadFile(avcVector("baseline"))
	if err != nil {
		t.Fatal(err)
	}
	parts := bytes.Split(stream, []byte{0, 0, 0, 1})
	lost := bytes.Join(append(parts[:4:4], parts[5:]...), []byte{0, 0, 0, 1})
	v, err := OpenVideo(file(t, "lost.264", lost), Limits{}, 25)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	good, bad := 0, 0
	dst := make([]byte, 98*68)
	for {
		_, err := v.ReadInto(t.Context(), dst)
		if err == io.EOF {
			break
		}
		if isBadFrame(err) {
			bad++
		} else if err != nil {
			t.Fatal(err)
		} else {
			good++
		}
	}
	if good != 8 || bad != 3 { // of 12: the third one, and the three up to the next key picture
		t.Errorf("%d pictures, %d bad ones", good, bad)
	}
}

// readAll returns all pictures of a source and their times.
func readAll(t *testing.T, v *Video) (pictures [][]byte, times []time.Time) {
	t.Helper()
	defer v.Close()
	w, h := v.Size()
	for {
		dst := make([]byte, w*h)
		at, err := v.ReadInto(context.Background(), dst)
		if err == io.EOF {
			return pictures, times
		}
		if err != nil {
			t.Fatal(err)
		}
		pictures, times = append(pictures, dst), append(times, at)
	}
}

// encodeVideo lets ffmpeg write an MP4 file, and its stream to another file.
func encodeVideo(t *testing.T, words ...string) (wrapped, stream string) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("MP4 files are not read: no ffmpeg to write them")
	}
	dir := t.TempDir()
	wrapped, stream = filepath.Join(dir, "x.mp4"), filepath.Join(dir, "x.264")
	for _, args := range [][]string{
		append(append([]string{"-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10", "-frames:v", "25", "-c:v", "libx264", "-g", "8", "-threads", "1", "-pix_fmt", "yuv420p"}, words...), wrapped),
		{"-i", wrapped, "-c", "copy", "-f", "h264", stream},
	} {
		if out, err := exec.Command("ffmpeg", append([]string{"-v", "error", "-nostdin"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("ffmpeg: %v: %s", err, out)
		}
	}
	return wrapped, stream
}

func TestAnMP4FileHasThePicturesOfItsStream(t *testing.T) {
	for layout, words := range map[string][]string{
		"index last": nil, "index first": {"-movflags", "faststart"}, "in fragments": {"-movflags", "frag_keyframe+empty_moov"},
		"fragments of one": {"-movflags", "frag_every_frame+empty_moov+default_base_moof"}, "no reordering": {"-bf", "0"},
	} {
		t.Run(layout, func(t *testing.T) {
			wrapped, stream := encodeVideo(t, words...)
			a, err := OpenVideo(stream, Limits{}, 10)
			if err != nil {
				t.Fatal(err)
			}
			b, err := OpenVideo(wrapped, Limits{}, 1)
			if err != nil {
				t.Fatal(err)
			}
			want, at := readAll(t, a)
			got, times := readAll(t, b)
			if len(got) != len(want) || len(want) != 25 {
				t.Fatalf("%d pictures, the stream has %d", len(got), len(want))
			}
			for i := range got {
				if !bytes.Equal(got[i], want[i]) {
					t.Fatalf("picture %d differs", i)
				}
				if d := times[i].Sub(at[i]); d < -time.Millisecond || d > time.Millisecond {
					t.Errorf("picture %d is at %v, must be at %v", i, times[i], at[i])
				}
			}
		})
	}
}

func TestALargeVideoIsReduced(t *testing.T) {
	v, err := OpenVideo(avcVector("baseline"), Limits{MaxPixels: 98 * 67}, 25)
	if err != nil {
		t.Fatal(err)
	}
	full, err := OpenVideo(avcVector("baseline"), Limits{}, 25)
	if err != nil {
		t.Fatal(err)
	}
	small, _ := readAll(t, v)
	large, _ := readAll(t, full)
	if w, h := v.Size(); w != 49 || h != 34 || len(small) != len(large) {
		t.Fatalf("%d×%d, %d pictures of %d", w, h, len(small), len(large))
	}
	l, s := large[3], small[3]
	mean := (int(l[0]) + int(l[1]) + int(l[98]) + int(l[99]) + 2) / 4
	if int(s[0]) != mean {
		t.Errorf("%d is not the mean %d", s[0], mean)
	}
}

func TestWhatIsNoH264IsRefusedByName(t *testing.T) {
	for name, c := range map[string]struct{ path, text string }{
		"no video":   {file(t, "x.264", []byte(strings.Repeat("no picture", 100))), "no picture of H.264"},
		"empty":      {file(t, "y.264", nil), "no picture of H.264"},
		"interlaced": {avcVector("interlaced"), "progressive"},
		"high 10":    {avcVector("high10"), "8 bits"},
		"cut MP4":    {file(t, "z.mp4", []byte("\x00\x00\x00\x08ftyp")), "not complete"},
	} {
		if v, err := OpenVideo(c.path, Limits{}, 25); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

// pushStream writes a stream as access units, each with a delimiter.
func pushStream(in avcInput, nals [][]byte) error {
	delimiter := []byte{0, 0, 0, 1, 0x09, 0xf0}
	for _, nal := range nals {
		unit := append(append([]byte{0, 0, 0, 1}, nal...), delimiter...)
		if _, err := in.Write(unit); err != nil {
			return err
		}
	}
	return nil
}

// streamNALs returns the NAL units of a vector with one slice a picture.
func streamNALs(t *testing.T, name string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(avcVector(name))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.ReplaceAll(b, []byte{0, 0, 0, 1}, []byte{0, 0, 1}), []byte{0, 0, 1})[1:]
}

func TestALiveStreamDeliversEveryPictureInOrder(t *testing.T) {
	s := newAVCStream(Limits{}, Live{Stall: time.Minute, Connect: time.Minute})
	wrote := make(chan error, 1)
	go func() {
		err := pushStream(avcInput{s}, streamNALs(t, "refresh"))
		wrote <- errors.Join(err, avcInput{s}.Close())
	}()
	if err := s.waitOpen(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, err := OpenVideo(avcVector("refresh"), Limits{}, 25)
	if err != nil {
		t.Fatal(err)
	}
	pictures, _ := readAll(t, want)
	dst := make([]byte, 98*68)
	for i := range pictures {
		if _, err := s.ReadInto(t.Context(), dst); err != nil {
			t.Fatalf("picture %d: %v", i, err)
		}
		if !bytes.Equal(dst, pictures[i]) {
			t.Fatalf("picture %d differs", i)
		}
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	if _, err := s.ReadInto(t.Context(), dst); err != io.EOF {
		t.Errorf("behind the last picture: %v", err)
	}
	s.Close()
	if _, err := s.ReadInto(t.Context(), dst); err != ErrClosed {
		t.Errorf("after Close: %v", err)
	}
}

// A device that is too slow decodes key pictures only.
func TestAnOverloadedStreamDecodesKeyPicturesOnly(t *testing.T) {
	l := &lender{out: map[*byte]int{}}
	s := newAVCStream(Limits{Memory: l}, Live{Newest: true})
	in := avcInput{s}
	q := newUnitQueue(in)
	q.onOverload = s.decodeKeysOnly
	for range maxOverflows * (maxQueuedUnits + 1) {
		q.addUnit([]byte{0, 0, 0, 1, 9, 0xf0}, true)
	}
	if !s.keyOnly.Load() {
		t.Fatal("the queue overflows and nothing happens")
	}
	if err := pushStream(in, streamNALs(t, "main")); err != nil {
		t.Fatal(err)
	}
	if n := s.Dropped(); n != 1 {
		t.Errorf("%d pictures replaced, of two key pictures one", n)
	}
	in.Close()
	s.Close()
	if len(l.out) > 0 || l.most == 0 {
		t.Errorf("%d blocks are kept", len(l.out))
	}
}

// FuzzVideo is what a hostile file can hold.
func FuzzVideo(f *testing.F) {
	for _, name := range []string{"baseline", "main"} {
		b, err := os.ReadFile(avcVector(name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:2000])
	}
	f.Add([]byte("\x00\x00\x00\x08ftyp\x00\x00\x00\x01mdat\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00moov"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := openVideoReader(bytes.NewReader(data), int64(len(data)), "fuzz", Limits{MaxPixels: 1 << 16}, 25)
		if err != nil {
			return
		}
		defer v.Close()
		w, h := v.Size()
		dst := make([]byte, w*h)
		for range 100 {
			if _, err := v.ReadInto(t.Context(), dst); err != nil && !isBadFrame(err) {
				return
			}
		}
	})
}
