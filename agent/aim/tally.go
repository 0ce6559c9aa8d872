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

	shade, shades int // sum and number of the mean shades of the pictures
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

// The light of a tally: a site is accepted for each that it counts in.
const (
	LightDay  = "day"
	LightDark = "dark"
)

// darkShade is the mean shade of a picture, 0–255, below which its light is LightDark.
// Chosen by hand: street lamps at night give 20 to 50, an overcast day 80 and more.
const darkShade = 60

// describeLight returns the light of the pictures of the tally.
func (t *tally) describeLight() string {
	switch {
	case t.shades == 0:
		return ""
	case t.shade < darkShade*t.shades:
		return LightDark
	}
	return LightDay
}

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
	Ready   bool    `json:"ready"`           // long enough, or enough passages
	Done    bool    `json:"done"`            // finished by the engineer
	Light   string  `json:"light,omitempty"` // of the pictures: LightDay or LightDark; "": not known
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
// variables, and their difference has the interval of boundDifference.
func (t *tally) computeResult(now time.Duration) Result {
	until := now
	if t.ended > 0 {
		until = t.ended
	}
	r := Result{
		Line: t.line, Seconds: int((until - t.began) / time.Second), Hand: len(t.hand), Device: len(t.device),
		Matched: t.matchPassages(), Done: t.ended > 0, Light: t.describeLight(), Cells: t.sumCells(),
	}
	r.Ready = until-t.began >= enoughTime || r.Hand >= enoughPassages
	r.computeVerdict(until - t.began)
	return r
}

// normal95 is the 97.5 % quantile of the normal distribution: an interval of
// ±1.96 standard deviations covers 95 %.
const normal95 = 1.96

// boundDifference returns a 95 % interval of λ−μ from one draw x of a Poisson variable of
// mean λ and one, y, of mean μ: the score interval of each mean, joined by the distances
// of their ends (MOVER; Zou and Donner, "Construction of confidence limits about effect
// measures", 2008). It is not symmetric, and has a width where both draws are 0.
func boundDifference(x, y float64) (low, high float64) {
	xLow, xHigh := boundPoisson(x)
	yLow, yHigh := boundPoisson(y)
	return x - y - math.Hypot(x-xLow, yHigh-y), x - y + math.Hypot(xHigh-x, y-yLow)
}

// boundPoisson returns the 95 % score interval of the mean of a Poisson variable from one
// draw: the means μ with (x−μ)² ≤ z²·μ.
func boundPoisson(x float64) (low, high float64) {
	middle, half := x+normal95*normal95/2, normal95*math.Sqrt(x+normal95*normal95/4)
	return middle - half, middle + half
}

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
	low, high := boundDifference(extra, missed)
	r.Low, r.High = max(-1, low/hand), high/hand // no device misses more than all
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
