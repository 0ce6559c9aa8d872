package h264

// directState is what direct prediction needs of the slice's references.
type directState struct {
	column *frame         // colPic: RefPicList1[0]
	scale  [maxDPB]int32  // DistScaleFactor by refIdxL0; noScale: vectors are copied
	refOf  [maxSlots]int8 // refIdxL0 by the slot that colPic referred to; -1: none
}

// noScale marks a reference whose vectors are used as they are (8-195, 8-196).
const noScale = 1 << 20

// distScale is DistScaleFactor (8-197, 8-201, 8-202), or noScale.
func distScale(now int32, ref0, ref1 *frame) int32 {
	td := min(max(ref1.poc-ref0.poc, -128), 127)
	if ref0.long || td == 0 {
		return noScale
	}
	tb := min(max(now-ref0.poc, -128), 127)
	half := td / 2
	tx := (16384 + max(half, -half)) / td
	return min(max((tb*tx+32)>>6, -1024), 1023)
}

// beginDirect prepares direct prediction of a B slice.
func (s *sliceDecoder) beginDirect() {
	d := &s.direct
	list0 := s.refs.list[0][:s.hdr.numRefs[0]]
	d.column = s.refs.list[1][0]
	if d.column == nil || s.hdr.spatialDirect {
		return
	}
	for i, f := range list0 {
		if d.scale[i] = noScale; f != nil {
			d.scale[i] = distScale(s.frame.poc, f, d.column)
		}
	}
	for slot, id := range d.column.slotIDs {
		d.refOf[slot] = -1
		for i, f := range list0 {
			if f != nil && f.id == id {
				d.refOf[slot] = int8(i)
				break
			}
		}
	}
}

// computeImplicit computes the weights of implicit bi-prediction (8.4.2.3.1).
func (s *sliceDecoder) computeImplicit() {
	for i, f := range s.refs.list[0][:s.hdr.numRefs[0]] {
		for j, g := range s.refs.list[1][:s.hdr.numRefs[1]] {
			w1 := int16(32)
			if f != nil && g != nil && !g.long {
				if v := distScale(s.frame.poc, f, g); v != noScale && v>>2 >= -64 && v>>2 <= 128 {
					w1 = int16(v >> 2)
				}
			}
			s.biWeights[i][j] = w1
		}
	}
}

// cornerOf is the block whose motion stands for a quarter of the co-located
// macroblock with direct_8x8_inference_flag (8.4.1.2.1).
var cornerOf = [4]uint8{0, 3, 12, 15}

// predictDirect derives the motion of the quarters in a mask (8.4.1.2).
func (s *sliceDecoder) predictDirect(quarters int) error {
	if s.direct.column == nil {
		return errNoReference
	}
	column := &s.direct.column.motion[s.addr]
	if s.hdr.spatialDirect {
		s.predictSpatial(column, quarters)
		return nil
	}
	return s.predictTemporal(column, quarters)
}

// columnMotion returns the list, the reference index and the vector of a block of
// the co-located macroblock. ref is -1 for intra.
func columnMotion(column *motion, q, b int) (list int, ref int8, v vector) {
	if ref = column.ref[0][q]; ref >= 0 {
		return 0, ref, column.mv[0][b]
	}
	if ref = column.ref[1][q]; ref >= 0 {
		return 1, ref, column.mv[1][b]
	}
	return 0, -1, v
}

// predictSpatial is 8.4.1.2.2.
func (s *sliceDecoder) predictSpatial(column *motion, quarters int) {
	var refs [2]int8
	var vectors [2]vector
	for l := range refs {
		a, _, _ := s.neighbour(l, -1, 0)
		b, _, _ := s.neighbour(l, 0, -1)
		c, _ := s.diagonal(l, 0, 0, 4)
		refs[l] = int8(min(uint8(a), uint8(b), uint8(c))) // MinPositive
	}
	both := refs[0] < 0 && refs[1] < 0
	if both {
		refs = [2]int8{}
	} else {
		for l, ref := range refs {
			if ref >= 0 {
				vectors[l] = s.predictVector(l, 0, 0, 4, ref)
			}
		}
	}
	still := !both && s.direct.column.short && (refs[0] == 0 || refs[1] == 0)
	for q := range 4 {
		if quarters>>q&1 == 0 {
			continue
		}
		bx, by := 2*(q&1), q&2
		for l := range refs {
			s.setMotion(l, bx, by, 2, 2, refs[l], vectors[l])
		}
		s.sub[q] = sub8x8
		if still {
			s.zeroStill(column, q, refs)
		}
	}
}

// zeroStill sets the vectors to zero where the co-located block does not move
// (colZeroFlag).
func (s *sliceDecoder) zeroStill(column *motion, q int, refs [2]int8) {
	bx, by := 2*(q&1), q&2
	zero := func(bx, by, size int) {
		for l, ref := range refs {
			if ref == 0 {
				s.setVector(l, bx, by, size, size, vector{})
			}
		}
	}
	if s.infer8x8 {
		if isStill(column, q, int(cornerOf[q])) {
			zero(bx, by, 2)
		}
		return
	}
	for i := range 4 {
		x, y := bx+i&1, by+i>>1
		if isStill(column, q, 4*y+x) {
			zero(x, y, 1)
		}
	}
	s.sub[q] = s.quarterShape(q)
}

// isStill reports whether a co-located block refers to index 0 with a vector of at
// most a quarter sample each way.
func isStill(column *motion, q, b int) bool {
	_, ref, v := columnMotion(column, q, b)
	return ref == 0 && v.x >= -1 && v.x <= 1 && v.y >= -1 && v.y <= 1
}

// quarterShape returns sub8x8 where all blocks of a quarter have the same vectors,
// else sub4x4.
func (s *sliceDecoder) quarterShape(q int) uint8 {
	b := 2*(q&1) + 4*(q&2)
	for l := range s.mot.mv {
		mv := &s.mot.mv[l]
		if v := mv[b]; mv[b+1] != v || mv[b+4] != v || mv[b+5] != v {
			return sub4x4
		}
	}
	return sub8x8
}

// predictTemporal is 8.4.1.2.3.
func (s *sliceDecoder) predictTemporal(column *motion, quarters int) error {
	for q := range 4 {
		if quarters>>q&1 == 0 {
			continue
		}
		bx, by := 2*(q&1), q&2
		first := int(cornerOf[q])
		list, ref, _ := columnMotion(column, q, first)
		if ref >= 0 {
			if ref = s.direct.refOf[column.slot[list][q]]; ref < 0 {
				if s.refs.list[0][0] != s.frame { // recovering: any picture is as good
					return errNoReference
				}
				ref = 0
			}
		} else {
			ref = 0
		}
		s.setRef(0, bx, by, 2, 2, ref)
		s.setRef(1, bx, by, 2, 2, 0)
		if s.infer8x8 {
			s.setTemporal(column, q, first, ref, bx, by, 2)
			s.sub[q] = sub8x8
			continue
		}
		for i := range 4 {
			x, y := bx+i&1, by+i>>1
			s.setTemporal(column, q, 4*y+x, ref, x, y, 1)
		}
		s.sub[q] = s.quarterShape(q)
	}
	return nil
}

// setTemporal scales the vector of a co-located block for both lists.
func (s *sliceDecoder) setTemporal(column *motion, q, b int, ref int8, bx, by, size int) {
	_, _, v := columnMotion(column, q, b)
	v0, v1 := v, vector{}
	if k := s.direct.scale[ref]; k != noScale {
		v0 = vector{int16((k*int32(v.x) + 128) >> 8), int16((k*int32(v.y) + 128) >> 8)}
		v1 = vector{v0.x - v.x, v0.y - v.y}
	}
	s.setVector(0, bx, by, size, size, v0)
	s.setVector(1, bx, by, size, size, v1)
}
