package vision

import (
	"math"

	"kerb/counting"
)

// scale estimates how many grid pixels a metre is on the ground of each row. For
// a camera over a flat street it grows linearly below the horizon: pixels per
// metre = (y - horizon) / camera height. Two known heights fix both numbers.
// Otherwise a grid of hypotheses (camera height × horizon) holds a log
// probability each: it starts from a prior for street cameras, and every object
// that is seen whole adds how well its size and speed fit the kinds of street
// users.
type scale struct {
	rows        float64                    // of the grid
	focalLength float64                    // grid pixels
	votes       [heights][horizons]float64 // log probability of each hypothesis, up to a constant
	fixed       bool                       // two known heights gave it

	horizon, cameraHeight float64 // expected: a row, and metres
	unsure                float64 // standard deviation of the logarithm of the scale
}

// The grid of hypotheses and its prior. All numbers of this file were chosen by
// hand: the range of street cameras, and medians of the sizes and speeds of street
// users. The eight development clips (test/footage) are counted with them.
const (
	heights  = 15 // hypotheses of the camera's height, in equal ratios
	horizons = 13 // hypotheses of the horizon, in equal steps

	minCameraHeight = 2.2  // m
	maxCameraHeight = 16   // m
	minHorizon      = -0.7 // of the picture's height, from its upper edge down
	horizonRange    = 1.0  // of the picture's height, from the first hypothesis to the last

	usualCameraHeight = 6.5   // m, median of the prior
	cameraHeightDev   = 0.45  // standard deviation of its logarithm: two of three cameras hang 4–10 m up
	usualHorizon      = -0.08 // of the picture's height: just above its upper edge
	horizonDev        = 0.2   // standard deviation, of the picture's height

	focalWidths = 1.2 // focal length of a usual lens in widths of the picture: 45° across
	unsureRow   = 0.7 // of the picture's height: the row for which unsure is computed

	knownUnsure       = 0.05 // unsure of a scale from two known heights
	minSlope          = 1e-6 // pixels per metre per row: the least that two known heights may give
	minPixelsPerMetre = 0.5

	aboveHorizonPenalty = 8   // nats times the vote's weight, for a hypothesis that puts an object above the horizon
	otherDensity        = 0.1 // probability density that an object is of no known kind
)

// How the likelihood of a kind is bounded, so that no single outlier decides.
const (
	maxSizeDev2  = 25  // squared standard deviations of height or width: five
	maxSpeedDev2 = 9   // of speed: three
	minMoveSpeed = 0.3 // m/s: a slower object is judged by its size alone

	tinyLikelihood = 1e-9 // added before a logarithm
)

// cameraHeightAt is hypothesis i of the camera's height, in metres.
func cameraHeightAt(i int) float64 {
	return minCameraHeight * math.Pow(maxCameraHeight/minCameraHeight, float64(i)/(heights-1))
}

// horizonAt is hypothesis j of the horizon, a row of the grid.
func (s *scale) horizonAt(j int) float64 {
	return s.rows * (minHorizon + horizonRange*float64(j)/(horizons-1))
}

func newScale(w, h float64, known []counting.Height) *scale {
	s := &scale{rows: h, focalLength: focalWidths * w}
	for i := range heights {
		for j := range horizons {
			a := (math.Log(cameraHeightAt(i)) - math.Log(usualCameraHeight)) / cameraHeightDev
			b := (s.horizonAt(j)/h - usualHorizon) / horizonDev
			s.votes[i][j] = -(a*a + b*b) / 2
		}
	}
	s.updateEstimate()
	if len(known) == 2 {
		s.setFromHeights(known[0], known[1])
	}
	return s
}

// setFromHeights computes the scale from two known heights. Heights that no flat
// street could show leave the estimate as it is.
func (s *scale) setFromHeights(a, b counting.Height) {
	ya, yb := a.Foot.Y*s.rows, b.Foot.Y*s.rows
	pa, pb := (a.Foot.Y-a.Top.Y)*s.rows/a.Metres, (b.Foot.Y-b.Top.Y)*s.rows/b.Metres
	slope := (pb - pa) / (yb - ya)
	if !(slope > minSlope) || pa <= 0 || pb <= 0 {
		return
	}
	s.cameraHeight, s.horizon, s.unsure, s.fixed = 1/slope, ya-pa/slope, knownUnsure, true
}

// pixelsPerMetre is the scale of an object that stands at row y.
func (s *scale) pixelsPerMetre(y float64) float64 {
	return max((y-s.horizon)/s.cameraHeight, minPixelsPerMetre)
}

// updateEstimate computes the expectation over the hypotheses, and unsure.
func (s *scale) updateEstimate() {
	best := math.Inf(-1)
	for i := range s.votes {
		for _, v := range s.votes[i] {
			best = max(best, v)
		}
	}
	var sum, slope, off, l1, l2 float64
	y := unsureRow * s.rows
	for i := range s.votes {
		for j, v := range s.votes[i] {
			p := math.Exp(v - best)
			m, hz := cameraHeightAt(i), s.horizonAt(j)
			sum += p
			slope += p / m
			off += p * hz / m
			l := math.Log((y - hz) / m)
			l1 += p * l
			l2 += p * l * l
		}
	}
	s.cameraHeight = sum / slope
	s.horizon = off / slope
	s.unsure = math.Sqrt(max(l2/sum-l1/sum*l1/sum, 0))
}

// kind holds the statistics of a class: its prior, and median and standard
// deviation of the logarithm of apparent height and width in metres and of speed
// in m/s.
type kind struct {
	class             counting.Class
	prior             float64
	height, heightDev float64
	width, widthDev   float64
	speed, speedDev   float64
}

// Indices in kinds.
const (
	personKind  = 0
	vehicleKind = 2
)

// kinds has one entry per class that the blob tracker tells apart. The numbers were
// chosen by hand and corrected later: a bicycle's prior from 0.05 to 0.02 and its
// speed from 4.2 to 4.5 m/s, a vehicle's speed from 7 to 8 m/s and its deviation
// from 1.0 to 1.5. A vehicle's size covers motorcycles to lorries from any side.
var kinds = [...]kind{
	// prior; height and its deviation; width and its deviation; speed and its deviation
	{counting.Person, 0.45, 1.65, 0.16, 0.65, 0.28, 1.2, 0.5},
	{counting.Bicycle, 0.02, 1.7, 0.16, 1.15, 0.4, 4.5, 0.3},
	{counting.Vehicle, 0.5, 2.1, 0.40, 2.4, 0.42, 8, 1.5},
}

// logDensity is log p(h, w, speed | kind) but for a constant, of metres and m/s.
func (k *kind) logDensity(h, w, speed float64) float64 {
	a := math.Log(h/k.height) / k.heightDev
	b := math.Log(w/k.width) / k.widthDev
	l := -(min(a*a, maxSizeDev2)+min(b*b, maxSizeDev2))/2 - math.Log(k.heightDev*k.widthDev)
	if speed > minMoveSpeed {
		c := math.Log(speed/k.speed) / k.speedDev
		l -= min(c*c, maxSpeedDev2)/2 + math.Log(k.speedDev)
	}
	return l
}

// groundSpeed converts grid pixels per second at row y to m/s over the ground.
// Away from the camera a row covers f/(ppm²·cameraHeight) metres.
func groundSpeed(vx, vy, y, horizon, cameraHeight, f float64) float64 {
	ppm := max((y-horizon)/cameraHeight, minPixelsPerMetre)
	return math.Hypot(vx/ppm, f*vy/(ppm*ppm*cameraHeight))
}

// trackSpeed is o's speed over the ground, in m/s, if it stands at row y.
func (s *scale) trackSpeed(o *blobTrack, y float64) float64 {
	return groundSpeed(o.vx, o.vy, y, s.horizon, s.cameraHeight, s.focalLength)
}

// addVote adds to every hypothesis the log likelihood of an object that is seen
// whole, times weight. Speeds are in grid pixels per second.
func (s *scale) addVote(b box, vx, vy float64, weight float64) {
	if s.fixed {
		return
	}
	y := b.y1
	for i := range s.votes {
		m := cameraHeightAt(i)
		for j := range s.votes[i] {
			hz := s.horizonAt(j)
			ppm := (y - hz) / m
			if ppm < minPixelsPerMetre {
				s.votes[i][j] -= weight * aboveHorizonPenalty
				continue
			}
			v := groundSpeed(vx, vy, y, hz, m, s.focalLength)
			sum := 0.0
			for k := range kinds {
				sum += kinds[k].prior * math.Exp(kinds[k].logDensity(b.h()/ppm, b.w()/ppm, v))
			}
			s.votes[i][j] += weight * math.Log(sum+otherDensity)
		}
	}
	s.updateEstimate()
}

// addLogLikelihoods adds to e the log likelihood of b for each kind, summed over
// the uncertainty of the scale.
func (s *scale) addLogLikelihoods(b box, vx, vy float64, e *[len(kinds)]float64) {
	ppm := s.pixelsPerMetre(b.y1)
	v := groundSpeed(vx, vy, b.y1, s.horizon, s.cameraHeight, s.focalLength)
	// Deviations of the logarithm of the scale, in units of unsure, weighted by a
	// normal density: chosen by hand.
	nodes := [...]float64{-1.6, -0.8, 0, 0.8, 1.6}
	for k := range kinds {
		sum := 0.0
		for _, d := range nodes {
			r := math.Exp(d * s.unsure)
			sum += math.Exp(-d*d/2 + kinds[k].logDensity(b.h()*r/ppm, b.w()*r/ppm, v*r))
		}
		e[k] += math.Log(sum + tinyLikelihood)
	}
}
