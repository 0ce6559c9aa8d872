package neural_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"kerb/counting/neural"
)

// box is a decoded detection, its corners in pixels of the network's input.
type box struct {
	x0, y0, x1, y1, score float32
	class                 int
}

// decodeBoxes decodes YOLOX's output and suppresses overlapping boxes of a class.
// Per cell of the grids of stride 8, 16 and 32 the output holds the offset and
// logarithmic size of a box, its objectness and 80 scores.
func decodeBoxes(out []float32, size int, least float32) []box {
	var boxes []box
	i := 0
	for _, stride := range []int{8, 16, 32} {
		cells := size / stride
		for y := range cells {
			for x := range cells {
				p := out[i*85:][:85]
				i++
				class := 0
				for c, s := range p[5:] {
					if s > p[5+class] {
						class = c
					}
				}
				score := p[4] * p[5+class]
				if score < least {
					continue
				}
				s := float32(stride)
				cx, cy := (p[0]+float32(x))*s, (p[1]+float32(y))*s
				w, h := float32(math.Exp(float64(p[2])))*s/2, float32(math.Exp(float64(p[3])))*s/2
				boxes = append(boxes, box{cx - w, cy - h, cx + w, cy + h, score, class})
			}
		}
	}
	slices.SortFunc(boxes, func(a, b box) int { return int(math.Copysign(1, float64(b.score-a.score))) })
	var kept []box
	for _, b := range boxes {
		if !slices.ContainsFunc(kept, func(k box) bool { return k.class == b.class && iou(k, b) > 0.45 }) {
			kept = append(kept, b)
		}
	}
	return kept
}

func iou(a, b box) float32 {
	w := min(a.x1, b.x1) - max(a.x0, b.x0)
	h := min(a.y1, b.y1) - max(a.y0, b.y0)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / ((a.x1-a.x0)*(a.y1-a.y0) + (b.x1-b.x0)*(b.y1-b.y0) - w*h)
}

// fillLuma scales a picture's luma into all three planes of an input and keeps the
// ratio of its sides. The rest of the planes is grey (114, as in YOLOX).
func fillLuma(dst []float32, size int, img image.Image) {
	b := img.Bounds()
	scale := float64(max(b.Dx(), b.Dy())) / float64(size)
	plane := dst[:size*size]
	for y := range size {
		for x := range size {
			v := float32(114)
			if px, py := int(float64(x)*scale), int(float64(y)*scale); px < b.Dx() && py < b.Dy() {
				switch m := img.(type) {
				case *image.YCbCr:
					v = float32(m.Y[m.YOffset(b.Min.X+px, b.Min.Y+py)])
				case *image.Gray:
					v = float32(m.GrayAt(b.Min.X+px, b.Min.Y+py).Y)
				}
			}
			plane[y*size+x] = v
		}
	}
	copy(dst[size*size:], plane)
	copy(dst[2*size*size:], plane)
}

// decodeEverySecond calls each with about one frame per second of a clip.
func decodeEverySecond(t *testing.T, path string, each func(image.Image)) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	period := binary.LittleEndian.Uint32(b[32:]) // dwMicroSecPerFrame of the AVI's main header
	skip := max(1, int(1e6/max(1, period)))
	if testing.Short() {
		skip *= 8
	}
	movi := bytes.Index(b, []byte("movi"))
	for at, n := movi+4, 0; at+8 <= len(b); n++ {
		size := int(binary.LittleEndian.Uint32(b[at+4:]))
		if string(b[at:at+4]) != "00dc" || at+8+size > len(b) {
			break
		}
		if size == 0 { // no picture
			n--
		} else if n%skip == 0 {
			img, err := jpeg.Decode(bytes.NewReader(b[at+8 : at+8+size]))
			if err != nil {
				t.Fatal(err)
			}
			each(img)
		}
		at += 8 + size + size%2
	}
}

// TestEightBitsKeepTheBoxes calibrates on the stills and compares the boxes of
// eight bits with those of float32 on the clips.
func TestEightBitsKeepTheBoxes(t *testing.T) {
	dir := sharedDir(t)
	file, err := os.ReadFile(filepath.Join(dir, "models", "yolox_nano.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	exact, err := neural.Load(file, "yolox_nano.onnx", neural.Opts{})
	if err != nil {
		t.Fatal(err)
	}
	defer exact.Close()
	in, shape := exact.Input("")
	size := shape[3]
	ranges := neural.Ranges{}
	stills, _ := filepath.Glob(filepath.Join(dir, "footage", "stills", "*.jpg"))
	for _, path := range stills {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		fillLuma(in, size, img)
		exact.ObserveRanges(ranges)
	}
	small, err := neural.Load(file, "yolox_nano.onnx", neural.Opts{Int8: ranges})
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	if !slices.ContainsFunc(small.Info().Steps, func(s neural.StepInfo) bool { return s.Kind == "bytes" }) {
		t.Skip("this processor's kernels have no product in bytes")
	}
	frames, boxes, kept, extra := 0, 0, 0, 0
	clips, _ := filepath.Glob(filepath.Join(dir, "footage", "*.avi"))
	for _, clip := range clips {
		decodeEverySecond(t, clip, func(img image.Image) {
			in, _ := exact.Input("")
			in8, _ := small.Input("")
			fillLuma(in, size, img)
			copy(in8, in)
			exact.Run()
			small.Run()
			out, _ := exact.Output("")
			out8, _ := small.Output("")
			want, got := decodeBoxes(out, size, 0.3), decodeBoxes(out8, size, 0.3)
			frames, boxes, extra = frames+1, boxes+len(want), extra+len(got)
			for _, b := range want {
				if i := slices.IndexFunc(got, func(g box) bool { return g.class == b.class && iou(g, b) >= 0.5 }); i >= 0 {
					got = slices.Delete(got, i, i+1)
					kept, extra = kept+1, extra-1
				}
			}
		})
	}
	t.Logf("%d stills to calibrate; %d frames, %d boxes in 32 bits, %d kept in 8 (%.1f %%), %d new", len(stills), frames, boxes, kept, 100*float64(kept)/float64(boxes), extra)
	least := 0.97
	if testing.Short() {
		least = 0.95 // of too few frames to tell one per cent
	}
	if float64(kept) < least*float64(boxes) || boxes == 0 {
		t.Errorf("%d of %d boxes kept: must be %.0f %%", kept, boxes, 100*least)
	}
}
