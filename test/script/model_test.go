package script

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"kerb/counting/neural/onnx"
	"kerb/counting/neural/onnx/onnxtest"
)

// nightWatch is a network that sees one person in the middle of whatever it
// looks at, the more surely the brighter. Its two 1×1 convolutions do nothing,
// but one of them is deep enough for eight bits. The output is a YOLOX's.
func nightWatch() ([]byte, error) {
	const rows, row, deep = 84, 85, 32
	t := func(shape ...int) *onnx.Tensor {
		n, _ := onnx.ElemCount(shape)
		return &onnx.Tensor{Type: onnx.Float, Shape: shape, F: make([]float32, n)}
	}
	w1, w2, all, bias := t(deep, 3, 1, 1), t(deep, deep, 1, 1), t(deep, rows*row), t(rows*row)
	for i := range deep {
		w1.F[3*i] = 1
		w2.F[deep*i+i] = 1
	}
	all.F[80*row+4] = 1.0 / 255 // objectness of the coarse grid's first place
	copy(bias.F[80*row:], []float32{1, 1, 0, 0, 0, 1})
	node := func(op, out string, in ...string) onnx.Node {
		return onnx.Node{Op: op, Name: op + "-" + out, In: in, Out: []string{out}}
	}
	return onnxtest.Encode(&onnx.Model{
		IR: 7, Opset: 13, Producer: "kerb", Meta: map[string]string{"license": "CC0-1.0"},
		Nodes: []onnx.Node{
			node("Conv", "a", "images", "w1"),
			node("Conv", "b", "a", "w2"),
			node("GlobalAveragePool", "mean", "b"),
			node("Flatten", "flat", "mean"),
			node("Gemm", "all", "flat", "w", "bias"),
			node("Reshape", "output", "all", "shape"),
		},
		Weights: map[string]*onnx.Tensor{
			"w1": w1, "w2": w2, "w": all, "bias": bias,
			"shape": {Type: onnx.Int64, Shape: []int{3}, I: []int64{1, rows, row}},
		},
		Inputs:  []onnx.Value{{Name: "images", Type: onnx.Float, Shape: []int{1, 3, 64, 64}}},
		Outputs: []onnx.Value{{Name: "output", Type: onnx.Float, Shape: []int{1, rows, row}}},
	}), nil
}

// sumOf puts the hash that import printed last into an environment variable:
// sumof NAME.
func sumOf(ts *testscript.TestScript, _ bool, args []string) {
	var said struct{ SHA256 string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &said))
	ts.Setenv(args[0], said.SHA256)
}

func kerb(t *testing.T, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(bin, "kerb"), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kerb %q: %v\n%s", args, err, stderr.Bytes())
	}
	return out
}

// shared finds the folder with the clips and the published networks.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	tried := []string{os.Getenv("KERB_SHARED")}
	for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
		tried = append(tried, filepath.Join(d, "shared"))
	}
	for _, d := range tried {
		if _, err := os.Stat(filepath.Join(d, "models", "yolox_nano.onnx")); d != "" && err == nil {
			return d
		}
	}
	t.Skip("no networks: neither KERB_SHARED nor a parent folder has shared/models")
	return ""
}

func TestAPublishedNetworkIsImportedAndCounts(t *testing.T) {
	if testing.Short() {
		t.Skip("it counts a clip")
	}
	dir := shared(t)
	clips, err := filepath.Glob(filepath.Join(dir, "footage", "*.avi"))
	if err != nil || len(clips) == 0 {
		t.Skip("no clips beside the networks")
	}
	file := filepath.Join(t.TempDir(), "eye.kerb")
	kerb(t, "model", "import", filepath.Join(dir, "models", "yolox_nano.onnx"), filepath.Join(dir, "footage", "stills"), "-out", file)
	var card struct {
		Kernels string
		Int8    int `json:"int8_steps"`
		Origin  struct{ Stills int }
	}
	if err := json.Unmarshal(kerb(t, "model", "info", "-json", file), &card); err != nil {
		t.Fatal(err)
	}
	if card.Origin.Stills < 9 {
		t.Errorf("shown %d stills, want 9 or more", card.Origin.Stills)
	}
	t.Logf("%s kernels: %d steps in eight bits", card.Kernels, card.Int8)
	var counted struct {
		Frames int
		Error  map[string]struct {
			Truth int
			Abs   int `json:"abs_error"`
		}
	}
	out := kerb(t, "replay", "-json", "-truth", filepath.Join(dir, "footage"), "-detector", "neural", "-model", file, clips[0])
	if err := json.Unmarshal(out, &counted); err != nil {
		t.Fatal(err)
	}
	people, vehicles := counted.Error["person"], counted.Error["vehicle"]
	if counted.Frames == 0 || people.Truth+vehicles.Truth == 0 || people.Abs+vehicles.Abs > (people.Truth+vehicles.Truth+3)/4 {
		t.Errorf("%s: %+v", filepath.Base(clips[0]), counted)
	}
}

// fill replaces $NAME in a file by the environment's: fill FILE NAME.
func fill(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), func(name string) string {
		if name == args[1] {
			return ts.Getenv(name)
		}
		return "$" + name
	})
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
