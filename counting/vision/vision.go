// Package vision is the dark room: it turns pictures into crossings and
// forgets the pictures. Luma goes in through a Source; lines crossed and
// zones occupied come out. No type and no method of this package hands out a
// pixel: the picture, the background models and every scratch that bears one
// lie in one arena that belongs to the Counter and is wiped with it.
package vision

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"kerb/counting"
	"kerb/counting/neural"
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
	Network       *neural.Net        // finds the objects; nil: the motion detector does
	Workers       int                // goroutines that share a picture; 0: GOMAXPROCS, at most 2
}

// Step is what one picture told.
type Step struct {
	At        time.Time           // when the picture was taken
	Mono      time.Duration       // since the first picture
	Crossings []counting.Crossing // valid until the next Step
	Zones     []Presence          // one per Opts.Zones, in their order; valid until the next Step
}

// Presence is how many objects stand on a zone's ground.
type Presence struct {
	Zone  string
	Count [counting.Classes]int
}

// Counter counts what crosses lines in one stream of pictures. It is not safe
// for concurrent use.
type Counter struct {
	src       Source
	o         Opts
	w, h, k   int // working grid, and how many pixels of the picture make one of it
	arena     *arena
	labels    *labels
	follow    *follower
	split     splitter
	saved     []blob
	begun     bool
	start     time.Time
	looked    time.Duration // Mono of the last look
	looks     int
	pace      float64 // seconds between looks, smoothed
	noise     float64
	crossings []counting.Crossing
	zones     []Presence
	seer      *seer // nil: motion
	tracker   *tracker
	tempo     tempo
}

// New makes a Counter. The lines, zones and masks are copied.
func New(src Source, o Opts) (*Counter, error) {
	if o.Width < 16 || o.Height < 16 || o.Width > 1<<13 || o.Height > 1<<13 {
		return nil, fmt.Errorf("picture of %d×%d: each side must be 16–8192 pixels", o.Width, o.Height)
	}
	if len(o.Lines) > 0 && o.FollowMax <= 0 {
		return nil, errors.New("lines need objects to be followed, and they may not be: only zones can be counted")
	}
	c := &Counter{src: src, o: o, k: 1}
	for o.Width/c.k > 256 {
		c.k++
	}
	c.w, c.h = o.Width/c.k, o.Height/c.k
	c.arena = newArena(o.Width*o.Height, c.w*c.h)
	c.labels = newLabels()
	c.follow = newFollower(c.w, c.h, o.Lines, o.Heights)
	if o.Network != nil {
		var err error
		if c.seer, err = newSeer(o.Network, o.Width, o.Height); err != nil {
			return nil, err
		}
		lines := make([]segment, len(o.Lines))
		for i, l := range o.Lines {
			lines[i] = newSegment(l, float64(o.Width), float64(o.Height))
		}
		c.tracker = newTracker(lines)
	}
	c.zones = make([]Presence, len(o.Zones))
	for i, z := range o.Zones {
		c.zones[i].Zone = z.ID
	}
	return c, nil
}

// Step reads one picture, counts, and overwrites the picture, also when it
// returns an error or panics. Errors are the Source's, unwrapped by errors.Is.
func (c *Counter) Step(ctx context.Context) (Step, error) {
	defer c.arena.forget()
	at, err := c.src.ReadInto(ctx, c.arena.picture)
	if err != nil {
		return Step{At: at}, err
	}
	if !c.begun {
		c.begun, c.start = true, at
	}
	s := Step{At: at, Mono: at.Sub(c.start), Zones: c.zones}
	c.crossings = c.crossings[:0]
	dt := s.Mono - c.looked
	if c.seer != nil {
		c.recognise(s.Mono, dt.Seconds())
	} else if c.looks == 0 || dt >= 60*time.Millisecond {
		c.look(s.Mono, dt.Seconds())
	}
	s.Crossings = c.crossings
	return s, nil
}

func (c *Counter) look(now time.Duration, dt float64) {
	c.looked = now
	c.looks++
	a := c.arena
	a.now, a.before = a.before, a.now
	c.reduce()
	n := c.w * c.h
	if c.looks == 1 {
		copy(a.before, a.now)
		copy(a.bgHi, a.now)
		copy(a.cand, a.now)
		for i := range n {
			a.dev[i] = 8
			a.age[i] = 1
		}
		return
	}
	if c.pace == 0 {
		c.pace = dt
	}
	c.pace += 0.2 * (dt - c.pace)
	c.measureNoise()
	looks := func(s float64) int32 { return int32(max(math.Round(s/c.pace), 1)) }
	c.tempo = tempo{
		believe: looks(0.6), linger: uint8(min(looks(0.35), 200)),
		least: looks(0.5), most: looks(2.5), settle: min(looks(8), 250),
		level:  int32(8 * (7 + 2.5*c.noise)),
		motion: int32(8 * (7 + 2.5*c.noise)),
	}
	c.follow.predict(a, c.w, c.h, dt)
	a.look(c.w, 0, c.h, &c.tempo)
	a.filter(c.w, c.h, 0, c.h)
	c.labels.find(a, c.w, c.h, 1)
	c.split.refine(c.labels, a, c.w, c.follow.scale)
	c.saved = append(c.saved[:0], c.labels.blobs...)
	c.follow.match(c.labels.blobs, now, dt)
	c.follow.erase(a, c.w, c.h)
	c.labels.find(a, c.w, c.h, 1)
	c.split.refine(c.labels, a, c.w, c.follow.scale)
	c.follow.births(c.labels.blobs, now)
	c.follow.cross(now, func(line int, o *object, d counting.Direction, at time.Duration) {
		c.crossings = append(c.crossings, counting.Crossing{Stream: c.o.Lines[line].ID, Class: c.class(o), Dir: d, At: at})
	})
	c.follow.ghosts(a, now)
	c.follow.retire(now, c.o.FollowMax)
	c.paint()
}

func (c *Counter) class(o *object) counting.Class {
	e := o.suits
	if o.whole == 0 {
		c.follow.scale.judge(o.box, o.vx, o.vy, &e)
	}
	best := 0
	for k := range kinds {
		e[k] = 2*e[k] + math.Log(kinds[k].prior)
		if e[k] > e[best] {
			best = k
		}
	}
	return kinds[best].class
}

// paint marks the pixels that followed objects cover.
func (c *Counter) paint() {
	clear(c.arena.claim)
	for i := range c.follow.objects {
		o := &c.follow.objects[i]
		if !o.live || o.hits < 3 {
			continue
		}
		x0, x1 := max(int(o.box.x0), 0), min(int(o.box.x1+0.5), c.w)
		for y := max(int(o.box.y0), 0); y < min(int(o.box.y1+0.5), c.h); y++ {
			for x := x0; x < x1; x++ {
				c.arena.claim[y*c.w+x] = 1
			}
		}
	}
}

func (c *Counter) measureNoise() {
	var hist [64]int
	n := 0
	for i := 0; i < len(c.arena.now); i += 7 {
		d := int(c.arena.now[i]) - int(c.arena.before[i])
		hist[min(max(d, -d), 63)]++
		n++
	}
	// the median of |difference| is 0.95σ of one picture's noise
	acc, m := 0, 0
	for i, k := range hist {
		if acc+k >= n/2 {
			m = i
			c.noise += 0.1 * (float64(m) + float64(n/2-acc)/float64(k) - c.noise)
			break
		}
		acc += k
	}
}

func (c *Counter) reduce() {
	k, W := c.k, c.o.Width
	div := uint32(k * k)
	for y := range c.h {
		out := c.arena.now[y*c.w : y*c.w+c.w]
		for x := range out {
			var s uint32
			for j := range k {
				p := (y*k+j)*W + x*k
				for _, v := range c.arena.picture[p : p+k] {
					s += uint32(v)
				}
			}
			out[x] = uint8((s + div/2) / div)
		}
	}
}

// Close ends the workers and wipes the arena. The Counter is dead afterwards.
func (c *Counter) Close() { c.arena.wipe() }

func (c *Counter) recognise(now time.Duration, dt float64) {
	c.looked = now
	c.looks++
	seen := c.seer.see(c.arena.picture, c.o.Width, c.o.Height, doubtful)
	for i, z := range c.o.Zones {
		c.zones[i].Count = [counting.Classes]int{}
		for _, d := range seen {
			g := d.box.ground()
			if d.score >= sure && z.Polygon.Contains(counting.Point{X: g.x / float64(c.o.Width), Y: g.y / float64(c.o.Height)}) {
				c.zones[i].Count[d.class]++
			}
		}
	}
	c.tracker.step(seen, now, dt, c.o.FollowMax, func(line int, class counting.Class, d counting.Direction, at time.Duration) {
		c.crossings = append(c.crossings, counting.Crossing{Stream: c.o.Lines[line].ID, Class: class, Dir: d, At: at})
	})
}
