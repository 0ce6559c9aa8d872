package h264_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// variant is one way to encode: the source of the pictures, and the options of
// libx264.
type variant struct {
	size, source, profile, params string
	frames                        int
}

// String names the variant.
func (v variant) String() string { return strings.Join([]string{v.size, v.profile, v.params}, " ") }

// pick returns one of the words.
func pick(r *rand.Rand, words ...string) string { return words[r.IntN(len(words))] }

// randomVariant draws a variant. Sizes are small and mostly cropped.
func randomVariant(r *rand.Rand) (v variant) {
	v.size = pick(r, "64x64", "96x80", "98x68", "130x100", "176x144", "66x132")
	v.frames = 3 + r.IntN(14)
	v.source = pick(r,
		"testsrc2=s=%s:r=25", "mandelbrot=s=%s:r=25:end_scale=0.05", "life=s=%s:r=25:mold=10:ratio=0.3:death_color=#404040",
		"nullsrc=s=%s:r=25,geq=lum='random(1)*255':cb=128:cr=128", "smptebars=s=%s:r=25,rotate=a=t/2,noise=alls=12:allf=t",
		"testsrc2=s=%s:r=25,noise=alls=40:allf=t+u", "gradients=s=%s:r=25:speed=0.2", "cellauto=s=%s:r=25:rule=110",
	)
	v.profile = pick(r, "baseline", "main", "high", "high", "high")
	o := []string{"threads=1", fmt.Sprintf("qp=%d", 1+r.IntN(51))}
	add := func(name string, values ...string) { o = append(o, name+"="+pick(r, values...)) }
	add("ref", "1", "2", "4", "8", "16")
	add("keyint", "1", "4", "8", "250")
	add("slices", "1", "1", "2", "4")
	add("deblock", "0,0", "3,-3", "-6,6", "6,6", "-2,-1")
	add("no-deblock", "0", "0", "0", "1")
	add("subme", "0", "1", "4", "7", "9", "10")
	add("me", "dia", "hex", "umh", "tesa")
	add("partitions", "none", "all", "p8x8,p4x4,i4x4", "i4x4,i8x8", "b8x8,p8x8")
	add("constrained-intra", "0", "0", "1")
	add("intra-refresh", "0", "0", "0", "1")
	add("aq-mode", "0", "1", "2")
	add("scenecut", "0", "40")
	add("mixed-refs", "0", "1")
	add("open-gop", "0", "1")
	add("aud", "0", "1")
	add("nal-hrd", "none", "none")
	add("fake-interlaced", "0", "0", "0", "1")
	if v.profile != "baseline" {
		add("cabac", "0", "1")
		add("bframes", "0", "1", "3", "5")
		add("b-pyramid", "none", "strict", "normal")
		add("b-adapt", "0", "1")
		add("weightb", "0", "1")
		add("weightp", "0", "1", "2")
		add("direct", "none", "spatial", "temporal", "auto")
		add("b-bias", "0", "100")
	}
	if v.profile == "high" {
		add("8x8dct", "0", "1", "1")
		add("cqm", "flat", "jvt")
	}
	v.params = strings.Join(o, ":")
	return v
}

// encode writes the variant's stream to a file.
func (v variant) encode(path string) error {
	args := []string{
		"-v", "error", "-threads", "1", "-f", "lavfi", "-i", fmt.Sprintf(v.source, v.size), "-frames:v", fmt.Sprint(v.frames),
		"-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "medium", "-profile:v", v.profile, "-x264-params", v.params, "-f", "h264", "-y", path,
	}
	if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ffmpeg %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// rangeOf returns the numbers of the random streams that a test tries: the first
// short, or with KERB_LONG all of long. KERB_H264_FROM and KERB_H264_TO, exclusive,
// choose a part of them, so that a long run can go on where it was stopped.
func rangeOf(t *testing.T, short, long int) (from, to int) {
	if to = short; os.Getenv("KERB_LONG") != "" {
		to = long
	}
	for name, at := range map[string]*int{"KERB_H264_FROM": &from, "KERB_H264_TO": &to} {
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			t.Fatalf("%s=%s: must be a number from 0", name, text)
		}
		*at = n
	}
	return from, to
}

// TestBitExactOnGeneratedStreams encodes streams with libx264 in random variants and
// compares with ffmpeg: 12 of them, or with KERB_LONG 2,400; see rangeOf.
func TestBitExactOnGeneratedStreams(t *testing.T) {
	findFFmpeg(t)
	from, to := rangeOf(t, 12, 2400)
	r := rand.New(rand.NewPCG(264, 2021))
	dir := t.TempDir()
	pictures := 0
	for i := range to {
		v := randomVariant(r)
		if i < from {
			continue
		}
		path := filepath.Join(dir, "stream.264")
		if err := v.encode(path); err != nil {
			t.Fatal(err)
		}
		got, want := decodeStream(byteStream(t, path)), referencePictures(t, path)
		if at := firstDifference(got.pictures, want); at >= 0 || got.refused != nil || len(got.damage) > 0 || len(want) != v.frames {
			t.Errorf("stream %d, %v: %d pictures, ffmpeg has %d of %d; picture %d differs; %v %v", i, v, len(got.pictures), len(want), v.frames, at, got.refused, got.damage)
			if keep := os.Getenv("KERB_H264_KEEP"); keep != "" {
				_ = os.Rename(path, filepath.Join(keep, fmt.Sprintf("%d.264", i)))
			}
		}
		if pictures += len(got.pictures); (i+1)%100 == 0 {
			t.Logf("%d streams, %d pictures so far", i+1, pictures)
		}
	}
	t.Logf("streams %d to %d: %d pictures", from, to, pictures)
}
