package loop

import (
	"time"

	"kerb/counting"
)

// Bins of the histograms that are the same for every lane.
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

// SpeedStep is the width of a speed bin in m/s, 10 km/h; the last bin, from
// 150 km/h, is open.
const SpeedStep = 10 / 3.6

// LPU is how many link profile units SCOOT counts for a vehicle by default.
const LPU = 17

// The intervals of SCOOT: a presence bit, and an interval that is congested
// when the loop is covered throughout.
const (
	BitInterval  = 250 * time.Millisecond
	CongestedFor = 4 * time.Second
)

// Window is what one lane saw between two times of the edges' clock: exact,
// and therefore never stored and never sent as it is. It is a plain value of
// fixed size.
type Window struct {
	Stream     string
	Start, End time.Duration
	Observed   time.Duration // how long at least one loop of the lane was trusted
	Quality    counting.Quality
	Reason     string // why Quality is not OK: a fixed word, such as loop_stuck_on
	Faults     Fault  // every fault that held at some time of the window

	Counted   [counting.Classes]bool
	Passages  [counting.Classes][counting.Directions]uint32
	Lone      uint32 // passages that only one of two loops saw; they are in Passages
	Unsized   uint32 // passages of a lane with Split whose length is not known; they are in Passages as cars
	Headways  [TimeBins]uint32
	Gaps      [TimeBins]uint32
	Headway   time.Duration // Σ of the headways, for checks: mean headway × passages = time
	Speeds    [SpeedBins]uint32
	Estimated bool   // the speeds rest on the declared mean length of a vehicle
	Doubtful  uint32 // speeds whose trailing edges differ from the leading ones by more than a quarter; they are in Speeds
	Lengths   [MaxBins]uint32
	Bins      Lengths // what the bins of Lengths mean

	Loops  [2]LoopPart // the second is empty for a single loop
	Slow   uint32      // vehicles of at least 2.0 s on the first loop
	Stood  uint32      // vehicles of at least 2.9 s
	Missed uint32      // edges lost, over all lines of the lane
	Short  uint32      // presences below the minimum on-time, not counted
	Bounce uint32      // edges put down to contact bounce
}

// LoopPart is the books of one loop in a window.
type LoopPart struct {
	Pulse     bool          // a pulse card: only Onsets and Observed mean something
	Onsets    uint32        // vehicles that began to cover it
	On        time.Duration // Σ on-time while it was trusted
	Observed  time.Duration // how long it was trusted
	Covered   uint32        // SCOOT presence bits that were set, of four a second
	Congested uint32        // intervals of 4 s in which it was covered throughout
}

// Tally is the window as every sensor has it: passages, observation and
// quality. Its wall-clock times are left to whoever knows them.
func (w *Window) Tally() counting.Tally {
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

// Occupancy is Σ on-time / T of the loop that was trusted longest (the first
// of equals), 0–1. It is false where nothing was observed or a pulse card
// gives none.
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

// LinkProfile is the window's flow in link profile units.
func (w *Window) LinkProfile() uint32 { return LPU * w.Flow() }

// Total is the sum of a histogram.
func Total(h []uint32) (n uint32) {
	for _, v := range h {
		n += v
	}
	return n
}

func timeBin(d time.Duration) int {
	for i, b := range TimeBounds {
		if d < b {
			return i
		}
	}
	return TimeBins - 1
}

func speedBin(v float64) int {
	return min(SpeedBins-1, int(v/SpeedStep))
}
