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
	phaseModel
	phaseFilter
)

// band does one phase on one of so many bands of rows.
func (c *Counter) band(phase, band, bands int) {
	y0, y1 := c.h*band/bands, c.h*(band+1)/bands
	switch phase {
	case phaseReduce:
		c.reduce(y0, y1)
	case phaseModel:
		c.arena.look(c.w, y0, y1, &c.tempo)
	case phaseFilter:
		c.arena.filter(c.w, c.h, y0, y1)
	}
}

// look takes the picture in, dt seconds after the one before it.
func (c *Counter) look(now time.Duration, dt float64) {
	a, f := c.arena, c.follow
	c.looked = now
	c.looks++
	if c.eye != nil && c.o.FollowMax <= 0 {
		if c.o.Sketcher != nil || c.o.Health != nil {
			c.take(dt)
		}
		if c.o.Sketcher != nil {
			c.background(dt)
		}
		c.recognise(now) // where nobody is followed, one picture tells all
		return
	}
	c.take(dt)
	if c.looks == 1 {
		a.begin()
		if c.eye != nil {
			c.recognise(now)
			c.eye.tracker.update(c.eye.seen, now, c.o.FollowMax)
		}
		return
	}
	if dt > 1.5 { // a gap: what was followed may be anywhere
		f.reset()
		dt = 1.5
	}
	c.adapt(dt)
	a.steady(c.w, c.h)
	a.expose()
	f.predict(a, dt)
	if c.eye != nil {
		c.eye.carry(a, now, dt)
	}
	c.learn()
	c.crew.all(phaseFilter)
	c.labels.find(a, c.w, c.h)
	c.split.refine(c.labels, a, c.w, f.scale)
	if c.o.FollowMax <= 0 {
		c.standing()
		return
	}
	f.match(c.labels.blobs, now, dt)
	f.erase(a)
	c.labels.find(a, c.w, c.h)
	c.split.refine(c.labels, a, c.w, f.scale)
	f.births(c.labels.blobs, now)
	f.cross(now)
	if c.eye != nil {
		c.compare(now)
	} else {
		for _, p := range f.passed {
			if class, ok := c.class(p.object); ok {
				c.crossings = append(c.crossings, counting.Crossing{Stream: c.o.Lines[p.line].ID, Class: class, Dir: p.dir, At: p.at})
			}
		}
	}
	f.fuse()
	f.ghosts(a, now)
	f.retire(now, c.o.FollowMax)
	f.claim(a, now)
	if c.eye == nil {
		c.present()
	}
}

// take reduces the picture and judges it, before anything corrects it.
func (c *Counter) take(dt float64) {
	a := c.arena
	a.now, a.before = a.before, a.now
	c.crew.all(phaseReduce)
	if c.o.Health == nil {
		return
	}
	p := health.Picture{Width: c.w, Height: c.h, Now: a.now, Blind: c.blind}
	if c.looks > 1 {
		p.Before = a.before
	} else {
		dt = 0
	}
	c.ill = c.o.Health.Look(p, time.Duration(dt*float64(time.Second)))
}

// learn lets the models take the picture in. What was the background is what
// they begin from.
func (c *Counter) learn() {
	c.arena.bgWas, c.arena.bgHi = c.arena.bgHi, c.arena.bgWas
	c.crew.all(phaseModel)
}

// adapt measures the pace and the noise and sets the tempo by them.
func (c *Counter) adapt(dt float64) {
	if c.pace == 0 {
		c.pace = dt
	}
	c.pace += 0.2 * (dt - c.pace)
	c.noise += 0.1 * (c.arena.noise() - c.noise)
	looks := func(seconds float64) int32 { return int32(min(max(math.Round(seconds/c.pace), 1), 250)) }
	level := int32(8 * (7 + 2.5*c.noise))
	c.arena.linger = uint8(looks(0.5))
	c.tempo = tempo{
		believe: looks(0.6),
		linger:  c.arena.linger,
		least:   looks(0.5),
		most:    looks(2.5),
		peel:    looks(0.5),
		settle:  looks(8),
		level:   level,
		motion:  level,
	}
}

// reduce averages k×k pixels of the picture into each of the grid's rows
// [y0, y1), masks applied.
func (c *Counter) reduce(y0, y1 int) {
	k, stride := c.k, c.o.Width
	for y := y0; y < y1; y++ {
		out := c.arena.now[y*c.w : y*c.w+c.w]
		rows := c.arena.picture[y*k*stride : (y+1)*k*stride]
		if k == 2 {
			halve(out, rows[:stride], rows[stride:])
		} else {
			shrink(out, rows, k, stride)
		}
		if c.blind != nil {
			for x, b := range c.blind[y*c.w : y*c.w+c.w] {
				if b {
					out[x] = 0
				}
			}
		}
	}
}

func halve(out, up, low []byte) {
	up, low = up[:2*len(out)], low[:2*len(out)]
	for x := range out {
		i := 2 * x
		out[x] = uint8((uint32(up[i]) + uint32(up[i+1]) + uint32(low[i]) + uint32(low[i+1]) + 2) >> 2)
	}
}

func shrink(out, rows []byte, k, stride int) {
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
