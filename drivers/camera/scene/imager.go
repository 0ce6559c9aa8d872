package scene

import "math"

// imager models the camera between the scene and the delivered bytes: a mount
// that shakes, a sensor with shot and read noise, and a lossy block codec.
type imager struct {
	cond             *Conditions
	rng              splitMix64
	now              float64
	jolt             [2]float64 // share of the height; dies away
	sinceJolt        float64    // seconds since the last jolt
	shiftX, shiftY   float64    // the present shift, share of the height
	originX, originY int        // where the last picture began on the canvas, 1/256 pixel
	noise            []int8     // normal numbers, deviation 32
	gain             [256]int32 // deviation of a pixel of that luma, 1/256 grey level
	codec            blockCodec
}

const (
	noiseTableSize = 1 << 15 // a power of two: addNoise masks with it
	joltTime       = 2       // s until a knock has died away; chosen by hand
	joltFrequency  = 3.1     // Hz of the oscillation after a knock; chosen by hand
)

// newImager prepares the tables of noise and compression.
func newImager(seed uint64, c *Conditions) imager {
	l := imager{cond: c, rng: splitMix64(mix64(seed ^ 0x1e75)), sinceJolt: 100}
	l.now = l.rng.floatIn(0, 600)
	if c.Noise > 0 {
		l.noise = make([]int8, noiseTableSize)
		for i := range l.noise {
			l.noise[i] = int8(clamp(math.Floor(float64(32*l.rng.normFloat())), -127, 127))
		}
	}
	// Shot noise grows with the root of the light, read noise does not: at
	// mid-grey both together are c.Noise.
	for v := range l.gain {
		l.gain[v] = int32(float64(256 * c.Noise * math.Sqrt(0.4+float64(0.6*float64(v)/128))))
	}
	l.codec.setSteps(c.Blocks)
	l.advanceTime(0)
	return l
}

// advanceTime moves the camera's shake on by dt seconds: sway in the wind (two
// sine waves and noise for each axis, stronger in gusts), and knocks that die
// away over joltTime as a damped oscillation.
func (l *imager) advanceTime(dt float64) {
	l.now += dt
	l.sinceJolt += dt
	c := &l.rng
	if c.trueWith(float64(l.cond.Jolts * dt / 60)) {
		l.sinceJolt = 0
		l.jolt = [2]float64{float64(c.randomSign() * c.floatIn(0.002, 0.008)), float64(c.randomSign() * c.floatIn(0.004, 0.012))}
	}
	gust := 0.6 + float64(0.4*sin(l.now/23))
	a := float64(l.cond.Sway * gust)
	l.shiftX = float64(a * (float64(0.6*sineAt(l.now, 0.71)) + float64(0.4*sineAt(l.now, 1.93)) + float64(0.15*c.normFloat())))
	l.shiftY = float64(a * (float64(0.5*sineAt(l.now, 0.83)) + float64(0.35*sineAt(l.now, 2.31)) + float64(0.15*c.normFloat())))
	if l.sinceJolt < joltTime {
		fade := float64((1 - l.sinceJolt/joltTime) * (1 - l.sinceJolt/joltTime))
		wave := float64(fade * cos(float64(l.sinceJolt*joltFrequency)))
		l.shiftX += float64(l.jolt[0] * wave)
		l.shiftY += float64(l.jolt[1] * wave)
	}
}

// sineAt is a sine wave of f hertz at t seconds.
func sineAt(t, f float64) float64 { return sin(float64(t * f)) }

// capture writes the delivered picture to dst: the canvas resampled at the
// shaken place, with noise, then compressed. The shift is limited to the
// margin.
func (l *imager) capture(dst []byte, w, h, margin int, c *canvas) {
	sx := int(math.Floor(float64(256*clamp(float64(l.shiftX*float64(h)), float64(1-margin), float64(margin-2))))) + margin<<8
	sy := int(math.Floor(float64(256*clamp(float64(l.shiftY*float64(h)), float64(1-margin), float64(margin-2))))) + margin<<8
	l.originX, l.originY = sx, sy
	fx, fy := int32(sx&255), int32(sy&255)
	for y := range h {
		top := c.pix[(y+sy>>8)*c.w+sx>>8:][:w+1]
		bottom := c.pix[(y+sy>>8+1)*c.w+sx>>8:][:w+1]
		out := dst[y*w : y*w+w]
		if fx == 0 && fy == 0 {
			copy(out, top)
		} else {
			resampleRow(out, top, bottom, fx, fy)
		}
		if l.noise != nil {
			l.addNoise(out)
		}
	}
	if l.cond.Blocks > 0 {
		l.codec.compressFrame(dst, w, h)
	}
}

// resampleRow shifts a row by (fx,fy)/256 pixels: bilinear interpolation in
// whole numbers.
func resampleRow(out, top, bottom []uint8, fx, fy int32) {
	top, bottom = top[:len(out)+1], bottom[:len(out)+1]
	last := int32(top[0])*(256-fy) + int32(bottom[0])*fy
	for x := range out {
		next := int32(top[x+1])*(256-fy) + int32(bottom[x+1])*fy
		out[x] = uint8((last*(256-fx) + next*fx + 1<<15) >> 16)
		last = next
	}
}

// addNoise adds noise to a row. It starts at a random place of the noise table,
// so that rows do not repeat.
func (l *imager) addNoise(row []uint8) {
	r := l.rng.nextUint64()
	at := uint32(r)
	for x, p := range row {
		n := int32(l.noise[(at+uint32(x))&(noiseTableSize-1)])
		v := int32(p) + (n*l.gain[p]+1<<12)>>13
		row[x] = uint8(max(0, min(255, v)))
	}
}
