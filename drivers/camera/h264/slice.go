package h264

// Slice types (7.4.3), modulo 5.
const (
	sliceP  = 0
	sliceB  = 1
	sliceI  = 2
	sliceSP = 3
	sliceSI = 4
)

// maxOps bounds the commands of a list modification and of reference marking: one
// for each reference and one more, of frames and fields.
const maxOps = 2*32 + 2

// listOp is one command of ref_pic_list_modification (7.3.3.1).
type listOp struct {
	kind  uint8 // modification_of_pic_nums_idc
	value int32
}

// markOp is one memory management control operation (7.3.3.3).
type markOp struct {
	kind  uint8
	value int32 // difference_of_pic_nums_minus1, long_term_pic_num or the like
	index int32 // long_term_frame_idx
}

// sliceHeader is slice_header (7.3.3).
type sliceHeader struct {
	idr            bool
	refIDC         int // nal_ref_idc
	firstMB        int
	kind           int
	ppsID          int
	spsSerial      uint32
	monochrome     bool
	frameNum       int
	idrID          uint32
	pocLSB         int32
	deltaPOCBottom int32
	deltaPOC       [2]int32
	spatialDirect  bool
	numRefs        [2]int
	listOps        [2][maxOps]listOp
	numListOps     [2]int
	weights        weightTable
	longTerm       bool // long_term_reference_flag of an IDR picture
	adaptive       bool
	markOps        [maxOps]markOp
	numMarkOps     int
	cabacInit      int // row of contextInit
	qp             int
	deblock        uint8 // disable_deblocking_filter_idc
	alphaOffset    int8
	betaOffset     int8
}

// weightTable is pred_weight_table (7.3.3.2) of luma.
type weightTable struct {
	explicit bool
	log2     uint8
	weight   [2][32]int16
	offset   [2][32]int16
	used     bool // one of them differs from the default
}

// parseStart reads the header up to the picture parameter set.
func (h *sliceHeader) parseStart(r *bitReader, nalHead byte) error {
	h.idr = nalHead&0x1f == nalIDR
	h.refIDC = int(nalHead >> 5 & 3)
	first, ok1 := r.ueMax(maxMBSide * maxMBSide)
	kind, ok2 := r.ueMax(9)
	id, ok3 := r.ueMax(maxPPS - 1)
	if !ok1 || !ok2 || !ok3 || r.overrun() {
		return errHeader
	}
	h.firstMB, h.kind, h.ppsID = first, kind%5, id
	switch h.kind {
	case sliceSP, sliceSI:
		return UnsupportedError("SP and SI slices: set the camera to the profile Main or High")
	}
	if h.idr && (h.kind != sliceI || h.refIDC == 0) {
		return errHeader
	}
	return nil
}

// parseRest reads the header behind the picture parameter set. redundant reports a
// redundant coded picture, whose header is not read to its end.
func (h *sliceHeader) parseRest(r *bitReader, s *sps, p *pps) (redundant bool, err error) {
	h.frameNum = int(r.u(s.frameNumBits))
	if !s.frameMBsOnly && r.flag() {
		return false, errInterlaced
	}
	if h.idr {
		h.idrID = r.ue()
	}
	h.pocLSB, h.deltaPOCBottom, h.deltaPOC = 0, 0, [2]int32{}
	if s.pocType == 0 {
		h.pocLSB = int32(r.u(s.pocLSBBits))
		if p.pocPresent {
			h.deltaPOCBottom = r.se()
		}
	}
	if s.pocType == 1 && !s.deltaPOCZero {
		h.deltaPOC[0] = r.se()
		if p.pocPresent {
			h.deltaPOC[1] = r.se()
		}
	}
	if p.redundant && r.ue() > 0 {
		return true, nil
	}
	if err := h.parseLists(r, p); err != nil {
		return false, err
	}
	h.numMarkOps, h.adaptive, h.longTerm = 0, false, false
	if h.refIDC != 0 {
		if err := h.parseMarking(r); err != nil {
			return false, err
		}
	}
	return false, h.parseEnd(r, p)
}

// parseLists reads the reference lists' lengths and modifications and the weights.
func (h *sliceHeader) parseLists(r *bitReader, p *pps) error {
	h.spatialDirect = h.kind == sliceB && r.flag()
	h.numRefs, h.numListOps = [2]int{}, [2]int{}
	h.weights.explicit, h.weights.used = false, false
	if h.kind == sliceI {
		return nil
	}
	lists := 1
	if h.kind == sliceB {
		lists = 2
	}
	override := r.flag()
	for l := range lists {
		h.numRefs[l] = p.numRefs[l]
		if override {
			n, ok := r.ueMax(31)
			if !ok {
				return errHeader
			}
			h.numRefs[l] = n + 1
		}
		if h.numRefs[l] > 16 { // 32 for fields only (7.4.3)
			return errHeader
		}
	}
	for l := range lists {
		if r.flag() {
			if err := h.parseListOps(r, l); err != nil {
				return err
			}
		}
	}
	if h.kind == sliceP && p.weightedP || h.kind == sliceB && p.weightedB == 1 {
		return h.parseWeights(r, lists, p)
	}
	return nil
}

// parseListOps reads the modification of one list.
func (h *sliceHeader) parseListOps(r *bitReader, list int) error {
	for i := 0; ; i++ {
		kind := r.ue()
		if kind == 3 {
			h.numListOps[list] = i
			return nil
		}
		if kind > 3 || i == maxOps || r.overrun() {
			return errHeader
		}
		h.listOps[list][i] = listOp{uint8(kind), int32(r.ue())}
	}
}

// parseWeights reads pred_weight_table. Weights of chroma are skipped.
func (h *sliceHeader) parseWeights(r *bitReader, lists int, p *pps) error {
	w := &h.weights
	w.explicit = true
	log2, ok := r.ueMax(7)
	if !ok {
		return errHeader
	}
	w.log2 = uint8(log2)
	color := !h.monochrome
	if color {
		r.ue()
	}
	for l := range lists {
		for i := range h.numRefs[l] {
			w.weight[l][i], w.offset[l][i] = 1<<log2, 0
			if r.flag() {
				weight, offset := r.se(), r.se()
				if weight < -128 || weight > 127 || offset < -128 || offset > 127 {
					return errHeader
				}
				w.weight[l][i], w.offset[l][i], w.used = int16(weight), int16(offset), true
			}
			if color && r.flag() {
				for range 4 {
					r.se()
				}
			}
		}
	}
	return nil
}

// parseMarking reads dec_ref_pic_marking (7.3.3.3). no_output_of_prior_pics_flag is
// ignored: all pictures are delivered.
func (h *sliceHeader) parseMarking(r *bitReader) error {
	if h.idr {
		r.u(1)
		h.longTerm = r.flag()
		return nil
	}
	if h.adaptive = r.flag(); !h.adaptive {
		return nil
	}
	for i := 0; ; i++ {
		kind := r.ue()
		if kind == 0 {
			h.numMarkOps = i
			return nil
		}
		if kind > 6 || i == maxOps || r.overrun() {
			return errHeader
		}
		op := markOp{kind: uint8(kind)}
		if kind <= 3 {
			op.value = int32(r.ue())
		}
		switch kind {
		case 3, 6:
			op.index = int32(r.ue())
		case 4:
			op.index = int32(r.ue()) - 1
		}
		h.markOps[i] = op
	}
}

// parseEnd reads the header from cabac_init_idc on.
func (h *sliceHeader) parseEnd(r *bitReader, p *pps) error {
	h.cabacInit = 0
	if p.cabac && h.kind != sliceI {
		n, ok := r.ueMax(2)
		if !ok {
			return errHeader
		}
		h.cabacInit = n + 1
	}
	h.qp = p.qp + int(r.se())
	if h.qp < 0 || h.qp > 51 {
		return errHeader
	}
	h.deblock, h.alphaOffset, h.betaOffset = 0, 0, 0
	if p.deblockCtrl {
		idc, ok := r.ueMax(2)
		if !ok {
			return errHeader
		}
		if h.deblock = uint8(idc); idc != 1 {
			a, b := r.se(), r.se()
			if a < -6 || a > 6 || b < -6 || b > 6 {
				return errHeader
			}
			h.alphaOffset, h.betaOffset = int8(2*a), int8(2*b)
		}
	}
	if r.overrun() {
		return errHeader
	}
	return nil
}

// startsPicture reports whether a slice is the first of another picture than the
// slice before (7.4.1.2.4).
func (h *sliceHeader) startsPicture(before *sliceHeader) bool {
	return h.frameNum != before.frameNum || h.ppsID != before.ppsID && h.spsSerial != before.spsSerial ||
		(h.refIDC == 0) != (before.refIDC == 0) || h.idr != before.idr || h.idr && h.idrID != before.idrID ||
		h.pocLSB != before.pocLSB || h.deltaPOCBottom != before.deltaPOCBottom || h.deltaPOC != before.deltaPOC
}
