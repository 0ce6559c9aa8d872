package vision

import (
	"math"

	"kerb/counting"
)

// scale knows how many grid pixels a metre is on the ground of each row. A
// camera over a street sees the ground's scale grow linearly below the
// horizon: pixels per metre = (y - horizon) / camera height. Two known heights
// fix both; otherwise every object that is seen whole votes, over a grid of
// hypotheses, for those under which it has the size and speed of something
// that uses a street. Before the first vote stands what street cameras are
// like: 3–12 m up, horizon near the upper edge.
type scale struct {
	rows, focalLength     float64 // rows of the grid; focal length, grid pixels
	votes                 [heights][horizons]float64
	fixed                 bool
	horizon, cameraHeight float64 // expected horizon (row) and camera height (m)
	unsure                float64 // standard deviation of the logarithm of the scale
}

const (
	heights  = 15
	horizons = 13
)

func cameraHeightAt(i int) float64       { return 2.2 * math.Pow(16/2.2, float64(i)/(heights-1)) }
func (s *scale) horizonAt(j int) float64 { return s.rows * (-0.7 + 1.0*float64(j)/(horizons-1)) }

func newScale(w, h float64, known []counting.Height) *scale {
	s := &scale{rows: h, focalLength: 1.2 * w}
	for i := range heights {
		for j := range horizons {
			a := (math.Log(cameraHeightAt(i)) - math.Log(6.5)) / 0.45
			b := (s.horizonAt(j)/h + 0.08) / 0.2
			s.votes[i][j] = -(a*a + b*b) / 2
		}
	}
	s.updateEstimate()
	if len(known) == 2 {
		s.setFromHeights(known[0], known[1])
	}
	return s
}

func (s *scale) setFromHeights(a, b counting.Height) {
	ya, yb := a.Foot.Y*s.rows, b.Foot.Y*s.rows
	pa, pb := (a.Foot.Y-a.Top.Y)*s.rows/a.Metres, (b.Foot.Y-b.Top.Y)*s.rows/b.Metres
	slope := (pb - pa) / (yb - ya)
	if !(slope > 1e-6) || pa <= 0 || pb <= 0 {
		return
	}
	s.cameraHeight, s.horizon, s.unsure, s.fixed = 1/slope, ya-pa/slope, 0.05, true
}

// pixelsPerMetre is pixels per metre for something that stands at row y.
func (s *scale) pixelsPerMetre(y float64) float64 { return max((y-s.horizon)/s.cameraHeight, 0.5) }

// updateEstimate computes the expectation over the hypotheses.
func (s *scale) updateEstimate() {
	best := math.Inf(-1)
	for i := range s.votes {
		for _, v := range s.votes[i] {
			best = max(best, v)
		}
	}
	var sum, slope, off, l1, l2 float64
	y := 0.7 * s.rows
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

// kind is what is known of a class: medians, and standard deviations of the
// logarithm, of apparent height and width in metres and of speed in m/s.
type kind struct {
	class      counting.Class
	prior      float64
	height, dh float64
	width, dw  float64
	speed, ds  float64
}

var kinds = [...]kind{
	{counting.Person, 0.45, 1.65, 0.16, 0.65, 0.28, 1.2, 0.5},
	{counting.Bicycle, 0.02, 1.7, 0.16, 1.15, 0.4, 4.5, 0.3},
	{counting.Vehicle, 0.5, 2.1, 0.40, 2.4, 0.42, 8, 1.5},
}

// logDensity is log p(size, speed | kind), of metres and m/s.
func (k *kind) logDensity(h, w, speed float64) float64 {
	a := math.Log(h/k.height) / k.dh
	b := math.Log(w/k.width) / k.dw
	l := -(min(a*a, 25)+min(b*b, 25))/2 - math.Log(k.dh*k.dw)
	if speed > 0.3 {
		c := math.Log(speed/k.speed) / k.ds
		l -= min(c*c, 9)/2 + math.Log(k.ds)
	}
	return l
}

// groundSpeed is a speed over the ground in m/s, of grid pixels a second at row y.
// Away from the camera a row is ppm²·mount/f metres deep.
func groundSpeed(vx, vy, y, horizon, mount, f float64) float64 {
	ppm := max((y-horizon)/mount, 0.5)
	return math.Hypot(vx/ppm, f*vy/(ppm*ppm*mount))
}

// trackSpeed is o's over the ground, in m/s, if it stands at row y.
func (s *scale) trackSpeed(o *blobTrack, y float64) float64 {
	return groundSpeed(o.vx, o.vy, y, s.horizon, s.cameraHeight, s.focalLength)
}

// addVote lets an object seen whole narrow the scale.
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
			if ppm < 0.5 {
				s.votes[i][j] -= weight * 8
				continue
			}
			v := groundSpeed(vx, vy, y, hz, m, s.focalLength)
			sum := 0.0 // 0.1 below: it may also be none of these
			for k := range kinds {
				sum += kinds[k].prior * math.Exp(kinds[k].logDensity(b.h()/ppm, b.w()/ppm, v))
			}
			s.votes[i][j] += weight * math.Log(sum+0.1)
		}
	}
	s.updateEstimate()
}

// addLogLikelihoods adds to e the logarithm of how well b suits each kind, over what the
// scale may be.
func (s *scale) addLogLikelihoods(b box, vx, vy float64, e *[len(kinds)]float64) {
	ppm := s.pixelsPerMetre(b.y1)
	v := groundSpeed(vx, vy, b.y1, s.horizon, s.cameraHeight, s.focalLength)
	for k := range kinds {
		sum := 0.0
		for _, d := range [...]float64{-1.6, -0.8, 0, 0.8, 1.6} {
			r := math.Exp(d * s.unsure)
			sum += math.Exp(-d*d/2 + kinds[k].logDensity(b.h()*r/ppm, b.w()*r/ppm, v*r))
		}
		e[k] += math.Log(sum + 1e-9)
	}
}
