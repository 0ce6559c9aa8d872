// Package neural runs a convolutional network from an ONNX file on the CPU. It
// is written in Go and Go assembly, without cgo, for any platform.
//
// Load plans the network once. It infers shapes, folds constants, fuses
// activations, normalisations, sums and paddings into convolutions, lays all
// tensors out channels-last in one arena by their lifetimes, turns
// concatenations and splits into strides, and packs the weights for the
// processor's kernels. Run computes and allocates no memory.
//
// Load refuses operators, attributes and element types that it does not know,
// weights that are computed from an input, and files whose tensors exceed the
// memory allowed. The package does not interpret outputs and knows no classes
// of objects. It keeps no picture: Wipe overwrites every tensor.
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
package neural

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"kerb/counting/neural/kernel"
	"kerb/counting/neural/onnx"
)

// Opts are the options of Load. The zero value runs on one thread, in float32,
// with the best kernels.
type Opts struct {
	// Threads is the number of threads of Run, the caller's included; 0 and 1
	// mean the caller's only. More than the processors count as so many.
	Threads int
	// Memory bounds two sums separately, in bytes: all tensors, and all packed
	// weights and tables. 0 means 256 MiB, which is also the maximum.
	Memory int
	// Shapes gives an input, by its name, another shape than the file's. Load
	// fails where the graph does not allow it.
	Shapes map[string][]int
	// Int8 quantises the 1×1 convolutions whose input ranges it holds to eight
	// bits, where the processor's kernels are faster so. Nil means that all
	// convolutions run in float32.
	Int8 Ranges
	// Kernels names an instruction set of kernel.Sets; empty means the best.
	Kernels string
	// Arena allocates all memory that holds data computed from an input. The
	// caller may free it after Close. Nil means Go's heap.
	Arena Arena
}

// Arena allocates the workspace of a network, so that the caller can use
// locked memory.
type Arena interface {
	// Floats returns n elements of zero.
	Floats(n int) ([]float32, error)
	// Int8s returns n elements of zero.
	Int8s(n int) ([]int8, error)
}

// heap allocates from Go's heap.
type heap struct{}

// Floats returns n elements of zero.
func (heap) Floats(n int) ([]float32, error) { return make([]float32, n), nil }

// Int8s returns n elements of zero.
func (heap) Int8s(n int) ([]int8, error) { return make([]int8, n), nil }

// Net is a planned network. Only one goroutine may use it at a time.
type Net struct {
	arena   []float32
	inputs  []port
	outputs []port
	workers *workerPool
	info    Info
}

// port is an input or output of the network and its part of the arena.
type port struct {
	name  string
	shape []int
	mem   []float32
}

// Info describes a network: the entries of its file and the figures of its plan.
type Info struct {
	Producer  string            // the program that wrote the file
	Opset     int64             // version of ONNX's default operator set
	Meta      map[string]string // the file's metadata_props: author, license, …
	Operators map[string]int    // how many nodes of each operator the file has

	Kernels string     // the instruction set in use, as in kernel.Sets
	MACs    int64      // multiply-accumulate operations of one inference
	Weights int        // bytes of the packed weights and biases
	Arena   int        // bytes of all tensors of an inference
	Steps   []StepInfo // in the order of execution
}

// StepInfo describes one step of the plan.
type StepInfo struct {
	Kind  string // pointwise, dense, bytes, product, depthwise, maximum, copy, …
	Name  string // operator and name of the node in the file
	Shape []int  // of the output, in the file's order of axes
	MACs  int64  // multiply-accumulate operations; 0 where none are counted
}

// Load parses an ONNX file and plans the network. name is the file's name for
// errors. Errors name the file, the node and the operator, and wrap
// onnx.ErrFormat where the file is malformed.
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

// selectKernels returns the kernels of the named instruction set, or the best
// that this processor has for an empty name.
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

// errMemory is the error of a graph that needs more memory than is allowed.
var errMemory = errors.New("the network's tensors do not fit the memory allowed")

// maxArena bounds the arena, in elements (2²⁶, 256 MiB as float32).
const maxArena = 1 << 26

// floatBytes is the size of a float32, in bytes.
const floatBytes = 4

// planNet turns a graph into a network that is ready to run: fusion, layouts,
// lowering to steps, and the allocation of one arena for all tensors.
func planNet(g *graph, set *kernel.Set, o Opts) (*Net, error) {
	g.fuseNodes()
	g.assignLayouts()
	p := &planner{set: set, ranges: o.Int8, arenaLimit: maxArena, threads: min(max(o.Threads, 1), runtime.NumCPU())}
	n := &Net{}
	if o.Memory > 0 {
		p.arenaLimit = min(p.arenaLimit, o.Memory/floatBytes)
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
			computed := v.layout // channels-last
			v.layout = newView(v.shape, rowMajorStrides(v.shape))
			p.addCopy(v.producer, p.readOperand(computed), v.layout)
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
	n.info = Info{Kernels: set.Name, Arena: floatBytes * size}
	for _, s := range p.steps {
		n.info.Steps = append(n.info.Steps, s.info)
		n.info.MACs += s.info.MACs
		n.info.Weights += floatBytes * s.weights
	}
	return n, nil
}

// portOperands returns an operand for each input or output of the network. It
// keeps their buffers alive for the step that is added next.
func (p *planner) portOperands(vs []*value) (out []*operand) {
	for _, v := range vs {
		out = append(out, p.useBuffer(v.layout))
	}
	return out
}

// Info returns the figures of the file and of the plan.
func (n *Net) Info() Info { return n.info }

// Inputs returns the names of the network's inputs, in the file's order.
func (n *Net) Inputs() []string { return portNames(n.inputs) }

// Outputs returns the names of the network's outputs, in the file's order.
func (n *Net) Outputs() []string { return portNames(n.outputs) }

func portNames(ps []port) (out []string) {
	for _, p := range ps {
		out = append(out, p.name)
	}
	return out
}

// Input returns the memory of an input and its shape. The caller fills it
// before each Run, row-major in the file's order of axes (for a picture:
// channel, row, column). Run may overwrite it. An empty name means the first
// input; both results are nil where the network has no input of this name.
func (n *Net) Input(name string) (mem []float32, shape []int) { return findPort(n.inputs, name) }

// Output returns the memory of an output and its shape, row-major in the file's
// order of axes. It is valid until the next Run or Wipe. Names are as for Input.
func (n *Net) Output(name string) (mem []float32, shape []int) { return findPort(n.outputs, name) }

func findPort(ps []port, name string) ([]float32, []int) {
	for _, p := range ps {
		if p.name == name || name == "" {
			return p.mem, p.shape
		}
	}
	return nil, nil
}

// Run computes the outputs from the inputs. It allocates no memory.
func (n *Net) Run() { n.workers.runSteps(nil) }

// RunTimed runs the network like Run and adds the duration of step i to
// spent[i]. spent has one element per step of Info.
func (n *Net) RunTimed(spent []time.Duration) {
	last := time.Now()
	n.workers.runSteps(func(i int) {
		now := time.Now()
		spent[i] += now.Sub(last)
		last = now
	})
}

// Wipe overwrites every input, output and intermediate tensor, and the threads'
// scratch memory, with zeros.
func (n *Net) Wipe() {
	clear(n.arena)
	n.workers.wipeScratch()
}

// Close wipes the network and ends its threads. The caller must not use the
// network afterwards.
func (n *Net) Close() {
	n.Wipe()
	n.workers.stopWorkers()
}
