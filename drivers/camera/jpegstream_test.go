package camera

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"kerb/drivers/camera/cameratest"
)

// stream is OpenStream for bytes that come in small pieces.
func stream(tb testing.TB, r io.Reader, l Limits) *Stream {
	tb.Helper()
	s, err := OpenStream(r, l, 10)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func TestStreamFindsPicturesWhateverLiesBetween(t *testing.T) {
	all := pictures(t, 4)
	noise := make([]byte, 3000)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range noise {
		if noise[i] = byte(r.Uint32()); noise[i] == 0xff {
			noise[i] = 0
		}
	}
	for name, between := range map[string]string{
		"nothing":       "",
		"line ends":     "\r\n\r\n",
		"zeros":         strings.Repeat("\x00", 512),
		"noise":         string(noise),
		"end markers":   "\xff\xd9\xff\xd9",
		"lone 0xff":     "\xff\xff\xff",
		"text":          "--frame\r\nContent-Length: 12\r\n\r\n",
		"restart codes": "\xff\xd0\xff\xd7",
	} {
		t.Run(name, func(t *testing.T) {
			data := append([]byte(between), bytes.Join(all, []byte(between))...)
			plays(t, stream(t, bytes.NewReader(data), Limits{}), all)
			plays(t, stream(t, iotest.OneByteReader(bytes.NewReader(data)), Limits{}), all)
		})
	}
}

func TestDamagedPictureInAStreamCostsOnlyItself(t *testing.T) {
	good := pictures(t, 3)
	sos := bytes.Index(good[1], []byte{0xff, 0xda})
	longer := bytes.Clone(good[1])
	longer[4] = 0x40 // the first segment now leads over the rest of the picture, and over the next start
	large := append(bytes.Clone(good[1][:sos]), append(bytes.Repeat([]byte{0xff, 0xe1, 0xff, 0xff}, 1), make([]byte, 70000)...)...)
	for name, broken := range map[string][]byte{
		"cut in the scan":           good[1][:sos+500],
		"cut in the header":         good[1][:sos-20],
		"cut in the first segment":  good[1][:10],
		"with a false length":       longer,
		"with bytes between":        append(bytes.Clone(good[1][:sos]), good[1][sos+1:]...),
		"that goes on and on":       large,
		"that is only a start":      {0xff, 0xd8, 0xff},
		"with a code without sense": bytes.Replace(good[1], good[1][sos+20:sos+60], bytes.Repeat([]byte{0xfe}, 40), 1),
	} {
		t.Run(name, func(t *testing.T) {
			data := bytes.Join([][]byte{good[0], broken, good[2]}, nil)
			got, err := read(t, stream(t, bytes.NewReader(data), Limits{MaxBytes: 20000}))
			if err != io.EOF || len(got) < 3 || got[0] == nil || got[len(got)-1] == nil {
				t.Fatalf("%d pictures, then %v", len(got), err)
			}
			for _, p := range got[1 : len(got)-1] {
				if p != nil {
					t.Error("the damaged picture was delivered")
				}
			}
			near(t, got[0], reference(t, good[0]))
			near(t, got[len(got)-1], reference(t, good[2]))
		})
	}
}

func TestThumbnailOfADamagedPictureIsNoPicture(t *testing.T) {
	all := pictures(t, 3)
	thumb := picture(t, 16, 12, 0)
	n := len(thumb) + 2
	exif := append([]byte{0xff, 0xd8, 0xff, 0xe1, byte(n >> 8), byte(n)}, thumb...)
	with := append(exif, all[1][2:]...)
	for _, cut := range []int{len(with) - 500, n + 200} {
		data := bytes.Join([][]byte{all[0], with[:cut], all[2]}, []byte("\r\n--frame\r\n\r\n"))
		for _, s := range []cameratest.Source{
			stream(t, bytes.NewReader(data), Limits{}),
			dial(t, camera(t, "multipart/x-mixed-replace", data), Limits{}, HTTPOpts{}),
		} {
			got, err := read(t, s)
			if len(got) != 3 || got[1] != nil || got[2] == nil || err != io.EOF {
				t.Errorf("%T cut at %d: %d pictures, then %v", s, cut, len(got), err)
			}
		}
	}
}

func TestStreamThatEndsInsideAPictureSaysSo(t *testing.T) {
	all := pictures(t, 2)
	s := stream(t, bytes.NewReader(append(all[0], all[1][:900]...)), Limits{})
	dst := make([]byte, 83*61)
	s.ReadInto(t.Context(), dst)
	_, err := s.ReadInto(t.Context(), dst)
	if err == nil || err.Error() != "picture 1: jpeg: picture is cut short: 41 % of it is there" {
		t.Errorf("error %v", err)
	}
	if _, err := s.ReadInto(t.Context(), dst); err != io.EOF {
		t.Errorf("then %v", err)
	}
}

func TestStreamEndsWhenThePicturesChange(t *testing.T) {
	s := stream(t, bytes.NewReader(append(picture(t, 83, 61, 0), picture(t, 40, 30, 0)...)), Limits{})
	got, err := read(t, s)
	if len(got) != 1 || err == nil || !strings.Contains(err.Error(), "is 40×30, the ones before were 83×61") {
		t.Errorf("%d pictures, then %v", len(got), err)
	}
}

func TestStreamWithoutPicturesIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":        {nil, "no JPEG picture came"},
		"text":           {[]byte("hello"), "no JPEG picture came"},
		"endless text":   {bytes.Repeat([]byte("hello"), 50000), "no JPEG picture in"},
		"a huge picture": {bomb(t), "picture of 30000×30000 is too large"},
	} {
		_, err := OpenStream(bytes.NewReader(c.data), Limits{MaxBytes: 30000}, 0)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := OpenStream(bytes.NewReader(nil), Limits{}, -1); err == nil {
		t.Error("negative rate: no error")
	}
}

func TestStreamReportsWhyItsReaderFailed(t *testing.T) {
	why := errors.New("cable")
	s := stream(t, io.MultiReader(bytes.NewReader(pictures(t, 1)[0]), iotest.ErrReader(why)), Limits{})
	got, err := read(t, s)
	if len(got) != 1 || !errors.Is(err, why) {
		t.Errorf("%d pictures, then %v", len(got), err)
	}
}

func TestLiveStreamTellsWhenAPictureCame(t *testing.T) {
	r, w := io.Pipe()
	all := pictures(t, 3)
	before := time.Now()
	go func() {
		for _, p := range all {
			w.Write(p)
		}
		w.Close()
	}()
	s, err := OpenStream(r, Limits{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dst := make([]byte, 83*61)
	for last := before; ; {
		at, err := s.ReadInto(t.Context(), dst)
		if err == io.EOF {
			return
		}
		if err != nil || at.Before(last) || at.After(time.Now()) {
			t.Fatalf("taken at %v after %v (%v)", at, last, err)
		}
		last = at
	}
}

func TestRawDeliversItsBytes(t *testing.T) {
	data := make([]byte, 3*20*10)
	for i := range data {
		data[i] = byte(i * 7)
	}
	r, err := openGray(iotest.HalfReader(bytes.NewReader(data)), 20, 10, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, end := read(t, r)
	if end != io.EOF || !bytes.Equal(bytes.Join(got, nil), data) {
		t.Errorf("%d pictures, then %v", len(got), end)
	}
	for _, c := range [][2]int{{0, 10}, {10, 0}, {-1, 5}, {70000, 1}} {
		if _, err := openGray(bytes.NewReader(nil), c[0], c[1], Limits{}); err == nil {
			t.Errorf("%v: no error", c)
		}
	}
}

func TestStillsMustBeOfOneSize(t *testing.T) {
	a, b := file(t, "a.jpg", picture(t, 83, 61, 0)), file(t, "b.jpg", picture(t, 40, 30, 0))
	_, err := OpenStills([]string{a, b}, Limits{})
	if want := fmt.Sprintf("%s is 40×30, but %s is 83×61: all must be of one size", b, a); err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
	for name, paths := range map[string][]string{
		"none": nil, "one that is missing": {"/nowhere.jpg"}, "a directory": {t.TempDir()}, "a huge one": {file(t, "c.jpg", bomb(t))},
	} {
		if _, err := OpenStills(paths, Limits{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestStillWithALongHeaderIsRead(t *testing.T) {
	src := picture(t, 83, 61, 0)
	thumb := append([]byte{0xff, 0xd8, 0xff, 0xe1, 0xf0, 0x00}, make([]byte, 0xf000-2)...)
	long := append(thumb, src[2:]...)
	s, err := OpenStills([]string{file(t, "a.jpg", long)}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	plays(t, s, [][]byte{src})
}

func TestListStillsGivesPicturesByName(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.JPG", "a.jpeg", "c.png", "d.jpg.txt", "c.jpg"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ListStills(dir)
	if want := "a.jpeg b.JPG c.jpg"; err != nil || strings.ReplaceAll(strings.Join(got, " "), dir+"/", "") != want {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := ListStills(t.TempDir()); err == nil {
		t.Error("empty directory: no error")
	}
}
