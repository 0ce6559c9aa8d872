// Package scene is a camera without hardware: it draws a street in luma, with
// people, bicycles and vehicles that walk, ride, queue, hide each other and
// throw shadows, under weather that can be chosen, and knows exactly who
// crossed which line.
//
// The same Opts give the same bytes on every machine. A scene is no
// simulation of any place and holds no picture of one; it refuses to be
// bigger than 1920×1080.
package scene

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"kerb/counting"
)

// Opts say what to draw. The zero value of a field takes the default.
type Opts struct {
	Seed          uint64     // which street and which people
	Width, Height int        // of the picture; default 480×270; 64×48–1920×1080
	Rate          float64    // pictures per second; default 10; 1–60
	Frames        int        // how many pictures there are; 0: no end
	Realtime      bool       // pictures come when they are due, and late ones are dropped
	Boxes         bool       // Boxes can be asked for; costs a little time
	Conditions    Conditions // default Calm.Conditions()
	Camera        Camera     // default: drawn from the seed
}

func (o *Opts) fill() {
	if o.Width == 0 && o.Height == 0 {
		o.Width, o.Height = 480, 270
	}
	if o.Rate == 0 {
		o.Rate = 10
	}
	if o.Conditions == (Conditions{}) {
		o.Conditions = Calm.Conditions()
	}
}

func (o *Opts) check() error {
	var errs []error
	if o.Width < 64 || o.Width > 1920 || o.Height < 48 || o.Height > 1080 {
		errs = append(errs, fmt.Errorf("scene: size %dx%d: must be 64x48–1920x1080", o.Width, o.Height))
	}
	if !(o.Rate >= 1 && o.Rate <= 60) {
		errs = append(errs, fmt.Errorf("scene: rate = %v: must be 1–60", o.Rate))
	}
	if o.Frames < 0 {
		errs = append(errs, fmt.Errorf("scene: frames = %d: must be 0 or more", o.Frames))
	}
	return errors.Join(append(errs, o.Conditions.check())...)
}

// Scene is one street with its camera. It is for one reader: of its methods
// only Close may be called while another runs.
type Scene struct {
	opts          Opts
	cond          Conditions
	seed          uint64
	width, height int
	margin        int
	street        *street
	view          view
	sun           vec // unit, towards the sun; upwards where there is none
	traffic       traffic
	weather       weather
	canvas        canvas
	painter       painter
	albedo, lit   []uint8 // of what does not move; see bake
	crowns        []crown
	items         []item
	lens          lens

	lines   []counting.Line
	zones   []counting.Zone
	heights []counting.Height
	events  []Event
	present [zoneCount][counting.Classes]int

	frame int         // the picture delivered last, -1 before the first
	start time.Time   // when the first was due, with Realtime
	timer *time.Timer // waits for the next

	drawing sync.Mutex
	closed  chan struct{}
	closing sync.Once
}

// ErrClosed is what a closed scene answers.
var ErrClosed = errors.New("scene: closed")

// New lays out the street, fills it with traffic and bakes what stands still;
// that takes some tenths of a second. Every option out of its range is
// reported at once.
func New(o Opts) (*Scene, error) {
	o.fill()
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &Scene{opts: o, cond: o.Conditions, seed: mix(o.Seed + 0x6b657262), width: o.Width, height: o.Height, frame: -1, closed: make(chan struct{})}
	s.margin = s.height/32 + 2
	s.street = newStreet(s.seed)
	if err := s.aim(); err != nil {
		return nil, err
	}
	s.street.furnish()
	s.heights = s.measured()
	s.light()
	w, h := s.width+2*s.margin, s.height+2*s.margin
	s.canvas = canvas{w: w, h: h, pix: make([]uint8, w*h), light: make([]uint8, w*h), left: make([]int32, 4*h), right: make([]int32, 4*h)}
	if o.Boxes {
		s.canvas.owner = make([]uint8, w*h)
	}
	s.albedo, s.lit = make([]uint8, w*h), make([]uint8, w*h)
	s.painter = painter{canvas: &s.canvas, view: &s.view, sun: s.sun, reach: 1}
	s.bake()
	s.growTrees()
	s.weather = newWeather(s.seed, &s.cond, w)
	s.weather.meter(s.albedo, s.lit)
	s.lens = newLens(s.seed, &s.cond)
	s.events = make([]Event, 0, 1024)
	s.traffic = traffic{cond: &s.cond, street: s.street, chance: chance(mix(s.seed ^ 0x7aff1c))}
	s.populate()
	return s, nil
}

// populate lets the traffic run until the street is as full as it gets.
func (s *Scene) populate() {
	s.traffic.park()
	for range 1500 {
		s.traffic.step(0.1)
	}
	s.items = make([]item, 0, crowd+len(s.street.posts)+len(s.street.trees))
	s.judge()
}

// Size is the size of the picture in pixels.
func (s *Scene) Size() (w, h int) { return s.width, s.height }

// Rate is the number of pictures per second.
func (s *Scene) Rate() float64 { return s.opts.Rate }

// Lines are three counting lines, from the left house front to the right one:
// "left" and "right" over the pavements and "road" over the carriageway. They
// share their ends, and lie where the camera sees them well. Side a is the far
// side.
func (s *Scene) Lines() []counting.Line { return append([]counting.Line(nil), s.lines...) }

// Zones are areas for occupancy: "road", the lanes without the parking bay,
// and "left" and "right", the pavements.
func (s *Scene) Zones() []counting.Zone { return append([]counting.Zone(nil), s.zones...) }

// Heights are two posts or signs of known height that stand in the picture, the
// second farther away.
func (s *Scene) Heights() []counting.Height { return append([]counting.Height(nil), s.heights...) }

// Truth lists every crossing of Lines up to the last picture, in order: also
// those of objects that were hidden, and those in pictures that were dropped.
// It is by the ground below the object in a picture that does not shake. The
// list grows by some ten entries a minute; the caller must not change it.
func (s *Scene) Truth() []Event { return s.events }

// Present is how many objects of each class stand in a zone of Zones in the
// last picture, by their place on the ground, seen or hidden. Parked vehicles
// stand in no zone.
func (s *Scene) Present(zone int) [counting.Classes]int { return s.present[zone] }

// Close ends the scene, also a ReadInto that waits: that and every later one
// answer ErrClosed. What was counted can still be asked for.
func (s *Scene) Close() error {
	s.closing.Do(func() { close(s.closed) })
	s.drawing.Lock()
	defer s.drawing.Unlock()
	clear(s.canvas.pix)
	return nil
}

// ReadInto draws the next picture into dst, row by row, and returns its time:
// the n-th is at n/Rate after the Unix epoch. With Realtime that clock starts
// with the first call; each call waits until a picture is due, and a reader
// that is late gets the one that is due now. After Frames pictures the error
// is io.EOF. Nothing is written to dst on an error.
func (s *Scene) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	select {
	case <-s.closed:
		return time.Time{}, ErrClosed
	default:
	}
	if len(dst) != s.width*s.height {
		return time.Time{}, fmt.Errorf("scene: buffer of %d bytes for a picture of %dx%d", len(dst), s.width, s.height)
	}
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	next := s.frame + 1
	if s.opts.Realtime {
		var err error
		if next, err = s.due(ctx, next); err != nil {
			return time.Time{}, err
		}
	}
	if s.opts.Frames > 0 && next >= s.opts.Frames {
		return time.Time{}, io.EOF
	}
	s.drawing.Lock()
	defer s.drawing.Unlock()
	for s.frame < next {
		s.advance()
	}
	s.draw()
	s.lens.take(dst, s.width, s.height, s.margin, &s.canvas)
	return s.at(next), nil
}

// at is the time of a picture.
func (s *Scene) at(frame int) time.Time {
	start := s.start
	if !s.opts.Realtime {
		start = time.Unix(0, 0).UTC()
	}
	return start.Add(time.Duration(float64(frame) / s.opts.Rate * float64(time.Second)))
}

// due waits until a picture is due, not before next, and says which it is.
func (s *Scene) due(ctx context.Context, next int) (int, error) {
	now := time.Now()
	if s.start.IsZero() {
		s.start = now
	}
	if late := int(now.Sub(s.start).Seconds() * s.opts.Rate); late > next {
		return late, nil
	}
	wait := s.at(next).Sub(now)
	if s.timer == nil {
		s.timer = time.NewTimer(wait)
	}
	s.timer.Reset(wait)
	defer s.timer.Stop()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-s.closed:
		return 0, ErrClosed
	case <-s.timer.C:
		return next, nil
	}
}

// advance moves the street on by one picture, without drawing it.
func (s *Scene) advance() {
	s.frame++
	if s.frame == 0 {
		return
	}
	dt := 1 / s.opts.Rate
	n := 1 + int(dt/0.06)
	for range n {
		s.traffic.step(dt / float64(n))
	}
	s.weather.pass(dt)
	s.lens.pass(dt)
	s.judge()
}
