package vision

import (
	"slices"
	"time"

	"kerb/counting"
)

// A objectDetector finds objects in one picture of w×h luma bytes.
type objectDetector interface {
	detect(picture []byte, w, h int, least float64) []detection
}

// An neuralPath finds objects with a network, picture by picture, and follows them by
// geometry. Between the pictures that it sees, motion carries its tracks on.
type neuralPath struct {
	detector         objectDetector
	tracker          *netTracker
	masked           []bool        // pixels of the picture that masks cover; nil: none
	gridScale        float64       // pixels of the picture to one of the grid's
	minInterval      time.Duration // least time between two of its looks
	maxShare         float64       // most of a core's time that they may take; 0: any
	cost             float64       // seconds a look takes, smoothed
	interval         float64       // seconds from one to the next, smoothed
	looks            int
	lastLook         time.Duration
	detections       []detection   // in the picture; nil: the network did not look
	latestDetections []detection   // in the latest picture at which it did
	candidates       [64]candidate // what crossed of late, as a ring
	candidateCount   int
}

func newNeuralPath(o *Opts, k int) (*neuralPath, error) {
	s, err := newNetDetector(o.Network, o.Width, o.Height)
	if err != nil {
		return nil, err
	}
	w, h := float64(o.Width), float64(o.Height)
	lines := make([]segment, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = newSegment(l, w, h)
	}
	return &neuralPath{detector: s, tracker: newNetTracker(lines, w, h), masked: maskPixels(o.Width, o.Height, o.Masks), gridScale: float64(k), minInterval: o.Every, maxShare: o.Share}, nil
}

// detectObjects lets the network look at the picture, if it is its turn, and counts
// what stands in the zones.
func (c *Counter) detectObjects(now time.Duration) {
	e := c.network
	e.detections = nil
	if !e.isDue(now) {
		return
	}
	picture := c.arena.picture
	for i, hidden := range e.masked {
		if hidden {
			picture[i] = paddingGrey
		}
	}
	begun := time.Now()
	e.detections = e.detector.detect(picture, c.o.Width, c.o.Height, lowScore)
	e.latestDetections = e.detections
	e.cost += 0.2 * (time.Since(begun).Seconds() - e.cost)
	c.countDetectedPresence(e.detections)
}

// isDue reports whether it is the network's turn, and keeps its pace.
func (e *neuralPath) isDue(now time.Duration) bool {
	every := e.minInterval
	if e.maxShare > 0 {
		every = max(every, time.Duration(e.cost/e.maxShare*float64(time.Second)))
	}
	since := now - e.lastLook
	if e.looks > 0 && since < every-every/8 {
		return false
	}
	if e.looks > 0 && since > 0 {
		if e.looks == 1 {
			e.interval = since.Seconds()
		}
		e.interval += 0.1 * (since.Seconds() - e.interval)
	}
	e.looks++
	e.lastLook = now
	return true
}

// Pace is how many pictures a second the network has looked at of late; 0
// where there is none or it is too early to tell.
func (c *Counter) Pace() float64 {
	const early = 20 // looks
	if c.network == nil || c.network.looks < early {
		return 0
	}
	return 1 / c.network.interval
}

// countDetectedPresence counts what is seen in each zone, moving or standing.
func (c *Counter) countDetectedPresence(seen []detection) {
	for i, z := range c.o.Zones {
		c.zones[i].Count = [counting.Classes]int{}
		for j := range seen {
			d := &seen[j]
			class, ok := c.countableClass(d.class)
			g := d.box.groundPoint()
			if ok && d.present && z.Polygon.Contains(counting.Point{X: g.x / float64(c.o.Width), Y: g.y / float64(c.o.Height)}) {
				c.zones[i].Count[class]++
			}
		}
	}
}

// countableClass is the class as which an object may be counted: vehicles whole or
// split, as asked for.
func (c *Counter) countableClass(class counting.Class) (counting.Class, bool) {
	if slices.Contains(c.o.Classes, class) {
		return class, true
	}
	class = class.Coarse()
	return class, slices.Contains(c.o.Classes, class)
}
