package luma

// The mean of the samples 2m and 2m+1 of an 8-point inverse DCT is itself a
// 4-point inverse DCT, because
//
//	cos((4m+1)kπ/16) + cos((4m+3)kπ/16) = 2 cos(kπ/16) cos((2m+1)kπ/8)
//
// and cos((2m+1)(8-k)π/8) = -cos((2m+1)kπ/8): each coefficient shrinks by
// cos(kπ/16), and one above 4 folds back, negative, onto 8-k; the fourth
// vanishes. The mean of four samples is that step done twice. So a reduced
// picture is the mean of the full one, without computing the full one.

// four gives the means of pairs of samples; like butterfly, with frac more
// fractional bits.
func four(x0, x1, x2, x3, x5, x6, x7 int32) (y0, y1, y2, y3 int32) {
	e := x0 << frac
	g := x2*7568 - x6*3135
	o0 := x1*10498 + x3*3686 - x5*2463 - x7*2088
	o1 := x1*4348 - x3*8900 + x5*5946 - x7*865
	return e + g + o0, e - g + o1, e - g - o1, e + g - o0
}

// two gives the means of four samples each.
func two(x0, x1, x3, x5, x7 int32) (y0, y1 int32) {
	e := x0 << frac
	o := x1*7423 - x3*2607 + x5*1742 - x7*1477
	return e + o, e - o
}

// half transforms a block into 4×4 samples.
func half(dst []byte, stride int, b *[64]int16) {
	var w [32]int32
	for i := range 8 {
		if i == 4 {
			continue // no use in the second pass
		}
		y0, y1, y2, y3 := four(int32(b[i]), int32(b[8+i]), int32(b[16+i]), int32(b[24+i]),
			int32(b[40+i]), int32(b[48+i]), int32(b[56+i]))
		w[i], w[8+i] = (y0+round1)>>shift1, (y1+round1)>>shift1
		w[16+i], w[24+i] = (y2+round1)>>shift1, (y3+round1)>>shift1
	}
	for i := range 4 {
		r := w[8*i : 8*i+8 : 8*i+8]
		y0, y1, y2, y3 := four(r[0], r[1], r[2], r[3], r[5], r[6], r[7])
		o := dst[i*stride : i*stride+4 : i*stride+4]
		o[0], o[1] = sample((y0+round2)>>shift2), sample((y1+round2)>>shift2)
		o[2], o[3] = sample((y2+round2)>>shift2), sample((y3+round2)>>shift2)
	}
}

// quarter transforms a block into 2×2 samples.
func quarter(dst []byte, stride int, b *[64]int16) {
	var w [16]int32
	for _, i := range [...]int{0, 1, 3, 5, 7} {
		y0, y1 := two(int32(b[i]), int32(b[8+i]), int32(b[24+i]), int32(b[40+i]), int32(b[56+i]))
		w[i], w[8+i] = (y0+round1)>>shift1, (y1+round1)>>shift1
	}
	for i := range 2 {
		r := w[8*i : 8*i+8 : 8*i+8]
		y0, y1 := two(r[0], r[1], r[3], r[5], r[7])
		o := dst[i*stride : i*stride+2 : i*stride+2]
		o[0], o[1] = sample((y0+round2)>>shift2), sample((y1+round2)>>shift2)
	}
}
