package scene

// blockCodec imitates the block artefacts of JPEG: of each 8×8 pixels the
// Walsh–Hadamard coefficients are rounded, coarser for finer detail. JPEG does
// the same with cosines; this transform works in whole numbers and is many
// times cheaper.
type blockCodec struct {
	step, inverse [64]int32 // inverse is 65536/step
}

// setSteps sets the quantisation steps from a coarseness in grey levels: a step
// is proportional to 2 plus the sequency in both directions.
func (p *blockCodec) setSteps(levels float64) {
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

// compressFrame quantises a picture in place, four blocks side by side at a
// time: four 16-bit coefficients share one word (SIMD within a register). Rows
// and columns that fill no whole group of 8×32 pixels stay as they are.
func (p *blockCodec) compressFrame(pix []uint8, w, h int) {
	var b [64]int64
	for y := 0; y+8 <= h; y += 8 {
		for x := 0; x+32 <= w; x += 32 {
			for i := range b {
				row := pix[(y+i>>3)*w+x+i&7:][:25]
				b[i] = int64(row[0]) + int64(row[8])<<16 + int64(row[16])<<32 + int64(row[24])<<48 - 0x0080008000800080
			}
			walshHadamard(&b)
			for i, v := range b {
				b[i] = p.quantizeFour(v, i)
			}
			walshHadamard(&b)
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

// quantizeFour rounds the four packed coefficients of index i to whole steps.
func (p *blockCodec) quantizeFour(v int64, i int) int64 {
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

// walshHadamard transforms 64 packed numbers in place. The 64-point transform
// equals first the rows and then the columns of 8×8. Applied twice, it
// multiplies by 64.
func walshHadamard(b *[64]int64) {
	for d := 1; d < 64; d <<= 1 {
		for i := 0; i < 64; i += 2 * d {
			for j := i; j < i+d; j++ {
				x, y := b[j&63], b[(j+d)&63]
				b[j&63], b[(j+d)&63] = x+y, x-y
			}
		}
	}
}
