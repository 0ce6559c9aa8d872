package vision

import (
	"math"
	"slices"
	"time"

	"kerb/counting"
)

// Apparent sizes of vehicles, by hand.
const (
	motorcycleWidth  = 1.2 // m: a narrower vehicle
	motorcycleHeight = 2.4 // m: that is lower, too, is a motorcycle
	heavyHeight      = 3   // m: a higher vehicle is heavy
	heavyArea        = 12  // m²: a larger one, too
)

// likeliestClass is the most probable class of a track; ok is false if it may not
// be counted.
func (c *Counter) likeliestClass(o *blobTrack) (counting.Class, bool) {
	e := o.logLikelihood
	if o.wholeViews == 0 {
		e = [len(kinds)]float64{}
		c.motion.scale.addLogLikelihoods(o.box, o.vx, o.vy, &e)
	}
	return c.decideClass(o.box, &e)
}

// decideClass maximises likelihood times prior over the kinds. A vehicle is split
// by size where only its parts may be counted.
func (c *Counter) decideClass(b box, e *[len(kinds)]float64) (counting.Class, bool) {
	best, top := 0, math.Inf(-1)
	for k := range kinds {
		if v := evidenceWeight*e[k] + math.Log(c.motion.priors[k]); v > top {
			best, top = k, v
		}
	}
	class := kinds[best].class
	if class == counting.Vehicle && !slices.Contains(c.o.Classes, class) {
		class = splitVehicle(b, c.motion.scale.pixelsPerMetre(b.y1))
	}
	return class, slices.Contains(c.o.Classes, class)
}

// splitVehicle tells motorcycles, cars and heavy vehicles apart by apparent size.
// ppm is pixels per metre.
func splitVehicle(b box, ppm float64) counting.Class {
	w, h := b.w()/ppm, b.h()/ppm
	switch {
	case w < motorcycleWidth && h < motorcycleHeight:
		return counting.Motorcycle
	case h > heavyHeight || w*h > heavyArea:
		return counting.Heavy
	}
	return counting.Car
}

// countTrackedPresence counts the tracks whose ground point lies in each zone,
// moving or stopped.
func (c *Counter) countTrackedPresence(now time.Duration) {
	c.clearPresence()
	g := c.streetGround()
	for i := range c.motion.tracks {
		o := &c.motion.tracks[i]
		if !o.live || !c.motion.hasTravelled(o) {
			continue
		}
		if !o.stands {
			o.standsAs, o.stands = c.likeliestClass(o)
		}
		if o.stands {
			c.addPresence(o.box, o.standsAs, now-o.lastMoved > trailSpan || o.trail.stands(g, now))
		}
	}
}

// countBlobPresence counts the blobs in each zone, from one look alone, where no
// object may be tracked.
func (c *Counter) countBlobPresence() {
	c.clearPresence()
	for k := range c.labeller.blobs {
		b := &c.labeller.blobs[k]
		if b.active == 0 || !c.motion.isObjectSized(b.box()) {
			continue
		}
		var e [len(kinds)]float64
		c.motion.scale.addLogLikelihoods(b.box(), 0, 0, &e)
		if class, ok := c.decideClass(b.box(), &e); ok {
			c.addPresence(b.box(), class, false)
		}
	}
}

// clearPresence empties the zones for the next look.
func (c *Counter) clearPresence() {
	for z := range c.zones {
		c.zones[z].Count, c.zones[z].Standing = [counting.Classes]int{}, [counting.Classes]int{}
	}
}

// addPresence adds one object on the grid to the zones that contain its ground point.
func (c *Counter) addPresence(b box, class counting.Class, stands bool) {
	g := b.groundPoint()
	c.addPresenceAt(counting.Point{X: g.x / float64(c.w), Y: g.y / float64(c.h)}, class, stands)
}

// addPresenceAt adds one object to the zones that contain p.
func (c *Counter) addPresenceAt(p counting.Point, class counting.Class, stands bool) {
	for z := range c.zones {
		if !c.o.Zones[z].Polygon.Contains(p) {
			continue
		}
		c.zones[z].Count[class]++
		if stands {
			c.zones[z].Standing[class]++
		}
	}
}
