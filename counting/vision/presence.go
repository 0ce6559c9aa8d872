package vision

import (
	"math"
	"slices"

	"kerb/counting"
)

// likeliestClass is what an object is most likely, of the classes that may be counted;
// ok is false if it is something else.
func (c *Counter) likeliestClass(o *blobTrack) (counting.Class, bool) {
	e := o.logLikelihood
	if o.wholeViews == 0 {
		e = [len(kinds)]float64{}
		c.blobs.scale.addLogLikelihoods(o.box, o.vx, o.vy, &e)
	}
	return c.decideClass(o.box, &e)
}

// decideClass weighs likelihoods by how common a kind is here. The looks at one
// object resemble each other: all together weigh as much as two.
func (c *Counter) decideClass(b box, e *[len(kinds)]float64) (counting.Class, bool) {
	best, top := 0, math.Inf(-1)
	for k := range kinds {
		if v := 2*e[k] + math.Log(c.blobs.priors[k]); v > top {
			best, top = k, v
		}
	}
	class := kinds[best].class
	if class == counting.Vehicle && !slices.Contains(c.o.Classes, class) {
		class = splitVehicle(b, c.blobs.scale.pixelsPerMetre(b.y1))
	}
	return class, slices.Contains(c.o.Classes, class)
}

// splitVehicle splits vehicles by their apparent size.
func splitVehicle(b box, ppm float64) counting.Class {
	w, h := b.w()/ppm, b.h()/ppm
	switch {
	case w < 1.2 && h < 2.4:
		return counting.Motorcycle
	case h > 3 || w*h > 12:
		return counting.Heavy
	}
	return counting.Car
}

// countTrackedPresence counts the objects whose ground is in each zone, moving or stopped.
func (c *Counter) countTrackedPresence() {
	for z := range c.zones {
		c.zones[z].Count = [counting.Classes]int{}
	}
	for i := range c.blobs.tracks {
		o := &c.blobs.tracks[i]
		if !o.live || !c.blobs.hasTravelled(o) {
			continue
		}
		if class, ok := c.likeliestClass(o); ok {
			c.addPresence(o.box, class)
		}
	}
}

// countBlobPresence counts what is in each zone now, from one look alone: nothing is
// followed.
func (c *Counter) countBlobPresence() {
	for z := range c.zones {
		c.zones[z].Count = [counting.Classes]int{}
	}
	for k := range c.labeller.blobs {
		b := &c.labeller.blobs[k]
		if b.active == 0 || !c.blobs.isObjectSized(b.box()) {
			continue
		}
		var e [len(kinds)]float64
		c.blobs.scale.addLogLikelihoods(b.box(), 0, 0, &e)
		if class, ok := c.decideClass(b.box(), &e); ok {
			c.addPresence(b.box(), class)
		}
	}
}

func (c *Counter) addPresence(b box, class counting.Class) {
	g := b.groundPoint()
	p := counting.Point{X: g.x / float64(c.w), Y: g.y / float64(c.h)}
	for z := range c.zones {
		if c.o.Zones[z].Polygon.Contains(p) {
			c.zones[z].Count[class]++
		}
	}
}
