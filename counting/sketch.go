package counting

// The bounds of a Sketch, the same on every device and in every policy: no
// file can make it finer.
const (
	SketchBlocks  = 64  // most blocks along either side of the picture
	SketchCells   = 128 // most cells of a silhouette along either side
	SketchGreys   = 16  // shades that a block can have
	SketchObjects = 64  // most objects that are named
)

// What a block shows besides a shade, which is 1 to SketchGreys.
const (
	BlockUnknown = 0   // nothing has stayed there for long enough
	BlockMasked  = 255 // no detector sees it, and nobody else
)

// What a cell shows: CellClear is the street; a class c is c+CellClass.
const (
	CellClear   = 0
	CellClass   = 1
	CellNothing = CellClass + Classes // moves, and is no object that is counted
	cellEnd     = CellNothing + 1
)

// A Sketch is all that whoever aims a camera may see of its picture: coarse
// blocks of the street as it is when nothing moves, and flat silhouettes of
// what does. It has a fixed size and holds no slice, so that nothing else can
// travel in it.
//
// Width and Height are a grid laid over the picture; a block covers Block×Block
// of its places, a cell of a silhouette Cell×Cell. Rows come from the top, and
// a place (x, y) lies in block (y/Block)·⌈Width/Block⌉ + x/Block.
type Sketch struct {
	Width, Height uint16
	Block, Cell   uint8
	Blocks        [SketchBlocks * SketchBlocks]uint8
	Cells         [SketchCells * SketchCells]uint8
	Objects       [SketchObjects]Outline
	N             uint8 // of the Objects that are used
	View          View
}

// Outline is the upright box around one object, in places of the grid, and its
// cell value.
type Outline struct {
	X0, Y0, X1, Y1 uint16 // X1 and Y1 excluded
	Is             uint8
}

// View is what the picture is like as a whole, in numbers.
type View struct {
	Horizon float32 // where the ground ends, in heights of the picture; above it: negative
	PerUnit float32 // pixels per metre on the ground, per height of the picture below the horizon
	Unsure  float32 // standard deviation of the logarithm of that scale
	Known   bool    // the scale was measured by hand
	Pace    float32 // looks a second
	Bright  uint8   // part of the picture that is burnt out, %
	Dark    uint8   // part that is black, %
	Mean    uint8   // mean shade, 0–255
	Noise   float32 // levels between two looks of a place where nothing moves
}

// Scale is pixels per metre on the ground at a row, given in heights of the
// picture; 0 above the horizon.
func (v View) Scale(y float64) float64 {
	return max((y-float64(v.Horizon))*float64(v.PerUnit), 0)
}

// Columns is how many blocks there are across, Rows how many down.
func (s *Sketch) Columns() int { return ceilDiv(s.Width, s.Block) }

// Rows is how many blocks there are down.
func (s *Sketch) Rows() int { return ceilDiv(s.Height, s.Block) }

// CellColumns is how many cells there are across.
func (s *Sketch) CellColumns() int { return ceilDiv(s.Width, s.Cell) }

// CellRows is how many cells there are down.
func (s *Sketch) CellRows() int { return ceilDiv(s.Height, s.Cell) }

func ceilDiv(places uint16, each uint8) int {
	if each == 0 {
		return 0
	}
	return (int(places) + int(each) - 1) / int(each)
}

// Fits reports whether the sketch keeps to its bounds: whoever gets one from
// another process asks before believing it.
func (s *Sketch) Fits() bool {
	if s.Block == 0 || s.Cell == 0 || s.Columns() > SketchBlocks || s.Rows() > SketchBlocks ||
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
		if o.X0 > o.X1 || o.Y0 > o.Y1 || o.X1 > s.Width || o.Y1 > s.Height || o.Is == CellClear || o.Is >= cellEnd {
			return false
		}
	}
	return true
}
