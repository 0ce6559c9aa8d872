package neural

import (
	"runtime"
	"sync/atomic"

	"kerb/counting/neural/kernel"
)

// step is one operator of the plan, cut into units that may be computed in
// any order and by any thread.
type step interface {
	unitCount() int
	computeUnits(from, to int, s *scratch)
}

// plannedStep is a step and what is known about it.
type plannedStep struct {
	step
	info    StepInfo
	weights int // elements
}

// scratch is one thread's own memory.
type scratch struct {
	gemm     kernel.Gemm
	taps     kernel.Taps
	act      kernel.Elements
	int8Gemm kernel.Bytes
	quantize kernel.Quantize

	int8s      []int8    // a chunk of pixels in eight bits
	softmaxRow []float32 // a group of a softmax
}

// workerPool computes steps with the caller's thread and some helpers. Steps take
// tens of microseconds, less than it takes to wake a thread, so helpers are
// woken once per run and then look for work until it ends. A helper that the
// system delays holds nobody up: units belong to who takes them.
type workerPool struct {
	steps         []plannedStep
	callerScratch scratch
	workers       []worker
	// claimed is the current step in the upper half and its first unit that
	// nobody took in the lower.
	claimed   atomic.Uint64
	doneUnits atomic.Int64 // units of the current step that are computed
}

type worker struct {
	wake    chan struct{}
	ended   chan struct{}
	scratch scratch
}

const (
	runEnded    = 1 << 30 // a step number that ends a run
	runStarting = 1 << 29 // one that lets helpers wait for the first
	spinLimit   = 1 << 14 // looks for work before a thread lets others run
)

func newWorkerPool(threads, bytes, row int, steps []plannedStep, in Arena) (*workerPool, error) {
	// One block each for all threads: less than a page would take a whole one.
	allBytes, err := in.Int8s(max(threads*bytes, 1))
	if err != nil {
		return nil, err
	}
	allRows, err := in.Floats(max(threads*row, 1))
	if err != nil {
		return nil, err
	}
	share := func(s *scratch, i int) {
		s.int8s, s.softmaxRow = allBytes[i*bytes:(i+1)*bytes], allRows[i*row:(i+1)*row]
	}
	p := &workerPool{steps: steps, workers: make([]worker, threads-1)}
	share(&p.callerScratch, 0)
	for i := range p.workers {
		h := &p.workers[i]
		share(&h.scratch, i+1)
		h.wake, h.ended = make(chan struct{}, 1), make(chan struct{})
		go func() {
			defer close(h.ended)
			for range h.wake {
				p.workUntilEnd(&h.scratch)
			}
		}()
	}
	return p, nil
}

// runSteps computes the steps one after the other; after is called behind each.
func (p *workerPool) runSteps(after func(int)) {
	helped := len(p.workers) > 0
	if helped {
		p.claimed.Store(runStarting << 32)
		for i := range p.workers {
			select {
			case p.workers[i].wake <- struct{}{}:
			default: // it has not noticed the end of the run before
			}
		}
	}
	for i := range p.steps {
		if helped {
			p.computeShared(i)
		} else {
			p.steps[i].computeUnits(0, p.steps[i].unitCount(), &p.callerScratch)
		}
		if after != nil {
			after(i)
		}
	}
	if helped {
		p.claimed.Store(runEnded << 32)
	}
}

// computeShared computes step i together with the helpers.
func (p *workerPool) computeShared(i int) {
	p.doneUnits.Store(0)
	p.claimed.Store(uint64(i) << 32)
	for p.claimUnits(&p.callerScratch) {
	}
	units := int64(p.steps[i].unitCount())
	for spins := 1; p.doneUnits.Load() < units; spins++ {
		if spins%spinLimit == 0 {
			runtime.Gosched()
		}
	}
}

// workUntilEnd takes units until the run is over.
func (p *workerPool) workUntilEnd(own *scratch) {
	for spins := 1; p.claimed.Load()>>32 != runEnded; spins++ {
		if p.claimUnits(own) {
			spins = 0
		} else if spins%spinLimit == 0 {
			runtime.Gosched()
		}
	}
}

// claimUnits computes some units of the current step. It is false when none are
// left.
func (p *workerPool) claimUnits(own *scratch) bool {
	c := p.claimed.Load()
	i, from := int(c>>32), int(uint32(c))
	if i >= len(p.steps) {
		return false
	}
	s := p.steps[i]
	units := s.unitCount()
	if from >= units {
		return false
	}
	to := min(from+max(1, units/(4*(len(p.workers)+1))), units)
	if p.claimed.CompareAndSwap(c, uint64(i)<<32|uint64(to)) {
		s.computeUnits(from, to, own)
		p.doneUnits.Add(int64(to - from))
	}
	return true
}

func (s *scratch) clearBuffers() {
	clear(s.int8s)
	clear(s.softmaxRow)
	*s = scratch{int8s: s.int8s, softmaxRow: s.softmaxRow}
}

// wipeScratch overwrites what the threads keep and lets go of the tensors that the threads' arguments still point at.
func (p *workerPool) wipeScratch() {
	p.callerScratch.clearBuffers()
	for i := range p.workers {
		p.workers[i].scratch.clearBuffers()
	}
}

// stopWorkers ends the threads and waits for them.
func (p *workerPool) stopWorkers() {
	for i := range p.workers {
		close(p.workers[i].wake)
		<-p.workers[i].ended
	}
	p.workers = nil
}
