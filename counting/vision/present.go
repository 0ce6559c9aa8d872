package vision

import (
	"math"
	"slices"

	"kerb/counting"
)

// class is what an object is most likely, of the classes that may be counted;
// ok is false if it is something else.
func (c *Counter) class(o *object) (counting.Class, bool) {
	e := o.suits
	if o.whole == 0 {
		e = [len(kinds)]float64{}
		c.follow.scale.judge(o.box, o.vx, o.vy, &e)
	}
	return c.decide(o.box, &e)
}

// decide weighs likelihoods by how common a kind is here. The looks at one
// object resemble each other: all together weigh as much as two.
func (c *Counter) decide(b box, e *[len(kinds)]float64) (counting.Class, bool) {
	best, top := 0, math.Inf(-1)
	for k := range kinds {
		if v := 2*e[k] + math.Log(c.follow.common[k]); v > top {
			best, top = k, v
		}
	}
	class := kinds[best].class
	if class == counting.Vehicle && !slices.Contains(c.o.Classes, class) {
		class = part(b, c.follow.scale.at(b.y1))
	}
	return class, slices.Contains(c.o.Classes, class)
}

// part splits vehicles by their apparent size.
func part(b box, ppm float64) counting.Class {
	w, h := b.w()/ppm, b.h()/ppm
	switch {
	case w < 1.2 && h < 2.4:
		return counting.Motorcycle
	case h > 3 || w*h > 12:
		return counting.Heavy
	}
	return counting.Car
}

// present counts the objects whose ground is in each zone, moving or stopped.
func (c *Counter) present() {
	for z := range c.zones {
		c.zones[z].Count = [counting.Classes]int{}
	}
	for i := range c.follow.objects {
		o := &c.follow.objects[i]
		if !o.live || !c.follow.travelled(o) {
			continue
		}
		if class, ok := c.class(o); ok {
			c.stand(o.box, class)
		}
	}
}

// standing counts what is in each zone now, from one look alone: nothing is
// followed.
func (c *Counter) standing() {
	for z := range c.zones {
		c.zones[z].Count = [counting.Classes]int{}
	}
	for k := range c.labels.blobs {
		b := &c.labels.blobs[k]
		if b.active == 0 || !c.follow.whole(b.box()) {
			continue
		}
		var e [len(kinds)]float64
		c.follow.scale.judge(b.box(), 0, 0, &e)
		if class, ok := c.decide(b.box(), &e); ok {
			c.stand(b.box(), class)
		}
	}
}

func (c *Counter) stand(b box, class counting.Class) {
	g := b.ground()
	p := counting.Point{X: g.x / float64(c.w), Y: g.y / float64(c.h)}
	for z := range c.zones {
		if c.o.Zones[z].Polygon.Contains(p) {
			c.zones[z].Count[class]++
		}
	}
}
