package neural

import (
	"sync"
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
}

// pool is the threads of one network: the caller's and some that wait.
type pool struct {
	own  scratch
	rest []worker
	job  step
	next atomic.Int64 // the first unit nobody took
	size int64        // units taken at a time
	wait sync.WaitGroup
}

type worker struct {
	wake chan struct{}
	done chan struct{}
	own  scratch
}

func newPool(threads int) *pool {
	p := &pool{rest: make([]worker, threads-1)}
	for i := range p.rest {
		w := &p.rest[i]
		w.wake, w.done = make(chan struct{}), make(chan struct{})
		go func() {
			defer close(w.done)
			for range w.wake {
				p.work(&w.own)
				p.wait.Done()
			}
		}()
	}
	return p
}

// run computes a step with all threads and returns when it is done.
func (p *pool) run(s step) {
	units := s.units()
	if len(p.rest) == 0 || units < 2 {
		s.do(0, units, &p.own)
		return
	}
	p.job = s
	p.size = max(1, int64(units/(4*(len(p.rest)+1))))
	p.next.Store(0)
	helpers := min(len(p.rest), units-1)
	p.wait.Add(helpers)
	for i := range helpers {
		p.rest[i].wake <- struct{}{}
	}
	p.work(&p.own)
	p.wait.Wait()
}

func (p *pool) work(own *scratch) {
	units := int64(p.job.units())
	for {
		to := p.next.Add(p.size)
		from := to - p.size
		if from >= units {
			return
		}
		p.job.do(int(from), int(min(to, units)), own)
	}
}

// wipe lets go of the tensors that the threads' arguments still point at.
func (p *pool) wipe() {
	p.own = scratch{}
	for i := range p.rest {
		p.rest[i].own = scratch{}
	}
}

// close ends the threads and waits for them.
func (p *pool) close() {
	for i := range p.rest {
		close(p.rest[i].wake)
		<-p.rest[i].done
	}
	p.rest = nil
}
