package sensor

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// LatencyHistogram counts durations in logarithmic bins, eight to each power of
// two. All counts are halved after every 4,096 samples, so that quantiles describe
// the last few thousand. One goroutine adds; others may read.
type LatencyHistogram struct {
	bins [latencyBins]atomic.Uint32
	n    atomic.Uint32 // samples in all bins
}

const (
	// latencyUnit is where the bins become logarithmic: a shorter duration falls
	// into bins of latencyUnit/8 = 8 µs.
	latencyUnit = 64 * time.Microsecond

	latencyBins = 8 * 24 // up to 8 minutes; longer durations fall into the last one
	halveAfter  = 1 << 12
)

func (h *LatencyHistogram) addSample(t time.Duration) {
	h.bins[binOf(t)].Add(1)
	if h.n.Add(1) < halveAfter {
		return
	}
	left := uint32(0)
	for i := range h.bins {
		half := h.bins[i].Load() / 2
		h.bins[i].Store(half)
		left += half
	}
	h.n.Store(left)
}

// binOf returns the bin of a duration.
func binOf(t time.Duration) int {
	v := uint64(max(t, 0) / (latencyUnit / 8))
	if v < 8 {
		return int(v)
	}
	e := bits.Len64(v) - 4 // v>>e is 8–15
	return min(8*e+int(v>>e), latencyBins-1)
}

// Quantile returns the p-quantile, p from 0 to 1, rounded down to the start of its
// bin: up to an eighth too short. It returns 0 without samples.
func (h *LatencyHistogram) Quantile(p float64) time.Duration {
	want := uint32(p * float64(h.n.Load()))
	for i := range h.bins {
		n := h.bins[i].Load()
		if n > want {
			return binStart(i)
		}
		want -= n
	}
	return 0
}

// binStart returns the shortest duration of bin i.
func binStart(i int) time.Duration {
	if i < 16 {
		return time.Duration(i) * latencyUnit / 8
	}
	e := i/8 - 1
	return time.Duration(uint64(8+i%8)<<e) * latencyUnit / 8
}
