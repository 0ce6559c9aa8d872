package aim

import (
	"math"
	"time"

	"kerb/counting"
)

// press is one passage: seen by hand or by the device.
type press struct {
	class counting.Class
	dir   counting.Direction
	at    time.Duration
	taken bool
}

// tally is a count by hand over one line, beside the device's own.
type tally struct {
	line         string
	began, ended time.Duration
	hand, device []press
}

// A tally is worth something after that long, or that many passages.
const (
	enoughTime     = 15 * time.Minute
	enoughPassages = 50
	fewest         = 20 // below which there is no verdict, and nothing is kept
)

// apart is how long a thumb may be early or late.
const apart = 3 * time.Second

// The bounds of a verdict. A GEH below 5 is what the UK's guidance asks of a
// modelled flow (TAG unit M3.1, table 2), and a tenth of error is what kerb
// asks of itself.
const (
	goodGEH, badGEH       = 5.0, 10.0
	goodError, wideEnough = 0.10, 0.20
)

// Verdicts.
const (
	VerdictFew  = "few"  // too few passages to say
	VerdictGood = "good" // the device counts as the engineer does
	VerdictPoor = "poor" // it does not
	VerdictOpen = "open" // more passages would tell
)

// Result is what a tally by hand has shown.
type Result struct {
	Line    string  `json:"line"`
	Seconds int     `json:"seconds"`
	Hand    int     `json:"hand"`    // passages seen by hand
	Device  int     `json:"device"`  // passages that the device counted meanwhile
	Matched int     `json:"matched"` // of both, of one class and direction and within three seconds
	Error   float64 `json:"error"`   // (device - hand) / hand
	Low     float64 `json:"low"`     // of a 95 % interval around Error
	High    float64 `json:"high"`
	GEH     float64 `json:"geh"` // of the flows in an hour
	Verdict string  `json:"verdict"`
	Ready   bool    `json:"ready"` // it went on for long enough
	Done    bool    `json:"done"`
	Cells   []Cell  `json:"cells"`
}

// Cell is one class in one direction.
type Cell struct {
	Class  string `json:"class"`
	Dir    string `json:"dir"`
	Hand   int    `json:"hand"`
	Device int    `json:"device"`
}

// result compares the two counts.
//
// Both counted the same street, so the two totals are not independent: the
// error is that of the passages in which they differ, seen by one and not by
// the other. Each of the two kinds is taken for Poisson's; one is added to
// their sum, so that no difference in a few passages is not taken for none
// ever (after Agresti & Coull 1998).
func (t *tally) result(now time.Duration) Result {
	until := now
	if t.ended > 0 {
		until = t.ended
	}
	r := Result{
		Line: t.line, Seconds: int((until - t.began) / time.Second), Hand: len(t.hand), Device: len(t.device),
		Matched: t.match(), Done: t.ended > 0, Cells: t.cells(),
	}
	r.Ready = until-t.began >= enoughTime || r.Hand >= enoughPassages
	r.judge(until - t.began)
	return r
}

func (r *Result) judge(took time.Duration) {
	r.Verdict = VerdictFew
	if took <= 0 || r.Hand == 0 {
		return
	}
	missed, extra := float64(r.Hand-r.Matched), float64(r.Device-r.Matched)
	hand := float64(r.Hand)
	r.Error = (extra - missed) / hand
	half := 1.96 * math.Sqrt(missed+extra+1) / hand
	r.Low, r.High = r.Error-half, r.Error+half
	r.GEH = GEH(float64(r.Device)*float64(time.Hour)/float64(took), hand*float64(time.Hour)/float64(took))
	switch {
	case r.Hand < fewest:
	case r.GEH < goodGEH && math.Abs(r.Error) <= goodError && -wideEnough <= r.Low && r.High <= wideEnough:
		r.Verdict = VerdictGood
	case r.GEH >= badGEH || r.Low > goodError || r.High < -goodError:
		r.Verdict = VerdictPoor
	default:
		r.Verdict = VerdictOpen
	}
}

// GEH is Geoffrey E. Havers's statistic of two flows in vehicles an hour: the
// modelled or measured one m and the counted one c. It weighs a difference by
// the size of the flow.
func GEH(m, c float64) float64 {
	if m+c == 0 {
		return 0
	}
	return math.Sqrt(2 * (m - c) * (m - c) / (m + c))
}

// match pairs the presses with the device's crossings, nearest first in the
// order of the presses.
func (t *tally) match() (n int) {
	for i := range t.device {
		t.device[i].taken = false
	}
	for _, h := range t.hand {
		best, least := -1, apart+1
		for i, d := range t.device {
			if away := (d.at - h.at).Abs(); !d.taken && d.class == h.class && d.dir == h.dir && away < least {
				best, least = i, away
			}
		}
		if best >= 0 {
			t.device[best].taken = true
			n++
		}
	}
	return n
}

func (t *tally) cells() (cs []Cell) {
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
