// Package vision counts line crossings and zone presence in luma pictures and keeps no
// picture. A Source delivers pictures; a Counter returns the lines crossed and the zones
// occupied. Objects are found by motion against a learnt background, by a network, or by
// both; they are tracked by geometry alone, without any appearance.
//
// It refuses to hand out a pixel: no type and no method returns one. The picture, the
// background model and all planes computed from them lie in one arena that belongs to the
// Counter and is wiped with it.
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

// Source delivers luma pictures of a fixed size. ReadInto fills dst (width × height
// bytes, row by row, 0 black to 255 white) with the next picture and returns the time at
// which it was taken. io.EOF ends the stream. An error that has the method BadFrame()
// int concerns one picture only, and the stream goes on. Any other error ends the
// source.
type Source interface {
	ReadInto(ctx context.Context, dst []byte) (time.Time, error)
}

// Opts are the options of a Counter. Points are fractions of the picture, 0–1.
type Opts struct {
	Width, Height   int                // of the Source's pictures, in pixels: 16–8192
	Lines           []counting.Line    // where crossings are counted
	Zones           []counting.Zone    // where presence is counted
	Masks           []counting.Polygon // blacked out before any detection
	Classes         []counting.Class   // that may be counted; nil: person, bicycle and vehicle
	Heights         []counting.Height  // two known heights, or none: the scale is learnt
	Distance        *counting.Distance // a known distance on the ground; nil: none
	FollowMax       time.Duration      // longest time an object is tracked; 0: never, zones only
	Network         *neural.Net        // detects the objects, with help from motion; nil: motion alone
	NetworkInterval time.Duration      // least time between two pictures that the network sees; 0: all that motion sees
	NetworkShare    float64            // most of one core's time that the network may take, measured; 0: no limit
	Workers         int                // goroutines that share a picture; 0: GOMAXPROCS, at most 2
	Health          *health.Monitor    // judges the camera's health; nil: off. One may serve several Counters of one camera in turn
	Sketcher        *Sketcher          // draws for the aiming page; nil: no sketch can be made

	// Memory allocates the block of so many zero bytes in which all planes that bear a
	// picture lie until Close; nil: Go's heap.
	Memory func(bytes int) ([]byte, error)
}

// Step is the result of one picture.
type Step struct {
	At        time.Time           // when the picture was taken
	Mono      time.Duration       // since the first picture
	Crossings []counting.Crossing // valid until the next Step
	Zones     []Presence          // one per Opts.Zones, in their order; valid until the next Step
	Health    counting.ViewFault  // of the camera, by Opts.Health; counts made during a fault may be wrong
}

// Presence is the number of objects whose ground point lies in a zone, by class.
type Presence struct {
	Zone     string // its ID
	Count    [counting.Classes]int
	Standing [counting.Classes]int // how many of Count stand: see counting.StandingSpeed
	Followed bool                  // objects are followed, so that Standing is known
}

// Counter counts line crossings and zone presence in one stream of pictures. It is not
// safe for concurrent use.
type Counter struct {
	src      Source
	o        Opts
	w, h, k  int    // size of the working grid; k×k pixels of the picture make one of the grid
	masked   []bool // grid pixels that Masks cover; nil: none
	arena    *arena
	workers  *workers
	labeller *labeller
	splitter splitter
	motion   *blobTracker
	ground   counting.Ground // by Heights and Distance
	measured bool            // there is such a ground: crossings have speeds
	rates    rates

	begun     bool
	start     time.Time
	looks     int
	lastLook  time.Duration // Mono of the last look
	interval  float64       // seconds between looks, smoothed
	noise     float64       // median change of a pixel between two looks, in levels
	crossings []counting.Crossing
	zones     []Presence
	network   *neuralPath // nil: motion alone detects
	fault     counting.ViewFault
}

// Longest sides of the working grid, in pixels: the picture is reduced by a whole factor
// until it fits. Half the factor costs four times the work and counts no better.
const (
	maxGridWidth  = 256
	maxGridHeight = 512
)

// minLookInterval is the least time from one look to the next. Tracking needs 8–9 looks
// a second; the other pictures of a faster camera are skipped.
const minLookInterval = 60 * time.Millisecond

const (
	minSide        = 16      // pixels: least width and height of a picture
	maxSide        = 1 << 13 // pixels: most
	minCorners     = 3       // of a polygon
	defaultWorkers = 2       // most goroutines without Opts.Workers
	maxWorkers     = 8
)

// New makes a Counter. Lines, zones and masks are copied. It refuses sizes outside
// 16–8192 pixels, lines without length, polygons with fewer than three corners, lines
// when FollowMax is 0, and networks whose input or output it does not know.
func New(src Source, o Opts) (*Counter, error) {
	if err := checkOpts(&o); err != nil {
		return nil, err
	}
	o.Lines, o.Zones = slices.Clone(o.Lines), slices.Clone(o.Zones)
	if o.Classes == nil {
		o.Classes = counting.CoarseClasses()
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
	c.motion = newBlobTracker(c.w, c.h, o.Lines, o.Heights)
	c.ground, c.measured = counting.NewGround(o.Heights, o.Distance, float64(o.Width)/float64(o.Height))
	if o.Network != nil {
		d, err := newNetDetector(o.Network, o.Width, o.Height)
		if err != nil {
			return nil, err
		}
		c.network = newNeuralPath(d, &c.o, c.k)
	}
	c.crossings = make([]counting.Crossing, 0, max(maxBlobTracks, maxTracks)*len(o.Lines))
	c.zones = make([]Presence, len(o.Zones))
	for i, z := range o.Zones {
		c.zones[i].Zone, c.zones[i].Followed = z.ID, o.FollowMax > 0
	}
	if o.Workers <= 0 {
		o.Workers = min(runtime.GOMAXPROCS(0), defaultWorkers)
	}
	c.workers = newWorkers(min(o.Workers, maxWorkers), c.runBand)
	return c, nil
}

// allocate returns the block for the arena.
func (o *Opts) allocate(bytes int) ([]byte, error) {
	if o.Memory == nil {
		return make([]byte, bytes), nil
	}
	return o.Memory(bytes)
}

// checkOpts refuses options that make no Counter.
func checkOpts(o *Opts) error {
	if o.Width < minSide || o.Height < minSide || o.Width > maxSide || o.Height > maxSide {
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
		if len(z.Polygon) < minCorners {
			return fmt.Errorf("zone %q: %d corners: must be 3 or more", z.ID, len(z.Polygon))
		}
	}
	for i, m := range o.Masks {
		if len(m) < minCorners {
			return fmt.Errorf("mask %d: %d corners: must be 3 or more", i, len(m))
		}
	}
	return nil
}

// maskPixels marks the pixels of a w×h grid whose middle lies in a mask; nil: no masks.
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

// Step reads one picture, counts, and overwrites the picture, also when it returns an
// error or panics. Errors are those of the Source, for errors.Is and errors.As. It does
// not allocate.
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
	if dt := s.Mono - c.lastLook; c.looks == 0 || dt >= minLookInterval {
		c.processPicture(s.Mono, dt.Seconds())
	}
	s.Crossings, s.Health = c.crossings, c.fault
	return s, nil
}

// clearTraces overwrites the picture and the outlines that were computed from it.
func (c *Counter) clearTraces() {
	c.arena.clearPicture()
	c.labeller.wipeOutlines()
	c.splitter = splitter{}
}

// Close ends the workers and wipes the arena. The Counter must not be used afterwards.
// Closing twice is harmless.
func (c *Counter) Close() {
	c.workers.close()
	c.arena.wipeBlock()
}
