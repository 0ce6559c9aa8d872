// Package loop counts vehicles from the edges of inductive loop detectors:
// passages, occupancy, headways and gaps, and speed and length where a lane has
// two loops. It tells a broken loop from an empty street: every fault is an event
// and lowers the quality of the window.
//
// It reads no device and no clock. Edges come from a Source with the time of
// their own monotonic clock, and that clock drives everything, so a recording
// gives the same counts as the live street. Speed and length of one vehicle
// exist only in memory; a Window holds histograms.
//
// It refuses lanes and limits that cannot work, all of them at once, and ends at
// an edge of an unknown line.
package loop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"kerb/counting"
)

// Edge is one change of one input line. It is an alias of an unnamed struct,
// so that a driver can declare the same type without importing this package.
type Edge = struct {
	Line   int           // index into Opts.Lines
	On     bool          // the loop is covered (or the fault relay has fallen) from At on
	At     time.Duration // on the source's monotonic clock; never decreases within a line
	Missed uint32        // edges of this line lost right before this one
	Level  bool          // the level found at At, when the line was opened, and not a change
}

// Source delivers edges.
type Source interface {
	// ReadEdges waits for edges, for at most about a second, and writes n of
	// them to dst, in order of time. An edge that comes some milliseconds late,
	// after another line's, costs no passage. now is a time on the edges'
	// clock up to which every edge has been delivered: it tells a silent
	// line from a missing one. io.EOF (with n = 0) ends a recording; any
	// other error ends the source.
	ReadEdges(ctx context.Context, dst []Edge) (n int, now time.Duration, err error)
}

// Card is the output mode of a detector card.
type Card uint8

// The output modes.
const (
	Presence Card = iota // the output follows the vehicle
	Pulse                // the output gives one pulse of 125 ± 25 ms a vehicle: no occupancy, no length
)

// Line is one input: a loop's detector output, or a card's fault relay.
type Line struct {
	Name string
	Card Card
}

// Lane is one stream: one loop, or two loops behind each other.
type Lane struct {
	Stream     string              // the stream's name, [a-z0-9_-], unique on the device
	Loops      []int               // one or two indexes into Opts.Lines, in the direction a to b
	Relays     []int               // fault relays of this lane's cards, as indexes into Opts.Lines
	Reverse    bool                // Loops are given in the direction b to a
	Spacing    float64             // m from the leading edge of the first loop to that of the second; 1–50, needed for two loops
	LoopLength float64             // m along the road; 0.3–30, needed for length and for any estimate
	MeanLength float64             // m, declared mean vehicle length, 0–30: a single loop's speed is estimated with it; 0: no speed
	LengthBins counting.LengthBins // bins of the length histogram; the zero value is UK
	Split      bool                // count motorcycle, car and heavy by length instead of vehicle; two loops with presence cards only
}

// Opts describes the lines, the lanes that they form, and the limits.
type Opts struct {
	Lines  []Line // at most MaxLines
	Lanes  []Lane
	Limits Limits
	// Wall gives the local wall clock at a time of the edges' clock, for
	// limits by hour of day and for the daily checks. Without it the limit of
	// hour 0 holds all day and there are no daily checks.
	Wall func(time.Duration) time.Time
	// Totals keeps the vehicles since the start for LineState, as a live table shows them.
	// Without it no count is kept for longer than its window.
	Totals bool
}

// MaxLines is the most lines that a Counter reads.
const MaxLines = 64

// Limits are the limits beyond which a line is faulty. A zero field switches its
// fault off. The ranges in brackets are those of detector cards and outstations;
// the reader of a configuration file checks them, this package does not.
type Limits struct {
	Settle    time.Duration     // contact bounce: edges closer than this are one change, timed by the first of them [0–20 ms]
	MinOn     time.Duration     // a shorter presence is no vehicle [20–60 ms]
	StuckOn   time.Duration     // a longer presence is a fault [1–255 min]
	Silent    [24]time.Duration // no vehicle for longer is a fault, by hour of day [1–255 h]
	Pair      int               // so many passages in a row on one of two loops are a fault [1–32]
	PairClear int               // so many passages on both loops clear it; 0 is 1 [1–32]
	Chatter   int               // more onsets of one loop in 2 s are a fault [1–30]
	Drift     float64           // mean on-times of two loops at free flow that differ by more than this share are a fault
	Calm      time.Duration     // time without a new symptom after which a line's fault is cleared
	LetGo     time.Duration     // a presence that goes on within this time is one vehicle; less over loops under 2 m [20–150 ms]
	Card      bool              // check that the edges are those of the declared card: see CardFinding
	Alert     bool              // report a vehicle that stands on a loop, after HIOCC
	Daily     bool              // check each day from 05 to 22 h, after PeMS; needs Opts.Wall
	ZeroShare float64           // daily: share of samples without occupancy that is a fault, [0.59 urban, 0.90 rural]; 0 is 0.59
}

// The bounds of a lane's lengths in m and of Limits.Settle, which New enforces.
const (
	minSpacing, maxSpacing       = 1, 50
	minLoopLength, maxLoopLength = 0.3, 30
	maxMeanLength                = 30
	maxSettle                    = 100 * time.Millisecond
)

// DefaultLimits gives the usual limits: presence over 12 h, which no vehicle that
// stops for a while shall reach, as the fault is told without noise, silence over 12 h
// at any hour, 8 passages on one loop only, more than 10 onsets in 2 s,
// on-times that differ by a tenth, bounce of 5 ms, vehicles of at least 30 ms, and
// cards that let go for up to 150 ms (manuals: 20–120 ms).
func DefaultLimits() Limits {
	l := Limits{
		Settle: 5 * time.Millisecond, MinOn: 30 * time.Millisecond,
		StuckOn: 12 * time.Hour, Pair: 8, PairClear: 3, Chatter: 10, Drift: 0.1,
		LetGo: 150 * time.Millisecond, Card: true,
		Calm: time.Minute, Daily: true, ZeroShare: defaultZeroShare,
	}
	for h := range l.Silent {
		l.Silent[h] = 12 * time.Hour
	}
	return l
}

// never is later than every deadline.
const never = time.Duration(math.MaxInt64)

// Counter counts the vehicles of one source. It is not safe for concurrent use.
type Counter struct {
	src    Source
	limits Limits
	wall   func(time.Duration) time.Time
	totals bool

	inputs []input
	lanes  []lane

	buf       [256]Edge
	head      int           // next edge in buf
	tail      int           // edges in buf
	watermark time.Duration // every edge up to here is in buf or counted
	opened    bool          // a first time is known
	err       error         // end of the source, returned once buf is counted
	ended     bool          // err has been returned

	clock     time.Duration // lags behind the edges by Limits.Settle: everything before it is decided
	origin    time.Duration // when the source was opened
	nextDue   time.Duration // earliest deadline of any input or lane
	windowEnd time.Duration // end of the current window, or never

	passages []counting.Crossing
	events   []Event
	windows  []Window
}

// New checks o and returns a counter that reads src. Its error lists all mistakes
// of o.
func New(src Source, o Opts) (*Counter, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	c := &Counter{src: src, limits: o.Limits, wall: o.Wall, totals: o.Totals, windowEnd: never, nextDue: never}
	c.limits.PairClear = max(1, c.limits.PairClear)
	if c.limits.ZeroShare == 0 {
		c.limits.ZeroShare = defaultZeroShare
	}
	c.inputs = make([]input, len(o.Lines))
	for i, l := range o.Lines {
		c.inputs[i] = input{name: l.Name, card: l.Card, lane: -1, due: never}
		for k := range c.inputs[i].onsets {
			c.inputs[i].onsets[k] = -chatterWindow
		}
	}
	c.lanes = make([]lane, len(o.Lanes))
	for i, l := range o.Lanes {
		c.lanes[i] = newLane(c, i, l)
		for slot, n := range l.Loops {
			c.inputs[n].lane, c.inputs[n].slot = i, slot
		}
		for _, n := range l.Relays {
			c.inputs[n].lane, c.inputs[n].relay = i, true
		}
	}
	// Room for the result of one batch, so that counting does not allocate.
	c.passages = make([]counting.Crossing, 0, len(c.buf)+queueLen*2*len(c.lanes))
	c.events = make([]Event, 0, 64+4*len(c.inputs))
	c.windows = make([]Window, 0, len(c.lanes))
	return c, nil
}

// Validate lists all mistakes for which New refuses o, or returns nil.
func (o Opts) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if len(o.Lines) == 0 || len(o.Lines) > MaxLines {
		bad("%d lines: must be 1–%d", len(o.Lines), MaxLines)
	}
	if len(o.Lanes) == 0 {
		bad("no lane: at least one is needed")
	}
	used := make([]bool, len(o.Lines))
	for _, l := range o.Lanes {
		if n := len(l.Loops); n != 1 && n != 2 {
			bad("lane %s: %d loops: must be 1 or 2", l.Stream, n)
		}
		for _, n := range slices.Concat(l.Loops, l.Relays) {
			switch {
			case n < 0 || n >= len(o.Lines):
				bad("lane %s: line %d: there are lines 0–%d", l.Stream, n, len(o.Lines)-1)
			case used[n]:
				bad("lane %s: line %s is already in use", l.Stream, o.Lines[n].Name)
			default:
				used[n] = true
			}
		}
		l.appendMistakes(o.Lines, bad)
	}
	errs = append(errs, o.Limits.listMistakes()...)
	return errors.Join(errs...)
}

// appendMistakes calls bad for every mistake of the lane.
func (l Lane) appendMistakes(lines []Line, bad func(string, ...any)) {
	pair := len(l.Loops) == 2
	if pair && (l.Spacing < minSpacing || l.Spacing > maxSpacing || math.IsNaN(l.Spacing)) {
		bad("lane %s: spacing = %g m: must be 1–50 for two loops", l.Stream, l.Spacing)
	}
	if (pair || l.MeanLength > 0) && (l.LoopLength < minLoopLength || l.LoopLength > maxLoopLength || math.IsNaN(l.LoopLength)) {
		bad("lane %s: loop length = %g m: must be 0.3–30", l.Stream, l.LoopLength)
	}
	if l.MeanLength < 0 || l.MeanLength > maxMeanLength || math.IsNaN(l.MeanLength) {
		bad("lane %s: mean length = %g m: must be 0–30", l.Stream, l.MeanLength)
	}
	pulse := false
	for _, n := range l.Loops {
		pulse = pulse || n >= 0 && n < len(lines) && lines[n].Card == Pulse
	}
	if l.Split && (!pair || pulse) {
		bad("lane %s: classes by length need two loops with presence cards", l.Stream)
	}
	if l.MeanLength > 0 && pulse {
		bad("lane %s: a pulse card gives no on-time, so no speed can be estimated", l.Stream)
	}
}

// listMistakes gives an error for every limit that is out of range.
func (l Limits) listMistakes() []error {
	var errs []error
	if l.Settle < 0 || l.Settle > maxSettle {
		errs = append(errs, fmt.Errorf("settle = %v: must be 0–100ms", l.Settle))
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"min on-time", l.MinOn}, {"stuck on", l.StuckOn}, {"silent", slices.Min(l.Silent[:])}, {"calm", l.Calm}, {"let go", l.LetGo}} {
		if d.d < 0 {
			errs = append(errs, fmt.Errorf("%s = %v: must not be negative", d.name, d.d))
		}
	}
	if l.Pair < 0 || l.PairClear < 0 || l.Chatter < 0 || l.Chatter >= onsetsKept {
		errs = append(errs, fmt.Errorf("pair = %d, pair clear = %d, chatter = %d: must be 0 or more, chatter at most %d", l.Pair, l.PairClear, l.Chatter, onsetsKept-1))
	}
	if !(l.Drift >= 0 && l.Drift < 1) || !(l.ZeroShare >= 0 && l.ZeroShare <= 1) {
		errs = append(errs, fmt.Errorf("drift = %g, zero share = %g: must be 0–1", l.Drift, l.ZeroShare))
	}
	return errs
}
