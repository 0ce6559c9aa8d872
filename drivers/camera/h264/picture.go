package h264

// pocState is what the picture order count of a picture needs of those before it
// (8.2.1).
type pocState struct {
	prevMSB, prevLSB int32 // of the previous reference picture
	prevFrameNum     int   // of the previous picture
	prevOffset       int32 // FrameNumOffset of it
	prevRefFrameNum  int   // PrevRefFrameNum
}

// picturePOC computes TopFieldOrderCnt and BottomFieldOrderCnt of a frame.
func (o *pocState) picturePOC(s *sps, h *sliceHeader) (top, bottom int32) {
	if s.pocType == 0 {
		return o.pocType0(s, h)
	}
	offset := o.prevOffset
	if h.idr {
		offset = 0
	} else if o.prevFrameNum > h.frameNum {
		offset += 1 << s.frameNumBits
	}
	o.prevOffset, o.prevFrameNum = offset, h.frameNum
	if s.pocType == 2 {
		poc := 2 * (offset + int32(h.frameNum))
		if h.refIDC == 0 {
			poc--
		}
		if h.idr {
			poc = 0
		}
		return poc, poc
	}
	return pocType1(s, h, offset)
}

// pocType0 is 8.2.1.1.
func (o *pocState) pocType0(s *sps, h *sliceHeader) (top, bottom int32) {
	if h.idr {
		o.prevMSB, o.prevLSB = 0, 0
	}
	most := int32(1) << s.pocLSBBits
	msb := o.prevMSB
	switch lsb := h.pocLSB; {
	case lsb < o.prevLSB && o.prevLSB-lsb >= most/2:
		msb += most
	case lsb > o.prevLSB && lsb-o.prevLSB > most/2:
		msb -= most
	}
	if h.refIDC != 0 {
		o.prevMSB, o.prevLSB = msb, h.pocLSB
	}
	top = msb + h.pocLSB
	return top, top + h.deltaPOCBottom
}

// pocType1 is 8.2.1.2.
func pocType1(s *sps, h *sliceHeader, offset int32) (top, bottom int32) {
	var n int32 // absFrameNum
	if s.cycleLen != 0 {
		n = offset + int32(h.frameNum)
	}
	if h.refIDC == 0 && n > 0 {
		n--
	}
	var expected int32
	if n > 0 {
		var perCycle int32
		for _, v := range s.cycle[:s.cycleLen] {
			perCycle += v
		}
		cycles, in := (n-1)/int32(s.cycleLen), (n-1)%int32(s.cycleLen)
		expected = cycles * perCycle
		for _, v := range s.cycle[:in+1] {
			expected += v
		}
	}
	if h.refIDC == 0 {
		expected += s.offsetNonRef
	}
	top = expected + h.deltaPOC[0]
	return top, top + s.offsetBottom + h.deltaPOC[1]
}

// afterReset sets the state behind memory management control operation 5, where
// the picture's frame_num and order count become 0 (8.2.1).
func (o *pocState) afterReset(top, poc int32) {
	o.prevMSB, o.prevLSB = 0, top-poc
	o.prevFrameNum, o.prevOffset, o.prevRefFrameNum = 0, 0, 0
}

// startPicture begins the picture of d.hdr. ok is false where it is left out.
func (d *Decoder) startPicture(s *sps, tag int64) (ok bool, err error) {
	recovery := d.recovery
	d.recovery = -1
	if !d.enterSync(s, recovery) {
		d.withheld++
		return false, nil
	}
	if d.hdr.idr || d.sync == awaitsKey {
		d.dropReferences()
		d.outputAll()
		err := d.activate(s)
		if err != nil {
			d.sync = awaitsKey
			return false, err
		}
	} else if s.serial != d.sps.serial {
		d.sync = awaitsKey
		return false, errNoParams
	}
	if err := d.startSync(recovery); err != nil {
		d.sync = awaitsKey
		return false, err
	}
	top, bottom := d.order.picturePOC(&d.sps, &d.hdr)
	if d.hdr.refIDC == 0 && d.skip != SkipNone {
		return false, nil
	}
	f := d.freeFrame()
	if f == nil {
		d.sync = awaitsKey
		return false, errNoReference
	}
	d.nextID++
	*f = frame{
		luma: f.luma, motion: f.motion, slot: f.slot, id: d.nextID, slotIDs: f.slotIDs,
		view: newView(&d.sps), generation: d.generation,
		poc: min(top, bottom), frameNum: d.hdr.frameNum, tag: tag, key: d.hdr.idr || recovery == 0,
	}
	for i := range d.frames {
		f.slotIDs[i] = d.frames[i].id
	}
	d.current, d.slices, d.decoded, d.damage, d.tag = f, 0, 0, nil, tag
	clear(d.mbs)
	d.decideDelivery(f)
	return true, nil
}

// enterSync reports whether the picture can be decoded: it is an IDR picture or at
// a recovery point, or the references are there.
func (d *Decoder) enterSync(s *sps, recovery int) bool {
	key := d.hdr.idr || recovery == 0 && d.hdr.kind == sliceI
	if d.skip == SkipNonKey {
		if !key {
			d.sync = awaitsKey
			return false
		}
		return true
	}
	return d.sync != awaitsKey || d.hdr.idr || recovery >= 0
}

// startSync updates the state of synchronisation, and handles gaps in frame_num.
func (d *Decoder) startSync(recovery int) error {
	h := &d.hdr
	switch {
	case h.idr:
		d.sync, d.haveFirst, d.firstPOC = inSync, true, minPOC
		d.order.prevRefFrameNum = 0
		if h.frameNum != 0 {
			return errHeader
		}
	case d.sync == awaitsKey:
		d.sync, d.haveFirst = recovering, false
		d.target = (h.frameNum + recovery) & (1<<d.sps.frameNumBits - 1)
		d.order = pocState{prevFrameNum: h.frameNum, prevRefFrameNum: h.frameNum, prevLSB: h.pocLSB}
	default:
		return d.fillGap()
	}
	return nil
}

const minPOC = -1 << 31

// decideDelivery decides whether the picture will be delivered. While recovering
// none is up to the target. Then those that precede the recovery point in output
// order are not.
func (d *Decoder) decideDelivery(f *frame) {
	if d.sync == recovering && f.frameNum == d.target {
		d.sync = inSync
	}
	if d.sync == inSync && !d.haveFirst {
		d.haveFirst, d.firstPOC = true, f.poc
	}
	f.refused = d.sync != inSync || f.poc < d.firstPOC
}

// EndPicture ends the picture under way: the caller knows that no slice of it
// follows. Its error is the damage of that picture.
func (d *Decoder) EndPicture() error {
	d.releaseLent()
	f := d.current
	if f == nil {
		return nil
	}
	d.current = nil
	if d.damage == nil && d.decoded < len(d.mbs) {
		d.damage = errLost
	}
	if d.damage != nil {
		f.short, f.long = false, false
		if d.hdrOfPicture().refIDC != 0 {
			d.sync = awaitsKey
		}
		return d.damage
	}
	d.deblockPicture(f)
	h := d.hdrOfPicture()
	if h.refIDC != 0 {
		d.markReferences(f, h)
	}
	d.storeFrame(f)
	return nil
}

// hdrOfPicture returns the header of the last slice of the current picture; what
// it says about the picture is the same in all its slices.
func (d *Decoder) hdrOfPicture() *sliceHeader { return &d.last }

// decodeSlice decodes a slice and begins its picture where it is the first.
func (d *Decoder) decodeSlice(nal []byte, tag int64) error {
	n, err := d.readRBSP(nal, max(minNALRoom, d.opts.MaxMacroblocks*maxMBBytes))
	if err != nil {
		return err
	}
	r := newBitReader(d.rbspBk, n)
	s, p, err := d.parseHeader(&r, nal[0])
	if err != nil || s == nil {
		return err
	}
	ended, err := d.changePicture(s, tag)
	if err == nil && d.current != nil && d.damage == nil {
		err = d.decodeMacroblocks(&r, p)
		if _, refused := err.(DamageError); refused {
			d.damage, err = err, nil // told when the picture ends
		}
	}
	if ended != nil {
		return ended
	}
	return err
}

// parseHeader reads a slice header to d.hdr and returns its parameter sets. They
// are nil for a slice that is left out.
func (d *Decoder) parseHeader(r *bitReader, head byte) (*sps, *pps, error) {
	if err := d.hdr.parseStart(r, head); err != nil {
		return nil, nil, d.damagedHeader(err)
	}
	p := &d.ppsTable[d.hdr.ppsID]
	if p.serial == 0 {
		return nil, nil, d.damagedHeader(errNoParams)
	}
	s := &d.spsTable[p.spsID]
	if refusal := d.spsRefusal[p.spsID]; refusal != nil {
		return nil, nil, refusal
	}
	if s.serial == 0 {
		return nil, nil, d.damagedHeader(errNoParams)
	}
	if p.sliceGroups > 1 {
		return nil, nil, errFMO
	}
	d.hdr.spsSerial, d.hdr.monochrome = s.serial, s.monochrome
	redundant, err := d.hdr.parseRest(r, s, p)
	if redundant {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, d.damagedHeader(err)
	}
	return s, p, nil
}

// damagedHeader notes that a slice of the current picture, or of one that is then
// missing, cannot be used.
func (d *Decoder) damagedHeader(err error) error {
	if d.sync != awaitsKey {
		if _, refused := err.(UnsupportedError); !refused {
			if d.current != nil && d.damage == nil {
				d.damage = err
				d.sync = awaitsKey // it may have been of the next picture
				return nil
			}
			d.sync = awaitsKey
		}
	}
	return err
}

// changePicture ends the current picture and begins the next where d.hdr is of
// another. ended is the damage of the one that ended.
func (d *Decoder) changePicture(s *sps, tag int64) (ended, err error) {
	h := &d.hdr
	again := h.firstMB == 0 && d.current != nil && d.slices > 0 && d.mbs[0].slice != 0
	if d.slices > 0 && d.current != nil && !again && !h.startsPicture(&d.last) {
		d.last = *h
		return nil, nil
	}
	if d.current == nil && d.leftOut && !h.startsPicture(&d.last) && h.firstMB != 0 {
		return nil, nil // another slice of a picture that is left out
	}
	ended = d.EndPicture()
	ok, err := d.startPicture(s, tag)
	d.last, d.leftOut = *h, !ok
	return ended, err
}
