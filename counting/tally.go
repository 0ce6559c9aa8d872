package counting

import (
	"slices"
	"time"
)

// Kind is the quantity that a stream measures.
type Kind uint8

// The kinds of stream.
const (
	LineStream Kind = iota // crossings per class and direction
	ZoneStream             // objects present, per class
	LoopStream             // passages over inductive loops
)

var kindNames = [...]string{"line", "zone", "loop"}

// String is the word of the wire: line, zone or loop.
func (k Kind) String() string { return kindNames[k] }

// Stream is one source of windows, as declared in site.toml.
type Stream struct {
	ID      string
	Kind    Kind
	Sensor  string  // the camera or loop that feeds it
	Polled  bool    // of a zone: it is seen at instants, minutes apart, not all the time
	Classes []Class // which cells its windows have, in wire order
	OneWay  OneWay  // of a loop: the only direction that it reports

	Measures   QuantitySet // what its windows hold besides the counts
	Estimated  bool        // its speeds rest on a declared length of the vehicles
	SpeedError float64     // of a line: standard deviation of one speed, as a share of it; see SpeedError
	LengthBins LengthBins  // the bins of its length histogram, where it measures Lengths
}

// CountsVehicles reports whether vehicles are counted, as a whole or by parts.
func (s Stream) CountsVehicles() bool {
	return slices.ContainsFunc(s.Classes, func(c Class) bool { return c.WithoutSplit() == Vehicle })
}

// OneWay is the direction to which a stream is limited. A single loop sees
// passages, not directions, so all of them have the declared one; a cell for the
// other direction would be 0 for ever, and under noise a number of nobody.
type OneWay uint8

// The limits.
const (
	BothWays OneWay = iota // the stream has cells for both directions
	OnlyAToB
	OnlyBToA
)

// Sees reports whether windows of a stream with this limit have a cell for d.
func (w OneWay) Sees(d Direction) bool {
	return w == BothWays || w == OnlyAToB && d == AToB || w == OnlyBToA && d == BToA
}

// Quality tells how far a window can be trusted.
type Quality uint8

// The qualities, best first.
const (
	OK      Quality = iota // observed from start to end
	Partial                // observed in part: see Observed
	Gap                    // not observed: counts have no meaning and are not sent
)

var qualityNames = [...]string{"ok", "partial", "gap"}

// String is the word of the wire: ok, partial or gap.
func (q Quality) String() string { return qualityNames[q] }

// Tally is one window of one stream with exact counts. It is therefore never
// stored and never sent: only a policy can turn it into a Release.
type Tally struct {
	Stream     string
	Kind       Kind
	Start, End time.Time     // wall clock, UTC, aligned to the window length
	Mono       time.Duration // monotonic time of End, since boot
	Observed   time.Duration // how much of the window was seen, 0…End-Start
	OneWay     OneWay        // of a loop: the only direction that it reports
	Polled     bool          // of a zone: it was seen at instants
	Instants   uint32        // number of instants; each counts as a second of Presence
	Quality    Quality
	Reason     Reason // why Quality is not OK
	Counted    [Classes]bool
	Crossings  [Classes][Directions]uint32
	Presence   [Classes]time.Duration // Σ over time of objects present in a zone; divide by SampledTime for the mean
	Peak       [Classes]uint32        // most objects present at once in a zone
	Measures   QuantitySet            // the fields of Traffic that have a meaning
	LengthBins int                    // number of bins of Traffic.Lengths
	Traffic    Traffic
}

// SampledTime is the time over which Presence was added up: Observed, or one second
// an instant where the zone was seen at instants.
func (t *Tally) SampledTime() time.Duration {
	if t.Polled {
		return time.Duration(t.Instants) * time.Second
	}
	return t.Observed
}
