package loop

import (
	"time"

	"kerb/counting"
)

// The numbers of bins of the histograms that are the same for every lane.
const (
	TimeBins  = counting.TimeBins
	SpeedBins = counting.SpeedBins
)

// kmh is one m/s in km/h, and kmhPerBin the width of a speed bin in km/h.
const (
	kmh       = 3.6
	kmhPerBin = 10
)

// The intervals of SCOOT: that of a presence bit, and the one that is congested
// when the loop is covered throughout.
const (
	BitInterval  = 250 * time.Millisecond
	CongestedFor = counting.CongestedInterval
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
	SpeedSum   int64  // Σ of the speeds, as counting.Traffic holds it
	SpeedCount uint32 // speeds in SpeedSum
	Estimated  bool   // the speeds rest on the declared mean length of a vehicle
	Doubtful   uint32 // speeds whose trailing edges differ from the leading ones by more than a quarter; they are in Speeds
	Lengths    [counting.MaxLengthBins]uint32
	LengthBins counting.LengthBins // the bins of Lengths

	Loops  [2]LoopSums // the second is empty for a single loop
	Slow   uint32      // vehicles of at least 2.0 s on the first loop
	Stood  uint32      // vehicles of at least 2.9 s
	Missed uint32      // edges lost, over all lines of the lane
	Short  uint32      // presences below the minimum on-time, not counted
	Joined uint32      // times that a card let go under a vehicle
	Backed uint32      // vehicles that left a pair of loops backwards; they are no passages
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
	Clipped   time.Duration // Σ on-time, of each vehicle at most counting.MaxCovered
	Stood     uint32        // vehicles that covered the loop for a whole congested interval
}

// ToTally is the window as every sensor reports it: passages, observation and
// quality, and the traffic that the lane measures. The caller sets its wall-clock
// times and the quantities.
func (w *Window) ToTally() counting.Tally {
	p := w.longestTrusted()
	return counting.Tally{
		Stream: w.Stream, Kind: counting.LoopStream, Observed: w.Observed,
		Quality: w.Quality, Reason: w.Reason, Counted: w.Counted, Crossings: w.Passages,
		Traffic: counting.Traffic{
			Covered: p.Clipped, CoveredOver: p.Observed, Congested: p.Stood,
			SpeedSum: w.SpeedSum, SpeedCount: w.SpeedCount, Speeds: w.Speeds,
			Lengths: w.Lengths, Headways: w.Headways, Gaps: w.Gaps,
		},
	}
}

// longestTrusted is the loop that was trusted longest, the first of equals: its sums
// stand for the lane.
func (w *Window) longestTrusted() *LoopSums {
	if w.Loops[1].Observed > w.Loops[0].Observed {
		return &w.Loops[1]
	}
	return &w.Loops[0]
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
	p := w.longestTrusted()
	if p.Observed == 0 || p.Pulse {
		return 0, false
	}
	return float64(p.On) / float64(p.Observed), true
}

// LinkProfile is the window's flow in SCOOT's link profile units.
func (w *Window) LinkProfile() uint32 { return counting.LinkProfileUnits * w.Flow() }

// addSpeed adds the speed of one vehicle in m/s.
func (w *Window) addSpeed(v float64) {
	t := counting.Traffic{SpeedSum: w.SpeedSum, SpeedCount: w.SpeedCount, Speeds: w.Speeds}
	t.AddSpeed(v * kmh)
	w.SpeedSum, w.SpeedCount, w.Speeds = t.SpeedSum, t.SpeedCount, t.Speeds
}

// SumBins is the sum of the bins of a histogram.
func SumBins(h []uint32) (n uint32) {
	for _, v := range h {
		n += v
	}
	return n
}
