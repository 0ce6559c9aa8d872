package policy

import (
	"crypto/sha256"
	"time"

	"kerb/counting"
)

// Both is the direction of a cell that counts both directions over a line
// together.
const Both = counting.Direction(counting.Directions)

// The bounds of a released number. A number beyond is moved to the bound, so
// that a number never takes more than seven characters and a message can be
// padded to a length that reveals no count.
const (
	Digits   = 7
	maxCount = 9_999_999
	minCount = -999_999
	maxMean  = 999_999 // tenths
	minMean  = -99_999
)

// The reasons of gaps that Clear itself makes.
const (
	reasonClosed = "closed"    // the window is not wholly within the policy's hours
	reasonShort  = "too_short" // less than half of the window was observed, without noise
)

// maxCells is the number of cells of a line with totals: two directions and
// their total for every class.
const maxCells = counting.Classes * (counting.Directions + 1)

// A Release is one window of one stream as the policy cleared it, and the only
// value that is stored or sent. Clear makes it, and the decoder of its stored
// form brings it back; there is no other way to one. The zero value is invalid.
// Two Releases are equal under == if they hold the same.
type Release struct {
	stream     string
	kind       counting.Kind
	quality    counting.Quality
	reason     string
	start, end int64 // ms since 1970
	mono       int64 // ms since boot
	observed   int64 // s, or number of instants
	still      bool  // a zone that was observed at instants
	policy     [sha256.Size]byte
	rule       rule
	count      int
	cells      [maxCells]cell

	figureCount int
	figures     [maxFigures]figure
}

// rule holds the parameters of the clearing that the cells depend on.
type rule struct {
	method  Method
	epsilon uint16 // thousandths
	below   uint16
	round   uint16
	totals  bool
	bands   [maxBands - 1]uint16 // lower ends of all bands but the first; 0 after the last
}

// cell is one number. If ranged, the number is at least a, and below b if b is
// not 0. Otherwise a is the count; or, for a zone, a is the mean in tenths and
// b the peak.
type cell struct {
	class  counting.Class
	dir    counting.Direction
	ranged bool
	a, b   int64
}

// A Cell is one released number of a window. If Ranged, the number lies from
// Min up to but not including Below, where Below 0 means no upper end; N, Mean
// and Peak are 0 then. Under suppression and noise Min is 0: the number is
// withheld, and smaller than Below.
type Cell struct {
	Class  counting.Class
	Dir    counting.Direction // of lines and loops; Both if the cell is a total
	Ranged bool
	Min    int64
	Below  int64
	N      int64   // objects over a line or loop; with noise it can be negative
	Mean   float64 // mean number of objects in a zone over the observed time, to one decimal
	Peak   int64   // largest number of objects in a zone at one time
}

// IsZero reports whether r is the zero value, which cannot be stored or sent.
func (r Release) IsZero() bool { return r == Release{} }

// Stream is the id of the stream in site.toml.
func (r Release) Stream() string { return r.stream }

// Kind is the kind of the stream: line, zone or loop.
func (r Release) Kind() counting.Kind { return r.kind }

// Quality tells how complete the window is. A gap has no cells.
func (r Release) Quality() counting.Quality { return r.quality }

// Reason is the reason for a quality other than OK, in one word; empty for OK.
func (r Release) Reason() string { return r.reason }

// StartTime is the beginning of the window, to the millisecond, in UTC.
func (r Release) StartTime() time.Time { return time.UnixMilli(r.start).UTC() }

// EndTime is the end of the window, to the millisecond, in UTC.
func (r Release) EndTime() time.Time { return time.UnixMilli(r.end).UTC() }

// Mono is the monotonic time of End since boot, to the millisecond.
func (r Release) Mono() time.Duration { return time.Duration(r.mono) * time.Millisecond }

// Still reports whether the window was observed at instants: see Instants.
func (r Release) Still() bool { return r.still }

// Observed is the time of the window that was observed, to the second; 0 if it
// was observed at instants.
func (r Release) Observed() time.Duration {
	if r.still {
		return 0
	}
	return time.Duration(r.observed) * time.Second
}

// Instants is the number of instants at which the window was observed; 0 if it
// was observed all the time.
func (r Release) Instants() int64 {
	if !r.still {
		return 0
	}
	return r.observed
}

// Policy is the hash of the policy that cleared the window.
func (r Release) Policy() string { return hashText(r.policy) }

// Epsilon is the privacy loss ε per passage or presence; 0 without noise.
func (r Release) Epsilon() float64 { return float64(r.rule.epsilon) / 1000 }

// Cells returns the numbers, one for every declared cell, always in the same
// order.
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
