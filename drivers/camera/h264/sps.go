package h264

import "fmt"

// sps is a sequence parameter set (7.3.2.1.1), as far as luma needs it.
type sps struct {
	serial        uint32 // of this content; 0: none
	profile       int
	constraints   uint8 // constraint_set0_flag at the top
	level         int
	monochrome    bool // chroma_format_idc 0
	scalingSent   bool
	scaling       scalingLists
	frameNumBits  int
	pocType       int
	pocLSBBits    int
	deltaPOCZero  bool // delta_pic_order_always_zero_flag
	offsetNonRef  int32
	offsetBottom  int32
	cycleLen      int
	cycle         [255]int32
	maxRefs       int // max_num_ref_frames
	gapsAllowed   bool
	mbWidth       int
	mbHeight      int
	frameMBsOnly  bool
	adaptive      bool // mb_adaptive_frame_field_flag
	inference8x8  bool
	cropX, cropY  int // luma samples
	width, height int // after cropping
	reorder       int // max_num_reorder_frames; -1: not sent
	buffering     int // max_dec_frame_buffering; -1: not sent
}

// Limits of what a sequence parameter set may declare. Level 6.2 allows 139,264
// macroblocks; MaxMacroblocks in Opts is lower.
const (
	maxMBSide   = 1055 // of level 6.2: the root of 8 times its picture size (A.3.1)
	maxDPB      = 16   // frames (A.3.1)
	maxSPS      = 32
	maxPPS      = 256
	maxLog2     = 16
	chroma420   = 1
	extendedSAR = 255
)

// hasChromaInfo reports whether the profile sends chroma_format_idc and scaling
// matrices.
func hasChromaInfo(profile int) bool {
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		return true
	}
	return false
}

// parseSPS reads a sequence parameter set. It returns an UnsupportedError for one
// that may be valid.
func parseSPS(r *bitReader, s *sps) (id int, err error) {
	*s = sps{reorder: -1, buffering: -1}
	s.profile = int(r.u(8))
	s.constraints = uint8(r.u(8))
	s.level = int(r.u(8))
	id, ok := r.ueMax(maxSPS - 1)
	if !ok {
		return 0, errSPS
	}
	s.scaling.setFlat()
	if hasChromaInfo(s.profile) {
		if err := s.parseChromaInfo(r); err != nil {
			return id, err
		}
	}
	if err := s.parseOrder(r); err != nil {
		return id, err
	}
	if err := s.parseSize(r); err != nil {
		return id, err
	}
	if r.flag() {
		s.parseVUI(r)
	}
	if r.overrun() {
		return id, errSPS
	}
	return id, nil
}

// parseChromaInfo reads what the High profiles add, up to the scaling matrices.
func (s *sps) parseChromaInfo(r *bitReader) error {
	format := r.ue()
	switch format {
	case 0:
		s.monochrome = true
	case chroma420:
	case 2:
		return UnsupportedError("4:2:2 chroma: set the camera to 4:2:0 (profile Main or High)")
	case 3:
		return UnsupportedError("4:4:4 chroma: set the camera to 4:2:0 (profile Main or High)")
	default:
		return errSPS
	}
	if lumaDepth, chromaDepth := r.ue(), r.ue(); lumaDepth != 0 || chromaDepth != 0 && !s.monochrome {
		return UnsupportedError(fmt.Sprintf("%d bits a sample: set the camera to 8 bits (profile Main or High instead of High 10)", 8+max(lumaDepth, chromaDepth)))
	}
	if r.flag() {
		return UnsupportedError("lossless coding: set the camera to the profile Main or High")
	}
	if s.scalingSent = r.flag(); s.scalingSent {
		s.scaling.parse(r, nil, 8)
	}
	return nil
}

// parseOrder reads how frame_num and the picture order count are coded, and the
// number of reference frames.
func (s *sps) parseOrder(r *bitReader) error {
	log2, ok := r.ueMax(maxLog2 - 4)
	if !ok {
		return errSPS
	}
	s.frameNumBits = log2 + 4
	if s.pocType, ok = r.ueMax(2); !ok {
		return errSPS
	}
	switch s.pocType {
	case 0:
		if log2, ok = r.ueMax(maxLog2 - 4); !ok {
			return errSPS
		}
		s.pocLSBBits = log2 + 4
	case 1:
		s.deltaPOCZero = r.flag()
		s.offsetNonRef, s.offsetBottom = r.se(), r.se()
		if s.cycleLen, ok = r.ueMax(255); !ok {
			return errSPS
		}
		for i := range s.cycleLen {
			s.cycle[i] = r.se()
		}
	}
	if s.maxRefs, ok = r.ueMax(maxDPB); !ok {
		return errSPS
	}
	s.gapsAllowed = r.flag()
	return nil
}

// parseSize reads the size of the picture in macroblocks and the cropping.
func (s *sps) parseSize(r *bitReader) error {
	w, okW := r.ueMax(maxMBSide - 1)
	h, okH := r.ueMax(maxMBSide - 1)
	if !okW || !okH {
		return errSPS
	}
	s.mbWidth, s.mbHeight = w+1, h+1
	rows := 1 // units of cropping and of height
	if s.frameMBsOnly = r.flag(); !s.frameMBsOnly {
		s.adaptive = r.flag()
		s.mbHeight *= 2
		rows = 2
	}
	s.inference8x8 = r.flag()
	s.width, s.height = 16*s.mbWidth, 16*s.mbHeight
	if !r.flag() {
		return nil
	}
	unitX, unitY := 2, 2*rows
	if s.monochrome {
		unitX, unitY = 1, rows
	}
	var edge [4]int
	for i := range edge {
		v, ok := r.ueMax(16 * maxMBSide)
		if !ok {
			return errSPS
		}
		edge[i] = v
	}
	s.cropX, s.cropY = unitX*edge[0], unitY*edge[2]
	s.width -= s.cropX + unitX*edge[1]
	s.height -= s.cropY + unitY*edge[3]
	if s.width <= 0 || s.height <= 0 {
		return errSPS
	}
	return nil
}

// parseVUI reads the video usability information (E.1.1) for the bounds on
// reordering at its end. A set that ends within it is used without them: cameras
// send such.
func (s *sps) parseVUI(r *bitReader) {
	if r.flag() && r.u(8) == extendedSAR { // aspect_ratio_idc
		r.u(32)
	}
	if r.flag() { // overscan_info_present_flag
		r.u(1)
	}
	if r.flag() { // video_signal_type_present_flag
		r.u(4)
		if r.flag() {
			r.u(24)
		}
	}
	if r.flag() { // chroma_loc_info_present_flag
		r.ue()
		r.ue()
	}
	if r.flag() { // timing_info_present_flag
		r.u(32)
		r.u(32)
		r.u(1)
	}
	nal := r.flag()
	if nal {
		skipHRD(r)
	}
	vcl := r.flag()
	if vcl {
		skipHRD(r)
	}
	if nal || vcl {
		r.u(1) // low_delay_hrd_flag
	}
	r.u(1) // pic_struct_present_flag
	if r.flag() {
		r.u(1)
		for range 4 {
			r.ue()
		}
		reorder, ok1 := r.ueMax(maxDPB)
		buffering, ok2 := r.ueMax(maxDPB)
		if ok1 && ok2 && reorder <= buffering && !r.overrun() {
			s.reorder, s.buffering = reorder, buffering
		}
	}
	if r.overrun() {
		r.pos = r.end
	}
}

// skipHRD skips hrd_parameters (E.1.2).
func skipHRD(r *bitReader) {
	n, ok := r.ueMax(31)
	if !ok {
		r.pos = r.end + 1
		return
	}
	r.u(8)
	for range n + 1 {
		r.ue()
		r.ue()
		r.u(1)
	}
	r.u(20)
}

// maxDPBMBs is MaxDpbMbs, Table A-1, by level_idc.
func maxDPBMBs(level int, level1b bool) int {
	switch {
	case level1b || level == 9 || level == 10:
		return 396
	case level == 11:
		return 900
	case level <= 20:
		return 2376
	case level == 21:
		return 4752
	case level <= 30:
		return 8100
	case level == 31:
		return 18000
	case level == 32:
		return 20480
	case level <= 41:
		return 32768
	case level == 42:
		return 34816
	case level == 50:
		return 110400
	case level <= 52:
		return 184320
	}
	return 696320
}

// dpbFrames returns the number of frames that the decoded picture buffer holds
// (A.3.1, C.4.5.3): MaxDpbFrames, or less where the VUI says so. It is never less
// than the reference frames need.
func (s *sps) dpbFrames() int {
	level1b := s.level == 11 && s.constraints&0x10 != 0 && s.profile <= 88
	n := min(maxDPBMBs(s.level, level1b)/(s.mbWidth*s.mbHeight), maxDPB)
	if s.buffering >= 0 {
		n = s.buffering
	} else if s.pocType == 2 || s.intraOnly() {
		n = 0 // output order is decoding order
	}
	return max(n, s.maxRefs, 1)
}

// reorderFrames returns how many pictures may precede one in decoding order and
// follow it in output order.
func (s *sps) reorderFrames() int {
	switch {
	case s.pocType == 2 || s.intraOnly():
		return 0
	case s.reorder >= 0:
		return s.reorder
	}
	return s.dpbFrames()
}

// intraOnly reports a profile of intra pictures only: constraint_set3_flag with a
// High profile (A.2.8 and on).
func (s *sps) intraOnly() bool {
	return s.constraints&0x10 != 0 && (s.profile == 44 || s.profile == 100 || s.profile == 110 || s.profile == 122 || s.profile == 244)
}
