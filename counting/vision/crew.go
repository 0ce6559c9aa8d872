package vision

import "sync"

// crew is a few goroutines that share a picture by bands of rows. One band is
// always done by the caller; a crew of one has no goroutine.
type crew struct {
	size int
	do   func(phase, band, bands int)
	work chan [2]int // phase, band
	done sync.WaitGroup
	gone sync.WaitGroup
	once sync.Once
}

func newCrew(size int, do func(phase, band, bands int)) *crew {
	c := &crew{size: size, do: do, work: make(chan [2]int)}
	for range size - 1 {
		c.gone.Go(func() {
			for w := range c.work {
				do(w[0], w[1], size)
				c.done.Done()
			}
		})
	}
	return c
}

// all does a phase on every band and returns when it is done.
func (c *crew) all(phase int) {
	c.done.Add(c.size - 1)
	for b := 1; b < c.size; b++ {
		c.work <- [2]int{phase, b}
	}
	c.do(phase, 0, c.size)
	c.done.Wait()
}

func (c *crew) close() {
	c.once.Do(func() { close(c.work) })
	c.gone.Wait()
}
