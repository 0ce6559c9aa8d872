package vision

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"kerb/counting"
)

// stage is a source that draws a still street and an object that crosses it.
type stage struct {
	w, h   int
	street func(x, y int) uint8
	thing  func(x, y int) uint8 // its inside, from its corner; nil: no object
	n      int
}

const thingW, thingH = 40, 60

func (s *stage) ReadInto(_ context.Context, dst []byte) (time.Time, error) {
	x0, y0 := 5*(s.n-40), s.h/2-20
	for i := range dst {
		x, y := i%s.w, i/s.w
		dst[i] = s.street(x, y)
		if s.thing != nil && s.n > 40 && x >= x0 && x < x0+thingW && y >= y0 && y < y0+thingH {
			dst[i] = s.thing(x-x0, y-y0)
		}
	}
	s.n++
	return time.Unix(0, 0).Add(time.Duration(s.n) * 100 * time.Millisecond), nil
}

// drawSketches returns the sketches of so many pictures of a stage.
func drawSketches(t *testing.T, s *stage, pictures int) (all []counting.Sketch) {
	t.Helper()
	c, err := New(s, Opts{Width: s.w, Height: s.h, FollowMax: time.Minute, Sketcher: new(Sketcher)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range pictures {
		if _, err := c.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		var k counting.Sketch
		if !c.DrawSketch(&k) {
			t.Fatal("no sketch")
		}
		if !k.InBounds() {
			t.Fatal("a sketch beyond its bounds")
		}
		all = append(all, k)
	}
	return all
}

func noise(seed uint64, around, by int) func(x, y int) uint8 {
	rng := rand.New(rand.NewPCG(seed, 1))
	grain := make([]uint8, 1<<12)
	for i := range grain {
		grain[i] = uint8(around + rng.IntN(2*by+1) - by)
	}
	return func(x, y int) uint8 { return grain[(x*61+y*127)%len(grain)] }
}

// Two streets that differ only in details smaller than a block have the same sketch: no
// detail within a block is in it.
func TestASketchHoldsNothingSmallerThanABlock(t *testing.T) {
	const w, h = 480, 270
	plain := func(x, y int) uint8 { return uint8(60 + 8*(x/64) + 16*(y/64)) }
	// Pairs of pixels above and below, right and left, that cancel out: the
	// grid's 2×2 means see them, the blocks' do not.
	fine := func(x, y int) uint8 {
		if (x/2+y/2)%2 == 0 {
			return plain(x, y) + 30
		}
		return plain(x, y) - 30
	}
	a := drawSketches(t, &stage{w: w, h: h, street: plain}, 60)
	b := drawSketches(t, &stage{w: w, h: h, street: fine}, 60)
	last := len(a) - 1
	if a[last].BlockColumns() > counting.SketchBlocks || a[last].BlockColumns() < counting.SketchBlocks/2 {
		t.Errorf("%d blocks across", a[last].BlockColumns())
	}
	if a[last].Blocks != b[last].Blocks {
		t.Error("detail smaller than a block shows in the sketch")
	}
	shown := 0
	for _, v := range a[last].Blocks[:a[last].BlockColumns()*a[last].BlockRows()] {
		if v != counting.BlockUnknown {
			shown++
		}
	}
	if shown < a[last].BlockColumns()*a[last].BlockRows()*9/10 {
		t.Errorf("after six seconds %d of %d blocks show the street", shown, a[last].BlockColumns()*a[last].BlockRows())
	}
}

// A silhouette is flat: the inside of an object changes no byte but those of its outline,
// and the blocks under it stay as they were.
func TestASilhouetteIsEmptyAndTheStreetUnderItStays(t *testing.T) {
	const w, h = 480, 270
	street := noise(1, 90, 3)
	empty := drawSketches(t, &stage{w: w, h: h, street: street}, 110)
	faces := []func(x, y int) uint8{
		func(int, int) uint8 { return 230 },
		func(x, y int) uint8 { return uint8(200 + 50*((x/5+y/7)%2)) },
	}
	for i, face := range faces {
		moving := drawSketches(t, &stage{w: w, h: h, street: street, thing: face}, 110)
		lit := 0
		for n, k := range moving {
			for j, b := range k.Blocks {
				if e := empty[n].Blocks[j]; b != e && b != counting.BlockUnknown && e != counting.BlockUnknown {
					t.Fatalf("face %d, picture %d: block %d is %d under what moves, and %d without it", i, n, j, b, e)
				}
			}
			for _, c := range k.Cells {
				if c != counting.CellClear {
					lit++
				}
			}
		}
		if lit < 1000 {
			t.Errorf("face %d: %d cells in all: it is not seen at all", i, lit)
		}
	}
}

// The agent's Counters have no Sketcher, and cannot draw.
func TestWithoutASketcherNothingCanBeShown(t *testing.T) {
	s := &stage{w: 320, h: 240, street: noise(1, 90, 3), thing: func(int, int) uint8 { return 230 }}
	c, err := New(s, Opts{Width: s.w, Height: s.h, FollowMax: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 80 {
		if _, err := c.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		k := counting.Sketch{Width: 1}
		if c.DrawSketch(&k) || k != (counting.Sketch{}) {
			t.Fatal("a Counter without a Sketcher shows something")
		}
	}
}

func TestAMaskedBlockIsMaskedInTheSketch(t *testing.T) {
	s := &stage{w: 480, h: 270, street: noise(1, 90, 3)}
	c, err := New(s, Opts{
		Width: s.w, Height: s.h, FollowMax: time.Minute, Sketcher: new(Sketcher),
		Masks: []counting.Polygon{{{X: 0, Y: 0}, {X: 0.5, Y: 0}, {X: 0.5, Y: 1}, {X: 0, Y: 1}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var k counting.Sketch
	for range 60 {
		if _, err := c.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.DrawSketch(&k)
	}
	for i := range k.BlockRows() * k.BlockColumns() {
		left := (i%k.BlockColumns()+1)*int(k.Block) <= int(k.Width)/2
		if (k.Blocks[i] == counting.BlockMasked) != left && i%k.BlockColumns()*int(k.Block) != int(k.Width)/2 {
			t.Fatalf("block %d of row %d: %d", i%k.BlockColumns(), i/k.BlockColumns(), k.Blocks[i])
		}
	}
}
