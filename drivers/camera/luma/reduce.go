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

// The coefficients above, with the transform's factor √2 and fracBits fractional
// bits: pairK is 2¹³·√2·cos(kπ/16)·cos((2m+1)kπ/8) for m = 0 (a) and m = 1 (b),
// and quadK is 2¹³·√2 times the mean of cos((2n+1)kπ/16) for n = 0–3, rounded
// and without their signs.
const (
	pair1a, pair1b = 10498, 4348
	pair2          = 7568
	pair3a, pair3b = 3686, 8900
	pair5a, pair5b = 2463, 5946
	pair6          = 3135
	pair7a, pair7b = 2088, 865

	quad1, quad3, quad5, quad7 = 7423, 2607, 1742, 1477
)

// pairMeans returns the means of pairs of samples of the 8-point inverse DCT;
// like butterfly8, with fracBits more fractional bits.
func pairMeans(x0, x1, x2, x3, x5, x6, x7 int32) (y0, y1, y2, y3 int32) {
	e := x0 << fracBits
	g := x2*pair2 - x6*pair6
	o0 := x1*pair1a + x3*pair3a - x5*pair5a - x7*pair7a
	o1 := x1*pair1b - x3*pair3b + x5*pair5b - x7*pair7b
	return e + g + o0, e - g + o1, e - g - o1, e + g - o0
}

// quadMeans returns the means of four samples each.
func quadMeans(x0, x1, x3, x5, x7 int32) (y0, y1 int32) {
	e := x0 << fracBits
	o := x1*quad1 - x3*quad3 + x5*quad5 - x7*quad7
	return e + o, e - o
}

// idctHalf transforms a block into 4×4 samples.
func idctHalf(dst []byte, stride int, b *[64]int16) {
	var w [32]int32
	for i := range 8 {
		if i == 4 {
			continue // column 4 vanishes in the second pass
		}
		y0, y1, y2, y3 := pairMeans(int32(b[i]), int32(b[8+i]), int32(b[16+i]), int32(b[24+i]),
			int32(b[40+i]), int32(b[48+i]), int32(b[56+i]))
		w[i], w[8+i] = (y0+round1)>>shift1, (y1+round1)>>shift1
		w[16+i], w[24+i] = (y2+round1)>>shift1, (y3+round1)>>shift1
	}
	for i := range 4 {
		r := w[8*i : 8*i+8 : 8*i+8]
		y0, y1, y2, y3 := pairMeans(r[0], r[1], r[2], r[3], r[5], r[6], r[7])
		o := dst[i*stride : i*stride+4 : i*stride+4]
		o[0], o[1] = clampSample((y0+round2)>>shift2), clampSample((y1+round2)>>shift2)
		o[2], o[3] = clampSample((y2+round2)>>shift2), clampSample((y3+round2)>>shift2)
	}
}

// idctQuarter transforms a block into 2×2 samples.
func idctQuarter(dst []byte, stride int, b *[64]int16) {
	var w [16]int32
	for _, i := range [...]int{0, 1, 3, 5, 7} {
		y0, y1 := quadMeans(int32(b[i]), int32(b[8+i]), int32(b[24+i]), int32(b[40+i]), int32(b[56+i]))
		w[i], w[8+i] = (y0+round1)>>shift1, (y1+round1)>>shift1
	}
	for i := range 2 {
		r := w[8*i : 8*i+8 : 8*i+8]
		y0, y1 := quadMeans(r[0], r[1], r[3], r[5], r[7])
		o := dst[i*stride : i*stride+2 : i*stride+2]
		o[0], o[1] = clampSample((y0+round2)>>shift2), clampSample((y1+round2)>>shift2)
	}
}
