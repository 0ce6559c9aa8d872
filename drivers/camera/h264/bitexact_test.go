package h264_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kerb/drivers/camera/h264"
)

// decoded is the outcome of one stream: the MD5 of the luma of each picture.
type decoded struct {
	pictures []string
	damage   []error
	refused  error
	withheld uint64
}

// decodeStream decodes a byte stream.
func decodeStream(stream []byte) (out decoded) {
	d := h264.New(h264.Opts{})
	defer d.Close()
	note := func(err error) {
		if _, ok := errors.AsType[h264.UnsupportedError](err); ok {
			out.refused = err
		} else if err != nil {
			out.damage = append(out.damage, err)
		}
		for p, ok := d.Next(); ok; p, ok = d.Next() {
			out.pictures = append(out.pictures, hashPicture(p))
		}
	}
	for nal, rest := h264.NextNAL(stream); nal != nil; nal, rest = h264.NextNAL(rest) {
		note(d.Decode(nal, 0))
	}
	note(d.Flush())
	out.withheld = d.Withheld()
	return out
}

func hashPicture(p h264.Picture) string {
	h := md5.New()
	for y := range p.Height {
		h.Write(p.Luma[y*p.Stride:][:p.Width])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// findFFmpeg skips the test where ffmpeg, with which it compares, is not installed.
func findFFmpeg(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("not compared with another decoder: ffmpeg is not installed")
	}
}

// referencePictures returns the MD5 of the luma of each picture as ffmpeg decodes
// it. -pix_fmt gray would stretch the range; extractplanes copies.
func referencePictures(t *testing.T, path string) (pictures []string) {
	cmd := exec.Command("ffmpeg", "-v", "fatal", "-threads", "1", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough",
		"-autoscale", "0", "-vf", "extractplanes=y", "-f", "framemd5", "-")
	out, err := cmd.Output()
	if err != nil && len(out) == 0 {
		return nil
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Split(line, ","); len(f) == 6 && !strings.HasPrefix(line, "#") {
			pictures = append(pictures, strings.TrimSpace(f[5]))
		}
	}
	return pictures
}

// byteStream returns the stream of a file in byte stream format.
func byteStream(t *testing.T, path string) []byte {
	if ext := filepath.Ext(path); ext == ".mp4" || ext == ".mov" || ext == ".mkv" {
		out, err := exec.Command("ffmpeg", "-v", "fatal", "-i", path, "-map", "0:v:0", "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264", "-").Output()
		if err != nil {
			t.Fatalf("take the stream out of %s: %v", path, err)
		}
		return out
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// compareWithReference compares the pictures of a file with ffmpeg's. Of a stream
// without damage all must be equal; of a damaged one each picture must be one of
// ffmpeg's, in their order.
func compareWithReference(t *testing.T, path string) {
	got := decodeStream(byteStream(t, path))
	want := referencePictures(t, path)
	if got.refused != nil {
		if len(got.pictures) > 0 {
			t.Errorf("%d pictures of a refused stream", len(got.pictures))
		}
		t.Skipf("refused: %v", got.refused)
	}
	if len(got.damage) == 0 && got.withheld == 0 {
		if at := firstDifference(got.pictures, want); at >= 0 {
			t.Errorf("%d pictures, ffmpeg has %d; picture %d differs", len(got.pictures), len(want), at)
		}
		return
	}
	rest := want
	for i, p := range got.pictures {
		at := slices.Index(rest, p)
		if at < 0 {
			t.Errorf("damaged stream: picture %d is none of ffmpeg's", i)
			return
		}
		rest = rest[at+1:]
	}
	t.Logf("damaged: %d of ffmpeg's %d pictures delivered, %d withheld: %v", len(got.pictures), len(want), got.withheld, errors.Join(got.damage...))
}

// firstDifference returns the index of the first difference, or -1.
func firstDifference(a, b []string) int {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return i
		}
	}
	return -1
}

// streamSuffixes are those of H.264 in files, .jsv, .26l, .jvt and .avc of the
// conformance suite.
var streamSuffixes = []string{".h264", ".264", ".jsv", ".26l", ".jvt", ".avc", ".mp4", ".mov", ".mkv"}

// TestBitExactOnAFolder compares all streams of a folder with ffmpeg, picture by
// picture: KERB_H264=DIR go test -run BitExact ./drivers/camera/h264.
func TestBitExactOnAFolder(t *testing.T) {
	dir := os.Getenv("KERB_H264")
	if dir == "" {
		t.Skip("KERB_H264 names no folder of streams")
	}
	findFFmpeg(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if !slices.Contains(streamSuffixes, strings.ToLower(filepath.Ext(e.Name()))) {
			continue
		}
		n++
		t.Run(e.Name(), func(t *testing.T) { compareWithReference(t, filepath.Join(dir, e.Name())) })
	}
	if n == 0 {
		t.Fatalf("%s: no stream: %v", dir, streamSuffixes)
	}
}

// The comparison finds a picture that differs, is missing, or is in excess.
func TestComparisonFindsDifferences(t *testing.T) {
	want := []string{"a", "b", "c"}
	for _, got := range [][]string{{"a", "b"}, {"a", "x", "c"}, {"a", "b", "c", "d"}, nil} {
		if firstDifference(got, want) < 0 {
			t.Errorf("%v passes for %v", got, want)
		}
	}
	if at := firstDifference(want, slices.Clone(want)); at >= 0 {
		t.Errorf("equal lists differ at %d", at)
	}
}
