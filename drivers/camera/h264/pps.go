package h264

// pps is a picture parameter set (7.3.2.2), as far as luma needs it.
type pps struct {
	serial        uint32 // of this content; 0: none
	spsID         int
	cabac         bool
	pocPresent    bool   // bottom_field_pic_order_in_frame_present_flag
	sliceGroups   int    // FMO with more than one
	numRefs       [2]int // num_ref_idx_lX_default_active
	weightedP     bool
	weightedB     uint8 // weighted_bipred_idc
	qp            int   // 26 + pic_init_qp_minus26
	deblockCtrl   bool
	constrained   bool // constrained_intra_pred_flag
	redundant     bool
	transform8x8  bool
	scalingSent   bool
	scaling       scalingLists
	scalingMarked [8]bool // which lists the set sends
}

// parsePPS reads a picture parameter set.
func parsePPS(r *bitReader, p *pps) (id int, err error) {
	*p = pps{}
	id, ok1 := r.ueMax(maxPPS - 1)
	var ok2 bool
	p.spsID, ok2 = r.ueMax(maxSPS - 1)
	if !ok1 || !ok2 {
		return 0, errPPS
	}
	p.cabac = r.flag()
	p.pocPresent = r.flag()
	p.sliceGroups = int(r.ue()) + 1
	if p.sliceGroups > 1 {
		return id, nil // refused when a slice refers to it
	}
	for i := range p.numRefs {
		n, ok := r.ueMax(31)
		if !ok {
			return 0, errPPS
		}
		p.numRefs[i] = n + 1
	}
	p.weightedP = r.flag()
	p.weightedB = uint8(r.u(2))
	p.qp = 26 + int(r.se())
	r.se() // pic_init_qs_minus26
	r.se() // chroma_qp_index_offset
	p.deblockCtrl = r.flag()
	p.constrained = r.flag()
	p.redundant = r.flag()
	if p.weightedB > 2 || p.qp < 0 || p.qp > 51 || r.overrun() {
		return 0, errPPS
	}
	if r.more() {
		p.transform8x8 = r.flag()
		if p.scalingSent = r.flag(); p.scalingSent {
			lists := 6
			if p.transform8x8 {
				lists = 8
			}
			p.scaling.parse(r, &p.scalingMarked, lists)
		}
		r.se() // second_chroma_qp_index_offset
	}
	if r.overrun() {
		return 0, errPPS
	}
	return id, nil
}
