package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os/exec"
	"sync/atomic"
	"time"

	"kerb/agent/cage"
	"kerb/agent/config"
	"kerb/agent/parcel"
	"kerb/agent/policy"
	"kerb/counting"
	"kerb/counting/neural"
	"kerb/counting/vision"
	"kerb/counting/vision/health"
	"kerb/drivers/camera"
)

// A sensor is one camera with its counter and its open windows.
type sensor struct {
	camera config.Camera
	policy *policy.Policy
	tally  *counting.Tallier
	now    func() time.Duration // monotonic
	log    *slog.Logger
	open   func(context.Context) (source, error)
	model  *modelFile // the network's file, for one who cannot read it later; nil: it is read when it is needed

	// memory is where the camera's bytes lie. It lives as long as the sensor: a
	// reader that hangs keeps what it reads into.
	memory *cage.Vault
	door   *door // how the camera is opened where there are no walls

	view  view         // how well the camera sees
	asked camera.Asked // of a camera that is seen at instants: what outlives one opening

	crossings atomic.Int64 // since the start, for the summary of a demo
	pictures  atomic.Int64
	bad       atomic.Int64
	watching  atomic.Bool // the camera delivers
	sees      atomic.Pointer[seeing]
	due       atomic.Int64  // when, on the monotonic clock, there must be another sign of life
	dropped   atomic.Uint64 // pictures that nobody looked at because newer ones had come
	delay     delays        // from a picture's coming until it is counted
}

func (s *sensor) streams() []counting.Stream { return s.camera.Streams() }

func (s *sensor) lose(reason string) { s.tally.Lost(reason) }

func (s *sensor) end(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally {
	defer s.view.close()
	return s.tally.End(mono, start, end, whole)
}

func newSensor(c config.Camera, p *policy.Policy, now func() time.Duration, log *slog.Logger) *sensor {
	s := &sensor{camera: c, policy: p, tally: counting.NewTallier(c.Streams()), now: now, log: log.With("camera", c.Name), memory: new(cage.Vault), door: newDoor(c, p.MaxPixels(), (*exec.Cmd).Start, io.Discard, log)}
	s.view.tell = func(health.Fault, bool) {}
	s.open = func(ctx context.Context) (source, error) {
		k, err := readSecrets(c) // at every opening: it can be changed without a restart
		if err != nil {
			return nil, err
		}
		return feed{c, s.limits(), k, &s.asked, opened{s.door}}.open(ctx, true)
	}
	return s
}

// run counts until the context ends. A camera that fails is opened afresh.
func (s *sensor) run(ctx context.Context) {
	defer s.rest()
	for again := new(comeback); ctx.Err() == nil; again.rest(ctx) {
		begun := time.Now()
		err := s.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		stood := s.watching.Swap(false)
		s.tally.Lost("camera_lost")
		s.alive(again.after(err, time.Since(begun), stood))
		again.tell(s.log, "camera lost", err, time.Now())
	}
}

// pictureTime is how long one picture, or one opening, may take. The drivers give
// up much sooner.
const pictureTime = 30 * time.Second

// alive says that there will be another sign of life within wait and pictureTime.
func (s *sensor) alive(wait time.Duration) { s.due.Store(int64(s.now() + max(wait, 0) + pictureTime)) }

// rest says that no sign of life is due: the sensor does not run.
func (s *sensor) rest() {
	s.watching.Store(false)
	s.due.Store(0)
}

// stalled reports whether that sign of life did not come.
func (s *sensor) stalled() bool {
	due := time.Duration(s.due.Load())
	return due > 0 && s.now() > due
}

// watch opens the camera and counts until it fails or the context ends.
func (s *sensor) watch(ctx context.Context) error {
	s.alive(time.Until(s.asked.Due()))
	src, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	overtaken, _ := src.(interface{ Dropped() uint64 })
	if d := s.camera.Every(); d > 0 && overtaken == nil {
		src = &thinner{source: src, every: d}
	}
	before := s.dropped.Load()
	w, h := src.Size()
	o := s.opts(w, h)
	arena := new(cage.Vault)
	defer arena.Close()
	o.Memory = arena.Bytes
	d, err := s.detector(ctx, w, h, arena)
	if err != nil {
		return err
	}
	defer d.close()
	if o.Network = d.net; !s.camera.Still() {
		o.Share, o.Health = coreShare, s.view.fresh()
	}
	c, err := vision.New(src, o)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(arena.Locked(), s.memory.Locked()); err != nil {
		s.log.Warn("pictures may be swapped", "err", err)
	}
	s.log.Info("camera open", "width", w, "height", h, "detector", d.kind, "network", d.name)
	for {
		s.alive(time.Until(s.asked.Due()))
		step, err := c.Step(ctx)
		if errors.Is(err, camera.ErrSame) {
			s.tally.Watched(s.now())
			s.watching.Store(true)
			continue
		}
		if skipped(err) {
			if s.bad.Add(1) == 1 {
				s.log.Warn("bad picture left out; more are only counted", "err", err)
			}
			continue
		}
		if err != nil {
			return err
		}
		if overtaken != nil {
			s.dropped.Store(before + overtaken.Dropped())
		}
		s.delay.add(time.Since(step.At))
		s.count(step)
		s.notice(d, c.Pace())
	}
}

// limits are the policy's and the sensor's own memory.
func (s *sensor) limits() camera.Limits {
	l := limits(s.policy.MaxPixels())
	l.Memory = s.memory
	return l
}

// detector is what finds the objects of pictures of w×h on this device.
func (s *sensor) detector(ctx context.Context, w, h int, arena neural.Arena) (detector, error) {
	looks := sustains(ctx)
	fast := func(net *neural.Net) bool {
		s.alive(0) // it was planned; to try it is another step
		return looks(net)
	}
	if s.camera.Still() {
		fast = always // there are minutes for each picture
	}
	d, err := choose(s.camera, w, h, 1, arena, s.read, fast)
	if err == nil && s.camera.Still() && d.net == nil {
		err = errNoNetwork
	}
	return d, err
}

// read is the file of the camera's network, or of one in the binary.
func (s *sensor) read(name string) (*modelFile, error) {
	s.alive(0) // to plan one is a step of its own
	switch {
	case name != s.camera.Model:
		return readModel(name)
	case s.model != nil:
		return s.model, nil
	}
	return cameraModel(s.camera)
}

// notice keeps what finds the objects, for those who tell of it. A pace that
// changes a little is no news.
func (s *sensor) notice(d detector, pace float64) {
	old := s.sees.Load()
	if d.net != nil && pace == 0 {
		return // too early to tell
	}
	if old != nil && math.Abs(pace-old.pace) <= 0.25*old.pace {
		return
	}
	s.sees.Store(&seeing{kind: d.kind, name: d.name, pace: pace})
}

// seeing is with what a camera's objects are found, and how many pictures a
// second the network looks at.
type seeing struct {
	kind, name string
	pace       float64
}

func (s *seeing) String() string {
	if s.kind == motionDetector {
		return "objects were found by motion alone"
	}
	return fmt.Sprintf("objects were found by the network %s, %.0f pictures a second, and by motion", s.name, s.pace)
}

func (s *sensor) sight() parcel.Sight {
	if now := s.sees.Load(); now != nil {
		return packSight(*now)
	}
	return parcel.Sight{}
}

func (s *sensor) opts(w, h int) vision.Opts {
	o := vision.Opts{
		Width: w, Height: h, Masks: append(s.policy.Masks(s.camera.Name), s.camera.Masks...),
		Heights: s.camera.Heights, FollowMax: s.policy.FollowMax(),
	}
	if s.camera.Still() {
		o.FollowMax = 0 // nobody can be followed, and one picture tells all
	}
	for _, l := range s.camera.Lines {
		o.Lines = append(o.Lines, l.Line)
	}
	for _, z := range s.camera.Zones {
		o.Zones = append(o.Zones, z.Zone)
	}
	for c := range counting.Class(counting.Classes) {
		if s.policy.Allows(c) {
			o.Classes = append(o.Classes, c)
		}
	}
	return o
}

func (s *sensor) count(step vision.Step) {
	s.pictures.Add(1)
	s.watching.Store(true)
	s.view.note(step.Health, s.log)
	if step.Health.Pauses() { // what is counted now would be a lie
		s.tally.Lost(step.Health.String())
		return
	}
	d := s.tally.Watched(s.now())
	for _, c := range step.Crossings {
		if s.tally.Cross(c) {
			s.crossings.Add(1)
		}
	}
	for _, z := range step.Zones {
		s.tally.Present(z.Zone, z.Count, d)
	}
}

// skipped reports whether an error is about one picture only.
func skipped(err error) bool {
	var bad interface{ BadFrame() int }
	return errors.As(err, &bad)
}
