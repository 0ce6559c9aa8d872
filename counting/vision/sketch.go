package vision

import (
	"math"

	"kerb/counting"
)

// Sketcher draws sketches of a Counter's view for the aiming page. A Counter without one,
// as in every counting agent, cannot draw.
//
// It takes its blocks from the background only, from pixels that have held for some
// seconds, and averages them over many more: a person who lingers leaves a trace of a few
// shades in blocks of a sixty-fourth of the picture. Under a moving object a block stays
// as it was. One Sketcher may serve several Counters of one camera in turn: its blocks
// are kept. Its zero value knows no block.
type Sketcher struct {
	level [counting.SketchBlocks * counting.SketchBlocks]float32 // mean level plus 1; 0: not known
}

// Numbers of the sketch, by hand.
const (
	minHeld           = 2.0  // seconds that a pixel's background must have held,
	minHeldLooks      = 2    // and looks
	blockTimeConstant = 20.0 // seconds over which a block follows the street

	viewStep    = 3   // pixels from one that the view measures to the next
	brightLevel = 250 // levels: from here a pixel is burnt out
	darkLevel   = 20  // levels: to here a pixel is black
	litShare    = 2   // half of a cell's pixels make it lit
	hardlyLit   = 4   // an object with less than a quarter of its cells lit is drawn as a box
)

// keepBackground updates the background for the sketch, beside a network that needs
// none itself.
func (c *Counter) keepBackground(dt float64) {
	if c.looks == 1 {
		c.arena.initBackground()
		return
	}
	c.adaptRates(min(dt, maxGap))
	c.learnBackground()
}

// DrawSketch fills into with a sketch of the view after the latest Step. Without a Sketcher
// it empties into and reports false.
func (c *Counter) DrawSketch(into *counting.Sketch) bool {
	k := c.o.Sketcher
	*into = counting.Sketch{}
	if k == nil {
		return false
	}
	into.Width, into.Height = uint16(c.w), uint16(c.h)
	into.Block = uint8((max(c.w, c.h) + counting.SketchBlocks - 1) / counting.SketchBlocks)
	into.Cell = (into.Block + 1) / 2
	c.describeView(&into.View)
	if c.looks < 2 {
		return true
	}
	c.drawBlocks(k, into)
	if c.network != nil {
		c.drawBoxes(into)
	} else {
		c.drawShapes(into)
	}
	return true
}

// drawBlocks draws the background, in blocks.
func (c *Counter) drawBlocks(k *Sketcher, s *counting.Sketch) {
	b, cols := int(s.Block), s.BlockColumns()
	held := uint8(min(max(minHeld/c.interval, minHeldLooks), maxRateLooks))
	follow := float32(min(c.interval/blockTimeConstant, 1))
	for i := range s.BlockRows() * cols {
		mean, masked := c.meanBlock(i%cols*b, i/cols*b, b, held)
		switch {
		case masked:
			k.level[i] = 0
			s.Blocks[i] = counting.BlockMasked
			continue
		case mean >= 0 && k.level[i] == 0:
			k.level[i] = mean + 1
		case mean >= 0:
			k.level[i] += follow * (mean + 1 - k.level[i])
		}
		if k.level[i] > 0 {
			s.Blocks[i] = 1 + uint8(k.level[i]-1)/(256/counting.SketchGreys)
		}
	}
}

// meanBlock is the mean background of b×b pixels from (x, y) on, or -1 if a pixel in it
// moves or has not held for long enough. masked reports whether masks cover
// at least half of it.
func (c *Counter) meanBlock(x, y, b int, held uint8) (mean float32, masked bool) {
	a, sum, n, blind := c.arena, 0, 0, 0
	for yy := y; yy < min(y+b, c.h); yy++ {
		for i := yy*c.w + x; i < yy*c.w+min(x+b, c.w); i++ {
			switch {
			case c.masked != nil && c.masked[i]:
				blind++
			case a.age[i] < held || a.evidence[i] != 0 || a.activity[i] > 0:
				return -1, false
			default:
				sum += int(a.bgHi[i])
				n++
			}
		}
	}
	if n <= blind {
		return -1, blind > 0
	}
	return float32(sum) / float32(n), false
}

// drawShapes draws the silhouettes of moving objects from the pixels that differ from the
// background, filled with the class alone.
func (c *Counter) drawShapes(s *counting.Sketch) {
	c.workers.runBands(phaseFilter) // again: tracking has erased what it explains
	cell, cols := int(s.Cell), s.CellColumns()
	for i := range s.CellRows() * cols {
		if c.isCellLit(i%cols*cell, i/cols*cell, cell) {
			s.Cells[i] = counting.CellNothing
		}
	}
	for i := range c.motion.tracks {
		o := &c.motion.tracks[i]
		if !o.live || o.hits < confirmHits {
			continue
		}
		is := uint8(counting.CellNothing)
		if class, ok := c.likeliestClass(o); ok {
			is = counting.CellClass + uint8(class)
		}
		if out, ok := addOutline(s, o.box, 1, is); ok {
			fillSilhouette(s, out)
		}
	}
}

// isCellLit reports whether at least half of a cell's pixels differ from the background.
func (c *Counter) isCellLit(x, y, cell int) bool {
	n, all := 0, 0
	for yy := y; yy < min(y+cell, c.h); yy++ {
		for xx := x; xx < min(x+cell, c.w); xx++ {
			n += int(c.arena.mask[yy*c.w+xx])
			all++
		}
	}
	return litShare*n >= all
}

// fillSilhouette sets the cells of an object to its class, in each row from the first
// lit cell to the last: gaps, where the object looks like the street behind it, must not
// show. An object with few lit cells, as it stands or is hidden, is drawn as its box.
func fillSilhouette(s *counting.Sketch, o counting.Outline) {
	cell, cols := int(s.Cell), s.CellColumns()
	x0, x1 := int(o.X0)/cell, (int(o.X1)+cell-1)/cell
	y0, y1 := int(o.Y0)/cell, (int(o.Y1)+cell-1)/cell
	lit := 0
	for y := y0; y < y1; y++ {
		for _, c := range s.Cells[y*cols+x0 : y*cols+x1] {
			if c != counting.CellClear {
				lit++
			}
		}
	}
	whole := hardlyLit*lit < (x1-x0)*(y1-y0)
	for y := y0; y < y1; y++ {
		row := s.Cells[y*cols+x0 : y*cols+x1]
		from, to := 0, len(row)
		for !whole && from < to && row[from] == counting.CellClear {
			from++
		}
		for !whole && from < to && row[to-1] == counting.CellClear {
			to--
		}
		for i := from; i < to; i++ {
			row[i] = o.Value
		}
	}
}

// drawBoxes draws the boxes of the network's tracks, or of its detections where no object
// may be tracked.
func (c *Counter) drawBoxes(s *counting.Sketch) {
	if c.o.FollowMax <= 0 {
		for i := range c.network.latestDetections {
			if d := &c.network.latestDetections[i]; d.present {
				c.drawBox(s, d.box, d.class)
			}
		}
		return
	}
	for i := range c.network.tracker.tracks {
		if t := &c.network.tracker.tracks[i]; t.live && (t.matched || t.isConfirmed()) {
			c.drawBox(s, t.box(), t.majorityClass())
		}
	}
}

// drawBox draws one box, in pixels of the picture, and fills its cells.
func (c *Counter) drawBox(s *counting.Sketch, b box, class counting.Class) {
	is := uint8(counting.CellNothing)
	if class, ok := c.countableClass(class); ok {
		is = counting.CellClass + uint8(class)
	}
	out, ok := addOutline(s, b, float64(c.k), is)
	if !ok {
		return
	}
	cell, cols := uint16(s.Cell), s.CellColumns()
	for y := out.Y0 / cell; y*cell < out.Y1; y++ {
		for x := out.X0 / cell; x*cell < out.X1; x++ {
			s.Cells[int(y)*cols+int(x)] = is
		}
	}
}

// addOutline adds an object to the sketch; k units of b are one grid pixel. It reports
// false for a box outside the picture.
func addOutline(s *counting.Sketch, b box, k float64, is uint8) (counting.Outline, bool) {
	clip := func(v float64, most uint16) uint16 { return uint16(min(max(math.Round(v/k), 0), float64(most))) }
	o := counting.Outline{X0: clip(b.x0, s.Width), Y0: clip(b.y0, s.Height), X1: clip(b.x1, s.Width), Y1: clip(b.y1, s.Height), Value: is}
	if o.X0 >= o.X1 || o.Y0 >= o.Y1 {
		return o, false
	}
	if int(s.N) < len(s.Objects) {
		s.Objects[s.N] = o
		s.N++
	}
	return o, true
}

// describeView fills v with the scale, the rate, the noise and the light of the view.
func (c *Counter) describeView(v *counting.View) {
	h, f := float64(c.h), c.motion.scale
	v.Horizon = float32(f.horizon / h)
	v.ScaleSlope = float32(h * float64(c.k) / f.cameraHeight)
	v.ScaleLogSD, v.ScaleMeasured = float32(f.unsure), f.fixed
	if c.interval > 0 {
		v.LooksPerSecond = float32(1 / c.interval)
	}
	v.Noise = float32(c.noise)
	sum, bright, dark, n := 0, 0, 0, 0
	for i := 0; i < len(c.arena.bgHi); i += viewStep {
		if c.masked != nil && c.masked[i] {
			continue
		}
		l := int(c.arena.bgHi[i])
		sum += l
		n++
		if l >= brightLevel {
			bright++
		}
		if l <= darkLevel {
			dark++
		}
	}
	if n > 0 {
		v.Mean, v.Bright, v.Dark = uint8(sum/n), uint8(100*bright/n), uint8(100*dark/n)
	}
}
