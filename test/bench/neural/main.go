// Command neural measures the network executor: milliseconds per inference beside
// onnxruntime on the same file and the same input, in alternating runs, and
// GFLOP/s per kind of layer beside the peak of this core.
//
//	go run ./test/bench/neural [-threads N] [-rounds N] [-kernels NAME] MODEL.onnx…
//
// KERB_ORT names the folder that holds node_modules/onnxruntime-node; without it
// there is no peer to compare with. The peer needs node.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"kerb/counting/neural"
	"kerb/counting/neural/kernel"
)

// settle is a pause before each measurement (chosen by hand). The threads of the
// other side spin for a while after their work and occupy the cores.
const settle = 30 * time.Millisecond

const (
	runsPerRound = 5        // inferences of each side in a round
	inputStride  = 7919     // a prime: neighbouring input elements differ
	inputValues  = 255      // of the input elements, as of bytes
	roofDepth    = 96       // depth of the product that measures the peak
	roofRuns     = 2000     // products in a measurement of the peak
	copyBytes    = 64 << 20 // larger than any cache
)

func main() {
	threads := flag.Int("threads", 1, "threads of both")
	rounds := flag.Int("rounds", 30, "alternations of five inferences each")
	kernels := flag.String("kernels", "", "instruction set; empty: the best")
	int8 := flag.Bool("int8", false, "1×1 convolutions in eight bits")
	only := flag.Int("only", 0, "run so many inferences and end, for counting instructions")
	layers := flag.Bool("layers", false, "one line per step")
	peer := flag.String("peer", filepath.Join("test", "bench", "neural", "peer.cjs"), "the peer's script")
	flag.Parse()
	o := options{
		Opts: neural.Opts{Threads: *threads, Kernels: *kernels}, int8: *int8,
		peer: *peer, rounds: *rounds, only: *only, layers: *layers,
	}
	for _, file := range flag.Args() {
		if err := benchFile(file, o); err != nil {
			fmt.Fprintln(os.Stderr, "neural:", err)
			os.Exit(1)
		}
	}
}

// options are the flags.
type options struct {
	neural.Opts
	int8         bool   // quantise the 1×1 convolutions
	peer         string // the peer's script
	rounds, only int
	layers       bool
}

// benchFile measures one model and prints the results.
func benchFile(file string, o options) error {
	n, input, err := loadNet(file, o)
	if err != nil {
		return err
	}
	defer n.Close()
	if o.only > 0 {
		for range o.only {
			runNet(n, input)
		}
		return nil
	}
	var other *peer
	if os.Getenv("KERB_ORT") != "" {
		if other, err = startPeer(o.peer, file, o.Threads); err != nil {
			return err
		}
		defer other.stopPeer()
	}
	ours, theirs, err := measureRounds(n, input, other, o.rounds)
	if err != nil {
		return err
	}
	info := n.Info()
	fmt.Printf("%s, %s, %d thread(s): %.0f MMAC, arena %.1f MB, weights %.1f MB\n", filepath.Base(file), info.Kernels, max(1, o.Threads),
		float64(info.MACs)/1e6, float64(info.Arena)/1e6, float64(info.Weights)/1e6)
	fmt.Printf("  kerb         min %6.2f  median %6.2f ms\n", ours[0], ours[len(ours)/2])
	if other != nil {
		fmt.Printf("  onnxruntime  min %6.2f  median %6.2f ms\n", theirs[0], theirs[len(theirs)/2])
		fmt.Printf("  ratio        min %6.2f  median %6.2f\n", ours[0]/theirs[0], ours[len(ours)/2]/theirs[len(theirs)/2])
	}
	printKinds(n, input, o.layers)
	printRoof(info.Kernels)
	return nil
}

// loadNet loads a model and makes an input for it. For eight bits it calibrates
// the model on this input.
func loadNet(file string, o options) (n *neural.Net, input []float32, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	if n, err = neural.Load(b, filepath.Base(file), o.Opts); err != nil {
		return nil, nil, err
	}
	in, _ := n.Input("")
	input = make([]float32, len(in))
	for i := range input {
		input[i] = float32(i * inputStride % inputValues)
	}
	if !o.int8 {
		return n, input, nil
	}
	copy(in, input)
	o.Int8 = neural.Ranges{}
	n.ObserveRanges(o.Int8)
	n.Close()
	n, err = neural.Load(b, filepath.Base(file), o.Opts)
	return n, input, err
}

// runNet fills the input, which an inference may overwrite, and runs.
func runNet(n *neural.Net, input []float32) {
	in, _ := n.Input("")
	copy(in, input)
	n.Run()
}

// measureRounds returns the milliseconds of every inference of both sides, in
// alternating rounds, sorted. Without a peer theirs is empty.
func measureRounds(n *neural.Net, input []float32, other *peer, rounds int) (ours, theirs []float64, err error) {
	in, _ := n.Input("")
	for round := range rounds + 1 {
		var a []float64
		time.Sleep(settle)
		for range runsPerRound {
			copy(in, input)
			begin := time.Now()
			n.Run()
			a = append(a, time.Since(begin).Seconds()*1e3)
		}
		var b []float64
		if other != nil {
			time.Sleep(settle)
			if b, err = other.measureRuns(runsPerRound); err != nil {
				return nil, nil, err
			}
		}
		if round > 0 { // the first warms both up
			ours, theirs = append(ours, a...), append(theirs, b...)
		}
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	return ours, theirs, nil
}

// printRoof prints the peak of one core: GFLOP/s of products whose operands stay
// in the first-level cache, and GB/s of copying more than any cache holds.
func printRoof(name string) {
	for _, s := range kernel.Sets() {
		if s.Name != name {
			continue
		}
		const depth = roofDepth
		width := s.Widths[0]
		g := kernel.Gemm{
			A: make([]float32, 4*s.Rows*depth), B: make([]float32, depth*width), Bias: make([]float32, width), C: make([]float32, 4*s.Rows*width),
			Segs: []int{0}, SegLen: depth, KStep: 1, AStep: depth, CStep: width, M: 4 * s.Rows, N: width,
		}
		best := fastestOf(20, func() {
			for range roofRuns {
				s.Gemm(&g, width)
			}
		})
		fmt.Printf("  roof       %.1f GFLOP/s in the first cache", gflops(int64(roofRuns*g.M*width*depth), best))
	}
	from, to := make([]byte, copyBytes), make([]byte, copyBytes)
	best := fastestOf(10, func() { copy(to, from) })
	fmt.Printf(", %.1f GB/s copied in memory\n", 2*float64(len(to))/best.Seconds()/1e9)
}

// fastestOf returns the shortest duration of so many calls of f.
func fastestOf(times int, f func()) time.Duration {
	best := time.Duration(1 << 62)
	for range times {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

// printKinds prints the shortest time of each kind of step, and with layers of
// each step.
func printKinds(n *neural.Net, input []float32, layers bool) {
	const runs = 50
	info := n.Info()
	best := make([]time.Duration, len(info.Steps))
	for range runs {
		in, _ := n.Input("")
		copy(in, input)
		spent := make([]time.Duration, len(info.Steps))
		n.RunTimed(spent)
		for i, d := range spent {
			if best[i] == 0 || d < best[i] {
				best[i] = d
			}
		}
	}
	type sum struct {
		steps int
		macs  int64
		spent time.Duration
	}
	kinds, order := map[string]*sum{}, []string{}
	for i, s := range info.Steps {
		if kinds[s.Kind] == nil {
			kinds[s.Kind] = &sum{}
			order = append(order, s.Kind)
		}
		k := kinds[s.Kind]
		k.steps, k.macs, k.spent = k.steps+1, k.macs+s.MACs, k.spent+best[i]
		if layers {
			fmt.Printf("  %-10s %-28s %-18s %8.1f µs %7.1f GFLOP/s\n", s.Kind, s.Name, fmt.Sprint(s.Shape), best[i].Seconds()*1e6, gflops(s.MACs, best[i]))
		}
	}
	for _, kind := range order {
		k := kinds[kind]
		fmt.Printf("  %-10s %4d steps %8.1f MMAC %8.3f ms %8.1f GFLOP/s\n", kind, k.steps, float64(k.macs)/1e6, k.spent.Seconds()*1e3, gflops(k.macs, k.spent))
	}
}

// gflops converts multiply-accumulate operations, two flops each, to GFLOP/s.
func gflops(macs int64, d time.Duration) float64 { return 2 * float64(macs) / d.Seconds() / 1e9 }

// peer is a process of onnxruntime: a number of runs goes in, a line of
// milliseconds comes out.
type peer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startPeer(script, file string, threads int) (*peer, error) {
	r := &peer{cmd: exec.Command("node", script, file, strconv.Itoa(max(1, threads)))}
	r.cmd.Stderr = os.Stderr
	var err error
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.out = bufio.NewScanner(out)
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	if !r.out.Scan() {
		return nil, fmt.Errorf("the peer did not start")
	}
	return r, nil
}

func (r *peer) measureRuns(n int) (ms []float64, err error) {
	runtime.Gosched()
	fmt.Fprintln(r.in, n)
	if !r.out.Scan() {
		return nil, fmt.Errorf("the peer ended")
	}
	for _, f := range strings.Fields(r.out.Text()) {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return nil, err
		}
		ms = append(ms, v)
	}
	return ms, nil
}

func (r *peer) stopPeer() {
	r.in.Close()
	_ = r.cmd.Wait()
}
