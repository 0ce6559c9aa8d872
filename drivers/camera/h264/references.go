package h264

// referenceLists are RefPicList0 and RefPicList1 of the slice at hand.
type referenceLists struct {
	list [2][maxDPB + 1]*frame // one more than the longest, for modification
}

// dropReferences marks all frames as unused for reference.
func (d *Decoder) dropReferences() {
	for i := range d.frames {
		d.frames[i].short, d.frames[i].long = false, false
	}
}

// buildLists makes the reference lists of the slice (8.2.4).
func (d *Decoder) buildLists() error {
	h := &d.hdr
	d.references = referenceLists{}
	if h.kind == sliceI {
		return nil
	}
	d.numberFrames(h.frameNum)
	if h.kind == sliceP {
		d.initListP(&d.references.list[0])
	} else {
		d.initListsB()
	}
	for l := range d.references.list {
		n := h.numRefs[l]
		list := &d.references.list[l]
		for i := n; i < len(list); i++ {
			list[i] = nil
		}
		if err := d.modifyList(l); err != nil && d.sync == inSync {
			return err
		}
		list[n] = nil
		for i, f := range list[:n] {
			if f != nil && f.missing {
				list[i] = nil
			}
			if list[i] == nil && d.sync == recovering {
				list[i] = d.current // any picture: none is delivered
			}
		}
	}
	return nil
}

// numberFrames computes FrameNumWrap of the short-term references (8-27).
func (d *Decoder) numberFrames(current int) {
	for i := range d.frames {
		f := &d.frames[i]
		if f.short {
			if f.frameNumW = f.frameNum; f.frameNum > current {
				f.frameNumW -= 1 << d.sps.frameNumBits
			}
		}
	}
}

// collect appends to list the references that keep selects, in the order of
// less, and returns the new length.
func (d *Decoder) collect(list *[maxDPB + 1]*frame, n int, keep func(*frame) bool, less func(a, b *frame) bool) int {
	start := n
	for i := range d.frames {
		f := &d.frames[i]
		if !f.isReference() || !keep(f) || n > maxDPB {
			continue
		}
		at := n
		for at > start && less(f, list[at-1]) {
			list[at] = list[at-1]
			at--
		}
		list[at] = f
		n++
	}
	return n
}

func isShort(f *frame) bool { return f.short }
func isLong(f *frame) bool  { return f.long }

func byLongIdx(a, b *frame) bool { return a.longIdx < b.longIdx }

// initListP is 8.2.4.2.1.
func (d *Decoder) initListP(list *[maxDPB + 1]*frame) {
	n := d.collect(list, 0, isShort, func(a, b *frame) bool { return a.frameNumW > b.frameNumW })
	d.collect(list, n, isLong, byLongIdx)
}

// initListsB is 8.2.4.2.3. A non-existing frame has no order count with type 0.
func (d *Decoder) initListsB() {
	now := d.current.poc
	past := func(f *frame) bool { return f.short && f.poc < now && d.hasPOC(f) }
	future := func(f *frame) bool { return f.short && f.poc > now && d.hasPOC(f) }
	newest := func(a, b *frame) bool { return a.poc > b.poc }
	oldest := func(a, b *frame) bool { return a.poc < b.poc }
	first, second := &d.references.list[0], &d.references.list[1]
	n := d.collect(first, 0, past, newest)
	n = d.collect(first, n, future, oldest)
	d.collect(first, n, isLong, byLongIdx)
	m := d.collect(second, 0, future, oldest)
	m = d.collect(second, m, past, newest)
	m = d.collect(second, m, isLong, byLongIdx)
	if m > 1 && *first == *second {
		second[0], second[1] = second[1], second[0]
	}
}

func (d *Decoder) hasPOC(f *frame) bool { return !f.missing || d.sps.pocType != 0 }

// modifyList is 8.2.4.3.
func (d *Decoder) modifyList(l int) error {
	h := &d.hdr
	list, n := &d.references.list[l], h.numRefs[l]
	most := 1 << d.sps.frameNumBits
	predicted := h.frameNum
	at := 0
	var missing error
	for _, op := range h.listOps[l][:h.numListOps[l]] {
		var f *frame
		if op.kind == 2 {
			f = d.findLong(int(op.value))
		} else {
			delta := int(op.value) + 1
			if op.value < 0 || delta > most {
				return errHeader
			}
			if op.kind == 0 {
				delta = -delta
			}
			predicted = (predicted + delta + most) % most
			number := predicted
			if number > h.frameNum {
				number -= most
			}
			f = d.findShort(number)
		}
		if at >= n {
			return errHeader
		}
		if f == nil {
			missing = errNoReference
			at++
			continue
		}
		copy(list[at+1:n+1], list[at:n])
		list[at] = f
		at++
		to := at
		for _, g := range list[at : n+1] {
			if g != f {
				list[to] = g
				to++
			}
		}
		for ; to <= n; to++ {
			list[to] = nil
		}
	}
	return missing
}

// findShort returns the short-term reference with that PicNum.
func (d *Decoder) findShort(number int) *frame {
	for i := range d.frames {
		if f := &d.frames[i]; f.short && f.frameNumW == number {
			return f
		}
	}
	return nil
}

// findLong returns the long-term reference with that LongTermPicNum.
func (d *Decoder) findLong(number int) *frame {
	for i := range d.frames {
		if f := &d.frames[i]; f.long && f.longIdx == number {
			return f
		}
	}
	return nil
}

// fillGap handles a gap in frame_num: a lost picture, or where the stream may have
// gaps, frames that do not exist (8.2.5.2).
func (d *Decoder) fillGap() error {
	h, most := &d.hdr, 1<<d.sps.frameNumBits
	next := (d.order.prevRefFrameNum + 1) % most
	if h.frameNum == next {
		return nil
	}
	if h.frameNum == d.order.prevRefFrameNum || !d.sps.gapsAllowed { // 7.4.3: frames never repeat it
		return errGap
	}
	gap := (h.frameNum - next + most) % most
	if skip := gap - maxDPB; skip > 0 { // they would be removed again
		d.passFrameNum(next)
		if next+skip > most {
			d.passFrameNum(most - 1)
			d.passFrameNum(0)
		}
		next = (next + skip) % most
		d.passFrameNum((next - 1 + most) % most)
		gap = maxDPB
	}
	for range gap {
		f := d.freeFrame()
		if f == nil {
			return errGap
		}
		d.nextID++
		*f = frame{luma: f.luma, motion: f.motion, slot: f.slot, id: d.nextID, view: f.view, generation: f.generation, frameNum: next, missing: true, refused: true}
		f.poc = d.passFrameNum(next)
		d.numberFrames(next)
		d.slideWindow()
		f.short = true
		d.storeFrame(f)
		next = (next + 1) % most
	}
	return nil
}

// passFrameNum updates the picture order count for a frame that does not exist, and
// returns its count where it has one.
func (d *Decoder) passFrameNum(n int) (poc int32) {
	if d.sps.pocType != 0 {
		h := sliceHeader{frameNum: n, refIDC: 1}
		top, bottom := d.order.picturePOC(&d.sps, &h)
		poc = min(top, bottom)
	}
	d.order.prevRefFrameNum = n
	return poc
}

// slideWindow removes the oldest short-term reference where all places are taken
// (8.2.5.3).
func (d *Decoder) slideWindow() {
	for {
		n := 0
		var oldest *frame
		for i := range d.frames {
			f := &d.frames[i]
			if !f.isReference() {
				continue
			}
			n++
			if f.short && (oldest == nil || f.frameNumW < oldest.frameNumW) {
				oldest = f
			}
		}
		if n < max(d.sps.maxRefs, 1) || oldest == nil {
			return
		}
		oldest.short = false
	}
}

// markReferences marks the current picture and others (8.2.5.1).
func (d *Decoder) markReferences(f *frame, h *sliceHeader) {
	d.order.prevRefFrameNum = h.frameNum
	if h.idr {
		f.long, f.short, f.longIdx = h.longTerm, !h.longTerm, 0
		return
	}
	d.numberFrames(h.frameNum)
	if !h.adaptive {
		d.slideWindow()
		f.short = true
		return
	}
	for _, op := range h.markOps[:h.numMarkOps] {
		d.applyMark(f, h, op)
	}
	if !f.long {
		d.slideWindow() // removes one only where a damaged stream marks too many
		f.short = true
	}
}

// applyMark applies one memory management control operation (8.2.5.4).
func (d *Decoder) applyMark(f *frame, h *sliceHeader, op markOp) {
	switch op.kind {
	case 1:
		if g := d.findShort(h.frameNum - int(op.value) - 1); g != nil {
			g.short = false
		}
	case 2:
		if g := d.findLong(int(op.value)); g != nil {
			g.long = false
		}
	case 3:
		g := d.findShort(h.frameNum - int(op.value) - 1)
		if g == nil {
			return
		}
		if old := d.findLong(int(op.index)); old != nil {
			old.long = false
		}
		g.short, g.long, g.longIdx = false, true, int(op.index)
	case 4:
		for i := range d.frames {
			if g := &d.frames[i]; g.long && g.longIdx > int(op.index) {
				g.long = false
			}
		}
	case 5:
		d.dropReferences()
		d.outputAll()
		top := f.poc
		if h.deltaPOCBottom < 0 {
			top -= h.deltaPOCBottom
		}
		d.order.afterReset(top, f.poc)
		f.poc, f.frameNum = 0, 0
		d.firstPOC = minPOC
	case 6:
		if old := d.findLong(int(op.index)); old != nil {
			old.long = false
		}
		f.long, f.longIdx = true, int(op.index)
	}
}
