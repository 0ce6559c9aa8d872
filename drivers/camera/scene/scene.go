// Package scene is a camera without hardware. It simulates the traffic of one
// street, renders it in 8-bit luma as a pinhole camera would see it, and keeps
// the exact ground truth: which object crossed which counting line, in which
// picture, in which direction.
//
// Vehicles follow the intelligent driver model, people walk, wait and cross.
// The static street is ray-cast once; moving objects are rasterised back to
// front (painter's algorithm) with anti-aliased polygons. Conditions add
// clouds, exposure steps, rain, camera shake, sensor noise and block
// compression, each on its own scale.
//
// The same Opts give the same bytes on every machine. The package refuses
// pictures larger than 1920×1080 and options out of range. It holds no picture
// of a real place and models none; sizes, albedos and textures were chosen by
// hand to look plausible, and are not measurements.
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

// Opts choose the street, the picture and the conditions. The zero value of a
// field takes the default.
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

// setDefaults fills in the fields that are zero.
func (o *Opts) setDefaults() {
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

// checkRanges reports every option that is out of its range, the conditions
// included.
func (o *Opts) checkRanges() error {
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
	return errors.Join(append(errs, o.Conditions.checkRanges())...)
}

// Scene is one street with its camera. It serves one reader: of its methods
// only Close may be called while another runs.
type Scene struct {
	opts                Opts
	cond                Conditions
	seed                uint64
	width, height       int
	margin              int
	street              *street
	view                pinhole
	sun                 vec3 // unit, towards the sun; upwards where there is none
	traffic             traffic
	weather             weather
	canvas              canvas
	painter             painter
	albedo, staticLight []uint8 // of the static parts; see bakeStatic
	crowns              []crown
	items               []item
	imager              imager

	lines             []counting.Line
	zones             []counting.Zone
	heights           []counting.Height
	events            []Event
	present, standing [zoneCount][counting.Classes]int

	frame int         // the picture delivered last, -1 before the first
	start time.Time   // when the first was due, with Realtime
	timer *time.Timer // waits for the next

	drawing sync.Mutex
	closed  chan struct{}
	closing sync.Once
}

// ErrClosed is the error of ReadInto after Close.
var ErrClosed = errors.New("scene: closed")

// New lays out the street, fills it with traffic and bakes the static parts;
// that takes some tenths of a second. It reports every option out of its range
// at once, and refuses a camera that does not see the whole width of the
// street.
func New(o Opts) (*Scene, error) {
	o.setDefaults()
	if err := o.checkRanges(); err != nil {
		return nil, err
	}
	s := &Scene{opts: o, cond: o.Conditions, seed: mix64(o.Seed + 0x6b657262), width: o.Width, height: o.Height, frame: -1, closed: make(chan struct{})}
	s.margin = s.height/32 + 2
	s.street = newStreet(s.seed)
	if err := s.placeCamera(); err != nil {
		return nil, err
	}
	s.street.placeFurniture()
	s.heights = s.chooseHeights()
	s.setSun()
	w, h := s.width+2*s.margin, s.height+2*s.margin
	s.canvas = canvas{w: w, h: h, pix: make([]uint8, w*h), light: make([]uint8, w*h), left: make([]int32, 4*h), right: make([]int32, 4*h)}
	if o.Boxes {
		s.canvas.owner = make([]uint8, w*h)
	}
	s.albedo, s.staticLight = make([]uint8, w*h), make([]uint8, w*h)
	s.painter = painter{canvas: &s.canvas, view: &s.view, sun: s.sun, directLight: 1}
	s.bakeStatic()
	s.bakeCrowns()
	s.weather = newWeather(s.seed, &s.cond, w)
	s.weather.meterExposure(s.albedo, s.staticLight)
	s.imager = newImager(s.seed, &s.cond)
	s.events = make([]Event, 0, 1024)
	s.traffic = traffic{cond: &s.cond, street: s.street, rng: splitMix64(mix64(s.seed ^ 0x7aff1c))}
	s.warmUpTraffic()
	return s, nil
}

const (
	warmUpSteps = 1500
	warmUpStep  = 0.1  // s
	maxStep     = 0.06 // s of one simulation step between two pictures
)

// warmUpTraffic simulates 150 s, after which the traffic is as dense as it
// gets.
func (s *Scene) warmUpTraffic() {
	s.traffic.parkVehicles()
	for range warmUpSteps {
		s.traffic.advanceTime(warmUpStep)
	}
	s.traffic.opened = s.traffic.now
	s.items = make([]item, 0, maxMovers+len(s.street.posts)+len(s.street.trees))
	s.updateTruth()
}

// Size returns the size of the picture in pixels.
func (s *Scene) Size() (w, h int) { return s.width, s.height }

// Rate returns the number of pictures per second.
func (s *Scene) Rate() float64 { return s.opts.Rate }

// Lines returns three counting lines, from the left house front to the right
// one: "left" and "right" over the pavements and "road" over the carriageway.
// They share their ends, and lie where the camera sees them well. Side a is the
// far side.
func (s *Scene) Lines() []counting.Line { return append([]counting.Line(nil), s.lines...) }

// Zones returns areas for occupancy: "road", the lanes without the parking bay,
// and "left" and "right", the pavements.
func (s *Scene) Zones() []counting.Zone { return append([]counting.Zone(nil), s.zones...) }

// Heights returns two posts or signs of known height that stand in the picture,
// the second farther away.
func (s *Scene) Heights() []counting.Height { return append([]counting.Height(nil), s.heights...) }

// Distance returns a known distance on the road, from 2 m before the counting lines to
// 10 m behind them.
func (s *Scene) Distance() counting.Distance {
	const before, behind = 2, 10
	x, y := s.street.width/2, s.street.countY
	return counting.Distance{From: s.imagePoint(vec3{x, y - before, 0}), To: s.imagePoint(vec3{x, y + behind, 0}), Metres: before + behind}
}

// Truth lists every crossing of Lines up to the last picture, in order: also
// those of hidden objects, and those in dropped pictures. It uses the ground
// below the object in a picture that does not shake. The list grows by some ten
// entries a minute; the caller must not change it.
func (s *Scene) Truth() []Event { return s.events }

// PresentIn returns the number of objects of each class in the zone of that index
// in Zones, in the last picture, by their place on the ground, seen or hidden.
// Parked vehicles are in no zone.
func (s *Scene) PresentIn(zone int) [counting.Classes]int { return s.present[zone] }

// StandingIn returns how many of PresentIn are slower than counting.StandingSpeed.
func (s *Scene) StandingIn(zone int) [counting.Classes]int { return s.standing[zone] }

// Close ends the scene, also a ReadInto that waits: that one and every later
// one return ErrClosed. It clears the canvas. The truth and the counts in zones
// can still be read.
func (s *Scene) Close() error {
	s.closing.Do(func() { close(s.closed) })
	s.drawing.Lock()
	defer s.drawing.Unlock()
	clear(s.canvas.pix)
	return nil
}

// ReadInto draws the next picture into dst, row by row, and returns its time:
// the n-th is at n/Rate after the Unix epoch. With Realtime that clock starts
// with the first call; each call waits until a picture is due, and a late
// reader gets the one that is due now. len(dst) must be width × height. After
// Frames pictures the error is io.EOF. On an error dst is left as it was.
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
		if next, err = s.waitDue(ctx, next); err != nil {
			return time.Time{}, err
		}
	}
	if s.opts.Frames > 0 && next >= s.opts.Frames {
		return time.Time{}, io.EOF
	}
	s.drawing.Lock()
	defer s.drawing.Unlock()
	for s.frame < next {
		s.advanceFrame()
	}
	s.drawFrame()
	s.imager.capture(dst, s.width, s.height, s.margin, &s.canvas)
	return s.frameTime(next), nil
}

// frameTime returns the time of a picture.
func (s *Scene) frameTime(frame int) time.Time {
	start := s.start
	if !s.opts.Realtime {
		start = time.Unix(0, 0).UTC()
	}
	return start.Add(time.Duration(float64(frame) / s.opts.Rate * float64(time.Second)))
}

// waitDue waits until a picture is due, not before next, and returns its
// number.
func (s *Scene) waitDue(ctx context.Context, next int) (int, error) {
	now := time.Now()
	if s.start.IsZero() {
		s.start = now
	}
	if late := int(now.Sub(s.start).Seconds() * s.opts.Rate); late > next {
		return late, nil
	}
	wait := s.frameTime(next).Sub(now)
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

// advanceFrame moves the simulation on by one picture, without drawing it. The
// traffic takes steps of at most 60 ms.
func (s *Scene) advanceFrame() {
	s.frame++
	if s.frame == 0 {
		return
	}
	dt := 1 / s.opts.Rate
	n := 1 + int(dt/maxStep)
	for range n {
		s.traffic.advanceTime(dt / float64(n))
	}
	s.weather.advanceTime(dt)
	s.imager.advanceTime(dt)
	s.updateTruth()
}
