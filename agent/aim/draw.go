package aim

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"

	"kerb/counting"
)

// minWidth is the least width of a drawn sketch in pixels: enough for sharp
// block edges on a telephone. Chosen by hand.
const minWidth = 480

// The look of a sketch, chosen by hand on a telephone in the sun.
const (
	contrastRate = 0.2 // weight of a new sketch in the contrast range
	minContrast  = 4   // least contrast range, in sketch levels
	darkest      = 40  // luma of the darkest level
	lumaRange    = 130 // luma between the darkest and the brightest level
	hatchWidth   = 6   // pixels
	jpegQuality  = 80  // of 100
)

// cellColour returns the colour of a cell value, from the palette of Okabe and
// Ito (2008), which people with colour-deficient vision can tell apart.
func cellColour(is uint8) color.YCbCr {
	c := [counting.CellNothing + 1][3]uint8{
		counting.CellClass + uint8(counting.Person):     {230, 159, 0},
		counting.CellClass + uint8(counting.Bicycle):    {86, 180, 233},
		counting.CellClass + uint8(counting.Vehicle):    {204, 121, 167},
		counting.CellClass + uint8(counting.Motorcycle): {240, 228, 66},
		counting.CellClass + uint8(counting.Car):        {204, 121, 167},
		counting.CellClass + uint8(counting.Heavy):      {213, 94, 0},
		counting.CellNothing:                            {225, 230, 235},
	}[is]
	y, cb, cr := color.RGBToYCbCr(c[0], c[1], c[2])
	return color.YCbCr{Y: y, Cb: cb, Cr: cr}
}

// Drawer draws sketches as JPEGs. The zero value is ready. It is not safe for
// concurrent use.
type Drawer struct {
	canvas *image.YCbCr
	out    bytes.Buffer
	low    float64 // darkest and brightest level of the street, smoothed over sketches
	high   float64
}

// DrawJPEG returns the sketch as a JPEG, valid until the next call. Each cell of
// the grid becomes k×k equal pixels. The error is that of the JPEG encoder.
func (d *Drawer) DrawJPEG(s *counting.Sketch) ([]byte, error) {
	k := max((minWidth+int(s.Width)-1)/max(int(s.Width), 1), 1)
	w, h := k*int(s.Width), k*int(s.Height)
	if d.canvas == nil || d.canvas.Rect.Dx() != w || d.canvas.Rect.Dy() != h {
		d.canvas = image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio444)
		d.low, d.high = 1, counting.SketchGreys
	}
	d.updateContrast(s)
	var palette [counting.CellNothing + 1]color.YCbCr
	for i := range palette {
		palette[i] = cellColour(uint8(i))
	}
	block, cell := k*int(s.Block), k*int(s.Cell)
	for y := range h {
		blocks, cells := y/block*s.BlockColumns(), y/cell*s.CellColumns()
		for x := range w {
			c := d.blockColour(s.Blocks[blocks+x/block], x, y)
			if is := s.Cells[cells+x/cell]; is != counting.CellClear {
				c = palette[is]
			}
			i := y*d.canvas.YStride + x
			d.canvas.Y[i], d.canvas.Cb[i], d.canvas.Cr[i] = c.Y, c.Cb, c.Cr
		}
	}
	d.out.Reset()
	err := jpeg.Encode(&d.out, d.canvas, &jpeg.Options{Quality: jpegQuality})
	return d.out.Bytes(), err
}

// updateContrast moves the contrast range towards the levels of this sketch, by
// an exponential average, so that a screen in sunlight shows them all.
func (d *Drawer) updateContrast(s *counting.Sketch) {
	low, high := uint8(counting.SketchGreys), uint8(1)
	for _, b := range s.Blocks[:s.BlockColumns()*s.BlockRows()] {
		if b != counting.BlockUnknown && b != counting.BlockMasked {
			low, high = min(low, b), max(high, b)
		}
	}
	if low < high {
		d.low += contrastRate * (float64(low) - d.low)
		d.high += contrastRate * (float64(high) - d.high)
	}
}

// blockColour returns the colour of a block at a pixel: bluish grey by its
// level, dark when it is unknown, hatched when it is masked.
func (d *Drawer) blockColour(b uint8, x, y int) color.YCbCr {
	switch b {
	case counting.BlockUnknown:
		return color.YCbCr{Y: 28, Cb: 134, Cr: 126}
	case counting.BlockMasked:
		if (x+y)/hatchWidth%2 == 0 {
			return color.YCbCr{Y: 12, Cb: 128, Cr: 128}
		}
		return color.YCbCr{Y: 40, Cb: 128, Cr: 128}
	}
	at := (float64(b) - d.low) / max(d.high-d.low, minContrast)
	return color.YCbCr{Y: uint8(darkest + lumaRange*min(max(at, 0), 1)), Cb: 134, Cr: 124}
}
