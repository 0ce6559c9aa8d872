package luma

// The inverse transform is that of Loeffler, Ligtenberg and Moschytz,
// "Practical Fast 1-D DCT Algorithms with 11 Multiplications", ICASSP 1989,
// figure 1 turned around, in fixed point with 13 fractional bits: the method
// of libjpeg's accurate integer transform, with which it agrees to the bit.
const (
	frac   = 13
	extra  = 2            // fractional bits kept between the two passes
	shift1 = frac - extra // after the first pass
	round1 = 1 << (shift1 - 1)
	shift2 = frac + extra + 3 // after the second: 3 for the transform's own factor of 8
	round2 = 1<<(shift2-1) + 128<<shift2

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

// butterfly transforms eight values; the results carry frac more fractional
// bits.
func butterfly(x0, x1, x2, x3, x4, x5, x6, x7 int32) (y0, y1, y2, y3, y4, y5, y6, y7 int32) {
	z := (x2 + x6) * fix0541
	e2 := z - x6*fix1847
	e3 := z + x2*fix0765
	e0 := (x0 + x4) << frac
	e1 := (x0 - x4) << frac
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

// idct transforms a block of dequantised coefficients into 8×8 samples.
func idct(dst []byte, stride int, b *[64]int16) {
	var w [64]int32
	for i := range 8 {
		y0, y1, y2, y3, y4, y5, y6, y7 := butterfly(
			int32(b[i]), int32(b[8+i]), int32(b[16+i]), int32(b[24+i]),
			int32(b[32+i]), int32(b[40+i]), int32(b[48+i]), int32(b[56+i]))
		w[i], w[8+i] = (y0+round1)>>shift1, (y1+round1)>>shift1
		w[16+i], w[24+i] = (y2+round1)>>shift1, (y3+round1)>>shift1
		w[32+i], w[40+i] = (y4+round1)>>shift1, (y5+round1)>>shift1
		w[48+i], w[56+i] = (y6+round1)>>shift1, (y7+round1)>>shift1
	}
	for i := range 8 {
		r := w[8*i : 8*i+8 : 8*i+8]
		y0, y1, y2, y3, y4, y5, y6, y7 := butterfly(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7])
		o := dst[i*stride : i*stride+8 : i*stride+8]
		o[0], o[1] = sample((y0+round2)>>shift2), sample((y1+round2)>>shift2)
		o[2], o[3] = sample((y2+round2)>>shift2), sample((y3+round2)>>shift2)
		o[4], o[5] = sample((y4+round2)>>shift2), sample((y5+round2)>>shift2)
		o[6], o[7] = sample((y6+round2)>>shift2), sample((y7+round2)>>shift2)
	}
}

func sample(v int32) byte {
	if uint32(v) > 255 {
		return byte(^v >> 31)
	}
	return byte(v)
}

// put transforms d.block into its place in the picture. A part that lies
// outside is left out.
func (d *Decoder) put(bx, by int) {
	side := 8 >> d.scale
	x, y := bx*side, by*side
	height := len(d.dst) / d.stride
	if x >= d.stride || y >= height {
		return
	}
	if x+side <= d.stride && y+side <= height {
		d.transform(d.dst[y*d.stride+x:], d.stride)
		return
	}
	d.transform(d.edge[:], side)
	w, h := min(side, d.stride-x), min(side, height-y)
	for i := range h {
		copy(d.dst[(y+i)*d.stride+x:][:w], d.edge[i*side:])
	}
}

func (d *Decoder) transform(dst []byte, stride int) {
	switch d.scale {
	case Half:
		half(dst, stride, &d.block)
	case Quarter:
		quarter(dst, stride, &d.block)
	case Eighth:
		dst[0] = sample(int32(d.block[0]+4)>>3 + 128)
	default:
		idct(dst, stride, &d.block)
	}
}
