package h264

// addResidual adds the residual of an inter macroblock to its prediction.
func (s *sliceDecoder) addResidual() {
	m, luma := s.mb, s.frame.luma
	for q := range 4 {
		if m.cbp>>q&1 == 0 {
			continue
		}
		if m.transform8x8 != 0 {
			if m.nonZero>>(2*(q&1)+4*(q&2))&1 != 0 {
				s.add8x8(luma, q)
			}
			continue
		}
		for z := 4 * q; z < 4*q+4; z++ {
			if m.nonZero>>rasterOf[z]&1 != 0 {
				s.add4x4(luma, z)
			}
		}
	}
}

// offsetOf returns the offset of the first sample of 4×4 block b in raster order.
func (s *sliceDecoder) offsetOf(b int) int { return s.at + 4*(b>>2)*s.stride + 4*(b&3) }

// add4x4 adds the inverse transform of block z to the picture.
func (s *sliceDecoder) add4x4(luma []byte, z int) {
	addTransform4x4(luma[s.offsetOf(int(rasterOf[z])):], s.stride, (*[16]int16)(s.work.coefs[16*z:]))
}

// add8x8 adds the inverse transform of quarter q to the picture.
func (s *sliceDecoder) add8x8(luma []byte, q int) {
	addTransform8x8(luma[s.offsetOf(2*(q&1)+4*(q&2)):], s.stride, (*[64]int16)(s.work.coefs[64*q:]))
}

// addTransform4x4Portable adds the inverse 4×4 transform (8.5.12) to the samples and
// clears the coefficients.
func addTransform4x4Portable(dst []byte, stride int, c *[16]int16) {
	var t [16]int32
	for i := range 4 {
		a, b, e, f := int32(c[4*i]), int32(c[4*i+1]), int32(c[4*i+2]), int32(c[4*i+3])
		p, q := a+e, a-e
		r, u := b>>1-f, b+f>>1
		t[4*i], t[4*i+1], t[4*i+2], t[4*i+3] = p+u, q+r, q-r, p-u
	}
	*c = [16]int16{}
	for i := range 4 {
		a, b, e, f := t[i], t[4+i], t[8+i], t[12+i]
		p, q := a+e+32, a-e+32
		r, u := b>>1-f, b+f>>1
		add(dst, i, (p+u)>>6)
		add(dst, stride+i, (q+r)>>6)
		add(dst, 2*stride+i, (q-r)>>6)
		add(dst, 3*stride+i, (p-u)>>6)
	}
}

// add adds v to one sample.
func add(dst []byte, at int, v int32) { dst[at] = clip(int(dst[at]) + int(v)) }

// addTransform8x8Portable adds the inverse 8×8 transform (8.5.13) to the samples and
// clears the coefficients.
func addTransform8x8Portable(dst []byte, stride int, c *[64]int16) {
	var t [64]int32
	for i := range 8 {
		var in [8]int32
		for j := range in {
			in[j] = int32(c[8*i+j])
		}
		transform8(&in)
		copy(t[8*i:], in[:])
	}
	*c = [64]int16{}
	for i := range 8 {
		var in [8]int32
		for j := range in {
			in[j] = t[8*j+i]
		}
		in[0] += 32
		transform8(&in)
		for j, v := range in {
			add(dst, j*stride+i, v>>6)
		}
	}
}

// transform8 is the one-dimensional inverse transform (8-361 to 8-384).
func transform8(x *[8]int32) {
	a0, a2 := x[0]+x[4], x[0]-x[4]
	a4, a6 := x[2]>>1-x[6], x[6]>>1+x[2]
	b0, b2, b4, b6 := a0+a6, a2+a4, a2-a4, a0-a6
	a1 := -x[3] + x[5] - x[7] - x[7]>>1
	a3 := x[1] + x[7] - x[3] - x[3]>>1
	a5 := -x[1] + x[7] + x[5] + x[5]>>1
	a7 := x[3] + x[5] + x[1] + x[1]>>1
	b1, b7 := a1+a7>>2, a7-a1>>2
	b3, b5 := a3+a5>>2, a3>>2-a5
	x[0], x[7] = b0+b7, b0-b7
	x[1], x[6] = b2+b5, b2-b5
	x[2], x[5] = b4+b3, b4-b3
	x[3], x[4] = b6+b1, b6-b1
}

// transformDC scales and transforms the DC levels of Intra16x16 (8.5.10) to the first
// coefficients of the blocks.
func (s *sliceDecoder) transformDC() {
	c := &s.work.dc
	var t [16]int32
	for i := range 4 {
		a, b, e, f := int32(c[4*i]), int32(c[4*i+1]), int32(c[4*i+2]), int32(c[4*i+3])
		t[4*i], t[4*i+1], t[4*i+2], t[4*i+3] = a+b+e+f, a+b-e-f, a-b-e+f, a-b+e-f
	}
	scale := s.scale.four[0][s.qp][0]
	for i := range 4 {
		a, b, e, f := t[i], t[4+i], t[8+i], t[12+i]
		for j, v := range [4]int32{a + b + e + f, a + b - e - f, a - b - e + f, a - b + e - f} {
			z := zOf[4*j+i]
			s.work.coefs[16*int(z)] = int16((v*scale + 32) >> 6)
		}
	}
}

// zOf is the index of a 4×4 block in raster order: the inverse of rasterOf, which
// is its own inverse.
var zOf = rasterOf
