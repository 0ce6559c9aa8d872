package scene

// press is a compression that leaves blocks: of each 8×8 pixels the
// Walsh–Hadamard coefficients are rounded, coarser ones for finer detail. It
// is what JPEG does with cosines, in whole numbers and at a fraction of its
// cost.
type press struct {
	step, inverse [64]int32 // inverse is 65536/step
}

// set makes the rounding of the coarsest detail about so many grey levels.
func (p *press) set(levels float64) {
	// sequency is the number of sign changes of each Walsh function in the
	// order in which the transform gives them.
	sequency := [8]int32{0, 7, 3, 4, 1, 6, 2, 5}
	for i := range p.step {
		s := int32(levels*2) * (2 + sequency[i>>3] + sequency[i&7])
		p.step[i] = max(1, s)
		p.inverse[i] = 65536 / p.step[i]
	}
	p.step[0], p.inverse[0] = 64, 1024 // the mean is kept
}

// apply compresses a picture, four blocks side by side at a time: their
// numbers share a word, 16 bits each, and adding words adds all four. What is
// left over at the right and at the bottom stays as it is.
func (p *press) apply(pix []uint8, w, h int) {
	var b [64]int64
	for y := 0; y+8 <= h; y += 8 {
		for x := 0; x+32 <= w; x += 32 {
			for i := range b {
				row := pix[(y+i>>3)*w+x+i&7:][:25]
				b[i] = int64(row[0]) + int64(row[8])<<16 + int64(row[16])<<32 + int64(row[24])<<48 - 0x0080008000800080
			}
			hadamard(&b)
			for i, v := range b {
				b[i] = p.round(v, i)
			}
			hadamard(&b)
			for i, v := range b {
				row := pix[(y+i>>3)*w+x+i&7:][:25]
				for k := 0; k < 32; k += 8 {
					n := int64(int16(v))
					row[k] = uint8(max(0, min(255, 128+(n+32)>>6)))
					v = (v - n) >> 16
				}
			}
		}
	}
}

// round rounds the four coefficients of one kind to whole steps.
func (p *press) round(v int64, i int) int64 {
	var sum int64
	step, inverse := p.step[i], p.inverse[i]
	half := step >> 1
	for k := 0; k < 64; k += 16 {
		n := int32(int16(v))
		v = (v - int64(n)) >> 16
		switch {
		case n >= half:
			sum += int64((n+half)*inverse>>16*step) << k
		case n <= -half:
			sum -= int64((half-n)*inverse>>16*step) << k
		}
	}
	return sum
}

// hadamard transforms 64 numbers, which is the same as first the rows and
// then the columns of 8×8; twice it is 64 times what it was.
func hadamard(b *[64]int64) {
	for d := 1; d < 64; d <<= 1 {
		for i := 0; i < 64; i += 2 * d {
			for j := i; j < i+d; j++ {
				x, y := b[j&63], b[(j+d)&63]
				b[j&63], b[(j+d)&63] = x+y, x-y
			}
		}
	}
}
