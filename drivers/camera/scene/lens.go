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
	noise  []int8     // normal numbers, deviation 32
	gain   [256]int32 // deviation of a pixel of that luma, 1/256 grey level
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
	l.x = float64(a * (float64(0.6*sin(l.now*0.71)) + float64(0.4*sin(l.now*1.93)) + float64(0.15*c.bell())))
	l.y = float64(a * (float64(0.5*sin(l.now*0.83)) + float64(0.35*sin(l.now*2.31)) + float64(0.15*c.bell())))
	if l.swing < 2 {
		fade := float64((1 - l.swing/2) * (1 - l.swing/2))
		wave := float64(fade * cos(l.swing*3.1))
		l.x += float64(l.jolt[0] * wave)
		l.y += float64(l.jolt[1] * wave)
	}
}

// take delivers the canvas as the camera would.
func (l *lens) take(dst []byte, w, h, margin int, c *canvas) {
	sx := int(math.Floor(float64(256*clamp(float64(l.x*float64(h)), float64(1-margin), float64(margin-2))))) + margin<<8
	sy := int(math.Floor(float64(256*clamp(float64(l.y*float64(h)), float64(1-margin), float64(margin-2))))) + margin<<8
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
		compress(dst, w, h, int32(l.cond.Blocks*4))
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

// compress rounds each 8×8 block's Walsh–Hadamard coefficients, coarser ones
// for finer detail: what JPEG does with cosines, at a fraction of its cost.
func compress(pix []uint8, w, h int, q int32) {
	var b [64]int32
	for y := 0; y+8 <= h; y += 8 {
		for x := 0; x+8 <= w; x += 8 {
			for i := range b {
				b[i] = int32(pix[(y+i>>3)*w+x+i&7])
			}
			hadamard(&b)
			for i := 1; i < 64; i++ {
				step := q * (2 + int32(sequency[i>>3]+sequency[i&7])) >> 1
				half := step >> 1
				switch v := b[i]; {
				case v >= 0:
					b[i] = (v + half) / step * step
				default:
					b[i] = -((half - v) / step * step)
				}
			}
			hadamard(&b)
			for i, v := range b {
				pix[(y+i>>3)*w+x+i&7] = uint8(max(0, min(255, (v+32)>>6)))
			}
		}
	}
}

// sequency is the number of sign changes of each Walsh function in the order
// in which the transform gives them.
var sequency = [8]uint8{0, 7, 3, 4, 1, 6, 2, 5}

// hadamard transforms rows, then columns; twice it is 64 times what it was.
func hadamard(b *[64]int32) {
	for i := 0; i < 64; i += 8 {
		walsh(b, i, 1)
	}
	for i := range 8 {
		walsh(b, i, 8)
	}
}

func walsh(b *[64]int32, at, step int) {
	for d := 1; d < 8; d <<= 1 {
		for i := 0; i < 8; i++ {
			if i&d == 0 {
				j, k := at+i*step, at+(i|d)*step
				b[j], b[k] = b[j]+b[k], b[j]-b[k]
			}
		}
	}
}
