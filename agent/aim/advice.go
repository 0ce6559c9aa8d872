package aim

import (
	"math"
	"slices"

	"kerb/counting"
)

// Advice is one thing that could be better, or one that is good to know. The
// page has the words.
type Advice struct {
	Key   string  `json:"key"`
	Line  string  `json:"line,omitempty"`
	Value float64 `json:"value,omitempty"`
	Warn  bool    `json:"warn"`
}

// What a picture should be like. The scales are those of the brief for people
// and cars; the others were chosen by what the clips count well at.
const (
	peopleScale = 60.0 // pixels a metre
	carScale    = 30.0
	leastLooks  = 8.0  // a second: following needs them
	burntOut    = 12   // % of the picture,
	blackedOut  = 25   // and so much, at once: backlight
	night       = 45   // mean shade below which it is dark
	grainy      = 6.0  // levels of noise
	flatAngle   = 15.0 // degrees below the horizon
	nearEdge    = 0.08 // of the picture
	shortLine   = 0.08
	doubt       = 0.30 // of the scale's logarithm: it is a guess
	focal       = 1.2  // in widths of the picture: an ordinary lens, as the scale is learnt with
)

// advise looks over the picture and the plan.
func advise(p Plan, s *counting.Sketch) (as []Advice) {
	v := s.View
	warn := func(key string, value float64) { as = append(as, Advice{Key: key, Value: round(value), Warn: true}) }
	if v.LooksPerSecond > 0 && v.LooksPerSecond < leastLooks {
		warn("looks", float64(v.LooksPerSecond))
	}
	switch {
	case v.Bright >= burntOut && v.Dark >= blackedOut:
		warn("backlight", float64(v.Bright))
	case v.Mean > 0 && v.Mean < night:
		warn("dark", float64(v.Mean))
	}
	if v.Noise >= grainy {
		warn("noise", float64(v.Noise))
	}
	guess := !v.ScaleMeasured && v.ScaleLogSD > doubt
	if s.Width > 0 && !guess {
		down := math.Atan((0.5-float64(v.Horizon))*float64(s.Height)/(focal*float64(s.Width))) * 180 / math.Pi
		if down < flatAngle {
			warn("flat", down)
		}
	}
	if !v.ScaleMeasured {
		as = append(as, Advice{Key: "scale"})
	}
	for _, l := range p.Lines {
		as = append(as, l.advise(v, guess)...)
	}
	return as
}

func (l Line) advise(v counting.View, guess bool) (as []Advice) {
	dx, dy := l.To[0]-l.From[0], l.To[1]-l.From[1]
	long := math.Hypot(dx, dy)
	if long < shortLine {
		return []Advice{{Key: "short", Line: l.ID, Warn: true}}
	}
	x, y := (l.From[0]+l.To[0])/2, (l.From[1]+l.To[1])/2
	// How far the picture goes on to either side of the line's middle.
	nx, ny := math.Abs(dy)/long, math.Abs(dx)/long
	side := func(at, n float64) float64 {
		if n < 1e-9 {
			return math.Inf(1)
		}
		return min(at, 1-at) / n
	}
	if room := min(side(x, nx), side(y, ny)); room < nearEdge {
		as = append(as, Advice{Key: "edge", Line: l.ID, Warn: true})
	}
	scale := v.PixelsPerMetre(y)
	if scale <= 0 || guess {
		return as
	}
	people := slices.Contains(l.Classes, "person") || slices.Contains(l.Classes, "bicycle")
	switch {
	case people && scale < peopleScale:
		as = append(as, Advice{Key: "people", Line: l.ID, Value: round(scale), Warn: true})
	case !people && scale < carScale:
		as = append(as, Advice{Key: "cars", Line: l.ID, Value: round(scale), Warn: true})
	default:
		as = append(as, Advice{Key: "enough", Line: l.ID, Value: round(scale)})
	}
	return as
}

func round(v float64) float64 { return math.Round(v*10) / 10 }
