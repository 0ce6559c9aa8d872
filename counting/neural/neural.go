// Package neural runs a convolutional network from an ONNX file on the CPU,
// in pure Go: no cgo, no allocation per inference, any platform.
//
// A network is planned once, at Load: shapes are inferred, arithmetic on
// shapes is computed, activations, normalisations, sums and paddings are
// fused into convolutions, tensors are laid out channels-last in one arena by
// their lifetimes, concatenations and splits become strides, and weights are
// packed for the processor's kernels. Run then only computes.
//
//	net, err := neural.Load(file, "yolox_nano.onnx", neural.Opts{Threads: 2})
//	if err != nil {
//		return err
//	}
//	defer net.Close()
//	picture, shape := net.Input("")
//	… fill picture …
//	net.Run()
//	boxes, _ := net.Output("")
//
// The package knows nothing of streets and keeps no picture: what an input
// was is gone after Wipe.
package neural

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"kerb/counting/neural/kernel"
	"kerb/counting/neural/onnx"
)

// Opts says how to run a network. The zero value is good.
type Opts struct {
	// Threads is how many cores Run uses; 0 and 1 mean the caller's only.
	// It is bounded by the number of processors.
	Threads int
	// Memory bounds the bytes of all tensors and, apart, of packed weights and
	// tables; 0 means 256 MiB, which is also the most.
	Memory int
	// Shapes gives inputs another size than the file's, where the graph
	// allows it.
	Shapes map[string][]int
	// Int8 does the 1×1 convolutions whose inputs' ranges it has in eight bits,
	// where the processor is faster at it. Nil: all in 32-bit numbers.
	Int8 Ranges
	// Kernels names an instruction set of kernel.Sets; empty means the best.
	Kernels string
	// Arena gives the memory of everything that is made of an input; it may be
	// taken back after Close. Nil: Go's heap.
	Arena Arena
}

// Arena gives memory for numbers: n zeros.
type Arena interface {
	Floats(n int) ([]float32, error)
	Int8s(n int) ([]int8, error)
}

// heap is Go's own memory.
type heap struct{}

func (heap) Floats(n int) ([]float32, error) { return make([]float32, n), nil }
func (heap) Int8s(n int) ([]int8, error)     { return make([]int8, n), nil }

// Net is a network ready to run. It is for one goroutine at a time.
type Net struct {
	arena   []float32
	inputs  []port
	outputs []port
	workers *workerPool
	info    Info
}

type port struct {
	name  string
	shape []int
	mem   []float32
}

// Info describes a network: what its file says, and how it is planned.
type Info struct {
	Producer  string
	Opset     int64
	Meta      map[string]string // the file's own: author, license, …
	Operators map[string]int    // how often each is in the file

	Kernels string // the instruction set in use
	MACs    int64  // multiplications of one inference
	Weights int    // bytes, as packed
	Arena   int    // bytes, all tensors of an inference
	Steps   []StepInfo
}

// StepInfo is one step of the plan.
type StepInfo struct {
	Kind  string // gemm, depthwise, copy, …
	Name  string // of the node in the file
	Shape []int  // of the output
	MACs  int64
}

// Load plans a network. Errors name the file, the node and the operator.
func Load(file []byte, name string, o Opts) (*Net, error) {
	m, err := onnx.Parse(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	g, err := buildGraph(m, o.Shapes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	set, err := selectKernels(o.Kernels)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	n, err := planNet(g, set, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	i := &n.info
	i.Producer, i.Opset, i.Meta, i.Operators = m.Producer, m.Opset, m.Meta, map[string]int{}
	for _, f := range m.Nodes {
		i.Operators[f.Op]++
	}
	return n, nil
}

func selectKernels(name string) (*kernel.Set, error) {
	sets := kernel.Sets()
	if name == "" {
		return sets[0], nil
	}
	for _, s := range sets {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("kernels %q: this processor has none", name)
}

// errMemory refuses a graph that would take too much memory.
var errMemory = errors.New("the network's tensors do not fit the memory allowed")

// maxArena bounds the arena, in elements.
const maxArena = 1 << 26

func planNet(g *graph, set *kernel.Set, o Opts) (*Net, error) {
	g.fuseNodes()
	g.assignLayouts()
	p := &planner{set: set, ranges: o.Int8, arenaLimit: maxArena, threads: min(max(o.Threads, 1), runtime.NumCPU())}
	n := &Net{}
	if o.Memory > 0 {
		p.arenaLimit = min(p.arenaLimit, o.Memory/4)
	}
	p.tableBudget = p.arenaLimit
	inputs := p.portOperands(g.inputs)
	for _, v := range g.nodes {
		if err := p.lowerNode(v); err != nil {
			return nil, fmt.Errorf("%s: %w", v, err)
		}
	}
	for _, v := range g.outputs {
		if len(v.shape) == 4 {
			made := v.layout
			v.layout = newView(v.shape, rowMajorStrides(v.shape))
			p.addCopy(v.producer, p.readOperand(made), v.layout)
		}
	}
	outputs := p.portOperands(g.outputs)
	size, err := p.layOutArena()
	if err != nil {
		return nil, err
	}
	if o.Arena == nil {
		o.Arena = heap{}
	}
	if n.arena, err = o.Arena.Floats(max(size, 1)); err != nil {
		return nil, err
	}
	for _, o := range p.operands {
		o.mem = n.arena[o.buf.offset : o.buf.offset+o.buf.elems]
	}
	for i, v := range g.inputs {
		n.inputs = append(n.inputs, port{v.name, v.shape, inputs[i].mem})
	}
	for i, v := range g.outputs {
		n.outputs = append(n.outputs, port{v.name, v.shape, outputs[i].mem})
	}
	if n.workers, err = newWorkerPool(p.threads, p.int8Bytes, p.softmaxElems, p.steps, o.Arena); err != nil {
		return nil, err
	}
	n.info = Info{Kernels: set.Name, Arena: 4 * size}
	for _, s := range p.steps {
		n.info.Steps = append(n.info.Steps, s.info)
		n.info.MACs += s.info.MACs
		n.info.Weights += 4 * s.weights
	}
	return n, nil
}

func (p *planner) portOperands(vs []*value) (out []*operand) {
	for _, v := range vs {
		out = append(out, p.useBuffer(v.layout))
	}
	return out
}

// Info describes the plan.
func (n *Net) Info() Info { return n.info }

// Inputs and Outputs name the network's ends, in the file's order.
func (n *Net) Inputs() []string { return portNames(n.inputs) }

// Outputs names the network's outputs, in the file's order.
func (n *Net) Outputs() []string { return portNames(n.outputs) }

func portNames(ps []port) (out []string) {
	for _, p := range ps {
		out = append(out, p.name)
	}
	return out
}

// Input is where the caller writes an input before each Run, row-major in the
// file's order of axes (for a picture: channel, row, column). Run may
// overwrite it. It is nil where the network has no such input; an empty name
// is the first.
func (n *Net) Input(name string) (mem []float32, shape []int) { return findPort(n.inputs, name) }

// Output is a result after Run, row-major, valid until the next Run or Wipe.
func (n *Net) Output(name string) (mem []float32, shape []int) { return findPort(n.outputs, name) }

func findPort(ps []port, name string) ([]float32, []int) {
	for _, p := range ps {
		if p.name == name || name == "" {
			return p.mem, p.shape
		}
	}
	return nil, nil
}

// Run computes the outputs from the inputs. It allocates nothing.
func (n *Net) Run() { n.workers.runSteps(nil) }

// RunTimed is Run, adding to spent, one per step of Info, how long each took.
func (n *Net) RunTimed(spent []time.Duration) {
	last := time.Now()
	n.workers.runSteps(func(i int) {
		now := time.Now()
		spent[i] += now.Sub(last)
		last = now
	})
}

// Wipe overwrites every input, output and intermediate tensor.
func (n *Net) Wipe() {
	clear(n.arena)
	n.workers.wipeScratch()
}

// Close wipes the network and ends its threads. It must not be run again.
func (n *Net) Close() {
	n.Wipe()
	n.workers.stopWorkers()
}
