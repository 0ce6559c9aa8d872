package camera

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"kerb/drivers/camera/cameratest"
	"kerb/drivers/camera/luma"
)

// read gives all pictures of a source, nil for bad ones, and how it ended.
func read(tb testing.TB, s cameratest.Source) (all [][]byte, end error) {
	tb.Helper()
	w, h := s.Size()
	for {
		dst := make([]byte, w*h)
		_, err := s.ReadInto(context.Background(), dst)
		switch {
		case isBadFrame(err):
			all = append(all, nil)
		case err != nil:
			return all, err
		default:
			all = append(all, dst)
		}
	}
}

// plays fails unless a source delivers just these pictures.
func plays(tb testing.TB, s cameratest.Source, want [][]byte) {
	tb.Helper()
	got, err := read(tb, s)
	if err != io.EOF || len(got) != len(want) {
		tb.Fatalf("%d pictures, then %v; must be %d", len(got), err, len(want))
	}
	for i := range got {
		near(tb, got[i], reference(tb, want[i]))
	}
}

// open is OpenAVI for bytes.
func open(tb testing.TB, data []byte, l Limits) *AVI {
	tb.Helper()
	a, err := OpenAVI(file(tb, "clip.avi", data), l)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { a.Close() })
	return a
}

func TestAVIDeliversItsPictures(t *testing.T) {
	all := pictures(t, 5)
	body := packList("LIST", "movi", packChunk("01dc", all[0]), packChunk("01dc", all[1]))
	rec := packList("LIST", "movi",
		packList("LIST", "rec ", packChunk("01dc", all[0]), packChunk("00wb", []byte("x"))),
		packList("LIST", "rec ", packChunk("01db", all[1])))
	more := packList("RIFF", "AVIX", packList("LIST", "movi", packChunk("ix01", make([]byte, 24)), packChunk("01dc", all[2])))
	head := aviHead("MJPG", 10)
	unfinished := packList("RIFF", "AVI ", head, body)
	copy(unfinished[4:], "\x00\x00\x00\x00")
	piped := packList("RIFF", "AVI ", head, body)
	copy(piped[4:], "\xff\xff\xff\xff")
	last := append(bytes.Clone(all[0]), make([]byte, 1-len(all[0])&1)...) // of an odd number of bytes
	odd := packList("RIFF", "AVI ", head, packList("LIST", "movi", packChunk("01dc", last)))
	for name, c := range map[string]struct {
		file []byte
		want [][]byte
	}{
		"in one list":                      {avi(all...), all},
		"in lists of records":              {packList("RIFF", "AVI ", head, rec), all[:2]},
		"in OpenDML parts":                 {append(packList("RIFF", "AVI ", head, body), more...), all[:3]},
		"of a recorder that was stopped":   {unfinished, all[:2]},
		"written to a pipe":                {piped, all[:2]},
		"before bytes that are no part":    {append(packList("RIFF", "AVI ", head, body), "some tail"...), all[:2]},
		"named in small letters":           {packList("RIFF", "AVI ", aviHead("mjpg", 10), body), all[:2]},
		"and not empty chunks":             {avi(all[0], nil, all[1], nil, nil, all[2]), all[:3]},
		"without the last byte of padding": {odd[:len(odd)-1], all[:1]},
		"in a file padded with many zeros": {append(packList("RIFF", "AVI ", head, body), make([]byte, 5000)...), all[:2]},
	} {
		t.Run(name, func(t *testing.T) {
			a := open(t, c.file, Limits{})
			if a.Frames() != len(c.want) || a.Rate() != 10 {
				t.Errorf("%d pictures at %v a second", a.Frames(), a.Rate())
			}
			plays(t, a, c.want)
		})
	}
}

func TestAVIPicturesAreTimedByTheRate(t *testing.T) {
	a := open(t, avi(pictures(t, 4)...), Limits{})
	dst := make([]byte, 83*61)
	for i := range 4 {
		at, err := a.ReadInto(t.Context(), dst)
		if want := time.Unix(0, 0).Add(time.Duration(i) * 100 * time.Millisecond); err != nil || !at.Equal(want) {
			t.Errorf("picture %d at %v (%v), must be %v", i, at, err, want)
		}
	}
}

func TestTruncatedAVIPlaysUpToThereAndSaysWhere(t *testing.T) {
	all := pictures(t, 4)
	whole := avi(all...)
	last := bytes.LastIndex(whole, []byte("01dc"))
	for name, c := range map[string]struct{ at, whole int }{
		"inside a picture":         {last + 1000, 3},
		"inside a chunk's head":    {last + 5, 3},
		"between chunks":           {last, 3},
		"after the last picture":   {last + 8 + len(all[3]) + len(all[3])&1, 4},
		"inside the first picture": {bytes.Index(whole, []byte("01dc")) + 200, -1},
		"inside the header":        {60, -1},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, "clip.avi", whole[:c.at])
			a, err := OpenAVI(path, Limits{})
			if c.whole >= 0 {
				if err != nil {
					t.Fatal(err)
				}
				defer a.Close()
				var got [][]byte
				got, err = read(t, a)
				if len(got) != c.whole {
					t.Errorf("%d pictures, must be %d", len(got), c.whole)
				}
				if _, again := read(t, a); again != err {
					t.Errorf("the second time: %v", again)
				}
			}
			if err == nil || !strings.HasPrefix(err.Error(), path+": is cut short at byte ") || !strings.Contains(err.Error(), "ffmpeg") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAVICutAnywhereNeverPlaysAsWhole(t *testing.T) {
	whole := avi(picture(t, 24, 16, 0), picture(t, 24, 16, 1))
	for n := range whole {
		a, err := openAVIReader(bytes.NewReader(whole[:n]), int64(n), "clip.avi", Limits{})
		if err != nil {
			continue
		}
		if got, err := read(t, a); err == io.EOF {
			t.Errorf("cut at %d of %d: %d pictures, then EOF", n, len(whole), len(got))
		}
	}
}

func TestAVIRefusesWhatItCannotPlay(t *testing.T) {
	one := picture(t, 24, 16, 0)
	movi := packList("LIST", "movi", packChunk("01dc", one))
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"another file":      {[]byte("%PDF-1.4 and so on"), "is not an AVI file"},
		"an empty file":     {nil, "is not an AVI file"},
		"another coding":    {packList("RIFF", "AVI ", aviHead("H264", 10), movi), `holds H.264 video, not Motion-JPEG: convert it with ffmpeg`},
		"no rate":           {packList("RIFF", "AVI ", aviHead("MJPG", 0), movi), "declares 0 pictures a second"},
		"no header":         {packList("RIFF", "AVI ", movi), "has no video stream"},
		"no frames":         {packList("RIFF", "AVI ", aviHead("MJPG", 10)), "has no frames"},
		"no pictures":       {avi(nil, nil), "has no pictures"},
		"only bad pictures": {avi([]byte("one"), []byte("two")), "has no picture that can be read: jpeg: does not start with a JPEG marker"},
		"a damaged chunk":   {bytes.Replace(avi(one), []byte("01dc"), []byte("\x01\x02\x03\x04"), 1), "is damaged at byte"},
		"a huge picture":    {avi(bomb(t)), "picture of 30000×30000 is too large"},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, "clip.avi", c.file)
			_, err := OpenAVI(path, Limits{})
			if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, must say %q", err, c.want)
			}
		})
	}
	if _, err := OpenAVI(t.TempDir(), Limits{}); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a directory: %v", err)
	}
}

func TestAVINamesThePictureThatIsBad(t *testing.T) {
	all := pictures(t, 6)
	all[1] = picture(t, 40, 30, 0)
	all[2] = bytes.Repeat(all[2], 30)
	all[4] = all[4][:len(all[4])-200]
	a := open(t, avi(all...), Limits{MaxBytes: 30000})
	dst := make([]byte, 83*61)
	for i, want := range []string{
		"", "picture 1: is 40×30, the ones before were 83×61", "picture 2: has ", "", "picture 4: jpeg: picture is cut short", "",
	} {
		_, err := a.ReadInto(t.Context(), dst)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("picture %d: error %v, must be %q", i, err, want)
		}
	}
}

func TestLargePicturesAreScaledWhileTheyAreDecoded(t *testing.T) {
	src := picture(t, 161, 99, 0)
	full := reference(t, src)
	for limit, want := range map[int]luma.Scale{161 * 99: luma.Full, 161*99 - 1: luma.Half, 41 * 25: luma.Quarter, 21 * 13: luma.Eighth} {
		a := open(t, avi(src), Limits{MaxPixels: limit})
		w, h := a.Size()
		side := 1 << want
		if w != (161+side-1)/side || h != (99+side-1)/side {
			t.Errorf("limit %d: %d×%d", limit, w, h)
			continue
		}
		got, _ := read(t, a)
		for y := range h - 1 {
			for x := range w - 1 {
				sum := 0
				for i := range side * side {
					sum += int(full[(y*side+i/side)*161+x*side+i%side])
				}
				if d := int(got[0][y*w+x]) - sum/(side*side); d < -3 || d > 3 {
					t.Fatalf("scale 1/%d: sample %d,%d differs from the mean by %d", side, x, y, d)
				}
			}
		}
	}
	if _, err := openAVIReader(bytes.NewReader(avi(src)), int64(len(avi(src))), "clip.avi", Limits{MaxPixels: 21*13 - 1}); err == nil {
		t.Error("larger than the limit even at 1/8: no error")
	}
}

func TestHugeDeclaredPictureCostsNoMemory(t *testing.T) {
	src := bomb(t)
	data := avi(picture(t, 83, 61, 0), src)
	a := open(t, data, Limits{})
	dst := make([]byte, 83*61)
	a.ReadInto(t.Context(), dst)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, bad := a.ReadInto(t.Context(), dst)
	_, err := openAVIReader(bytes.NewReader(avi(src)), int64(len(avi(src))), "clip.avi", Limits{})
	runtime.ReadMemStats(&after)
	if !isBadFrame(bad) || err == nil {
		t.Errorf("errors %v and %v", bad, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes were allocated", used)
	}
}

// sparse is a file whose pictures are separated by chunks of sound so long
// that the file is larger than 4 GiB, but which takes no room.
type sparse struct {
	parts []sparsePart
}

type sparsePart struct {
	at   int64
	data []byte
}

func (s *sparse) ReadAt(b []byte, at int64) (int, error) {
	clear(b)
	for _, p := range s.parts {
		if end := at + int64(len(b)); p.at < end && at < p.at+int64(len(p.data)) {
			copy(b[max(0, p.at-at):], p.data[max(0, at-p.at):])
		}
	}
	return len(b), nil
}

func TestAVIOverFourGigabytesPlays(t *testing.T) {
	all := pictures(t, 5)
	s, at := &sparse{}, int64(0)
	put := func(b []byte) { s.parts = append(s.parts, sparsePart{at, b}); at += int64(len(b)) }
	for i, p := range all {
		kind, head := "AVIX", []byte(nil)
		if i == 0 {
			kind, head = "AVI ", aviHead("MJPG", 25)
		}
		frame := packChunk("01dc", p)
		const gap = 1<<30 - 1<<20
		size := uint32(4 + len(head) + 12 + len(frame) + 8 + gap)
		le := func(v uint32) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)} }
		put(append(append([]byte("RIFF"), le(size)...), kind...))
		put(head)
		put(append(append([]byte("LIST"), le(uint32(4+len(frame)+8+gap))...), "movi"...))
		put(frame)
		put(append([]byte("00wb"), le(gap)...))
		at += gap
	}
	if at < 4<<30 {
		t.Fatalf("file has only %d bytes", at)
	}
	a, err := openAVIReader(s, at, "clip.avi", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if a.Frames() != len(all) {
		t.Errorf("%d pictures", a.Frames())
	}
	plays(t, a, all)
}
