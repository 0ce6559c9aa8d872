package relay

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// day is the account of one stream on one day (UTC, by the start of the windows).
type day struct {
	WindowS  int              `json:"window_s"`           // length of the last window
	Covered  [][2]int         `json:"covered"`            // seconds of the day that windows tell of, from and to, in order
	Windows  int              `json:"windows"`            // received
	Parts    int              `json:"parts,omitempty"`    // of these, further parts of a window
	Unsynced int              `json:"unsynced,omitempty"` // of these, with a clock that was not trusted
	Quality  map[string]int   `json:"quality"`            // by quality
	Gaps     map[string]int   `json:"gaps,omitempty"`     // by reason
	Partials map[string]int   `json:"partials,omitempty"` // by reason
	Waiting  int              `json:"waiting,omitempty"`  // of Windows, not yet at the sink
	Refused  int              `json:"refused,omitempty"`  // of Windows, put aside because the sink refuses them
	Clashes  int              `json:"clashes,omitempty"`  // left out: another window has their number
	Observed int              `json:"observed_s"`
	Sums     map[string]*sums `json:"sums,omitempty"` // by class, or class and direction
}

// sums adds up one class and direction.
type sums struct {
	Numbers  int     `json:"numbers"`            // cells that were added
	Withheld int     `json:"withheld,omitempty"` // of these, without a number
	Sum      float64 `json:"sum"`                // of the numbers; of means: weighted with the time observed
	Low      float64 `json:"low"`                // the same with the lower bounds of withheld or rounded numbers
	High     float64 `json:"high"`               // and with the upper bounds
	Weight   float64 `json:"weight,omitempty"`   // of means: sum of the weights
	Variance float64 `json:"variance,omitempty"` // of the noise of Sum
	Noised   int     `json:"noised,omitempty"`   // numbers with noise
	Open     bool    `json:"open,omitempty"`     // a band had no upper end
	Blind    int     `json:"blind,omitempty"`    // numbers of a policy that meta did not describe: no interval
}

const dayLength = 24 * 60 * 60

// dayKey is the key of a window's day.
func dayKey(w *window) string {
	return w.Start.UTC().Format(time.DateOnly) + " " + idOf(w.address(), w.Stream, "/")
}

// day returns the account of a day by its key, empty for a new one.
func (l *ledgerTx) day(key string) (*day, error) {
	d := l.days[key]
	if d == nil {
		d = &day{}
		if v := l.tx.Bucket(daysBucket).Get([]byte(key)); v != nil {
			if err := json.Unmarshal(v, d); err != nil {
				return nil, fmt.Errorf("position: day %s: %w", key, err)
			}
		}
		l.days[key] = d
	}
	return d, nil
}

// addToDay adds a window that is new to the account of its day.
func (l *ledgerTx) addToDay(w *window) error {
	d, err := l.day(dayKey(w))
	if err == nil {
		d.add(w, l.meta(w.address()))
	}
	return err
}

// add adds a window. m describes its numbers, where its policy is that of the window.
func (d *day) add(w *window, m *meta) {
	from := int(w.Start.Unix() - w.Start.UTC().Truncate(24*time.Hour).Unix())
	d.WindowS = int(w.End.Sub(w.Start).Seconds())
	d.cover(from, min(from+d.WindowS, dayLength))
	d.Windows++
	d.Observed += w.seconds()
	if w.Part > 1 {
		d.Parts++
	}
	if !w.Time.Synced {
		d.Unsynced++
	}
	count(&d.Quality, w.Quality)
	switch {
	case w.Quality == qualityGap:
		count(&d.Gaps, w.Reason)
	case w.Reason != "":
		count(&d.Partials, w.Reason)
	}
	if d.Sums == nil {
		d.Sums = map[string]*sums{}
	}
	for _, c := range w.Counts {
		key := c.Class
		if c.Dir != "" {
			key += " " + c.Dir
		}
		s := d.Sums[key]
		if s == nil {
			s = &sums{}
			d.Sums[key] = s
		}
		s.add(w, c, m)
	}
}

func count(m *map[string]int, key string) {
	if *m == nil {
		*m = map[string]int{}
	}
	(*m)[key]++
}

// cover adds the seconds from…to.
func (d *day) cover(from, to int) {
	i := 0
	for i < len(d.Covered) && d.Covered[i][1] < from {
		i++
	}
	j := i
	for j < len(d.Covered) && d.Covered[j][0] <= to {
		from, to = min(from, d.Covered[j][0]), max(to, d.Covered[j][1])
		j++
	}
	d.Covered = slices.Replace(d.Covered, i, j, [2]int{from, to})
}

// add adds one cell of a window. Means are weighted with the time observed, or with the
// number of pictures.
func (s *sums) add(w *window, c cell, m *meta) {
	weight, number := 1.0, "n"
	if c.Dir == "" {
		number, weight = "mean", float64(w.seconds())
		if w.Instants != nil {
			weight = float64(*w.Instants)
		}
		s.Weight += weight
	}
	s.Numbers++
	described := m != nil && m.Policy.Hash == w.Policy
	if !described {
		s.Blind++
	}
	round := 0.0
	if described {
		round = float64(m.Clearing.Round) / 2
		if v := m.deviation(w.Stream, number); v > 0 {
			s.Noised++
			s.Variance += v * v * weight * weight
		}
	}
	switch {
	case c.N != nil || c.Mean != nil:
		v := 0.0
		if c.N != nil {
			v = float64(*c.N)
		} else {
			v = *c.Mean
		}
		s.Sum += v * weight
		s.Low += (v - round) * weight
		s.High += (v + round) * weight
	default:
		s.Withheld++
		if c.Min != nil {
			s.Low += float64(*c.Min) * weight
		}
		if c.Below == nil {
			s.Open = true
			return
		}
		high := float64(*c.Below)
		if c.Dir != "" {
			high-- // a whole number below it
		}
		s.High += high * weight
	}
}

// interval returns the bounds of a 95 % interval around the true number: those of what is
// withheld or rounded, and z·σ of the noise, with the correction of Cornish and Fisher for
// the few numbers of a short sum (Laplace noise has an excess of 3, k of them 3/k), and half
// a step for sums of whole numbers (continuity correction).
// ok is false where meta did not describe a number.
func (s *sums) interval() (low, high float64, ok bool) {
	if s.Blind > 0 {
		return 0, 0, false
	}
	const z = 1.959964
	reach := 0.0
	if s.Noised > 0 {
		reach = (z + (z*z*z-3*z)/24*3/float64(s.Noised)) * math.Sqrt(s.Variance)
		if s.Weight == 0 {
			reach += 0.5
		}
	}
	low, high = s.Low-reach, s.High+reach
	if s.Weight > 0 {
		low, high = low/s.Weight, high/s.Weight
	}
	if s.Open {
		high = math.Inf(1)
	}
	return max(low, 0), max(high, 0), true
}
