package vision

import (
	"slices"
	"time"

	"kerb/counting"
)

// A finder finds objects in one picture of w×h luma bytes.
type finder interface {
	see(picture []byte, w, h int, least float64) []detection
}

// An eye finds objects with a network, picture by picture, and follows them by
// geometry. Between the pictures that it sees, motion carries its tracks on.
type eye struct {
	seer    finder
	tracker *tracker
	blind   []bool        // pixels of the picture that masks cover; nil: none
	k       float64       // pixels of the picture to one of the grid's
	every   time.Duration // least time between two of its looks
	share   float64       // most of a core's time that they may take; 0: any
	cost    float64       // seconds a look takes, smoothed
	pace    float64       // seconds from one to the next, smoothed
	looks   int
	looked  time.Duration
	seen    []detection // in the picture; nil: the network did not look
	latest  []detection // in the latest picture at which it did
	claims  [64]claim   // what crossed of late, as a ring
	n       int
}

func newEye(o *Opts, k int) (*eye, error) {
	s, err := newSeer(o.Network, o.Width, o.Height)
	if err != nil {
		return nil, err
	}
	w, h := float64(o.Width), float64(o.Height)
	lines := make([]segment, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = newSegment(l, w, h)
	}
	return &eye{seer: s, tracker: newTracker(lines, w, h), blind: blinds(o.Width, o.Height, o.Masks), k: float64(k), every: o.Every, share: o.Share}, nil
}

// recognise lets the network look at the picture, if it is its turn, and counts
// what stands in the zones.
func (c *Counter) recognise(now time.Duration) {
	e := c.eye
	e.seen = nil
	if !e.due(now) {
		return
	}
	picture := c.arena.picture
	for i, hidden := range e.blind {
		if hidden {
			picture[i] = padding
		}
	}
	begun := time.Now()
	e.seen = e.seer.see(picture, c.o.Width, c.o.Height, doubtful)
	e.latest = e.seen
	e.cost += 0.2 * (time.Since(begun).Seconds() - e.cost)
	c.sight(e.seen)
}

// due reports whether it is the network's turn, and keeps its pace.
func (e *eye) due(now time.Duration) bool {
	every := e.every
	if e.share > 0 {
		every = max(every, time.Duration(e.cost/e.share*float64(time.Second)))
	}
	since := now - e.looked
	if e.looks > 0 && since < every-every/8 {
		return false
	}
	if e.looks > 0 && since > 0 {
		if e.looks == 1 {
			e.pace = since.Seconds()
		}
		e.pace += 0.1 * (since.Seconds() - e.pace)
	}
	e.looks++
	e.looked = now
	return true
}

// Pace is how many pictures a second the network has looked at of late; 0
// where there is none or it is too early to tell.
func (c *Counter) Pace() float64 {
	const early = 20 // looks
	if c.eye == nil || c.eye.looks < early {
		return 0
	}
	return 1 / c.eye.pace
}

// sight counts what is seen in each zone, moving or standing.
func (c *Counter) sight(seen []detection) {
	for i, z := range c.o.Zones {
		c.zones[i].Count = [counting.Classes]int{}
		for j := range seen {
			d := &seen[j]
			class, ok := c.counted(d.class)
			g := d.box.ground()
			if ok && d.here && z.Polygon.Contains(counting.Point{X: g.x / float64(c.o.Width), Y: g.y / float64(c.o.Height)}) {
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
