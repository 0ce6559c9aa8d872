package h264

import "encoding/binary"

// predictSamples writes w×h samples at a quarter-sample position (8.4.2.2.1) to
// dst. src[at] is the sample at the whole position; two samples before it and three
// behind, each way, are readable where the position needs them.
func predictSamples(dst []byte, stride int, src []byte, from, at, w, h, fx, fy int, rows *[21 * 16]int16) {
	switch {
	case fx == 0 && fy == 0:
		copySamples(dst, stride, src[at:], from, w, h)
	case fy == 0:
		filterAcross(dst, stride, src[at-2:], from, w, h)
		if fx != 2 {
			averageInto(dst, stride, src[at+fx>>1:], from, w, h)
		}
	case fx == 0:
		filterDown(dst, stride, src[at-2*from:], from, w, h)
		if fy != 2 {
			averageInto(dst, stride, src[at+fy>>1*from:], from, w, h)
		}
	case fx == 2 && fy == 2:
		filterBoth(dst, stride, src[at-2*from-2:], from, w, h, rows)
	case fx == 2:
		filterBoth(dst, stride, src[at-2*from-2:], from, w, h, rows)
		var half [256]byte
		filterAcross(half[:], 16, src[at-2+fy>>1*from:], from, w, h)
		averageInto(dst, stride, half[:], 16, w, h)
	case fy == 2:
		filterBoth(dst, stride, src[at-2*from-2:], from, w, h, rows)
		var half [256]byte
		filterDown(half[:], 16, src[at-2*from+fx>>1:], from, w, h)
		averageInto(dst, stride, half[:], 16, w, h)
	default:
		var half [256]byte
		filterAcross(dst, stride, src[at-2+fy>>1*from:], from, w, h)
		filterDown(half[:], 16, src[at-2*from+fx>>1:], from, w, h)
		averageInto(dst, stride, half[:], 16, w, h)
	}
}

// copySamples copies w×h samples, 4, 8 or 16 in a row, by words: a call of memmove for
// each row takes longer than the copy.
func copySamples(dst []byte, stride int, src []byte, from, w, h int) {
	le := binary.LittleEndian
	for j := range h {
		d, s := dst[j*stride:][:w], src[j*from:][:w]
		switch w {
		case 4:
			le.PutUint32(d, le.Uint32(s))
		case 8:
			le.PutUint64(d, le.Uint64(s))
		case 16:
			a, b := le.Uint64(s), le.Uint64(s[8:])
			le.PutUint64(d, a)
			le.PutUint64(d[8:], b)
		}
	}
}

// averageIntoPortable replaces dst by its mean with src, rounded up (8-240 and on).
func averageIntoPortable(dst []byte, stride int, src []byte, from, w, h int) {
	for j := range h {
		row, other := dst[j*stride:][:w], src[j*from:][:w]
		for i, v := range row {
			row[i] = byte((int(v) + int(other[i]) + 1) >> 1)
		}
	}
}

// filterAcrossPortable applies the six-tap filter along rows (8-241, 8-243). src
// begins two samples to the left.
func filterAcrossPortable(dst []byte, stride int, src []byte, from, w, h int) {
	for j := range h {
		p, row := src[j*from:][:w+5], dst[j*stride:][:w]
		for i := range row {
			row[i] = clip((sixTap(int(p[i]), int(p[i+1]), int(p[i+2]), int(p[i+3]), int(p[i+4]), int(p[i+5])) + 16) >> 5)
		}
	}
}

// filterDownPortable applies the six-tap filter along columns (8-242, 8-244). src
// begins two rows above.
func filterDownPortable(dst []byte, stride int, src []byte, from, w, h int) {
	for j := range h {
		row := dst[j*stride:][:w]
		p0, p1, p2 := src[j*from:][:w], src[(j+1)*from:][:w], src[(j+2)*from:][:w]
		p3, p4, p5 := src[(j+3)*from:][:w], src[(j+4)*from:][:w], src[(j+5)*from:][:w]
		for i := range row {
			row[i] = clip((sixTap(int(p0[i]), int(p1[i]), int(p2[i]), int(p3[i]), int(p4[i]), int(p5[i])) + 16) >> 5)
		}
	}
}

// filterBothPortable applies it along rows, then along columns (8-245 to 8-247).
// src begins two samples above and to the left.
func filterBothPortable(dst []byte, stride int, src []byte, from, w, h int, rows *[21 * 16]int16) {
	for j := range h + 5 {
		p, row := src[j*from:][:w+5], rows[16*j:][:w]
		for i := range row {
			row[i] = int16(sixTap(int(p[i]), int(p[i+1]), int(p[i+2]), int(p[i+3]), int(p[i+4]), int(p[i+5])))
		}
	}
	for j := range h {
		row, p := dst[j*stride:][:w], rows[16*j:]
		for i := range row {
			v := sixTap(int(p[i]), int(p[i+16]), int(p[i+32]), int(p[i+48]), int(p[i+64]), int(p[i+80]))
			row[i] = clip((v + 512) >> 10)
		}
	}
}

// sixTap is the filter 1, -5, 20, 20, -5, 1.
func sixTap(a, b, c, d, e, f int) int { return a - 5*(b+e) + 20*(c+d) + f }
