package vision

import (
	"math"

	"kerb/counting"
)

// Walkers, cyclists and motorcyclists are told apart by how fast they go, besides the
// network's votes: a cyclist who comes towards the camera looks like a walker in most
// pictures, above all at night. Their boxes are as high as a person, so that the box
// itself is the measure of speed. Chosen by hand: medians of street users; on the
// development clips (make truth) walkers go 0.4–2.4 m/s and cyclists 1.9–5 m/s by this
// measure.
const (
	bodyHeight = 1.7 // m: of a walker, and of a rider on the bicycle

	leastRiderSpeed = 0.2 // m/s: of a standing object
	voteFloor       = 0.1 // share of votes that every class has
	maxSpeedPenalty = 4   // nats: so that a wrong speed outvotes no sure class
	maxDepthFactor  = 8   // near the horizon, where depth is not known
)

// bodies are the classes with their medians of speed in m/s and the standard deviations
// of its logarithm. A walker may be slower and a motorcyclist faster at no penalty.
var bodies = [...]struct {
	class            counting.Class
	speed, deviation float64
	slower, faster   bool // is no deviation
}{
	{counting.Person, 1.3, 0.35, true, false},
	{counting.Bicycle, 4.2, 0.4, false, false},
	{counting.Motorcycle, 9, 0.5, false, true},
}

// decideClass is the class of a track: that with the largest sum of scores or, for
// walkers and riders, the likeliest by votes and speed. depth is the track's depthFactor.
func (k *netTrack) decideClass(depth float64) counting.Class {
	sum := 0.0
	for _, b := range bodies {
		sum += k.votes[b.class]
	}
	if sum <= k.scoreSum/2 {
		return k.majorityClass()
	}
	speed, deviation := k.bodySpeed(depth)
	best, top := counting.Person, math.Inf(-1)
	for _, b := range bodies {
		dev := math.Log(speed/b.speed) / math.Hypot(b.deviation, deviation/speed)
		if b.slower && dev < 0 || b.faster && dev > 0 {
			dev = 0
		}
		l := math.Log(k.votes[b.class]/sum+voteFloor) - min(dev*dev/2, maxSpeedPenalty) - math.Log(b.deviation)
		if l > top {
			best, top = b.class, l
		}
	}
	return best
}

// bodySpeed is the track's speed over the ground and its standard deviation, in m/s. The
// filter's variance is taken off the square of the speed: without that, jitter would make
// everybody far away fast, because depth multiplies it.
func (k *netTrack) bodySpeed(depth float64) (speed, deviation float64) {
	variance := k.x.pvv + depth*depth*k.y.pvv
	square := k.x.v*k.x.v + depth*depth*k.y.v*k.y.v - variance
	metre := bodyHeight / k.h
	return max(math.Sqrt(max(square, 0))*metre, leastRiderSpeed), math.Sqrt(variance) * metre
}

// depthFactor is how much farther a metre away from the camera is than it looks at row y
// of the grid, compared with a metre across.
func (s *scale) depthFactor(y float64) float64 {
	return min(s.focalLength/max(y-s.horizon, 1), maxDepthFactor)
}
