package sensor

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// delays are how long something took, in steps of an eighth of a power of two.
// The past is forgotten by halves, so that they tell of the last few thousand.
type latencies struct {
	steps [8 * 24]atomic.Uint32
	n     atomic.Uint32
}

// unit is the finest that is told apart.
const latencyUnit = 64 * time.Microsecond

func (d *latencies) addSample(t time.Duration) {
	d.steps[step(t)].Add(1)
	if d.n.Add(1) < 1<<12 {
		return
	}
	left := uint32(0)
	for i := range d.steps {
		half := d.steps[i].Load() / 2
		d.steps[i].Store(half)
		left += half
	}
	d.n.Store(left)
}

func step(t time.Duration) int {
	v := uint64(max(t, 0) / (latencyUnit / 8))
	if v < 8 {
		return int(v)
	}
	e := bits.Len64(v) - 4 // v>>e is 8–15
	return min(8*e+int(v>>e), 8*24-1)
}

// at is the delay within which so many of all were, 0 to 1; 0 if there are none.
func (d *latencies) Quantile(part float64) time.Duration {
	want := uint32(part * float64(d.n.Load()))
	for i := range d.steps {
		n := d.steps[i].Load()
		if n > want {
			return begin(i)
		}
		want -= n
	}
	return 0
}

// begin is the least of a step.
func begin(i int) time.Duration {
	if i < 16 {
		return time.Duration(i) * latencyUnit / 8
	}
	e := i/8 - 1
	return time.Duration(uint64(8+i%8)<<e) * latencyUnit / 8
}
