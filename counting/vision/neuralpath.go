package vision

import (
	"slices"
	"time"

	"kerb/counting"
)

// objectDetector finds objects in one picture of w×h luma bytes, those that score
// at least minScore.
type objectDetector interface {
	detect(picture []byte, w, h int, minScore float64) []detection
}

// Measured times are smoothed over so many looks of the network. Chosen by hand.
const (
	costGain     = 0.2 // weight of the latest look
	networkGain  = 0.1 // weight of the latest interval
	rateMinLooks = 20  // before which a rate is not told
)

// neuralPath detects objects with a network, in some of the pictures, and tracks
// them by geometry. In the pictures between, motion advects its tracks.
type neuralPath struct {
	detector         objectDetector
	tracker          *netTracker
	masked           []bool        // pixels of the picture that masks cover; nil: none
	gridScale        float64       // pixels of the picture per pixel of the grid, along a side
	minInterval      time.Duration // least time between two looks of the network
	maxShare         float64       // most of one core's time that they may take; 0: any
	cost             float64       // seconds per look, smoothed
	interval         float64       // seconds from one to the next, smoothed
	looks            int
	lastLook         time.Duration
	detections       []detection              // in this picture; nil: the network did not look
	latestDetections []detection              // in the latest picture at which it did
	candidates       [maxCandidates]candidate // the latest crossings, as a ring
	candidateCount   int
}

func newNeuralPath(d objectDetector, o *Opts, k int) *neuralPath {
	w, h := float64(o.Width), float64(o.Height)
	lines := make([]segment, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = newSegment(l, w, h)
	}
	return &neuralPath{
		detector: d, tracker: newNetTracker(lines, w, h), masked: maskPixels(o.Width, o.Height, o.Masks),
		gridScale: float64(k), minInterval: o.NetworkInterval, maxShare: o.NetworkShare,
	}
}

// detectObjects runs the network on the picture, if it is due, and counts the
// objects in the zones.
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
	e.cost += costGain * (time.Since(begun).Seconds() - e.cost)
}

// isDue reports whether the network looks at this picture, by its least interval
// and its share of a core, and measures its rate.
func (e *neuralPath) isDue(now time.Duration) bool {
	every := e.minInterval
	if e.maxShare > 0 {
		every = max(every, time.Duration(e.cost/e.maxShare*float64(time.Second)))
	}
	since := now - e.lastLook
	if e.looks > 0 && since < every-every/8 { // an eighth early: pictures do not come evenly
		return false
	}
	if e.looks > 0 && since > 0 {
		if e.looks == 1 {
			e.interval = since.Seconds()
		}
		e.interval += networkGain * (since.Seconds() - e.interval)
	}
	e.looks++
	e.lastLook = now
	return true
}

// NetworkRate is the mean number of pictures per second that the network has looked at of
// late. It is 0 without a network and before its twentieth look.
func (c *Counter) NetworkRate() float64 {
	if c.network == nil || c.network.looks < rateMinLooks {
		return 0
	}
	return 1 / c.network.interval
}

// countDetectedPresence counts the detections in each zone, moving or standing. The class
// of one that is tracked is decided when it is first present, and stays: seen as several
// classes, one after the other, one object would change the numbers of each.
func (c *Counter) countDetectedPresence(found []detection, now time.Duration) {
	c.clearPresence()
	ground := c.streetGround()
	for j := range found {
		d := &found[j]
		class, ok := c.countableClass(d.standingClass())
		if !ok || !d.present {
			continue
		}
		g := d.box.groundPoint()
		p := counting.Point{X: g.x / float64(c.o.Width), Y: g.y / float64(c.o.Height)}
		c.addPresenceAt(p, class, d.track != nil && d.track.trail.stands(ground, now))
	}
}

// standingClass returns the class of a detection that is present in a zone: that of its
// track, where there is one.
func (d *detection) standingClass() counting.Class {
	k := d.track
	if k == nil || !d.present && !k.stands {
		return d.class
	}
	if !k.stands {
		k.standsAs, k.stands = d.class, true
	}
	return k.standsAs
}

// countableClass is the class as which an object may be counted: itself or, for a
// kind of vehicle, vehicle. It reports false if neither may.
func (c *Counter) countableClass(class counting.Class) (counting.Class, bool) {
	if slices.Contains(c.o.Classes, class) {
		return class, true
	}
	class = class.WithoutSplit()
	return class, slices.Contains(c.o.Classes, class)
}
