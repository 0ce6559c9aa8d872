package loop

import (
	"fmt"
	"math"
)

// Comparison compares the counts of two streams of one road, such as a loop and
// a camera, by their ratio a/b. A drift of the ratio shows that one of the two
// sensors fails.
type Comparison struct {
	expect    float64 // expected a/b
	tolerance float64 // share of expect
	minPool   uint64  // a + b of a pool
	inARow    int     // pools that begin or end a drift

	a, b                  uint64 // counts of the present pool
	outsideRun, insideRun int    // pools in a row out of tolerance, and within it
	drifted               bool
}

// NewComparison makes a Comparison that expects a/b = expect (above 0), within
// a share of tolerance (above 0, below 1) either way. Windows are pooled until
// a + b is at least least (at least 1), because the ratio of small numbers is
// mostly chance. patience pools (at least 1) in a row out of tolerance begin a
// drift, and as many within tolerance end it. Parameters out of range are an
// error.
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

// ComparisonResult is the result of adding one window.
type ComparisonResult struct {
	Ratio   float64 // a/b of the pool, +Inf where b is 0; valid only if Enough
	Enough  bool    // the pool was large enough for a ratio, and a new one begins
	Drifted bool    // the streams disagree
	Changed bool    // Drifted has just changed: an event
}

// AddWindow adds the counts of one window of both streams. The caller leaves out
// windows that either stream did not observe in full.
func (c *Comparison) AddWindow(a, b uint64) ComparisonResult {
	c.a, c.b = c.a+a, c.b+b
	if c.a+c.b < c.minPool {
		return ComparisonResult{Drifted: c.drifted}
	}
	r := ComparisonResult{Ratio: float64(c.a) / float64(c.b), Enough: true}
	c.a, c.b = 0, 0
	// Symmetric: half as many is as far off as twice as many.
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
