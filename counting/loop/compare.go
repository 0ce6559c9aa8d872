package loop

import (
	"fmt"
	"math"
)

// Comparison checks two streams that see the same road, such as a loop and a
// camera: a/b of their windows' counts, which drifts when one of them fails.
type Comparison struct {
	expect    float64
	tolerance float64
	minPool   uint64
	inARow    int

	a, b                  uint64 // pooled until there is enough to compare
	outsideRun, insideRun int    // comparisons in a row out of tolerance, and in it
	drifted               bool
}

// NewComparison expects a/b to be expect (above 0), up to a share of tolerance
// (above 0, below 1) of it either way. Windows are pooled until a + b is at
// least least, because a ratio of small numbers says nothing; patience (at
// least 1) pools in a row out of tolerance are a drift, and as many in
// tolerance its end.
func NewComparison(expect, tolerance float64, least uint64, patience int) (*Comparison, error) {
	if !(expect > 0) || math.IsInf(expect, 0) {
		return nil, fmt.Errorf("expected ratio %g: must be above 0", expect)
	}
	if !(tolerance > 0 && tolerance < 1) {
		return nil, fmt.Errorf("tolerance %g: must be above 0 and below 1", tolerance)
	}
	if least == 0 || patience < 1 {
		return nil, fmt.Errorf("least = %d, patience = %d: must be at least 1", least, patience)
	}
	return &Comparison{expect: expect, tolerance: tolerance, minPool: least, inARow: patience}, nil
}

// ComparisonResult is the outcome of a window.
type ComparisonResult struct {
	Ratio   float64 // a/b of the pool, +Inf if b saw nothing; only if Enough
	Enough  bool    // the pool was large enough for a ratio, and a new one begins
	Drifted bool    // whether the streams disagree
	Changed bool    // Drifted is new: an event
}

// Window takes the counts of one window of both streams. Leave out windows
// that either of them did not observe in full.
func (c *Comparison) Window(a, b uint64) ComparisonResult {
	c.a, c.b = c.a+a, c.b+b
	if c.a+c.b < c.minPool {
		return ComparisonResult{Drifted: c.drifted}
	}
	r := ComparisonResult{Ratio: float64(c.a) / float64(c.b), Enough: true}
	c.a, c.b = 0, 0
	// Either way: half as many is as far off as twice as many.
	if q := r.Ratio / c.expect; max(q, 1/q)-1 > c.tolerance {
		c.outsideRun, c.insideRun = c.outsideRun+1, 0
	} else {
		c.outsideRun, c.insideRun = 0, c.insideRun+1
	}
	was := c.drifted
	c.drifted = c.outsideRun >= c.inARow || was && c.insideRun < c.inARow
	r.Drifted, r.Changed = c.drifted, c.drifted != was
	return r
}
