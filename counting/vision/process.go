package vision

import (
	"math"
	"time"

	"kerb/counting"
	"kerb/counting/vision/health"
)

// The phases of a look that a crew shares.
const (
	phaseReduce = iota
	phaseBackground
	phaseFilter
)

// runBand does one phase on one of so many bands of rows.
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

// processPicture takes the picture in, dt seconds after the one before it.
func (c *Counter) processPicture(now time.Duration, dt float64) {
	a, f := c.arena, c.blobs
	c.lastLook = now
	c.looks++
	if c.network != nil && c.o.FollowMax <= 0 {
		if c.o.Sketcher != nil || c.o.Health != nil {
			c.reducePicture(dt)
		}
		if c.o.Sketcher != nil {
			c.keepBackground(dt)
		}
		c.detectObjects(now) // where nobody is followed, one picture tells all
		return
	}
	c.reducePicture(dt)
	if c.looks == 1 {
		a.initBackground()
		if c.network != nil {
			c.detectObjects(now)
			c.network.tracker.updateTracks(c.network.detections, now, c.o.FollowMax)
		}
		return
	}
	if dt > 1.5 { // a gap: what was followed may be anywhere
		f.forgetTracks()
		dt = 1.5
	}
	c.adaptRates(dt)
	a.stabilize(c.w, c.h)
	a.followExposure()
	f.predictTracks(a, dt)
	if c.network != nil {
		c.network.advectTracks(a, now, dt)
	}
	c.learnBackground()
	c.workers.runBands(phaseFilter)
	c.labeller.labelMask(a, c.w, c.h)
	c.splitter.splitBlobs(c.labeller, a, c.w, f.scale)
	if c.o.FollowMax <= 0 {
		c.countBlobPresence()
		return
	}
	f.matchBlobs(c.labeller.blobs, now, dt)
	f.eraseExplained(a)
	c.labeller.labelMask(a, c.w, c.h)
	c.splitter.splitBlobs(c.labeller, a, c.w, f.scale)
	f.startTracks(c.labeller.blobs, now)
	f.detectCrossings(now)
	if c.network != nil {
		c.fuseCrossings(now)
	} else {
		for _, p := range f.crossings {
			if class, ok := c.likeliestClass(p.track); ok {
				c.crossings = append(c.crossings, counting.Crossing{Stream: c.o.Lines[p.line].ID, Class: class, Dir: p.dir, At: p.at})
			}
		}
	}
	f.mergeVehicleParts()
	f.dropGhosts(a, now)
	f.retireTracks(now, c.o.FollowMax)
	f.markCovered(a, now)
	if c.network == nil {
		c.countTrackedPresence()
	}
}

// reducePicture reduces the picture and judges it, before anything corrects it.
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
	c.fault = c.o.Health.Look(p, time.Duration(dt*float64(time.Second)))
}

// learnBackground lets the models take the picture in. What was the background is what
// they begin from.
func (c *Counter) learnBackground() {
	c.arena.bgBefore, c.arena.bgHi = c.arena.bgHi, c.arena.bgBefore
	c.workers.runBands(phaseBackground)
}

// adaptRates measures the pace and the noise and sets the tempo by them.
func (c *Counter) adaptRates(dt float64) {
	if c.interval == 0 {
		c.interval = dt
	}
	c.interval += 0.2 * (dt - c.interval)
	c.noise += 0.1 * (c.arena.medianChange() - c.noise)
	looks := func(seconds float64) int32 { return int32(min(max(math.Round(seconds/c.interval), 1), 250)) }
	level := int32(8 * (7 + 2.5*c.noise))
	c.arena.maxActivity = uint8(looks(0.5))
	c.rates = rates{
		minAge:        looks(0.6),
		activity:      c.arena.maxActivity,
		minCandAge:    looks(0.5),
		maxCandAge:    looks(2.5),
		peelAge:       looks(0.5),
		memory:        looks(8),
		minDifference: level,
		minChange:     level,
	}
}

// reduceRows averages k×k pixels of the picture into each of the grid's rows
// [y0, y1), masks applied.
func (c *Counter) reduceRows(y0, y1 int) {
	k, stride := c.k, c.o.Width
	for y := y0; y < y1; y++ {
		out := c.arena.now[y*c.w : y*c.w+c.w]
		rows := c.arena.picture[y*k*stride : (y+1)*k*stride]
		if k == 2 {
			halveRow(out, rows[:stride], rows[stride:])
		} else {
			shrinkRow(out, rows, k, stride)
		}
		if c.masked != nil {
			for x, b := range c.masked[y*c.w : y*c.w+c.w] {
				if b {
					out[x] = 0
				}
			}
		}
	}
}

func halveRow(out, up, low []byte) {
	up, low = up[:2*len(out)], low[:2*len(out)]
	for x := range out {
		i := 2 * x
		out[x] = uint8((uint32(up[i]) + uint32(up[i+1]) + uint32(low[i]) + uint32(low[i+1]) + 2) >> 2)
	}
}

func shrinkRow(out, rows []byte, k, stride int) {
	n := uint32(k * k)
	for x := range out {
		sum := n / 2
		for j := range k {
			for _, v := range rows[j*stride+x*k:][:k] {
				sum += uint32(v)
			}
		}
		out[x] = uint8(sum / n)
	}
}
