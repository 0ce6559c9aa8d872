package aim

import (
	"math"
	"slices"

	"kerb/counting"
)

// Advice is one finding about the picture or a line. The page has the words for
// its key.
type Advice struct {
	Key   string  `json:"key"`
	Line  string  `json:"line,omitempty"`
	Value float64 `json:"value,omitempty"`
	Warn  bool    `json:"warn"`
}

// The bounds of the advice. The scales are those of IEC 62676-4:2014, and of
// firmware-notes/mounting.md: 25 pixels per metre to detect a person, 12.5 (its "monitor",
// 80 mm per pixel) for vehicles, which are several times as large. The others were chosen by hand on the development
// clips, at values at which they are counted well.
const (
	peopleScale = 25.0 // pixels per metre, for lines that count people or bicycles
	carScale    = 12.5 // pixels per metre, for other lines
	minLooks    = 8.0  // detections per second, which following needs
	burntOut    = 12   // % of the picture burnt out,
	blackedOut  = 25   // % of it black at the same time: backlight
	night       = 45   // mean grey level, 0–255, below which it is dark
	grainy      = 6.0  // noise in grey levels
	flatAngle   = 15.0 // degrees of the optical axis below the horizon
	nearEdge    = 0.08 // least distance from the middle of a line to the border, in pictures
	shortLine   = 0.08 // least length of a line, in pictures
	doubt       = 0.30 // deviation of the scale's logarithm above which the scale is a guess
	focal       = 1.2  // focal length in widths of the picture: an ordinary lens, as the scale estimate assumes
)

// advisePlan compares the view and the plan with the bounds of the advice.
func advisePlan(p Plan, s *counting.Sketch) (as []Advice) {
	v := s.View
	warn := func(key string, value float64) {
		as = append(as, Advice{Key: key, Value: roundToTenth(value), Warn: true})
	}
	if v.LooksPerSecond > 0 && v.LooksPerSecond < minLooks {
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
		as = append(as, l.adviseLine(v, guess)...)
	}
	return as
}

// adviseLine checks the length of a line, its distance to the border, and the
// scale of the picture at its middle. guess says that the scale is too
// uncertain to judge.
func (l Line) adviseLine(v counting.View, guess bool) (as []Advice) {
	dx, dy := l.To[0]-l.From[0], l.To[1]-l.From[1]
	long := math.Hypot(dx, dy)
	if long < shortLine {
		return []Advice{{Key: "short", Line: l.ID, Warn: true}}
	}
	x, y := (l.From[0]+l.To[0])/2, (l.From[1]+l.To[1])/2
	// Distance from the line's middle to the border, at right angles to the line.
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
		as = append(as, Advice{Key: "people", Line: l.ID, Value: roundToTenth(scale), Warn: true})
	case !people && scale < carScale:
		as = append(as, Advice{Key: "cars", Line: l.ID, Value: roundToTenth(scale), Warn: true})
	default:
		as = append(as, Advice{Key: "enough", Line: l.ID, Value: roundToTenth(scale)})
	}
	return as
}

// roundToTenth rounds to one decimal.
func roundToTenth(v float64) float64 { return math.Round(v*10) / 10 }
