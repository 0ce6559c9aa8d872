package footage

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"path/filepath"
	"testing"
	"time"

	"kerb/agent/aim"
	"kerb/counting"
	"kerb/counting/neural"
	"kerb/counting/neural/nets"
	"kerb/counting/vision"
	"kerb/drivers/camera"
)

// The reviewer's test: over a thousand sketches of real clips in all, drawn as
// the page gets them, measured in the decoded JPEG. No block is smaller than a
// sixty-fourth of the picture, and nothing is inside a silhouette.
func TestAThousandSketchesHoldNoFineThing(t *testing.T) {
	dir := clips(t)
	paths, err := filepath.Glob(filepath.Join(dir, "*.avi"))
	if err != nil || len(paths) == 0 {
		t.Skip("no clips")
	}
	street := func(w, h int) *neural.Net { return own(t, nets.Street, w, h) }
	for _, k := range []struct {
		name   string
		eye    func(w, h int) *neural.Net
		follow time.Duration
	}{
		{"motion", func(int, int) *neural.Net { return nil }, time.Minute},
		{"street", street, time.Minute},
		{"street, nobody followed", street, 0},
	} {
		t.Run(k.name, func(t *testing.T) {
			var m measure
			for _, path := range paths {
				m.clip(t, path, 600/len(paths), vision.Opts{FollowMax: k.follow}, k.eye) // short ones have fewer
			}
			t.Logf("%d sketches: blocks at most %d across; the largest step inside a silhouette %.1f levels, inside a block %.1f; %d inner pixels of silhouettes", m.sketches, m.blocks, m.inside, m.within, m.pixels)
			if m.sketches < 500 || m.pixels < 10000 {
				t.Errorf("%d sketches with %d inner pixels: too few to say anything", m.sketches, m.pixels)
			}
			// JPEG at quality 80 rings by a few levels around an edge; the measure
			// keeps away from edges by one of its blocks.
			if m.blocks > counting.SketchBlocks || m.inside > 6 || m.within > 6 {
				t.Error("a sketch shows what it must not")
			}
		})
	}
}

type measure struct {
	sketches, blocks, pixels int
	inside, within           float64 // largest step of luma inside a silhouette, and inside a block
}

func (m *measure) clip(t *testing.T, path string, n int, o vision.Opts, eye func(w, h int) *neural.Net) {
	t.Helper()
	src, err := camera.OpenAVI(path, camera.Limits{MaxPixels: 1 << 20, MaxBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	w, h := src.Size()
	o.Width, o.Height, o.Network, o.Sketcher = w, h, eye(w, h), new(vision.Sketcher)
	if o.FollowMax == 0 {
		o.Zones = []counting.Zone{{ID: "all", Polygon: counting.Polygon{{X: 0, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 1}, {X: 0, Y: 1}}}}
	}
	c, err := vision.New(src, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var s counting.Sketch
	var d aim.Drawer
	for i := 0; n > 0; i++ {
		if _, err := c.Step(context.Background()); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			continue
		}
		if i < 40 { // what it looks like once it runs
			continue
		}
		c.DrawSketch(&s)
		b, err := d.DrawJPEG(&s)
		if err != nil {
			t.Fatal(err)
		}
		m.look(t, &s, b)
		n--
	}
}

func (m *measure) look(t *testing.T, s *counting.Sketch, b []byte) {
	t.Helper()
	if !s.InBounds() {
		t.Fatal("a sketch beyond its bounds")
	}
	m.sketches++
	m.blocks = max(m.blocks, s.BlockColumns(), s.BlockRows())
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	k := img.Bounds().Dx() / int(s.Width) // pixels of a place
	is := func(cx, cy int) (cell, block uint8) {
		x, y := cx*int(s.Cell), cy*int(s.Cell)
		return s.Cells[cy*s.CellColumns()+cx], s.Blocks[y/int(s.Block)*s.BlockColumns()+x/int(s.Block)]
	}
	for cy := away; cy < s.CellRows()-away; cy++ {
		for cx := away; cx < s.CellColumns()-away; cx++ {
			cell, block := is(cx, cy)
			if !alike(is, cx, cy) {
				continue
			}
			side := k * int(s.Cell)
			for y := cy * side; y < (cy+1)*side-1; y++ {
				for x := cx * side; x < (cx+1)*side-1; x++ {
					step := max(difference(img, x, y, x+1, y), difference(img, x, y, x, y+1))
					switch {
					case cell != counting.CellClear:
						m.pixels++
						m.inside = max(m.inside, step)
					case block != counting.BlockMasked:
						m.within = max(m.within, step)
					}
				}
			}
		}
	}
}

// away is how many cells a place must lie from an edge: JPEG rings as far as
// one of its blocks, and a cell is drawn at least half as large.
const away = 3

// alike reports whether all cells around one are of its kind.
func alike(is func(x, y int) (cell, block uint8), cx, cy int) bool {
	cell, block := is(cx, cy)
	for y := cy - away; y <= cy+away; y++ {
		for x := cx - away; x <= cx+away; x++ {
			if c, b := is(x, y); c != cell || cell == counting.CellClear && b != block {
				return false
			}
		}
	}
	return true
}

func difference(img image.Image, x0, y0, x1, y1 int) float64 {
	a := color.GrayModel.Convert(img.At(x0, y0)).(color.Gray).Y
	b := color.GrayModel.Convert(img.At(x1, y1)).(color.Gray).Y
	if a < b {
		a, b = b, a
	}
	return float64(a - b)
}
