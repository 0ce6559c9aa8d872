package neural

import (
	"runtime"
	"sync/atomic"

	"kerb/counting/neural/kernel"
)

// step is one operator of the plan. It consists of units, which any thread may
// compute in any order.
type step interface {
	unitCount() int
	// computeUnits computes the units from…to-1 with a thread's scratch memory.
	computeUnits(from, to int, s *scratch)
}

// plannedStep is a step with its figures for Info.
type plannedStep struct {
	step
	info    StepInfo
	weights int // elements of packed weights and biases, in units of a float32
}

// scratch is the memory of one thread: the arguments of the kernels, which would
// otherwise be allocated on the heap, and two work areas.
type scratch struct {
	gemm     kernel.Gemm
	taps     kernel.Taps
	act      kernel.Elements
	int8Gemm kernel.Bytes
	quantize kernel.Quantize

	int8s      []int8    // a chunk of pixels in eight bits
	softmaxRow []float32 // one group of a softmax
}

// workerPool computes the steps of a plan with the caller's thread and worker
// goroutines. A step takes tens of microseconds, less than it takes to wake a
// thread, so the pool wakes its workers once per run and they spin for work
// until the run ends. Threads claim units by compare-and-swap, so a worker that
// the system delays does not delay the others.
type workerPool struct {
	steps         []plannedStep
	callerScratch scratch
	workers       []worker
	// claimed holds the number of the current step in its upper 32 bits and the
	// first unit of the step that is not claimed in its lower.
	claimed   atomic.Uint64
	doneUnits atomic.Int64 // units of the current step that are computed
}

// worker is one goroutine of the pool.
type worker struct {
	wake    chan struct{} // one element per run; closed by stopWorkers
	ended   chan struct{} // closed when the goroutine has ended
	scratch scratch
}

const (
	runEnded    = 1 << 30 // in claimed, a step number after the end of a run
	runStarting = 1 << 29 // in claimed, a step number before the first step of a run
	stepShift   = 32      // of the step number in claimed, in bits

	// spinLimit is how often a thread looks for work before it yields to the Go
	// scheduler (chosen by hand).
	spinLimit = 1 << 14

	// claimsPerThread is the number of claims of a thread, if all threads are
	// equally fast: more would cost more atomic operations, fewer would leave
	// threads idle at a step's end (chosen by hand).
	claimsPerThread = 4
)

// newWorkerPool starts threads-1 workers. Each thread gets scratch memory of
// int8Bytes bytes and softmaxElems floats from the arena.
func newWorkerPool(threads, int8Bytes, softmaxElems int, steps []plannedStep, in Arena) (*workerPool, error) {
	// One allocation for all threads: an arena may round each up to a page.
	allBytes, err := in.Int8s(max(threads*int8Bytes, 1))
	if err != nil {
		return nil, err
	}
	allRows, err := in.Floats(max(threads*softmaxElems, 1))
	if err != nil {
		return nil, err
	}
	assign := func(s *scratch, i int) {
		s.int8s = allBytes[i*int8Bytes : (i+1)*int8Bytes]
		s.softmaxRow = allRows[i*softmaxElems : (i+1)*softmaxElems]
	}
	p := &workerPool{steps: steps, workers: make([]worker, threads-1)}
	assign(&p.callerScratch, 0)
	for i := range p.workers {
		w := &p.workers[i]
		assign(&w.scratch, i+1)
		w.wake, w.ended = make(chan struct{}, 1), make(chan struct{})
		go func() {
			defer close(w.ended)
			for range w.wake {
				p.workUntilEnd(&w.scratch)
			}
		}()
	}
	return p, nil
}

// runSteps computes the steps one after the other and calls after(i) after step
// i, if after is not nil.
func (p *workerPool) runSteps(after func(int)) {
	shared := len(p.workers) > 0
	if shared {
		p.claimed.Store(runStarting << stepShift)
		for i := range p.workers {
			select {
			case p.workers[i].wake <- struct{}{}:
			default: // the worker has not taken the previous element yet, so it wakes anyway
			}
		}
	}
	for i := range p.steps {
		if shared {
			p.computeShared(i)
		} else {
			p.steps[i].computeUnits(0, p.steps[i].unitCount(), &p.callerScratch)
		}
		if after != nil {
			after(i)
		}
	}
	if shared {
		p.claimed.Store(runEnded << stepShift)
	}
}

// computeShared computes step i together with the workers and returns when all
// its units are done.
func (p *workerPool) computeShared(i int) {
	p.doneUnits.Store(0)
	p.claimed.Store(uint64(i) << stepShift)
	for p.claimUnits(&p.callerScratch) {
	}
	units := int64(p.steps[i].unitCount())
	for spins := 1; p.doneUnits.Load() < units; spins++ {
		if spins%spinLimit == 0 {
			runtime.Gosched()
		}
	}
}

// workUntilEnd claims and computes units until the run ends. It is a worker's
// loop.
func (p *workerPool) workUntilEnd(own *scratch) {
	for spins := 1; p.claimed.Load()>>stepShift != runEnded; spins++ {
		if p.claimUnits(own) {
			spins = 0
		} else if spins%spinLimit == 0 {
			runtime.Gosched()
		}
	}
}

// claimUnits claims some units of the current step and computes them. It is
// false when the step has no unclaimed unit.
func (p *workerPool) claimUnits(own *scratch) bool {
	c := p.claimed.Load()
	i, from := int(c>>stepShift), int(uint32(c))
	if i >= len(p.steps) {
		return false
	}
	s := p.steps[i]
	units := s.unitCount()
	if from >= units {
		return false
	}
	to := min(from+max(1, units/(claimsPerThread*(len(p.workers)+1))), units)
	if p.claimed.CompareAndSwap(c, uint64(i)<<stepShift|uint64(to)) {
		s.computeUnits(from, to, own)
		p.doneUnits.Add(int64(to - from))
	}
	return true
}

// clearBuffers overwrites the work areas and drops the kernels' arguments, which
// point at tensors.
func (s *scratch) clearBuffers() {
	clear(s.int8s)
	clear(s.softmaxRow)
	*s = scratch{int8s: s.int8s, softmaxRow: s.softmaxRow}
}

// wipeScratch overwrites the threads' work areas and drops their pointers to
// tensors.
func (p *workerPool) wipeScratch() {
	p.callerScratch.clearBuffers()
	for i := range p.workers {
		p.workers[i].scratch.clearBuffers()
	}
}

// stopWorkers ends the workers and waits for them.
func (p *workerPool) stopWorkers() {
	for i := range p.workers {
		close(p.workers[i].wake)
		<-p.workers[i].ended
	}
	p.workers = nil
}
