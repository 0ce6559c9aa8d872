package vision

import (
	"slices"
	"time"

	"kerb/counting"
)

// An eye finds objects with a network, picture by picture, and follows them by
// geometry: the second detector beside motion.
type eye struct {
	seer    *seer
	tracker *tracker
	blind   []bool // pixels of the picture that masks cover; nil: none
}

func newEye(o *Opts) (*eye, error) {
	s, err := newSeer(o.Network, o.Width, o.Height)
	if err != nil {
		return nil, err
	}
	w, h := float64(o.Width), float64(o.Height)
	lines := make([]segment, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = newSegment(l, w, h)
	}
	return &eye{seer: s, tracker: newTracker(lines, w, h), blind: blinds(o.Width, o.Height, o.Masks)}, nil
}

// recognise takes the picture in with the network's eye, dt seconds after the
// one before it.
func (c *Counter) recognise(now time.Duration, dt float64) {
	c.looked = now
	c.looks++
	picture := c.arena.picture
	for i, hidden := range c.eye.blind {
		if hidden {
			picture[i] = padding
		}
	}
	if c.o.Sketcher != nil {
		c.background(dt)
	}
	seen := c.eye.seer.see(picture, c.o.Width, c.o.Height, doubtful)
	c.sight(seen)
	if c.o.FollowMax <= 0 {
		return
	}
	c.eye.tracker.step(seen, now, dt, c.o.FollowMax, func(line int, class counting.Class, d counting.Direction, at time.Duration) {
		if class, ok := c.counted(class); ok {
			c.crossings = append(c.crossings, counting.Crossing{Stream: c.o.Lines[line].ID, Class: class, Dir: d, At: at})
		}
	})
}

// From these scores a detection counts as present: vehicles in a queue hide
// each other and score low, while posts and bins pass for people at less.
// Both lie where stills and sampled clips count best.
const (
	presentWalking = 0.25
	presentDriving = 0.17
)

func (d *detection) present() bool {
	if d.class.Coarse() == counting.Vehicle {
		return d.score >= presentDriving
	}
	return d.score >= presentWalking
}

// sight counts what is seen in each zone, moving or standing.
func (c *Counter) sight(seen []detection) {
	for i, z := range c.o.Zones {
		c.zones[i].Count = [counting.Classes]int{}
		for j := range seen {
			d := &seen[j]
			class, ok := c.counted(d.class)
			g := d.box.ground()
			if ok && d.present() && z.Polygon.Contains(counting.Point{X: g.x / float64(c.o.Width), Y: g.y / float64(c.o.Height)}) {
				c.zones[i].Count[class]++
			}
		}
	}
}

// counted is the class as which an object may be counted: vehicles whole or
// split, as asked for.
func (c *Counter) counted(class counting.Class) (counting.Class, bool) {
	if slices.Contains(c.o.Classes, class) {
		return class, true
	}
	class = class.Coarse()
	return class, slices.Contains(c.o.Classes, class)
}
