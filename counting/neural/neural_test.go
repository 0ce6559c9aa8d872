package neural_test

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"kerb/counting/neural"
	"kerb/counting/neural/onnx"
	"kerb/counting/neural/onnx/onnxtest"
)

// smallDetector is a network of a strided stem, a depthwise and a pointwise
// convolution with gates, a residual, a pooling, a scaled branch and a
// concatenation.
func smallDetector() *onnx.Model {
	r := rand.New(rand.NewPCG(7, 8))
	m := &onnx.Model{
		IR: 7, Opset: 13, Weights: map[string]*onnx.Tensor{}, Meta: map[string]string{},
		Inputs:  []onnx.Value{{Name: "x", Type: onnx.Float, Shape: []int{1, 3, 32, 40}}},
		Outputs: []onnx.Value{{Name: "y", Type: onnx.Float}},
	}
	weights := func(name string, shape ...int) {
		n, _ := onnx.ElemCount(shape)
		t := &onnx.Tensor{Type: onnx.Float, Shape: shape, F: make([]float32, n)}
		for i := range t.F {
			t.F[i] = float32(r.NormFloat64()) / 4
		}
		m.Weights[name] = t
	}
	add := func(op, out string, a map[string]onnx.Attr, in ...string) {
		m.Nodes = append(m.Nodes, onnx.Node{Op: op, Name: "make-" + out, In: in, Out: []string{out}, Attrs: a})
	}
	ints := func(v ...int64) onnx.Attr { return onnx.Attr{Ints: v} }
	weights("w1", 16, 3, 3, 3)
	weights("w2", 16, 1, 3, 3)
	weights("w3", 16, 16, 1, 1)
	m.Weights["scale"] = &onnx.Tensor{Type: onnx.Float, Shape: []int{4}, F: []float32{1, 1, 2, 2}}
	add("Conv", "a", map[string]onnx.Attr{"strides": ints(2, 2), "pads": ints(1, 1, 1, 1)}, "x", "w1")
	add("Relu", "b", nil, "a")
	add("Conv", "c", map[string]onnx.Attr{"group": {I: 16}, "pads": ints(1, 1, 1, 1)}, "b", "w2")
	add("Sigmoid", "cs", nil, "c")
	add("Mul", "d", nil, "c", "cs")
	add("Conv", "e", nil, "d", "w3")
	add("Add", "f", nil, "e", "b")
	add("MaxPool", "g", map[string]onnx.Attr{"kernel_shape": ints(2, 2), "strides": ints(2, 2)}, "f")
	add("Resize", "h", map[string]onnx.Attr{"coordinate_transformation_mode": {S: "asymmetric"}, "nearest_mode": {S: "floor"}}, "g", "", "scale")
	add("Concat", "y", map[string]onnx.Attr{"axis": {I: 1}}, "h", "f")
	return m
}

func loadSmall(t testing.TB, o neural.Opts) *neural.Net {
	t.Helper()
	n, err := neural.Load(onnxtest.Encode(smallDetector()), "small.onnx", o)
	if err != nil {
		t.Fatal(err)
	}
	in, _ := n.Input("x")
	for i := range in {
		in[i] = float32(i%17) / 17
	}
	return n
}

func TestRunAllocatesNothing(t *testing.T) {
	for _, threads := range []int{1, 2} {
		n := loadSmall(t, neural.Opts{Threads: threads})
		if got := testing.AllocsPerRun(50, n.Run); got != 0 {
			t.Errorf("%d threads: %g allocations per run", threads, got)
		}
		n.Close()
	}
}

func TestThreadsComputeTheSame(t *testing.T) {
	one, two := loadSmall(t, neural.Opts{Threads: 1}), loadSmall(t, neural.Opts{Threads: 2})
	defer one.Close()
	defer two.Close()
	first, _ := one.Input("")
	input := append([]float32{}, first...)
	for range 200 {
		for _, n := range []*neural.Net{one, two} {
			in, _ := n.Input("")
			copy(in, input)
			n.Run()
		}
		a, _ := one.Output("")
		b, _ := two.Output("")
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("element %d: %g with one thread, %g with two", i, a[i], b[i])
			}
		}
	}
}

func TestCloseEndsTheThreads(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		n := loadSmall(t, neural.Opts{Threads: 8})
		n.Run()
		n.Close()
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestPictureIsGoneAfterWipe(t *testing.T) {
	n := loadSmall(t, neural.Opts{})
	defer n.Close()
	n.Run()
	out, _ := n.Output("")
	if !hasNonzero(out) {
		t.Fatal("the output was zero before: nothing to see")
	}
	n.Wipe()
	in, _ := n.Input("")
	if hasNonzero(in) || hasNonzero(out) {
		t.Error("something is left after Wipe")
	}
}

func hasNonzero(v []float32) bool {
	for _, x := range v {
		if x != 0 {
			return true
		}
	}
	return false
}

func TestInputsTakeAnotherSize(t *testing.T) {
	n := loadSmall(t, neural.Opts{Shapes: map[string][]int{"x": {1, 3, 64, 80}}})
	defer n.Close()
	n.Run()
	if _, shape := n.Output("y"); shape[2] != 32 || shape[3] != 40 {
		t.Errorf("output of shape %v: must follow the input", shape)
	}
}

func TestWhatIsNotSupportedIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*onnx.Model)
		want   string
	}{
		"operator":         {func(m *onnx.Model) { m.Nodes[1].Op = "LSTM" }, `bad.onnx: LSTM "make-b": this operator is not supported`},
		"domain":           {func(m *onnx.Model) { m.Nodes[1].Domain = "com.acme" }, `domain "com.acme"`},
		"missing input":    {func(m *onnx.Model) { m.Nodes[1].In[0] = "q" }, `input "q": no node before it makes it`},
		"two producers":    {func(m *onnx.Model) { m.Nodes[1].Out[0] = "a" }, `output "a": made twice`},
		"no output":        {func(m *onnx.Model) { m.Outputs[0].Name = "q" }, `output "q": no node makes it`},
		"unknown size":     {func(m *onnx.Model) { m.Inputs[0].Shape[2] = 0 }, `input "x"`},
		"wrong channels":   {func(m *onnx.Model) { m.Inputs[0].Shape[1] = 4 }, `Conv "make-a": weights`},
		"huge picture":     {func(m *onnx.Model) { m.Inputs[0].Shape = []int{1, 3, 1 << 13, 1 << 13} }, `more than`},
		"many big tensors": {func(m *onnx.Model) { m.Inputs[0].Shape = []int{1, 3, 1 << 12, 1 << 12} }, `elements`},
		"kernel too large": {func(m *onnx.Model) { m.Nodes[7].Attrs["kernel_shape"] = onnx.Attr{Ints: []int64{99, 99}} }, `exceeds the picture`},
		"nonsense stride":  {func(m *onnx.Model) { m.Nodes[7].Attrs["strides"] = onnx.Attr{Ints: []int64{0, -1}} }, `strides`},
		"wrong axis":       {func(m *onnx.Model) { m.Nodes[9].Attrs["axis"] = onnx.Attr{I: 7} }, `axis 7 of 4`},
		"cubic":            {func(m *onnx.Model) { m.Nodes[8].Attrs["mode"] = onnx.Attr{S: "cubic"} }, `mode "cubic"`},
		"unknown input":    {func(*onnx.Model) {}, `input "z": the network has none`},
	} {
		t.Run(name, func(t *testing.T) {
			m := smallDetector()
			c.change(m)
			o := neural.Opts{}
			if name == "unknown input" {
				o.Shapes = map[string][]int{"z": {1}}
			}
			n, err := neural.Load(onnxtest.Encode(m), "bad.onnx", o)
			if err == nil {
				n.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "bad.onnx: ") {
				t.Errorf("error %q: must name the file and %q", err, c.want)
			}
		})
	}
}

func TestConcatenationsCostNothing(t *testing.T) {
	n := loadSmall(t, neural.Opts{})
	defer n.Close()
	for _, s := range n.Info().Steps {
		if s.Kind == "copy" && s.Name != `Concat "make-y"` {
			t.Errorf("a copy for %s", s.Name)
		}
	}
	if len(n.Info().Steps) > 9 {
		t.Errorf("%d steps: %+v", len(n.Info().Steps), n.Info().Steps)
	}
}

// FuzzLoad plans and runs any file. The planner bounds the memory, so a crash or
// a hang is a finding.
func FuzzLoad(f *testing.F) {
	m := smallDetector()
	m.Inputs[0].Shape = []int{1, 3, 8, 8}
	f.Add(onnxtest.Encode(m))
	m.Nodes[0].Attrs["dilations"] = onnx.Attr{Ints: []int64{2, 2}}
	m.Nodes[2].Attrs["auto_pad"] = onnx.Attr{S: "SAME_UPPER"}
	f.Add(onnxtest.Encode(m))
	for _, op := range []string{"Softmax", "ReduceMean", "Transpose", "Flatten", "GlobalAveragePool", "AveragePool", "HardSwish"} {
		m := smallDetector()
		m.Inputs[0].Shape = []int{1, 3, 8, 8}
		m.Nodes = m.Nodes[:2]
		m.Nodes[1].Op, m.Nodes[1].Out[0] = op, "y"
		m.Nodes[1].Attrs = map[string]onnx.Attr{"kernel_shape": {Ints: []int64{2, 2}}}
		f.Add(onnxtest.Encode(m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := neural.Load(b, "fuzz", neural.Opts{Memory: 1 << 23})
		if err != nil {
			return
		}
		defer n.Close()
		if i := n.Info(); i.MACs < 1e7 && i.Arena < 1<<22 && len(i.Steps) < 100 {
			n.Run()
		}
	})
}
