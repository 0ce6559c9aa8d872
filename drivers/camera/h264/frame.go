package h264

import "unsafe"

// A vector is a motion vector in quarter samples.
type vector struct{ x, y int16 }

// motion is the motion of one macroblock by list: vectors of the 4×4 blocks in
// raster order, and of the four 8×8 quarters the reference index and the frame
// referred to, as its slot. -1: none.
type motion struct {
	mv   [2][16]vector
	ref  [2][4]int8
	slot [2][4]int8
}

// maxSlots is the number of frames of the largest decoded picture buffer, with
// one under way and one about to be delivered.
const maxSlots = maxDPB + 2

// frame is a decoded frame.
type frame struct {
	luma    []byte
	motion  []motion
	slot    int8
	view    view
	id      uint32           // unique
	slotIDs [maxSlots]uint32 // id of the frame in each slot when this one was decoded

	poc         int32 // PicOrderCnt
	frameNum    int
	frameNumW   int // FrameNumWrap
	longIdx     int // LongTermFrameIdx
	short, long bool
	missing     bool // non-existing (8.2.5.2)
	waiting     bool // needed for output
	queued      bool // delivered next, or being looked at
	key         bool
	refused     bool // not delivered
	tag         int64
	generation  uint32 // of the memory that it lies in
}

// used reports whether the frame must be kept.
func (f *frame) used() bool { return f.short || f.long || f.waiting || f.queued }

// isReference reports whether the frame is marked as used for reference.
func (f *frame) isReference() bool { return f.short || f.long }

// activate makes s the active sequence parameter set. It allocates when the
// pictures or their number change.
func (d *Decoder) activate(s *sps) error {
	if s.serial == d.sps.serial {
		return nil
	}
	if s.mbWidth*s.mbHeight > d.opts.MaxMacroblocks {
		return errTooLarge
	}
	same := d.sps.serial != 0 && s.mbWidth == d.sps.mbWidth && s.mbHeight == d.sps.mbHeight &&
		s.dpbFrames() == d.sps.dpbFrames() && s.sharesMotion() == d.sps.sharesMotion()
	if !same {
		d.retireFrames()
		if err := d.allocFrames(s); err != nil {
			return err
		}
	}
	d.sps = *s
	return nil
}

// sharesMotion reports whether one picture's motion is never used by another: the
// Baseline profile has no B slices.
func (s *sps) sharesMotion() bool { return s.profile == 66 }

// allocFrames allocates all memory of pictures of that size, as one block.
func (d *Decoder) allocFrames(s *sps) error {
	var c carver
	d.carveFrames(&c, s)
	if c.used > d.opts.MaxMemory {
		return errTooMuchState
	}
	block, err := d.opts.Memory.Bytes(c.used)
	if err != nil {
		return err
	}
	d.block = block
	c = carver{block: block}
	d.carveFrames(&c, s)
	return nil
}

// carveFrames divides the block.
func (d *Decoder) carveFrames(c *carver, s *sps) {
	mbs := s.mbWidth * s.mbHeight
	n := s.dpbFrames() + 2
	if c.block != nil {
		d.frames = make([]frame, n)
	}
	var shared []motion
	if s.sharesMotion() {
		shared = carve[motion](c, mbs)
	}
	for i := range n {
		luma, moves := carve[byte](c, mbs*256), shared
		if shared == nil && !s.sharesMotion() {
			moves = carve[motion](c, mbs)
		}
		if c.block != nil {
			d.frames[i] = frame{luma: luma, motion: moves, slot: int8(i), view: newView(s), generation: d.generation}
		}
	}
	d.mbs = carve[macroblock](c, mbs)
	if w := carve[work](c, 1); c.block != nil {
		d.work = &w[0]
	}
}

// retireFrames sets the memory of all pictures aside until those in the queue
// have been delivered.
func (d *Decoder) retireFrames() {
	if d.retired != nil {
		d.dropQueue(d.generation)
	}
	d.retired = d.block
	d.generation++
	d.block, d.frames, d.mbs, d.work, d.current = nil, nil, nil, nil, nil
	d.slice.forget()
	d.references = referenceLists{}
	d.freeRetired()
}

// freeRetired frees the memory that was set aside when no picture in the queue
// lies in it.
func (d *Decoder) freeRetired() {
	if d.retired == nil || d.queued > 0 && d.queue[0].generation != d.generation || d.lent != nil && d.lent.generation != d.generation {
		return
	}
	d.opts.Memory.Free(d.retired)
	d.retired = nil
}

// dropQueue drops the pictures of earlier generations, and frees their memory.
func (d *Decoder) dropQueue(generation uint32) {
	n := 0
	for _, f := range d.queue[:d.queued] {
		if f.generation == generation {
			d.queue[n] = f
			n++
		}
	}
	d.queued = n
	d.releaseLent()
	d.opts.Memory.Free(d.retired)
	d.retired = nil
}

// freeFrames forgets all pictures and frees their memory.
func (d *Decoder) freeFrames() {
	d.queued, d.lent = 0, nil
	clear(d.queue[:])
	d.retireFrames()
	d.sync = awaitsKey
}

// work is the scratch of one slice, in the caller's memory.
type work struct {
	coefs    [256]int16 // of one macroblock: 16 blocks of 4×4 or 4 of 8×8
	dc       [16]int16  // of an Intra16x16 macroblock
	pred     [256]byte  // the second prediction of two
	edge     [edgeRows * edgeStride]byte
	rows     [21 * 16]int16 // of the six-tap filter between its two passes
	contexts [usedContexts]uint8
}

// edgeStride and edgeRows hold a block of 16×16 with the six-tap filter's margin.
const (
	edgeStride = 32
	edgeRows   = 21
)

// workSize keeps the scratch within two pages.
var _ [8192 - unsafe.Sizeof(work{})]byte

// freeFrame returns a frame that is not in use. Where the caller has not looked at
// the pictures in the queue, the oldest is dropped.
func (d *Decoder) freeFrame() *frame {
	for {
		for i := range d.frames {
			if f := &d.frames[i]; !f.used() {
				return f
			}
		}
		if d.queued == 0 {
			return nil
		}
		d.queue[0].queued = false
		d.queued--
		copy(d.queue[:], d.queue[1:1+d.queued])
	}
}

// Next returns the next picture in output order; it is valid until the next call
// of a method. ok is false when more input is needed.
func (d *Decoder) Next() (p Picture, ok bool) {
	d.releaseLent()
	d.freeRetired()
	if d.queued == 0 {
		return Picture{}, false
	}
	f := d.queue[0]
	d.queued--
	copy(d.queue[:], d.queue[1:1+d.queued])
	d.lent = f
	return Picture{
		Luma: f.luma[f.view.first:], Stride: f.view.stride,
		Width: f.view.width, Height: f.view.height, Tag: f.tag, Key: f.key,
	}, true
}

// view is the part of a frame that is delivered (7.4.2.1.1, frame_cropping_flag).
type view struct{ first, stride, width, height int }

func newView(s *sps) view {
	stride := 16 * s.mbWidth
	return view{first: s.cropY*stride + s.cropX, stride: stride, width: s.width, height: s.height}
}

// releaseLent ends the look at the picture that Next returned.
func (d *Decoder) releaseLent() {
	if d.lent != nil {
		d.lent.queued = false
		d.lent = nil
	}
}

// Flush ends the picture under way and queues all that wait for their turn.
func (d *Decoder) Flush() error {
	err := d.EndPicture()
	d.outputAll()
	return err
}

// outputAll queues all waiting pictures in output order.
func (d *Decoder) outputAll() {
	for d.outputFirst() {
	}
	d.lastOutput = minPOC
}

// outputFirst queues the first waiting picture: bumping, C.4.5.3.
func (d *Decoder) outputFirst() bool {
	var first *frame
	for i := range d.frames {
		if f := &d.frames[i]; f.waiting && (first == nil || f.poc < first.poc) {
			first = f
		}
	}
	if first == nil {
		return false
	}
	first.waiting = false
	d.lastOutput = first.poc
	d.enqueue(first)
	return true
}

// enqueue queues a picture for delivery.
func (d *Decoder) enqueue(f *frame) {
	f.queued = true
	d.queue[d.queued] = f
	d.queued++
}

// storeFrame puts the current picture into the decoded picture buffer and queues
// the pictures whose turn has come (C.4.5).
func (d *Decoder) storeFrame(f *frame) {
	f.waiting = !f.refused
	most, reorder := d.sps.dpbFrames(), d.sps.reorderFrames()
	if d.skip == SkipNonKey {
		reorder = 0
	}
	if d.lowDelay && d.sps.reorder < 0 {
		if f.waiting && f.poc < d.lastOutput {
			f.waiting = false
			d.delay++
		}
		reorder = min(reorder, d.delay)
	}
	for {
		kept, waiting := 0, 0
		for i := range d.frames {
			g := &d.frames[i]
			if g.isReference() || g.waiting {
				kept++
			}
			if g.waiting {
				waiting++
			}
		}
		if kept <= most && waiting <= reorder {
			return
		}
		if !d.outputFirst() {
			return
		}
	}
}
