package counting

import (
	"math"
	"slices"
)

// Distance is a known distance on the ground, along the road: from one point of the
// picture to another, Metres apart.
type Distance struct {
	From, To Point
	Metres   float64
}

// Ground maps places in a picture to places on the street. It is the model of a camera
// without roll over flat ground: a place y below the horizon is 1/y times as far away as
// one at distance 1 below it, and lengths across shrink in the same ratio.
type Ground struct {
	horizon float64 // where the ground ends, in heights of the picture from its upper edge down
	across  float64 // metres that the picture's width covers at one height of the picture below the horizon
	lens    float64 // focal length in widths of the picture
}

// The assumptions where nothing is measured, chosen by hand: street cameras have
// 40° to 80° across, and their horizon is just above the picture.
const (
	usualLens    = 1.2   // focal length in widths of the picture: 45° across
	usualHorizon = -0.08 // of the picture's height

	minLens, maxLens = 0.2, 6.0 // 136° and 9.5° across
	minDepthShare    = 0.3      // of a distance that tells the lens: how much of it leads away from the camera, squared
)

// The standard deviations behind Ground.SpeedError, chosen by hand.
const (
	measuredError = 0.05 // of a height or distance, with the marking of its ends, as a share
	lensError     = 0.4  // of the logarithm of an unknown focal length
	horizonError  = 0.15 // of an unknown horizon, in heights of the picture
	followError   = 0.08 // of the way of one vehicle: test/accuracy measures it on drawn streets
)

// MaxSpeedError is the largest standard deviation of a speed, as a share of it, with which
// a line measures speeds.
const MaxSpeedError = 0.25

// NewGround returns the ground by two heights, by a distance, or by both; aspect is the
// picture's width by its height. Two heights give the scale across the picture, and a
// distance that along itself. Both together give the lens as well. ok is false where
// neither is given, and where they fit no flat street.
func NewGround(hs []Height, d *Distance, aspect float64) (g Ground, ok bool) {
	return newGround(hs, d, aspect, usualLens, usualHorizon)
}

func newGround(hs []Height, d *Distance, aspect, lens, horizon float64) (g Ground, ok bool) {
	g = Ground{horizon: horizon, across: 1, lens: lens}
	known := len(hs) == 2
	if known {
		a, b := hs[0], hs[1]
		pa, pb := (a.Foot.Y-a.Top.Y)/a.Metres, (b.Foot.Y-b.Top.Y)/b.Metres // heights of the picture per metre
		slope := (pb - pa) / (b.Foot.Y - a.Foot.Y)
		if !(slope > 0) || math.IsInf(slope, 0) || pa <= 0 || pb <= 0 {
			return g, false
		}
		g.horizon, g.across = a.Foot.Y-pa/slope, aspect/slope
	}
	if d == nil {
		return g, known
	}
	x, z, ok := g.between(d.From, d.To)
	if !ok {
		return g, false
	}
	if !known {
		g.across = d.Metres / math.Hypot(x, z)
		return g, true
	}
	if z*z < minDepthShare*(x*x+z*z) {
		return g, true // it leads across: the lens stays unknown
	}
	g.lens *= math.Sqrt(max(d.Metres*d.Metres-x*x, 0)) / math.Abs(z)
	return g, g.lens >= minLens && g.lens <= maxLens
}

// LevelGround returns the ground below a camera so many metres up, whose horizon lies in that
// row, in heights of the picture. The lens is the usual one.
func LevelGround(horizon, metres, aspect float64) Ground {
	return Ground{horizon: horizon, across: metres * aspect, lens: usualLens}
}

// Locate returns the place on the ground of a point in the picture: metres to the right
// of the camera, and metres away from it. ok is false above the horizon.
func (g Ground) Locate(p Point) (right, away float64, ok bool) {
	y := p.Y - g.horizon
	if y <= 0 {
		return 0, 0, false
	}
	return g.across * (p.X - 0.5) / y, g.across * g.lens / y, true
}

// between returns how far q lies to the right of p and behind it.
func (g Ground) between(p, q Point) (right, away float64, ok bool) {
	x0, z0, ok0 := g.Locate(p)
	x1, z1, ok1 := g.Locate(q)
	return x1 - x0, z1 - z0, ok0 && ok1 && p != q
}

// metresPerStep is the length on the ground of a small step square across the line at its
// middle.
func (g Ground) metresPerStep(l Line, to Point) (metres float64, ok bool) {
	middle := Point{(l.From.X + l.To.X) / 2, (l.From.Y + l.To.Y) / 2}
	x, z, ok := g.between(middle, to)
	return math.Hypot(x, z), ok
}

// stepAcross is a point near the middle of the line, square across it on the ground.
func (g Ground) stepAcross(l Line) (p Point, ok bool) {
	middle := Point{(l.From.X + l.To.X) / 2, (l.From.Y + l.To.Y) / 2}
	x, z, ok := g.between(l.From, l.To)
	y := middle.Y - g.horizon
	if !ok || y <= 0 {
		return p, false
	}
	const step = 1e-4 // of the way to the horizon
	n := math.Hypot(x, z)
	x, z = -z/n, x/n
	// The derivatives of Locate: right = across·(X−½)/y, away = across·lens/y.
	dy := -z * y * y / g.lens
	dx := x*y + (middle.X-0.5)/y*dy
	s := step * y / math.Hypot(dx, dy)
	return Point{middle.X + s*dx, middle.Y + s*dy}, true
}

// SpeedError is the standard deviation of the speed of one vehicle that drives square
// across the line, as a share of it: the errors of the measured values, of those not
// known, and of following, as independent ones. It is +Inf where nothing is known. The
// picture's shape does not matter.
func SpeedError(hs []Height, d *Distance, l Line) float64 {
	const anyAspect = 16.0 / 9
	g, ok := NewGround(hs, d, anyAspect)
	to, onGround := g.stepAcross(l)
	metres, _ := g.metresPerStep(l, to)
	if !ok || !onGround || metres == 0 {
		return math.Inf(1)
	}
	sum := followError * followError
	vary := func(hs []Height, d *Distance, lens, horizon float64) {
		v, ok := newGround(hs, d, anyAspect, lens, horizon)
		m, onGround := v.metresPerStep(l, to)
		off := math.Inf(1)
		if ok && onGround {
			off = math.Log(m / metres)
		}
		sum += off * off
	}
	for i := range hs {
		varied := slices.Clone(hs)
		varied[i].Metres *= 1 + measuredError
		vary(varied, d, usualLens, usualHorizon)
	}
	if d != nil {
		varied := *d
		varied.Metres *= 1 + measuredError
		vary(hs, &varied, usualLens, usualHorizon)
	}
	vary(hs, d, usualLens*math.Exp(lensError), usualHorizon)
	vary(hs, d, usualLens, usualHorizon-horizonError) // without effect where heights give it
	return math.Sqrt(sum)
}
