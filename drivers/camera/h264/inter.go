package h264

// compensate predicts an inter macroblock from its motion (8.4.2).
func (s *sliceDecoder) compensate(shape int) error {
	switch shape {
	case shape16x16:
		s.mb.uniform = true
		return s.compensatePart(0, 0, 4, 4)
	case shape16x8:
		if err := s.compensatePart(0, 0, 4, 2); err != nil {
			return err
		}
		return s.compensatePart(0, 2, 4, 2)
	case shape8x16:
		if err := s.compensatePart(0, 0, 2, 4); err != nil {
			return err
		}
		return s.compensatePart(2, 0, 2, 4)
	}
	if s.mb.kind == kindDirect && s.isUniform() {
		s.mb.uniform = true
		return s.compensatePart(0, 0, 4, 4)
	}
	for q := range 4 {
		bx, by, w, h := 2*(q&1), q&2, 2, 2
		switch s.sub[q] {
		case sub8x4:
			h = 1
		case sub4x8:
			w = 1
		case sub4x4:
			w, h = 1, 1
		}
		for j := 0; j < 2; j += h {
			for i := 0; i < 2; i += w {
				if err := s.compensatePart(bx+i, by+j, w, h); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// isUniform reports whether a direct macroblock has one motion.
func (s *sliceDecoder) isUniform() bool {
	if s.sub != [4]uint8{} {
		return false
	}
	m := s.mot
	for l := range m.ref {
		r, mv := &m.ref[l], &m.mv[l]
		if r[1] != r[0] || r[2] != r[0] || r[3] != r[0] || mv[2] != mv[0] || mv[8] != mv[0] || mv[10] != mv[0] {
			return false
		}
	}
	return true
}

// compensatePart predicts w×h blocks at bx, by.
func (s *sliceDecoder) compensatePart(bx, by, w, h int) error {
	q, b := by&2|bx>>1, 4*by+bx
	ref0, ref1 := s.mot.ref[0][q], s.mot.ref[1][q]
	at := s.at + 4*by*s.stride + 4*bx
	dst, x, y := s.frame.luma[at:], 16*s.x+4*bx, 16*s.y+4*by
	wt := &s.hdr.weights
	for l, ref := range [2]int8{ref0, ref1} {
		if ref >= 0 && s.refs.list[l][ref] == nil {
			return errNoReference
		}
	}
	switch {
	case ref0 >= 0 && ref1 >= 0:
		second := s.work.pred[:]
		s.interpolate(dst, s.stride, s.refs.list[0][ref0], s.mot.mv[0][b], x, y, 4*w, 4*h)
		s.interpolate(second, 16, s.refs.list[1][ref1], s.mot.mv[1][b], x, y, 4*w, 4*h)
		switch {
		case s.implicit && s.biWeights[ref0][ref1] != 32:
			w1 := int(s.biWeights[ref0][ref1])
			weightTwo(dst, s.stride, second, 4*w, 4*h, 64-w1, w1, 5, 0)
		case wt.used:
			offset := (int(wt.offset[0][ref0]) + int(wt.offset[1][ref1]) + 1) >> 1
			weightTwo(dst, s.stride, second, 4*w, 4*h, int(wt.weight[0][ref0]), int(wt.weight[1][ref1]), int(wt.log2), offset)
		default:
			averageInto(dst, s.stride, second, 16, 4*w, 4*h)
		}
		return nil
	case ref1 >= 0:
		s.interpolate(dst, s.stride, s.refs.list[1][ref1], s.mot.mv[1][b], x, y, 4*w, 4*h)
		if wt.used {
			weightOne(dst, s.stride, 4*w, 4*h, int(wt.weight[1][ref1]), int(wt.log2), int(wt.offset[1][ref1]))
		}
		return nil
	case ref0 >= 0:
		s.interpolate(dst, s.stride, s.refs.list[0][ref0], s.mot.mv[0][b], x, y, 4*w, 4*h)
		if wt.used {
			weightOne(dst, s.stride, 4*w, 4*h, int(wt.weight[0][ref0]), int(wt.log2), int(wt.offset[0][ref0]))
		}
		return nil
	}
	return errSlice
}

// interpolate writes the prediction of w×h samples at x, y with a vector from a
// frame (8.4.2.2). Samples outside the frame are those of its edge.
func (s *sliceDecoder) interpolate(dst []byte, stride int, ref *frame, v vector, x, y, w, h int) {
	fx, fy := int(v.x)&3, int(v.y)&3
	x, y = x+int(v.x)>>2, y+int(v.y)>>2
	src, from := ref.luma, s.stride
	left, top, right, bottom := x, y, x+w, y+h
	if fx != 0 {
		left, right = left-2, right+3
	}
	if fy != 0 {
		top, bottom = top-2, bottom+3
	}
	at := y*s.stride + x
	if left < 0 || top < 0 || right > 16*s.width || bottom > 16*s.height {
		s.copyEdge(src, x-2, y-2, w+5, h+5)
		src, from, at = s.work.edge[:], edgeStride, 2*edgeStride+2
	}
	predictSamples(dst, stride, src, from, at, w, h, fx, fy, &s.work.rows)
}

// copyEdge copies w×h samples at x, y, partly outside the frame, to work.edge.
func (s *sliceDecoder) copyEdge(src []byte, x, y, w, h int) {
	lastX, lastY := 16*s.width-1, 16*s.height-1
	for j := range h {
		row := src[min(max(y+j, 0), lastY)*s.stride:][:s.stride]
		dst := s.work.edge[j*edgeStride:][:w]
		for i := range dst {
			dst[i] = row[min(max(x+i, 0), lastX)]
		}
	}
}

// weightOne applies explicit weighted prediction of one list (8-297, 8-298).
func weightOne(dst []byte, stride, w, h, weight, log2, offset int) {
	if weight == 1<<log2 && offset == 0 {
		return // a default weight changes nothing
	}
	round := 0
	if log2 > 0 {
		round = 1 << (log2 - 1)
	}
	for j := range h {
		row := dst[j*stride:][:w]
		for i, v := range row {
			row[i] = clip((int(v)*weight+round)>>log2 + offset)
		}
	}
}

// weightTwo applies weighted prediction of two lists (8-299).
func weightTwo(dst []byte, stride int, second []byte, w, h, w0, w1, log2, offset int) {
	if w0 == w1 && w0 == 1<<log2 && offset == 0 {
		averageInto(dst, stride, second, 16, w, h)
		return
	}
	for j := range h {
		row, other := dst[j*stride:][:w], second[16*j:][:w]
		for i, v := range row {
			row[i] = clip((int(v)*w0+int(other[i])*w1+1<<log2)>>(log2+1) + offset)
		}
	}
}

// clip is Clip1 of 8 bits.
func clip(v int) byte {
	if uint(v) > 255 {
		return byte(^(v >> 63))
	}
	return byte(v)
}
