package counting

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Quantity is one thing that a stream can measure besides its counts. It is
// released only where the policy names it.
type Quantity uint8

// The quantities, in the order of the wire. A new one is appended: stored releases
// hold their numbers.
const (
	Occupancy  Quantity = iota // share of the time for which the loop was covered
	MeanSpeed                  // mean speed of the vehicles
	Speeds                     // histogram of their speeds
	Lengths                    // histogram of their lengths
	Headways                   // histogram of the times from one leading edge to the next
	Gaps                       // histogram of the times from a trailing edge to the next leading edge
	Congested                  // vehicles that covered the loop for a whole CongestedInterval
	Standing                   // objects in a zone that stand, and those that move
	Quantities = 8             // number of quantities: the length of every per-quantity array
)

var quantityNames = [Quantities]string{"occupancy", "speed", "speeds", "lengths", "headways", "gaps", "congested", "standing"}

// String is the word of the policy, such as "occupancy"; "quantity(N)" for a value
// outside the set.
func (q Quantity) String() string {
	if int(q) < len(quantityNames) {
		return quantityNames[q]
	}
	return fmt.Sprintf("quantity(%d)", uint8(q))
}

// ParseQuantity is the inverse of Quantity.String. Its error lists the words allowed.
func ParseQuantity(s string) (Quantity, error) {
	if i := slices.Index(quantityNames[:], s); i >= 0 {
		return Quantity(i), nil
	}
	return 0, fmt.Errorf("quantity %q: must be one of %s", s, strings.Join(quantityNames[:], ", "))
}

// AllQuantities returns every quantity, in the order of the wire.
func AllQuantities() (all []Quantity) {
	for q := range Quantity(Quantities) {
		all = append(all, q)
	}
	return all
}

// QuantitySet is a set of quantities, one bit each.
type QuantitySet uint16

// QuantitiesOf are the quantities that a stream of kind k can measure.
func QuantitiesOf(k Kind) QuantitySet {
	switch k {
	case LineStream:
		return NewQuantitySet(MeanSpeed, Speeds)
	case ZoneStream:
		return NewQuantitySet(Standing)
	case LoopStream:
		return NewQuantitySet(AllQuantities()...) &^ NewQuantitySet(Standing)
	}
	return 0
}

// NewQuantitySet is the set of qs.
func NewQuantitySet(qs ...Quantity) (s QuantitySet) {
	for _, q := range qs {
		s |= 1 << q
	}
	return s
}

// Has reports whether q is in the set.
func (s QuantitySet) Has(q Quantity) bool { return s&(1<<q) != 0 }

// The bounds to which one vehicle's part of a sum is clipped. They make the
// sensitivity of the sums finite, so that noise can protect one vehicle.
const (
	MaxCovered     = 4 * time.Second // of the covered time: a lorry of 18 m over a loop of 2 m at 18 km/h
	MaxSpeed       = 150.0           // km/h, of the sum of speeds: the lower bound of the last speed bin
	SpeedUnitsKMH  = 10              // SpeedSum counts tenths of a km/h
	kmhPerSpeedBin = 10              // width of a speed bin
)

// StandingSpeed is the speed in m/s below which an object in a zone stands, over the last
// one and a half seconds. Chosen by hand: people walk at 1.3 m/s, and the place of one
// who stands jitters by 0.2 m/s in the picture of a network.
const StandingSpeed = 0.5

// CongestedInterval is the interval of SCOOT that is congested when the loop is
// covered throughout. Of one vehicle one interval counts, because the covered time
// is clipped to MaxCovered.
const CongestedInterval = 4 * time.Second

// LinkProfileUnits is SCOOT's default number of link profile units of one vehicle.
const LinkProfileUnits = 17

// The numbers of bins of the histograms that are the same for every stream.
const (
	TimeBins  = 14 // of headways and gaps, bounded by TimeBounds
	SpeedBins = 16 // of 10 km/h each, the last from 150 km/h
)

// TimeBounds are the upper bounds, exclusive, of the headway and gap bins; the
// last bin is open.
func TimeBounds() [TimeBins - 1]time.Duration {
	return [TimeBins - 1]time.Duration{
		500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second, 5 * time.Second,
		6 * time.Second, 8 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 30 * time.Second, 60 * time.Second,
	}
}

// SpeedBounds are the upper bounds, exclusive, of the speed bins in km/h; the last
// bin is open.
func SpeedBounds() (bounds [SpeedBins - 1]float64) {
	for i := range bounds {
		bounds[i] = float64(kmhPerSpeedBin * (i + 1))
	}
	return bounds
}

// Traffic is the part of a Tally that says how objects moved: exact sums and
// histograms, which only a policy can clear. It has a fixed size. A field has a
// meaning only where its quantity is in Stream.Measures.
type Traffic struct {
	Covered     time.Duration         // Σ of the time for which the loop was covered, of each vehicle at most MaxCovered
	CoveredOver time.Duration         // time over which Covered was added up: occupancy is Covered/CoveredOver
	Congested   uint32                // vehicles that covered the loop for MaxCovered and a whole interval
	SpeedSum    int64                 // Σ of the speeds in 1/SpeedUnitsKMH km/h, each at most MaxSpeed
	SpeedCount  uint32                // vehicles in SpeedSum
	Speeds      [SpeedBins]uint32     // vehicles per speed bin
	Lengths     [MaxLengthBins]uint32 // vehicles per length bin of the stream
	Headways    [TimeBins]uint32      // vehicles per headway bin; the first vehicle after a loss has none
	Gaps        [TimeBins]uint32      // the same of gaps

	Stood        [Classes]time.Duration // Σ over time of the objects in a zone that stand, slower than StandingSpeed
	Moved        [Classes]time.Duration // the same of the others
	FollowedOver time.Duration          // time over which Stood and Moved were added up
}

// AddSpeed adds the speed of one vehicle in km/h to the sum and to the histogram.
func (t *Traffic) AddSpeed(kmh float64) {
	t.SpeedSum += int64(math.Round(min(kmh, MaxSpeed) * SpeedUnitsKMH))
	t.SpeedCount++
	t.Speeds[min(SpeedBins-1, int(kmh/kmhPerSpeedBin))]++
}

// AddTraffic adds the sums and histograms of o, a part of the same window, to t.
func (t *Traffic) AddTraffic(o *Traffic) {
	t.Covered += o.Covered
	t.CoveredOver += o.CoveredOver
	t.Congested += o.Congested
	t.SpeedSum += o.SpeedSum
	t.SpeedCount += o.SpeedCount
	for i := range o.Speeds {
		t.Speeds[i] += o.Speeds[i]
	}
	for i := range o.Lengths {
		t.Lengths[i] += o.Lengths[i]
	}
	t.FollowedOver += o.FollowedOver
	for c := range o.Stood {
		t.Stood[c] += o.Stood[c]
		t.Moved[c] += o.Moved[c]
	}
	for i := range o.Headways {
		t.Headways[i] += o.Headways[i]
		t.Gaps[i] += o.Gaps[i]
	}
}

// Occupancy is the share of the time for which the loop was covered, 0–1; ok is
// false where no time was observed.
func (t *Traffic) Occupancy() (share float64, ok bool) {
	if t.CoveredOver <= 0 {
		return 0, false
	}
	return float64(t.Covered) / float64(t.CoveredOver), true
}

// MeanSpeed is the mean speed in km/h; ok is false where no speed is known.
func (t *Traffic) MeanSpeed() (kmh float64, ok bool) {
	if t.SpeedCount == 0 {
		return 0, false
	}
	return float64(t.SpeedSum) / SpeedUnitsKMH / float64(t.SpeedCount), true
}

// LinkProfile is the window's flow in SCOOT's link profile units.
func (t *Tally) LinkProfile() uint32 {
	var n uint32
	for _, c := range t.Crossings {
		n += c[AToB] + c[BToA]
	}
	return LinkProfileUnits * n
}

// TimeBin is the bin of a headway or gap.
func TimeBin(d time.Duration) int {
	for i, b := range TimeBounds() {
		if d < b {
			return i
		}
	}
	return TimeBins - 1
}
