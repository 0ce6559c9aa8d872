package aim

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"

	"kerb/counting"
)

// across is how wide a sketch is drawn at least, in pixels: enough for the
// edges of its blocks to be sharp on a telephone.
const across = 480

// Colours of silhouettes, by their cell value: Okabe and Ito's, which people
// who see few colours can tell apart, on a street without any.

func shade(is uint8) color.YCbCr {
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

// Drawer turns sketches into JPEGs. The zero value is ready; it is not safe for
// concurrent use.
type Drawer struct {
	canvas *image.YCbCr
	out    bytes.Buffer
	low    float64 // the shades that are used, smoothed
	high   float64
}

// Draw is the sketch as a JPEG, valid until the next call. Each place of the
// grid becomes k×k equal pixels.
func (d *Drawer) Draw(s *counting.Sketch) ([]byte, error) {
	k := max((across+int(s.Width)-1)/max(int(s.Width), 1), 1)
	w, h := k*int(s.Width), k*int(s.Height)
	if d.canvas == nil || d.canvas.Rect.Dx() != w || d.canvas.Rect.Dy() != h {
		d.canvas = image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio444)
		d.low, d.high = 1, counting.SketchGreys
	}
	d.stretch(s)
	var palette [counting.CellNothing + 1]color.YCbCr
	for i := range palette {
		palette[i] = shade(uint8(i))
	}
	block, cell := k*int(s.Block), k*int(s.Cell)
	for y := range h {
		blocks, cells := y/block*s.BlockColumns(), y/cell*s.CellColumns()
		for x := range w {
			c := d.street(s.Blocks[blocks+x/block], x, y)
			if is := s.Cells[cells+x/cell]; is != counting.CellClear {
				c = palette[is]
			}
			i := y*d.canvas.YStride + x
			d.canvas.Y[i], d.canvas.Cb[i], d.canvas.Cr[i] = c.Y, c.Cb, c.Cr
		}
	}
	d.out.Reset()
	err := jpeg.Encode(&d.out, d.canvas, &jpeg.Options{Quality: 80})
	return d.out.Bytes(), err
}

// stretch spreads the shades that the street has over those that a screen in
// the sun can show.
func (d *Drawer) stretch(s *counting.Sketch) {
	low, high := uint8(counting.SketchGreys), uint8(1)
	for _, b := range s.Blocks[:s.BlockColumns()*s.BlockRows()] {
		if b != counting.BlockUnknown && b != counting.BlockMasked {
			low, high = min(low, b), max(high, b)
		}
	}
	if low < high {
		d.low += 0.2 * (float64(low) - d.low)
		d.high += 0.2 * (float64(high) - d.high)
	}
}

// street is a block's colour: bluish grey; unknown ones are dark, masked ones
// hatched.
func (d *Drawer) street(b uint8, x, y int) color.YCbCr {
	switch b {
	case counting.BlockUnknown:
		return color.YCbCr{Y: 28, Cb: 134, Cr: 126}
	case counting.BlockMasked:
		if (x+y)/6%2 == 0 {
			return color.YCbCr{Y: 12, Cb: 128, Cr: 128}
		}
		return color.YCbCr{Y: 40, Cb: 128, Cr: 128}
	}
	at := (float64(b) - d.low) / max(d.high-d.low, 4)
	return color.YCbCr{Y: uint8(40 + 130*min(max(at, 0), 1)), Cb: 134, Cr: 124}
}
