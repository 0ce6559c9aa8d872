package vision

import (
	"math"
	"slices"
	"time"

	"kerb/counting"
)

// The way of a track over which its speed is measured, chosen by hand: long enough that
// jitter does not matter, short enough that vehicles do not brake much.
const (
	trailSpan    = 1500 * time.Millisecond // older places are left out
	trailStep    = 100 * time.Millisecond  // least time between two places
	leastSpan    = 0.4                     // s from the first place to the last, for a speed
	leastPlaces  = 4                       // for a speed
	trailPlaces  = 16                      // trailSpan in trailSteps, and one more
	fastestSpeed = 90.0                    // m/s: a faster track is none
)

// trail holds the latest places of a track's ground point, in fractions of the picture. It
// is forgotten with the track.
type trail struct {
	places [trailPlaces]struct {
		at    time.Duration
		place counting.Point
	}
	count int // added so far
}

// add appends a place. A place that follows too fast is left out.
func (t *trail) add(p counting.Point, at time.Duration) {
	if t.count > 0 && at-t.places[(t.count-1)%trailPlaces].at < trailStep {
		return
	}
	t.places[t.count%trailPlaces].at, t.places[t.count%trailPlaces].place = at, p
	t.count++
}

// speed returns the speed over the ground in m/s up to the latest place: the median slope of
// all pairs of places over time, away and across each (Theil and Sen, 1968), so that a few
// false places do not matter. ok is false where the trail is too short to tell.
func (t *trail) speed(g counting.Ground) (v float64, ok bool) {
	var at, x, z [trailPlaces]float64
	n := 0
	for i := t.count - 1; i >= max(t.count-trailPlaces, 0); i-- {
		k := &t.places[i%trailPlaces]
		right, away, ok := g.Locate(k.place)
		if !ok || t.places[(t.count-1)%trailPlaces].at-k.at > trailSpan {
			break
		}
		at[n], x[n], z[n] = k.at.Seconds(), right, away
		n++
	}
	if n < leastPlaces || at[0]-at[n-1] < leastSpan {
		return 0, false
	}
	v = math.Hypot(medianSlope(at[:n], x[:n]), medianSlope(at[:n], z[:n]))
	return v, v <= fastestSpeed
}

// stands reports whether the object is slower than counting.StandingSpeed now. One that is
// new, or not seen whole of late, moves.
func (t *trail) stands(g counting.Ground, now time.Duration) bool {
	if t.count == 0 || now-t.places[(t.count-1)%trailPlaces].at > trailSpan {
		return false
	}
	v, ok := t.speed(g)
	return ok && v < counting.StandingSpeed
}

// medianSlope is the median of the slopes between all pairs of at most trailPlaces points.
func medianSlope(at, x []float64) float64 {
	var slopes [trailPlaces * (trailPlaces - 1) / 2]float64
	n := 0
	for i := range at {
		for j := range i {
			slopes[n] = (x[i] - x[j]) / (at[i] - at[j])
			n++
		}
	}
	slices.Sort(slopes[:n])
	return (slopes[(n-1)/2] + slopes[n/2]) / 2
}
