// Package neural_test compares the network executor with onnxruntime on real
// pictures.
package neural_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"kerb/counting/neural"
	"kerb/counting/neural/kernel"
)

// sharedDir returns the folder with clips and models, or skips the test.
func sharedDir(t testing.TB) string {
	if dir := os.Getenv("KERB_SHARED"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		for _, s := range []string{"shared", filepath.Join("..", "shared")} {
			if _, err := os.Stat(filepath.Join(dir, s, "models")); err == nil {
				return filepath.Join(dir, s)
			}
		}
		dir = filepath.Dir(dir)
	}
	t.Skip("no shared/models beside the module: nothing to compare")
	return ""
}

// clipPictures returns ten frames from different positions in the clips.
func clipPictures(t testing.TB) []image.Image {
	clips, err := filepath.Glob(filepath.Join(sharedDir(t), "footage", "*.avi"))
	if err != nil || len(clips) == 0 {
		t.Skip("no clips")
	}
	var out []image.Image
	for i := range 10 {
		b, err := os.ReadFile(clips[i%len(clips)])
		if err != nil {
			t.Fatal(err)
		}
		b = b[len(b)/20*(3+i):]
		at := bytes.Index(b, []byte("00dc"))
		if at < 0 {
			t.Fatalf("%s: no picture after %d", clips[i%len(clips)], 3+i)
		}
		size := int(binary.LittleEndian.Uint32(b[at+4:]))
		img, err := jpeg.Decode(bytes.NewReader(b[at+8 : at+8+size]))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, img)
	}
	return out
}

// fillInput scales a picture into a network's input: planes blue, green, red.
func fillInput(dst []float32, shape []int, img image.Image, scale float32) {
	h, w := shape[2], shape[3]
	b := img.Bounds()
	for y := range h {
		for x := range w {
			r, g, bl := rgb(img, b.Min.X+x*b.Dx()/w, b.Min.Y+y*b.Dy()/h)
			for c, v := range [3]uint8{bl, g, r} {
				dst[(c*h+y)*w+x] = float32(v) * scale
			}
		}
	}
}

func rgb(img image.Image, x, y int) (r, g, b uint8) {
	if m, ok := img.(*image.YCbCr); ok {
		at := m.COffset(x, y)
		return color.YCbCrToRGB(m.Y[m.YOffset(x, y)], m.Cb[at], m.Cr[at])
	}
	r32, g32, b32, _ := img.At(x, y).RGBA()
	return uint8(r32 >> 8), uint8(g32 >> 8), uint8(b32 >> 8)
}

// kernelSets returns the kernels to test: all, or in short mode, as when another
// processor is emulated, the fastest only.
func kernelSets() []*kernel.Set {
	if testing.Short() {
		return kernel.Sets()[:1]
	}
	return kernel.Sets()
}

type model struct {
	file  string
	scale float32 // of a byte
}

var models = []model{{"yolox_nano.onnx", 1}, {"FastestDet.onnx", 1.0 / 255}}

// runOnnxruntime returns the outputs of onnxruntime for count inputs, or skips the
// test where it is not installed.
func runOnnxruntime(t *testing.T, file string, in []float32, count int) []float32 {
	if os.Getenv("KERB_ORT") == "" {
		t.Skip("KERB_ORT is not set: no onnxruntime-node to compare with")
	}
	dir := t.TempDir()
	from, to := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(from, encodeFloats(in), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "golden.cjs", file, fmt.Sprint(count), from, to)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("onnxruntime-node: %v\n%s", err, out)
	}
	b, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

func encodeFloats(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// maxDifference returns the largest difference relative to the size of the
// expected number, which counts as one if it is smaller.
func maxDifference(got, want []float32) (worst float64) {
	for i, w := range want {
		d := math.Abs(float64(got[i]-w)) / max(1, math.Abs(float64(w)))
		if !(d <= worst) {
			worst = d
		}
	}
	return worst
}

func TestOutputsEqualOnnxruntimes(t *testing.T) {
	imgs := clipPictures(t)
	for _, m := range models {
		t.Run(m.file, func(t *testing.T) {
			path := filepath.Join(sharedDir(t), "models", m.file)
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var want []float32
			for _, set := range kernelSets() {
				n, err := neural.Load(file, m.file, neural.Opts{Kernels: set.Name, Threads: 2})
				if err != nil {
					t.Fatal(err)
				}
				in, shape := n.Input("")
				out, _ := n.Output("")
				var ins, got []float32
				for _, img := range imgs {
					fillInput(in, shape, img, m.scale)
					ins = append(ins, in...)
					n.Run()
					got = append(got, out...)
				}
				n.Close()
				if want == nil {
					want = runOnnxruntime(t, path, ins, len(imgs))
				}
				if len(want) != len(got) {
					t.Fatalf("%d numbers, onnxruntime has %d", len(got), len(want))
				}
				d := maxDifference(got, want)
				t.Logf("%s: largest relative difference %.2g", set.Name, d)
				if !(d <= 1e-3) {
					t.Errorf("%s: off by %g: must be at most 1e-3", set.Name, d)
				}
			}
		})
	}
}
