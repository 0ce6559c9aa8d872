package vision

import "sync"

// workers is a few goroutines that share a picture by bands of rows. One band is
// always done by the caller; a crew of one has no goroutine.
type workers struct {
	size    int
	runBand func(phase, band, bands int)
	work    chan [2]int // phase, band
	done    sync.WaitGroup
	ended   sync.WaitGroup
	once    sync.Once
}

func newWorkers(size int, do func(phase, band, bands int)) *workers {
	c := &workers{size: size, runBand: do, work: make(chan [2]int)}
	for range size - 1 {
		c.ended.Go(func() {
			for w := range c.work {
				do(w[0], w[1], size)
				c.done.Done()
			}
		})
	}
	return c
}

// runBands does a phase on every band and returns when it is done.
func (c *workers) runBands(phase int) {
	c.done.Add(c.size - 1)
	for b := 1; b < c.size; b++ {
		c.work <- [2]int{phase, b}
	}
	c.runBand(phase, 0, c.size)
	c.done.Wait()
}

func (c *workers) close() {
	c.once.Do(func() { close(c.work) })
	c.ended.Wait()
}
