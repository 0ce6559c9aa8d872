package truth

import (
	"math"
	"slices"

	"kerb/counting"
)

// matchWindow is the largest distance in time between a counted crossing and
// its truth, in seconds. A counter that tracks the middle of an object reaches
// a line up to one second before the wheels do.
const matchWindow = 1.5 // seconds

// Report compares the counts of one clip with its truth. Its JSON is part of
// the object of kerb replay -json.
type Report struct {
	Lines     []LineResult              `json:"lines"`
	Occupancy map[string]OccupancyError `json:"occupancy"`
	Error     map[string]ClassError     `json:"error"`
	Crossings []CountedCrossing         `json:"crossings"`
}

// LineResult is the result for one line, class and direction.
type LineResult struct {
	ID      string `json:"id"`
	Class   string `json:"class"`
	Dir     string `json:"dir"`
	Counted int    `json:"counted"`
	Truth   int    `json:"truth"`
	Accept  [2]int `json:"accept"`
	Matched int    `json:"matched"` // true crossings with a counted one within 1.5 s, one to one
}

// OccupancyError is the mean absolute error of the sampled occupancy of one class.
type OccupancyError struct {
	Samples      int     `json:"samples"`
	MeanAbsError float64 `json:"mean_abs_error"`
}

// ClassError adds up one class over all lines and both directions. AbsError counts 0
// inside Accept; Extra is the number of counted crossings that match no true
// one.
type ClassError struct {
	Truth    int `json:"truth"`
	AbsError int `json:"abs_error"`
	Matched  int `json:"matched"`
	Extra    int `json:"extra"`
}

// CountedCrossing is one counted crossing, at its 0-based frame.
type CountedCrossing struct {
	Frame int    `json:"frame"`
	Line  string `json:"line"`
	Class string `json:"class"`
	Dir   string `json:"dir"`
}

// CrossingFrame is the 0-based frame of a crossing in a clip of rate pictures a second.
func CrossingFrame(c counting.Crossing, rate float64) int {
	return int(math.Round(c.At.Seconds() * rate))
}

// ScoreCrossings compares the crossings of a counter with the truth. Seen holds the
// numbers of objects that it found in the truth's Zone, at the frames of
// t.Occupancy; frames without a sample are left out.
func (t *Truth) ScoreCrossings(crossings []counting.Crossing, seen []Sample) Report {
	r := Report{Occupancy: map[string]OccupancyError{}, Error: map[string]ClassError{}, Lines: []LineResult{}, Crossings: []CountedCrossing{}}
	for _, c := range crossings {
		r.Crossings = append(r.Crossings, CountedCrossing{CrossingFrame(c, t.Rate), c.Stream, c.Class.String(), c.Dir.String()})
	}
	for _, class := range counting.CoarseClasses() {
		e := ClassError{}
		for i := range t.Lines {
			for d := range counting.Direction(counting.Directions) {
				t.scoreCell(&r, &e, &t.Lines[i], class, d, crossings)
			}
		}
		r.Error[class.String()] = e
		if m, ok := t.scoreOccupancy(class, seen); ok {
			r.Occupancy[class.String()] = m
		}
	}
	return r
}

func (t *Truth) scoreCell(r *Report, e *ClassError, l *Line, class counting.Class, d counting.Direction, crossings []counting.Crossing) {
	var counted []float64
	for _, c := range crossings {
		if c.Stream == l.ID && c.Class.WithoutSplit() == class && c.Dir == d {
			counted = append(counted, c.At.Seconds())
		}
	}
	var sure, marginal []float64
	for _, c := range l.Crossings {
		if c.Class == class && c.Dir == d {
			if at := float64(c.Frame) / t.Rate; c.Marginal {
				marginal = append(marginal, at)
			} else {
				sure = append(sure, at)
			}
		}
	}
	matched, rest := matchTimes(counted, sure)
	_, extra := matchTimes(rest, marginal)
	n, want, ok := len(counted), l.Counts[class][d], l.Accept[class][d]
	e.Truth += want
	e.Matched += matched
	e.Extra += len(extra)
	if n < ok.Min || n > ok.Max {
		e.AbsError += max(n-want, want-n)
	}
	if l.given[class][d] || n > 0 {
		r.Lines = append(r.Lines, LineResult{l.ID, class.String(), d.String(), n, want, [2]int{ok.Min, ok.Max}, matched})
	}
}

// matchTimes matches times one to one within matchWindow. It returns the number
// of pairs, and the times of a without a partner. It sorts both lists and takes
// them in order, which is optimal because all windows are equally long.
func matchTimes(a, b []float64) (matched int, rest []float64) {
	slices.Sort(a)
	slices.Sort(b)
	j := 0
	for _, at := range a {
		for j < len(b) && b[j] < at-matchWindow {
			j++
		}
		if j < len(b) && b[j] <= at+matchWindow {
			matched++
			j++
			continue
		}
		rest = append(rest, at)
	}
	return matched, rest
}

func (t *Truth) scoreOccupancy(class counting.Class, seen []Sample) (OccupancyError, bool) {
	m, sum := OccupancyError{}, 0.0
	for _, want := range t.Occupancy {
		i := slices.IndexFunc(seen, func(s Sample) bool { return s.Frame == want.Frame })
		if i < 0 || want.Count[class] < 0 {
			continue
		}
		got := addCoarse(seen[i].Count, class)
		m.Samples++
		sum += math.Abs(float64(got - want.Count[class]))
	}
	if m.Samples == 0 {
		return m, false
	}
	m.MeanAbsError = math.Round(100*sum/float64(m.Samples)) / 100
	return m, true
}
