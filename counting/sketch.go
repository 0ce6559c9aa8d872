package counting

// The bounds of a Sketch. They are compiled in, equal on every device and under
// every policy, so no file can make a sketch finer.
const (
	SketchBlocks  = 64  // most blocks along either side of the picture
	SketchCells   = 128 // most cells of a silhouette along either side
	SketchGreys   = 16  // shades that a block can have
	SketchObjects = 64  // most objects that are outlined
)

// The values of a block besides a shade, which is 1 to SketchGreys.
const (
	BlockUnknown = 0   // no background has stayed here long enough yet
	BlockMasked  = 255 // masked: neither a detector nor a person sees it
)

// The values of a cell: CellClear is the street; a class c is c+CellClass.
const (
	CellClear   = 0
	CellClass   = 1
	CellNothing = CellClass + Classes // moves, and is not an object that is counted
	cellEnd     = CellNothing + 1
)

// A Sketch is the only view of a camera's picture that a person gets while
// aiming it: coarse blocks of the street's background, and flat silhouettes of
// the objects that move. It has a fixed size and holds no slice, so no other
// data can travel in it.
//
// Width and Height are a grid laid over the picture, in grid points; a block
// covers Block×Block of them, a cell of a silhouette Cell×Cell. Rows come from
// the top, and a grid point (x, y) lies in block (y/Block)·⌈Width/Block⌉ + x/Block.
type Sketch struct {
	Width, Height uint16
	Block, Cell   uint8
	Blocks        [SketchBlocks * SketchBlocks]uint8
	Cells         [SketchCells * SketchCells]uint8
	Objects       [SketchObjects]Outline
	N             uint8 // how many of Objects are used
	View          View
}

// Outline is the upright bounding box of one object, in grid points of the
// Sketch, and the cell value of its class.
type Outline struct {
	X0, Y0, X1, Y1 uint16 // X1 and Y1 excluded
	Value          uint8
}

// View describes the picture as a whole, in numbers: the ground's perspective,
// the rate, the exposure and the noise.
type View struct {
	Horizon        float32 // where the ground ends, in heights of the picture; above it: negative
	ScaleSlope     float32 // pixels per metre on the ground, per height of the picture below the horizon
	ScaleLogSD     float32 // standard deviation of the logarithm of that scale
	ScaleMeasured  bool    // the scale was measured by hand
	LooksPerSecond float32 // rate of the looks at the picture, 1/s
	Bright         uint8   // part of the picture that is burnt out, %
	Dark           uint8   // part that is black, %
	Mean           uint8   // mean shade, 0–255
	Noise          float32 // grey levels between two looks of a place without motion
}

// PixelsPerMetre gives the pixels per metre on the ground at a row y, in heights of the
// picture; 0 above the horizon.
func (v View) PixelsPerMetre(y float64) float64 {
	return max((y-float64(v.Horizon))*float64(v.ScaleSlope), 0)
}

// BlockColumns is the number of blocks across.
func (s *Sketch) BlockColumns() int { return ceilDiv(s.Width, s.Block) }

// BlockRows is the number of blocks down.
func (s *Sketch) BlockRows() int { return ceilDiv(s.Height, s.Block) }

// CellColumns is the number of cells across.
func (s *Sketch) CellColumns() int { return ceilDiv(s.Width, s.Cell) }

// CellRows is the number of cells down.
func (s *Sketch) CellRows() int { return ceilDiv(s.Height, s.Cell) }

// ceilDiv is ⌈places/each⌉, and 0 where each is 0.
func ceilDiv(places uint16, each uint8) int {
	if each == 0 {
		return 0
	}
	return (int(places) + int(each) - 1) / int(each)
}

// InBounds reports whether sizes, values and outlines keep to the bounds of a Sketch.
// A process checks it for every sketch that it receives from another process.
func (s *Sketch) InBounds() bool {
	if s.Block == 0 || s.Cell == 0 || s.BlockColumns() > SketchBlocks || s.BlockRows() > SketchBlocks ||
		s.CellColumns() > SketchCells || s.CellRows() > SketchCells || int(s.N) > SketchObjects {
		return false
	}
	for _, b := range s.Blocks {
		if b > SketchGreys && b != BlockMasked {
			return false
		}
	}
	for _, c := range s.Cells {
		if c >= cellEnd {
			return false
		}
	}
	for _, o := range s.Objects[:s.N] {
		if o.X0 > o.X1 || o.Y0 > o.Y1 || o.X1 > s.Width || o.Y1 > s.Height || o.Value == CellClear || o.Value >= cellEnd {
			return false
		}
	}
	return true
}
