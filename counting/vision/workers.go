package vision

import "sync"

// workers are goroutines that process a picture by bands of rows. The caller of
// runBands processes the first band itself, so a size of 1 has no goroutine.
type workers struct {
	size    int
	runBand func(phase, band, bands int)
	work    chan [2]int // phase, band
	done    sync.WaitGroup
	ended   sync.WaitGroup
	once    sync.Once
}

func newWorkers(size int, do func(phase, band, bands int)) *workers {
	w := &workers{size: size, runBand: do, work: make(chan [2]int)}
	for range size - 1 {
		w.ended.Go(func() {
			for job := range w.work {
				do(job[0], job[1], size)
				w.done.Done()
			}
		})
	}
	return w
}

// runBands runs a phase on every band and waits for all.
func (w *workers) runBands(phase int) {
	w.done.Add(w.size - 1)
	for b := 1; b < w.size; b++ {
		w.work <- [2]int{phase, b}
	}
	w.runBand(phase, 0, w.size)
	w.done.Wait()
}

// close ends the goroutines and waits for them. Closing twice is harmless.
func (w *workers) close() {
	w.once.Do(func() { close(w.work) })
	w.ended.Wait()
}
