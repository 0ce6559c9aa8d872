package vision

import (
	"math"
	"time"

	"kerb/counting"
	"kerb/counting/vision/health"
)

// The phases of a look that the workers share.
const (
	phaseReduce = iota
	phaseBackground
	phaseFilter
)

// Times and noise of the blob detector, translated into looks and levels by
// adaptRates. Chosen by hand and tuned on the eight development clips
// (test/footage).
const (
	maxGap = 1.5 // seconds without a picture after which tracks are forgotten

	intervalGain = 0.2 // weight of the latest interval in the mean
	noiseGain    = 0.1 // weight of the latest look in the noise

	trustSeconds    = 0.6 // a background must hold before a difference from it counts
	activitySeconds = 0.5 // a change is remembered
	minCandSeconds  = 0.5 // a candidate holds at least
	maxCandSeconds  = 2.5 // a candidate that held so long replaces any background
	peelSeconds     = 0.5 // a candidate holds on a ghost's edge
	memorySeconds   = 8   // the background is averaged over
	maxRateLooks    = 250 // below maxCount, so that counters of looks reach it

	differenceFloor = 7   // levels: least difference from the background that counts,
	differenceNoise = 2.5 // and so many times the noise on top
)

// runBand runs one phase on one of so many bands of rows.
func (c *Counter) runBand(phase, band, bands int) {
	y0, y1 := c.h*band/bands, c.h*(band+1)/bands
	switch phase {
	case phaseReduce:
		c.reduceRows(y0, y1)
	case phaseBackground:
		c.arena.updateBackground(c.w, y0, y1, &c.rates)
	case phaseFilter:
		c.arena.filterMask(c.w, c.h, y0, y1)
	}
}

// processPicture runs one look, dt seconds after the look before. A look is the processing
// of one picture; pictures that follow each other faster are skipped.
//
// Motion reduces the picture to a grid some 200 pixels wide, stabilizes it, and compares it
// with a background that is learnt within seconds (background.go). Pixels that differ and
// move form blobs, which are cut where two objects touch (blobs.go, split.go). The blob
// tracker predicts boxes by the shift of their own pixels and corrects them by blobs
// (blobtracker.go, blobmatch.go, blobupdate.go). The class follows from size on the ground,
// whose scale is learnt from the objects (scale.go). The path of an object's ground point is
// compared with the lines (lineside.go). A network looks at some of the pictures
// (neuralpath.go), its detections are tracked with Kalman filters (nettracker.go), and
// fusion.go collects
// the crossings of both, and candidate.go decides, a little later, which of them count.
//
// The order matters: tracks are predicted with the old mask, then the background and the
// mask are renewed, blobs are assigned, and the rest of the mask starts tracks.
func (c *Counter) processPicture(now time.Duration, dt float64) {
	c.lastLook = now
	c.looks++
	if c.network != nil && c.o.FollowMax <= 0 {
		c.processAlone(now, dt)
		return
	}
	a, t := c.arena, c.motion
	c.reducePicture(dt)
	if c.looks == 1 {
		c.processFirst(now)
		return
	}
	if dt > maxGap {
		t.forgetTracks()
		dt = maxGap
	}
	c.adaptRates(dt)
	a.stabilize(c.w, c.h)
	a.followExposure()
	t.predictTracks(a, dt)
	if c.network != nil {
		c.network.advectTracks(a, now, dt)
	}
	c.learnBackground()
	c.workers.runBands(phaseFilter)
	c.findBlobs()
	if c.o.FollowMax <= 0 {
		c.countBlobPresence()
		return
	}
	t.matchBlobs(c.labeller.blobs, now, dt)
	t.eraseExplained(a)
	c.findBlobs()
	t.startTracks(c.labeller.blobs, now)
	t.detectCrossings(now)
	if c.network != nil {
		c.fuseCrossings(now)
	} else {
		c.countMotionCrossings()
	}
	t.mergeVehicleParts()
	t.dropGhosts(a, now)
	t.retireTracks(now, c.o.FollowMax)
	t.markCovered(a, now)
	if c.network == nil {
		c.countTrackedPresence(now)
	}
}

// processAlone runs a look of a network that counts zones without tracking: one
// picture is enough for it. Motion runs only where a sketch or a health check needs
// its planes.
func (c *Counter) processAlone(now time.Duration, dt float64) {
	if c.o.Sketcher != nil || c.o.Health != nil {
		c.reducePicture(dt)
	}
	if c.o.Sketcher != nil {
		c.keepBackground(dt)
	}
	c.detectObjects(now)
	if e := c.network; e.detections != nil {
		c.countDetectedPresence(e.detections, now)
	}
}

// processFirst runs the first look: it initialises the background and the network's
// tracks.
func (c *Counter) processFirst(now time.Duration) {
	c.arena.initBackground()
	if c.network != nil {
		c.detectObjects(now)
		c.network.tracker.updateTracks(c.network.detections, now, c.o.FollowMax)
		c.countDetectedPresence(c.network.detections, now)
	}
}

// findBlobs labels the mask and cuts blobs that hold several objects.
func (c *Counter) findBlobs() {
	c.labeller.labelMask(c.arena, c.w, c.h)
	c.splitter.splitBlobs(c.labeller, c.arena, c.w, c.motion.scale)
}

// countMotionCrossings counts the blob tracks' crossings, where there is no
// network.
func (c *Counter) countMotionCrossings() {
	for _, p := range c.motion.crossings {
		if class, ok := c.likeliestClass(p.track); ok {
			c.crossings = append(c.crossings, counting.Crossing{
				Stream: c.o.Lines[p.line].ID, Class: class, Dir: p.dir, At: p.at, Speed: c.trackSpeed(&p.track.trail),
			})
		}
	}
}

// trackSpeed is the speed of a track in m/s; 0: the street is not measured, or the track
// too young.
func (c *Counter) trackSpeed(t *trail) float64 {
	if !c.measured {
		return 0
	}
	v, ok := t.speed(c.ground)
	if !ok {
		return 0
	}
	return v
}

// streetGround is the ground as it is measured, or else as it is learnt.
func (c *Counter) streetGround() counting.Ground {
	if c.measured {
		return c.ground
	}
	s := c.motion.scale
	return counting.LevelGround(s.horizon/float64(c.h), s.cameraHeight, float64(c.w)/float64(c.h))
}

// reducePicture reduces the picture to the grid and checks the camera's health on
// it, before anything corrects it.
func (c *Counter) reducePicture(dt float64) {
	a := c.arena
	a.now, a.before = a.before, a.now
	c.workers.runBands(phaseReduce)
	if c.o.Health == nil {
		return
	}
	p := health.Picture{Width: c.w, Height: c.h, Now: a.now, Blind: c.masked}
	if c.looks > 1 {
		p.Before = a.before
	} else {
		dt = 0
	}
	c.fault = c.o.Health.JudgePicture(p, time.Duration(dt*float64(time.Second)))
}

// learnBackground updates the background from the picture. The old background goes
// to bgBefore, which the new one starts from.
func (c *Counter) learnBackground() {
	c.arena.bgBefore, c.arena.bgHi = c.arena.bgHi, c.arena.bgBefore
	c.workers.runBands(phaseBackground)
}

// adaptRates measures the interval between looks and the noise, and sets the rates
// by them.
func (c *Counter) adaptRates(dt float64) {
	if c.interval == 0 {
		c.interval = dt
	}
	c.interval += intervalGain * (dt - c.interval)
	c.noise += noiseGain * (c.arena.medianChange() - c.noise)
	looks := func(seconds float64) int32 {
		return int32(min(max(math.Round(seconds/c.interval), 1), maxRateLooks))
	}
	level := int32((1 << deviationBits) * (differenceFloor + differenceNoise*c.noise))
	c.arena.maxActivity = uint8(looks(activitySeconds))
	c.rates = rates{
		minAge:        looks(trustSeconds),
		activity:      c.arena.maxActivity,
		minCandAge:    looks(minCandSeconds),
		maxCandAge:    looks(maxCandSeconds),
		peelAge:       looks(peelSeconds),
		memory:        looks(memorySeconds),
		minDifference: level,
		minChange:     level,
	}
}
