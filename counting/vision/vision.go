// Package vision is the dark room: it turns pictures into crossings and
// forgets the pictures. Luma goes in through a Source; lines crossed and
// zones occupied come out. No type and no method of this package hands out a
// pixel: the picture, the background models and every scratch that bears one
// lie in one arena that belongs to the Counter and is wiped with it.
//
// The detector is called motion. About twelve times a second it looks: the
// picture is reduced to a grid some 200 pixels wide, steadied, and compared
// with a background that is learnt within seconds (model.go). What differs
// and moves falls into blobs, cut where two things touch (blobs.go,
// split.go). Objects are boxes that follow the shift of their own pixels from
// one look to the next and are corrected by blobs (follow.go, match.go); their
// class comes from their size on the ground, whose scale is learnt from what
// uses the street (scale.go). The path of an object's ground contact is held
// against the lines (gate.go).
package vision

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"kerb/counting"
	"kerb/counting/neural"
	"kerb/counting/vision/health"
)

// Source delivers luma pictures of a fixed size. ReadInto fills dst (width ×
// height bytes, row by row, 0 black to 255 white) with the next picture and
// returns when it was taken. io.EOF ends the stream; an error that has the
// method BadFrame() int is about one picture only and the stream goes on;
// any other error ends the source.
type Source interface {
	ReadInto(ctx context.Context, dst []byte) (time.Time, error)
}

// Opts says what to count and where. Points are fractions of the picture.
type Opts struct {
	Width, Height int                // of the Source's pictures, in pixels
	Lines         []counting.Line    // where crossings are counted
	Zones         []counting.Zone    // where presence is counted
	Masks         []counting.Polygon // blacked out before anything looks
	Classes       []counting.Class   // what may be counted; nil: person, bicycle and vehicle
	Heights       []counting.Height  // two known heights, or none: self-calibrated
	FollowMax     time.Duration      // longest time an object is followed; 0: never, zones only
	Network       *neural.Net        // finds the objects, and motion helps; nil: motion does alone
	Every         time.Duration      // least time from one picture that the network sees to the next; 0: it sees what motion sees
	Share         float64            // most of one core's time that the network may take, measured; 0: as much as it wants
	Workers       int                // goroutines that share a picture; 0: GOMAXPROCS, at most 2
	Health        *health.Watch      // judges the camera; nil: nobody does. One may serve several Counters of one camera in turn
	Sketcher      *Sketcher          // what draws for whoever aims the camera; nil: nothing can be shown

	// Memory gives the block of so many zero bytes in which everything that
	// bears a picture lives until Close; nil: Go's heap.
	Memory func(bytes int) ([]byte, error)
}

// Step is what one picture told.
type Step struct {
	At        time.Time           // when the picture was taken
	Mono      time.Duration       // since the first picture
	Crossings []counting.Crossing // valid until the next Step
	Zones     []Presence          // one per Opts.Zones, in their order; valid until the next Step
	Health    health.Fault        // what is wrong with the camera, as Opts.Health says; what is counted meanwhile may be wrong
}

// Presence is how many objects stand on a zone's ground.
type Presence struct {
	Zone  string
	Count [counting.Classes]int
}

// Counter counts what crosses lines in one stream of pictures. It is not safe
// for concurrent use.
type Counter struct {
	src      Source
	o        Opts
	w, h, k  int    // working grid, and how many pixels of the picture make one of it
	masked   []bool // grid pixels that Masks cover; nil: none
	arena    *arena
	workers  *workers
	labeller *labeller
	splitter splitter
	blobs    *blobTracker
	rates    rates

	begun     bool
	start     time.Time
	looks     int
	lastLook  time.Duration // Mono of the last look
	interval  float64       // seconds between looks, smoothed
	noise     float64       // median change of a pixel between two looks, in levels
	crossings []counting.Crossing
	zones     []Presence
	network   *neuralPath // a network's; nil: motion is looked for
	fault     health.Fault
}

// The grid is the picture reduced until no side is longer than this; more
// detail costs four times the work and counts no better.
const (
	maxGridWidth  = 256
	maxGridHeight = 512
)

// minInterval is the least time from one look to the next. Following needs 8–9
// looks a second; a faster camera's other pictures are dropped unseen.
const minInterval = 60 * time.Millisecond

// New makes a Counter. Lines, zones and masks are copied. It refuses sizes
// outside 16–8192 pixels, lines without length, polygons with fewer than
// three corners, and lines when nothing may be followed.
func New(src Source, o Opts) (*Counter, error) {
	if err := checkOpts(&o); err != nil {
		return nil, err
	}
	o.Lines, o.Zones = slices.Clone(o.Lines), slices.Clone(o.Zones)
	if o.Classes == nil {
		o.Classes = []counting.Class{counting.Person, counting.Bicycle, counting.Vehicle}
	}
	o.Classes = slices.Clone(o.Classes)
	c := &Counter{src: src, o: o, k: 1}
	for o.Width/c.k > maxGridWidth || o.Height/c.k > maxGridHeight {
		c.k++
	}
	c.w, c.h = o.Width/c.k, o.Height/c.k
	c.masked = maskPixels(c.w, c.h, o.Masks)
	block, err := o.allocate(arenaSize(o.Width*o.Height, c.w*c.h))
	if err != nil {
		return nil, err
	}
	c.arena = carveArena(block, o.Width*o.Height, c.w*c.h)
	c.labeller = newLabeller()
	c.blobs = newBlobTracker(c.w, c.h, o.Lines, o.Heights)
	if o.Network != nil {
		if c.network, err = newNeuralPath(&c.o, c.k); err != nil {
			return nil, err
		}
	}
	c.crossings = make([]counting.Crossing, 0, max(maxBlobTracks, maxTracks)*len(o.Lines))
	c.zones = make([]Presence, len(o.Zones))
	for i, z := range o.Zones {
		c.zones[i].Zone = z.ID
	}
	if o.Workers <= 0 {
		o.Workers = min(runtime.GOMAXPROCS(0), 2)
	}
	c.workers = newWorkers(min(o.Workers, 8), c.runBand)
	return c, nil
}

func (o *Opts) allocate(bytes int) ([]byte, error) {
	if o.Memory == nil {
		return make([]byte, bytes), nil
	}
	return o.Memory(bytes)
}

func checkOpts(o *Opts) error {
	if o.Width < 16 || o.Height < 16 || o.Width > 1<<13 || o.Height > 1<<13 {
		return fmt.Errorf("picture of %d×%d: each side must be 16–8192 pixels", o.Width, o.Height)
	}
	if len(o.Lines) > 0 && o.FollowMax <= 0 {
		return errors.New("lines need objects to be followed, and none may be: count zones only")
	}
	for _, l := range o.Lines {
		if l.From == l.To {
			return fmt.Errorf("line %q: its ends are one point", l.ID)
		}
	}
	for _, z := range o.Zones {
		if len(z.Polygon) < 3 {
			return fmt.Errorf("zone %q: %d corners: must be 3 or more", z.ID, len(z.Polygon))
		}
	}
	for i, m := range o.Masks {
		if len(m) < 3 {
			return fmt.Errorf("mask %d: %d corners: must be 3 or more", i, len(m))
		}
	}
	return nil
}

// maskPixels marks the grid pixels whose middle lies in a mask.
func maskPixels(w, h int, masks []counting.Polygon) []bool {
	if len(masks) == 0 {
		return nil
	}
	b := make([]bool, w*h)
	for i := range b {
		p := counting.Point{X: (float64(i%w) + 0.5) / float64(w), Y: (float64(i/w) + 0.5) / float64(h)}
		b[i] = slices.ContainsFunc(masks, func(m counting.Polygon) bool { return m.Contains(p) })
	}
	return b
}

// Step reads one picture, counts, and overwrites the picture, also when it
// returns an error or panics. Errors are the Source's, for errors.Is and
// errors.As. It allocates nothing.
func (c *Counter) Step(ctx context.Context) (Step, error) {
	defer c.clearTraces()
	at, err := c.src.ReadInto(ctx, c.arena.picture)
	if err != nil {
		return Step{At: at}, err
	}
	if !c.begun {
		c.begun, c.start = true, at
	}
	s := Step{At: at, Mono: at.Sub(c.start), Zones: c.zones}
	c.crossings = c.crossings[:0]
	if dt := s.Mono - c.lastLook; c.looks == 0 || dt >= minInterval {
		c.processPicture(s.Mono, dt.Seconds())
	}
	s.Crossings, s.Health = c.crossings, c.fault
	return s, nil
}

// clearTraces overwrites the picture and the outlines that were drawn from it.
func (c *Counter) clearTraces() {
	c.arena.clearPicture()
	c.labeller.wipeOutlines()
	c.splitter = splitter{}
}

// Close ends the workers and wipes the arena. The Counter is dead afterwards.
// Closing twice is harmless.
func (c *Counter) Close() {
	c.workers.close()
	c.arena.wipeBlock()
}
