package loop

import (
	"time"

	"kerb/counting"
)

// The numbers of bins of the histograms that are the same for every lane.
const (
	TimeBins  = 14
	SpeedBins = 16
)

// TimeBounds are the upper bounds, exclusive, of the headway and gap bins; the
// last bin is open.
var TimeBounds = [TimeBins - 1]time.Duration{
	500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second, 5 * time.Second,
	6 * time.Second, 8 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 30 * time.Second, 60 * time.Second,
}

// kmh is one m/s in km/h, and kmhPerBin the width of a speed bin in km/h.
const (
	kmh       = 3.6
	kmhPerBin = 10
)

// SpeedStep is the width of a speed bin in m/s, 10 km/h; the last bin, from
// 150 km/h, is open.
const SpeedStep = kmhPerBin / kmh

// LPU is the default number of SCOOT's link profile units a vehicle.
const LPU = 17

// The intervals of SCOOT: that of a presence bit, and the one that is congested
// when the loop is covered throughout.
const (
	BitInterval  = 250 * time.Millisecond
	CongestedFor = 4 * time.Second
)

// Window holds the counts of one lane between two times of the edges' clock. They
// are exact, and therefore never stored and never sent as they are. It is a plain
// value of fixed size.
type Window struct {
	Stream     string
	Start, End time.Duration
	Observed   time.Duration // time during which at least one loop of the lane was trusted
	Quality    counting.Quality
	Reason     counting.Reason // why Quality is not OK: a fixed word, such as loop_stuck_on
	Faults     Fault           // every fault that held at some time of the window

	Counted    [counting.Classes]bool
	Passages   [counting.Classes][counting.Directions]uint32
	Lone       uint32 // passages that only one of two loops saw; they are in Passages
	Unsized    uint32 // passages of a lane with Split without a known length; they are in Passages as cars
	Headways   [TimeBins]uint32
	Gaps       [TimeBins]uint32
	Headway    time.Duration // Σ of the headways, for checks: mean headway × passages = time
	Speeds     [SpeedBins]uint32
	Estimated  bool   // the speeds rest on the declared mean length of a vehicle
	Doubtful   uint32 // speeds whose trailing edges differ from the leading ones by more than a quarter; they are in Speeds
	Lengths    [MaxBins]uint32
	LengthBins LengthBins // the bins of Lengths

	Loops  [2]LoopSums // the second is empty for a single loop
	Slow   uint32      // vehicles of at least 2.0 s on the first loop
	Stood  uint32      // vehicles of at least 2.9 s
	Missed uint32      // edges lost, over all lines of the lane
	Short  uint32      // presences below the minimum on-time, not counted
	Bounce uint32      // edges that were contact bounce
}

// LoopSums holds the sums of one loop in a window.
type LoopSums struct {
	Pulse     bool          // a pulse card: only Onsets and Observed are valid
	Onsets    uint32        // vehicles that began to cover the loop
	On        time.Duration // Σ on-time while the loop was trusted
	Observed  time.Duration // time during which the loop was trusted
	Covered   uint32        // SCOOT presence bits that were set, of four a second
	Congested uint32        // intervals of 4 s in which the loop was covered throughout
}

// ToTally is the part of the window that every sensor has: passages, observation
// and quality. The caller sets its wall-clock times.
func (w *Window) ToTally() counting.Tally {
	return counting.Tally{
		Stream: w.Stream, Kind: counting.LoopStream, Observed: w.Observed,
		Quality: w.Quality, Reason: w.Reason, Counted: w.Counted, Crossings: w.Passages,
	}
}

// Flow is the number of passages, over classes and directions.
func (w *Window) Flow() uint32 {
	var n uint32
	for _, c := range w.Passages {
		n += c[counting.AToB] + c[counting.BToA]
	}
	return n
}

// Occupancy is Σ on-time / T, 0–1, of the loop that was trusted longest (the
// first of equals). ok is false where no time was observed, and for a pulse card,
// which gives no occupancy.
func (w *Window) Occupancy() (float64, bool) {
	p := &w.Loops[0]
	if w.Loops[1].Observed > p.Observed {
		p = &w.Loops[1]
	}
	if p.Observed == 0 || p.Pulse {
		return 0, false
	}
	return float64(p.On) / float64(p.Observed), true
}

// LinkProfile is the window's flow in SCOOT's link profile units.
func (w *Window) LinkProfile() uint32 { return LPU * w.Flow() }

// SumBins is the sum of the bins of a histogram.
func SumBins(h []uint32) (n uint32) {
	for _, v := range h {
		n += v
	}
	return n
}

// timeBin is the bin of a headway or gap.
func timeBin(d time.Duration) int {
	for i, b := range TimeBounds {
		if d < b {
			return i
		}
	}
	return TimeBins - 1
}

// speedBin is the bin of a speed in m/s.
func speedBin(v float64) int {
	return min(SpeedBins-1, int(v/SpeedStep))
}
