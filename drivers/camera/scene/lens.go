package scene

import "math"

// lens is what lies between the street and the bytes: a camera that shakes,
// a sensor that is noisy, a compression that is coarse.
type lens struct {
	cond   *Conditions
	chance chance
	now    float64
	jolt   [2]float64 // share of the height; dies away
	swing  float64    // seconds since the last jolt
	x, y   float64    // the present displacement, share of the height
	sx, sy int        // where the last picture began on the canvas, 1/256 pixel
	noise  []int8     // normal numbers, deviation 32
	gain   [256]int32 // deviation of a pixel of that luma, 1/256 grey level
	press  press
}

const noiseSize = 1 << 15

func newLens(seed uint64, c *Conditions) lens {
	l := lens{cond: c, chance: chance(mix(seed ^ 0x1e75)), swing: 100}
	l.now = l.chance.between(0, 600)
	if c.Noise > 0 {
		l.noise = make([]int8, noiseSize)
		for i := range l.noise {
			l.noise[i] = int8(clamp(math.Floor(float64(32*l.chance.bell())), -127, 127))
		}
	}
	// Shot noise grows with the root of the light, read noise does not: at
	// mid-grey both together are c.Noise.
	for v := range l.gain {
		l.gain[v] = int32(float64(256 * c.Noise * math.Sqrt(0.4+float64(0.6*float64(v)/128))))
	}
	l.press.set(c.Blocks)
	l.pass(0)
	return l
}

// pass moves on by dt seconds.
func (l *lens) pass(dt float64) {
	l.now += dt
	l.swing += dt
	c := &l.chance
	if c.yes(float64(l.cond.Jolts * dt / 60)) {
		l.swing = 0
		l.jolt = [2]float64{float64(c.sign() * c.between(0.002, 0.008)), float64(c.sign() * c.between(0.004, 0.012))}
	}
	gust := 0.6 + float64(0.4*sin(l.now/23))
	a := float64(l.cond.Sway * gust)
	l.x = float64(a * (float64(0.6*wave(l.now, 0.71)) + float64(0.4*wave(l.now, 1.93)) + float64(0.15*c.bell())))
	l.y = float64(a * (float64(0.5*wave(l.now, 0.83)) + float64(0.35*wave(l.now, 2.31)) + float64(0.15*c.bell())))
	if l.swing < 2 {
		fade := float64((1 - l.swing/2) * (1 - l.swing/2))
		wave := float64(fade * cos(float64(l.swing*3.1)))
		l.x += float64(l.jolt[0] * wave)
		l.y += float64(l.jolt[1] * wave)
	}
}

// wave swings f times a second.
func wave(t, f float64) float64 { return sin(float64(t * f)) }

// take delivers the canvas as the camera would.
func (l *lens) take(dst []byte, w, h, margin int, c *canvas) {
	sx := int(math.Floor(float64(256*clamp(float64(l.x*float64(h)), float64(1-margin), float64(margin-2))))) + margin<<8
	sy := int(math.Floor(float64(256*clamp(float64(l.y*float64(h)), float64(1-margin), float64(margin-2))))) + margin<<8
	l.sx, l.sy = sx, sy
	fx, fy := int32(sx&255), int32(sy&255)
	for y := range h {
		top := c.pix[(y+sy>>8)*c.w+sx>>8:][:w+1]
		bottom := c.pix[(y+sy>>8+1)*c.w+sx>>8:][:w+1]
		out := dst[y*w : y*w+w]
		if fx == 0 && fy == 0 {
			copy(out, top)
		} else {
			blend(out, top, bottom, fx, fy)
		}
		if l.noise != nil {
			l.grain(out)
		}
	}
	if l.cond.Blocks > 0 {
		l.press.apply(dst, w, h)
	}
}

// blend shifts by parts of a pixel, 1/256.
func blend(out, top, bottom []uint8, fx, fy int32) {
	top, bottom = top[:len(out)+1], bottom[:len(out)+1]
	last := int32(top[0])*(256-fy) + int32(bottom[0])*fy
	for x := range out {
		next := int32(top[x+1])*(256-fy) + int32(bottom[x+1])*fy
		out[x] = uint8((last*(256-fx) + next*fx + 1<<15) >> 16)
		last = next
	}
}

// grain adds noise to a row, from a place of the table that nobody foresees.
func (l *lens) grain(row []uint8) {
	r := l.chance.next()
	at := uint32(r)
	for x, p := range row {
		n := int32(l.noise[(at+uint32(x))&(noiseSize-1)])
		v := int32(p) + (n*l.gain[p]+1<<12)>>13
		row[x] = uint8(max(0, min(255, v)))
	}
}
