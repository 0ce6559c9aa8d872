package aim

import (
	"math"
	"time"

	"kerb/counting"
)

// passage is one passage over the line, seen by hand or by the device.
type passage struct {
	class  counting.Class
	dir    counting.Direction
	at     time.Duration
	paired bool
}

// tally is a count by hand over one line, beside the count of the device.
type tally struct {
	line         string
	began, ended time.Duration
	hand, device []passage
}

// A tally is ready after enoughTime or enoughPassages. Chosen by hand.
const (
	enoughTime     = 15 * time.Minute
	enoughPassages = 50
	minPassages    = 20 // below it there is no verdict, and no record is kept
)

// matchWindow is the largest time between a press and the crossing that it
// belongs to: a thumb may be early or late. Chosen by hand.
const matchWindow = 3 * time.Second

// The bounds of a verdict. The UK's guidance asks for a GEH below 5 of a
// modelled flow (TAG unit M3.1, table 2); 10 % of error is kerb's own aim, and
// 20 % the widest interval around it.
const (
	goodGEH, badGEH       = 5.0, 10.0
	goodError, wideEnough = 0.10, 0.20
)

// The verdicts of a tally.
const (
	VerdictFew  = "few"  // too few passages for a verdict
	VerdictGood = "good" // the device agrees with the engineer
	VerdictPoor = "poor" // the device disagrees
	VerdictOpen = "open" // more passages are needed
)

// Result is the result of a tally by hand.
type Result struct {
	Line    string  `json:"line"`
	Seconds int     `json:"seconds"`
	Hand    int     `json:"hand"`    // passages seen by hand
	Device  int     `json:"device"`  // passages that the device counted in the same time
	Matched int     `json:"matched"` // pairs of the same class and direction within matchWindow
	Error   float64 `json:"error"`   // (device - hand) / hand
	Low     float64 `json:"low"`     // bounds of a 95 % interval around Error
	High    float64 `json:"high"`
	GEH     float64 `json:"geh"` // of the hourly flows
	Verdict string  `json:"verdict"`
	Ready   bool    `json:"ready"` // long enough, or enough passages
	Done    bool    `json:"done"`  // finished by the engineer
	Cells   []Cell  `json:"cells"`
}

// Cell holds the two counts of one class in one direction.
type Cell struct {
	Class  string `json:"class"`
	Dir    string `json:"dir"`
	Hand   int    `json:"hand"`
	Device int    `json:"device"`
}

// computeResult compares the two counts.
//
// Both counted the same street, so the two totals are not independent. The
// error comes from the passages in which they differ: missed (seen by hand
// alone) and extra (counted by the device alone). Both are taken as Poisson
// variables. One is added to their sum, so that a few passages without a
// difference do not give an interval of width 0 (after Agresti & Coull 1998).
func (t *tally) computeResult(now time.Duration) Result {
	until := now
	if t.ended > 0 {
		until = t.ended
	}
	r := Result{
		Line: t.line, Seconds: int((until - t.began) / time.Second), Hand: len(t.hand), Device: len(t.device),
		Matched: t.matchPassages(), Done: t.ended > 0, Cells: t.sumCells(),
	}
	r.Ready = until-t.began >= enoughTime || r.Hand >= enoughPassages
	r.computeVerdict(until - t.began)
	return r
}

// normal95 is the 97.5 % quantile of the normal distribution: an interval of
// ±1.96 standard deviations covers 95 %.
const normal95 = 1.96

// computeVerdict sets error, interval, GEH and verdict; took is the length of
// the tally.
func (r *Result) computeVerdict(took time.Duration) {
	r.Verdict = VerdictFew
	if took <= 0 || r.Hand == 0 {
		return
	}
	missed, extra := float64(r.Hand-r.Matched), float64(r.Device-r.Matched)
	hand := float64(r.Hand)
	r.Error = (extra - missed) / hand
	half := normal95 * math.Sqrt(missed+extra+1) / hand
	r.Low, r.High = r.Error-half, r.Error+half
	r.GEH = GEH(float64(r.Device)*float64(time.Hour)/float64(took), hand*float64(time.Hour)/float64(took))
	switch {
	case r.Hand < minPassages:
	case r.GEH < goodGEH && math.Abs(r.Error) <= goodError && -wideEnough <= r.Low && r.High <= wideEnough:
		r.Verdict = VerdictGood
	case r.GEH >= badGEH || r.Low > goodError || r.High < -goodError:
		r.Verdict = VerdictPoor
	default:
		r.Verdict = VerdictOpen
	}
}

// GEH returns Geoffrey E. Havers's statistic √(2(m−c)²/(m+c)) of two flows in
// vehicles per hour, the modelled or measured one m and the counted one c. It
// weighs a difference by the size of the flow.
func GEH(m, c float64) float64 {
	if m+c == 0 {
		return 0
	}
	return math.Sqrt(2 * (m - c) * (m - c) / (m + c))
}

// matchPassages pairs the presses with the device's crossings and returns the
// number of pairs. Each press, in order, gets the nearest free crossing of its
// class and direction within matchWindow.
func (t *tally) matchPassages() (n int) {
	for i := range t.device {
		t.device[i].paired = false
	}
	for _, h := range t.hand {
		best, least := -1, matchWindow+1
		for i, d := range t.device {
			if away := (d.at - h.at).Abs(); !d.paired && d.class == h.class && d.dir == h.dir && away < least {
				best, least = i, away
			}
		}
		if best >= 0 {
			t.device[best].paired = true
			n++
		}
	}
	return n
}

// sumCells sums both counts by class and direction.
func (t *tally) sumCells() (cs []Cell) {
	var hand, device [counting.Classes][counting.Directions]int
	for _, p := range t.hand {
		hand[p.class][p.dir]++
	}
	for _, p := range t.device {
		device[p.class][p.dir]++
	}
	for c := range counting.Class(counting.Classes) {
		for d := range counting.Direction(counting.Directions) {
			if h, v := hand[c][d], device[c][d]; h+v > 0 {
				cs = append(cs, Cell{c.String(), d.String(), h, v})
			}
		}
	}
	return cs
}
