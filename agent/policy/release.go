package policy

import (
	"crypto/sha256"
	"time"

	"kerb/counting"
)

// Both is the direction of a cell that counts both ways over a line together.
const Both = counting.Direction(counting.Directions)

// The bounds of a released number. Anything beyond is moved to the bound, so
// that a number never takes more than seven characters and a message can be
// padded to a length that says nothing.
const (
	Digits   = 7
	maxCount = 9_999_999
	minCount = -999_999
	maxMean  = 999_999 // tenths
	minMean  = -99_999
)

// The reasons for which Clear itself makes a window a gap.
const (
	reasonClosed = "closed"    // not wholly within the policy's hours
	reasonShort  = "too_short" // less than half was seen, and there is no noise
)

// maxCells is what a line with totals has: two ways and both, for every class.
const maxCells = counting.Classes * (counting.Directions + 1)

// A Release is one window of one stream as the policy cleared it: the only
// thing that is ever stored or sent. Only Clear makes one, and Restore brings
// one back. Its zero value is invalid. Two Releases are equal under == if they
// say the same.
type Release struct {
	stream     string
	kind       counting.Kind
	quality    counting.Quality
	reason     string
	start, end int64 // ms since 1970
	mono       int64 // ms since boot
	observed   int64 // s, or instants
	still      bool  // a zone that was seen at instants
	policy     [sha256.Size]byte
	rule       rule
	count      int
	cells      [maxCells]cell
}

// rule is how the cells were cleared, as far as it shows in them.
type rule struct {
	method  Method
	epsilon uint16 // thousandths
	below   uint16
	round   uint16
	totals  bool
	bands   [maxBands - 1]uint16 // lower ends of all bands but the first; 0 after the last
}

// cell is one number. If ranged it is known to be at least a, and below b if b
// is not 0. Otherwise a is the count; or, for a zone, a is the mean in tenths
// and b the peak.
type cell struct {
	class  counting.Class
	dir    counting.Direction
	ranged bool
	a, b   int64
}

// A Cell is one released number of a window. If Ranged, the number lies from
// Min up to but not including Below, where Below 0 means no upper end; N, Mean
// and Peak are 0 then. Under suppression and noise Min is 0: the number is
// withheld, and fewer than Below.
type Cell struct {
	Class  counting.Class
	Dir    counting.Direction // of lines and loops; Both if the cell is a total
	Ranged bool
	Min    int64
	Below  int64
	N      int64   // objects over a line or loop; with noise also below zero
	Mean   float64 // objects present in a zone, over the time observed, in tenths
	Peak   int64   // most objects present at once in a zone
}

// IsZero reports whether r is the zero value, which nothing may be done with.
func (r Release) IsZero() bool { return r == Release{} }

// Stream is the stream's name in site.toml.
func (r Release) Stream() string { return r.stream }

// Kind is what the stream measures.
func (r Release) Kind() counting.Kind { return r.kind }

// Quality says how far the window can be trusted. A gap has no cells.
func (r Release) Quality() counting.Quality { return r.quality }

// Reason says in one word why the quality is not OK; it is empty if it is.
func (r Release) Reason() string { return r.reason }

// Start is when the window began, to the millisecond, in UTC.
func (r Release) Start() time.Time { return time.UnixMilli(r.start).UTC() }

// End is when the window ended, to the millisecond, in UTC.
func (r Release) End() time.Time { return time.UnixMilli(r.end).UTC() }

// Mono is the monotonic time of End since boot, to the millisecond.
func (r Release) Mono() time.Duration { return time.Duration(r.mono) * time.Millisecond }

// Still reports whether the window was seen at instants: see Instants.
func (r Release) Still() bool { return r.still }

// Observed is how much of the window was seen, to the second; 0 if at instants.
func (r Release) Observed() time.Duration {
	if r.still {
		return 0
	}
	return time.Duration(r.observed) * time.Second
}

// Instants is at how many instants the window was seen; 0 if all the time.
func (r Release) Instants() int64 {
	if !r.still {
		return 0
	}
	return r.observed
}

// Policy is the hash of the policy that cleared the window.
func (r Release) Policy() string { return hashText(r.policy) }

// Epsilon is the privacy loss per passage or presence, 0 without noise.
func (r Release) Epsilon() float64 { return float64(r.rule.epsilon) / 1000 }

// Cells are the numbers: every declared one, always in the same order.
func (r Release) Cells() []Cell {
	out := make([]Cell, r.count)
	for i, c := range r.cells[:r.count] {
		o := Cell{Class: c.class, Dir: c.dir, Ranged: c.ranged}
		switch {
		case c.ranged:
			o.Min, o.Below = c.a, c.b
		case r.kind == counting.ZoneStream:
			o.Mean, o.Peak = float64(c.a)/10, c.b
		default:
			o.N = c.a
		}
		out[i] = o
	}
	return out
}
