package luma

import "encoding/binary"

// The inverse transform is that of Loeffler, Ligtenberg and Moschytz,
// "Practical Fast 1-D DCT Algorithms with 11 Multiplications", ICASSP 1989,
// figure 1 run backwards, in fixed point with 13 fractional bits: the method of
// libjpeg's accurate integer transform (jidctint), with which it agrees to the
// bit.
const (
	fracBits = 13
	passBits = 2                   // fractional bits kept between the two passes
	shift1   = fracBits - passBits // after the first pass
	round1   = 1 << (shift1 - 1)
	shift2   = fracBits + passBits + 3 // after the second: 3 for the transform's own factor of 8
	round2   = 1<<(shift2-1) + 128<<shift2

	fix0298 = 2446  // √2 (-c1+c3+c5-c7)
	fix0390 = 3196  // √2 (c3-c5)
	fix0541 = 4433  // √2 c6
	fix0765 = 6270  // √2 (c2-c6)
	fix0899 = 7373  // √2 (c3-c7)
	fix1175 = 9633  // √2 c3
	fix1501 = 12299 // √2 (c1+c3-c5-c7)
	fix1847 = 15137 // √2 (c2+c6)
	fix1961 = 16069 // √2 (c3+c5)
	fix2053 = 16819 // √2 (c1+c3-c5+c7)
	fix2562 = 20995 // √2 (c1+c3)
	fix3072 = 25172 // √2 (c1+c3+c5-c7)
)

// butterfly8 is the 8-point inverse DCT. The results carry fracBits more
// fractional bits, and round is added to each.
func butterfly8(x0, x1, x2, x3, x4, x5, x6, x7, round int32) (y0, y1, y2, y3, y4, y5, y6, y7 int32) {
	z := (x2 + x6) * fix0541
	e2 := z - x6*fix1847
	e3 := z + x2*fix0765
	e0 := (x0+x4)<<fracBits + round
	e1 := (x0-x4)<<fracBits + round
	a0, a3, a1, a2 := e0+e3, e0-e3, e1+e2, e1-e2

	z1, z2, z3, z4 := x7+x1, x5+x3, x7+x3, x5+x1
	z5 := (z3 + z4) * fix1175
	z1 *= -fix0899
	z2 *= -fix2562
	z3 = z5 - z3*fix1961
	z4 = z5 - z4*fix0390
	b0 := x7*fix0298 + z1 + z3
	b1 := x5*fix2053 + z2 + z4
	b2 := x3*fix3072 + z2 + z3
	b3 := x1*fix1501 + z1 + z4
	return a0 + b3, a1 + b2, a2 + b1, a3 + b0, a3 - b0, a2 - b1, a1 - b2, a0 - b3
}

// butterfly4 is butterfly8 where the upper four values are 0.
func butterfly4(x0, x1, x2, x3, round int32) (y0, y1, y2, y3, y4, y5, y6, y7 int32) {
	e := x0<<fracBits + round
	e2 := x2 * fix0541
	e3 := x2 * (fix0541 + fix0765)
	a0, a3, a1, a2 := e+e3, e-e3, e+e2, e-e2

	b0 := x1*(fix1175-fix0899) + x3*(fix1175-fix1961)
	b1 := x1*(fix1175-fix0390) + x3*(fix1175-fix2562)
	b2 := x1*fix1175 + x3*(fix3072-fix2562-fix1961+fix1175)
	b3 := x1*(fix1501-fix0899-fix0390+fix1175) + x3*fix1175
	return a0 + b3, a1 + b2, a2 + b1, a3 + b0, a3 - b0, a2 - b1, a1 - b2, a0 - b3
}

// idctPortable transforms a block of dequantised coefficients into 8×8 samples,
// columns first. Bit i of cols or rows is set if column or row i is not all 0:
// most blocks have only their first few, and the rest is skipped.
func idctPortable(dst []byte, stride int, b *[64]int16, cols, rows uint8) {
	var w [64]int16
	for i := range 8 {
		if cols>>i&1 == 0 {
			continue
		}
		var y0, y1, y2, y3, y4, y5, y6, y7 int32
		if rows < 1<<4 {
			y0, y1, y2, y3, y4, y5, y6, y7 = butterfly4(
				int32(b[i]), int32(b[8+i]), int32(b[16+i]), int32(b[24+i]), round1)
		} else {
			y0, y1, y2, y3, y4, y5, y6, y7 = butterfly8(
				int32(b[i]), int32(b[8+i]), int32(b[16+i]), int32(b[24+i]),
				int32(b[32+i]), int32(b[40+i]), int32(b[48+i]), int32(b[56+i]), round1)
		}
		w[i], w[8+i], w[16+i], w[24+i] = saturateInt16(y0>>shift1), saturateInt16(y1>>shift1), saturateInt16(y2>>shift1), saturateInt16(y3>>shift1)
		w[32+i], w[40+i], w[48+i], w[56+i] = saturateInt16(y4>>shift1), saturateInt16(y5>>shift1), saturateInt16(y6>>shift1), saturateInt16(y7>>shift1)
	}
	for i := range 8 {
		r := w[8*i : 8*i+8 : 8*i+8]
		var y0, y1, y2, y3, y4, y5, y6, y7 int32
		if cols < 1<<4 {
			y0, y1, y2, y3, y4, y5, y6, y7 = butterfly4(int32(r[0]), int32(r[1]), int32(r[2]), int32(r[3]), round2)
		} else {
			y0, y1, y2, y3, y4, y5, y6, y7 = butterfly8(
				int32(r[0]), int32(r[1]), int32(r[2]), int32(r[3]),
				int32(r[4]), int32(r[5]), int32(r[6]), int32(r[7]), round2)
		}
		o := dst[i*stride : i*stride+8 : i*stride+8]
		o[0], o[1], o[2], o[3] = clampSample(y0>>shift2), clampSample(y1>>shift2), clampSample(y2>>shift2), clampSample(y3>>shift2)
		o[4], o[5], o[6], o[7] = clampSample(y4>>shift2), clampSample(y5>>shift2), clampSample(y6>>shift2), clampSample(y7>>shift2)
	}
}

// fillFlat writes the transform of a block that has only a DC coefficient.
func fillFlat(dst []byte, stride int, dc int16) {
	v := uint64(clampSample((int32(dc)+4)>>3+128)) * 0x0101010101010101
	for i := range 8 {
		binary.LittleEndian.PutUint64(dst[i*stride:], v)
	}
}

// saturateInt16 saturates as the vector units do. No picture needs it, but all
// implementations must agree on any input.
func saturateInt16(v int32) int16 {
	if v != int32(int16(v)) {
		return int16(v>>31 ^ 0x7fff)
	}
	return int16(v)
}

// clampSample saturates to 0–255.
func clampSample(v int32) byte {
	if uint32(v) > 255 {
		return byte(^v >> 31)
	}
	return byte(v)
}

// placeBlock transforms d.block into block column bx and row by of the picture.
// The part outside the picture is cut off.
func (d *Decoder) placeBlock(bx, by int) {
	side := 8 >> d.scale
	x, y := bx*side, by*side
	height := d.height
	if x >= d.stride || y >= height {
		return
	}
	if x+side <= d.stride && y+side <= height {
		d.transformBlock(d.dst[y*d.stride+x:], d.stride)
		return
	}
	d.transformBlock(d.edge[:], side)
	w, h := min(side, d.stride-x), min(side, height-y)
	for i := range h {
		copy(d.dst[(y+i)*d.stride+x:][:w], d.edge[i*side:])
	}
}

// transformBlock transforms d.block at the picture's scale.
func (d *Decoder) transformBlock(dst []byte, stride int) {
	switch d.scale {
	case Half:
		idctHalf(dst, stride, &d.block)
	case Quarter:
		idctQuarter(dst, stride, &d.block)
	case Eighth:
		dst[0] = clampSample((int32(d.block[0])+4)>>3 + 128)
	default:
		idct(dst, stride, &d.block, d.nonZeroCols, d.nonZeroRows)
	}
}
