package neural

import (
	"runtime"
	"sync/atomic"

	"kerb/counting/neural/kernel"
)

// step is one operator of the plan, cut into units that may be computed in
// any order and by any thread.
type step interface {
	units() int
	do(from, to int, s *scratch)
}

// planned is a step and what is known about it.
type planned struct {
	step
	info    StepInfo
	weights int // elements
}

// scratch is one thread's own memory.
type scratch struct {
	gemm kernel.Gemm
	taps kernel.Taps
	act  kernel.Elements
	mul  kernel.Bytes
	q    kernel.Quantize

	bytes []int8    // a chunk of pixels in eight bits
	row   []float32 // a group of a softmax
}

// pool computes steps with the caller's thread and some helpers. Steps take
// tens of microseconds, less than it takes to wake a thread, so helpers are
// woken once per run and then look for work until it ends. A helper that the
// system delays holds nobody up: units belong to who takes them.
type pool struct {
	steps []planned
	own   scratch
	rest  []helper
	// claim is the current step in the upper half and its first unit that
	// nobody took in the lower.
	claim atomic.Uint64
	done  atomic.Int64 // units of the current step that are computed
}

type helper struct {
	wake chan struct{}
	end  chan struct{}
	own  scratch
}

const (
	over      = 1 << 30 // a step number that ends a run
	soon      = 1 << 29 // one that lets helpers wait for the first
	spinLimit = 1 << 14 // looks for work before a thread lets others run
)

func newPool(threads, bytes, row int, steps []planned, in Arena) (*pool, error) {
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
		s.bytes, s.row = allBytes[i*bytes:(i+1)*bytes], allRows[i*row:(i+1)*row]
	}
	p := &pool{steps: steps, rest: make([]helper, threads-1)}
	share(&p.own, 0)
	for i := range p.rest {
		h := &p.rest[i]
		share(&h.own, i+1)
		h.wake, h.end = make(chan struct{}, 1), make(chan struct{})
		go func() {
			defer close(h.end)
			for range h.wake {
				p.help(&h.own)
			}
		}()
	}
	return p, nil
}

// run computes the steps one after the other; after is called behind each.
func (p *pool) run(after func(int)) {
	helped := len(p.rest) > 0
	if helped {
		p.claim.Store(soon << 32)
		for i := range p.rest {
			select {
			case p.rest[i].wake <- struct{}{}:
			default: // it has not noticed the end of the run before
			}
		}
	}
	for i := range p.steps {
		if helped {
			p.share(i)
		} else {
			p.steps[i].do(0, p.steps[i].units(), &p.own)
		}
		if after != nil {
			after(i)
		}
	}
	if helped {
		p.claim.Store(over << 32)
	}
}

// share computes step i together with the helpers.
func (p *pool) share(i int) {
	p.done.Store(0)
	p.claim.Store(uint64(i) << 32)
	for p.take(&p.own) {
	}
	units := int64(p.steps[i].units())
	for spins := 1; p.done.Load() < units; spins++ {
		if spins%spinLimit == 0 {
			runtime.Gosched()
		}
	}
}

// help takes units until the run is over.
func (p *pool) help(own *scratch) {
	for spins := 1; p.claim.Load()>>32 != over; spins++ {
		if p.take(own) {
			spins = 0
		} else if spins%spinLimit == 0 {
			runtime.Gosched()
		}
	}
}

// take computes some units of the current step. It is false when none are
// left.
func (p *pool) take(own *scratch) bool {
	c := p.claim.Load()
	i, from := int(c>>32), int(uint32(c))
	if i >= len(p.steps) {
		return false
	}
	s := p.steps[i]
	units := s.units()
	if from >= units {
		return false
	}
	to := min(from+max(1, units/(4*(len(p.rest)+1))), units)
	if p.claim.CompareAndSwap(c, uint64(i)<<32|uint64(to)) {
		s.do(from, to, own)
		p.done.Add(int64(to - from))
	}
	return true
}

func (s *scratch) wipe() {
	clear(s.bytes)
	clear(s.row)
	*s = scratch{bytes: s.bytes, row: s.row}
}

// wipe overwrites what the threads keep and lets go of the tensors that the threads' arguments still point at.
func (p *pool) wipe() {
	p.own.wipe()
	for i := range p.rest {
		p.rest[i].own.wipe()
	}
}

// close ends the threads and waits for them.
func (p *pool) close() {
	for i := range p.rest {
		close(p.rest[i].wake)
		<-p.rest[i].end
	}
	p.rest = nil
}
