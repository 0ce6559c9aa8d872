package sensor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"kerb/agent/cage"
	"kerb/agent/config"
	"kerb/agent/handover"
	"kerb/agent/ipc"
	"kerb/agent/model"
	"kerb/agent/policy"
	"kerb/agent/source"
	"kerb/counting"
	"kerb/counting/neural"
	"kerb/counting/neural/nets"
	"kerb/counting/vision"
	"kerb/counting/vision/health"
	"kerb/drivers/camera"
)

// A sensor is one camera with its counter and its open windows.
type Sensor struct {
	Camera config.Camera
	policy *policy.Policy
	tally  *counting.Tallier
	now    func() time.Duration // monotonic
	log    *slog.Logger
	from   handover.Opener
	Open   func(context.Context) (source.Source, error)
	Model  *model.ModelFile // the network's file, for one who cannot read it later; nil: it is read when it is needed

	// memory is where the camera's bytes lie. It lives as long as the sensor: a
	// reader that hangs keeps what it reads into.
	memory *cage.Vault

	View  View         // how well the camera sees
	asked camera.Asked // of a camera that is seen at instants: what outlives one opening

	Crossings atomic.Int64 // since the start, for the summary of a demo
	Pictures  atomic.Int64
	Bad       atomic.Int64
	Watching  atomic.Bool // the camera delivers
	Sees      atomic.Pointer[seeing]
	due       atomic.Int64  // when, on the monotonic clock, there must be another sign of life
	Dropped   atomic.Uint64 // pictures that nobody looked at because newer ones had come
	Delay     Delays        // from a picture's coming until it is counted
}

func (s *Sensor) Streams() []counting.Stream { return s.Camera.Streams() }

func (s *Sensor) Lose(reason string) { s.tally.Lost(reason) }

func (s *Sensor) End(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally {
	defer s.View.Close()
	return s.tally.End(mono, start, end, whole)
}

// New returns the sensor of camera c. It gets descriptors of the open camera
// from an opener, and reads the camera's secrets at each opening, so that a
// password can change without a restart. now is the monotonic clock.
func New(c config.Camera, p *policy.Policy, from handover.Opener, now func() time.Duration, log *slog.Logger) *Sensor {
	s := &Sensor{
		Camera: c, policy: p, tally: counting.NewTallier(c.Streams()), from: from, now: now,
		log: log.With("camera", c.Name), memory: new(cage.Vault),
	}
	s.View.Tell = func(health.Fault, bool) {}
	s.Open = func(ctx context.Context) (source.Source, error) {
		k, err := source.ReadSecrets(c)
		if err != nil {
			return nil, err
		}
		return s.openFeed(ctx, k)
	}
	return s
}

// KeepSecrets reads the camera's secrets now and keeps them for each opening,
// for a process that can read no files later.
func (s *Sensor) KeepSecrets() error {
	k, err := source.ReadSecrets(s.Camera)
	s.Open = func(ctx context.Context) (source.Source, error) { return s.openFeed(ctx, k) }
	return err
}

func (s *Sensor) openFeed(ctx context.Context, k source.Secrets) (source.Source, error) {
	return source.Feed{Camera: s.Camera, Limits: s.limits(), Secrets: k, Asked: &s.asked, From: s.from}.Open(ctx, true)
}

// run counts until the context ends. A camera that fails is opened afresh.
func (s *Sensor) Run(ctx context.Context) {
	defer s.rest()
	for again := new(Comeback); ctx.Err() == nil; again.rest(ctx) {
		begun := time.Now()
		err := s.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		stood := s.Watching.Swap(false)
		s.tally.Lost("camera_lost")
		s.alive(again.After(err, time.Since(begun), stood))
		again.Tell(s.log, "camera lost", err, time.Now())
	}
}

// alive says that there will be another sign of life within wait and pictureTime.
func (s *Sensor) alive(wait time.Duration) {
	s.due.Store(int64(s.now() + max(wait, 0) + handover.PictureTime))
}

// rest says that no sign of life is due: the sensor does not run.
func (s *Sensor) rest() {
	s.Watching.Store(false)
	s.due.Store(0)
}

// stalled reports whether that sign of life did not come.
func (s *Sensor) Stalled() bool {
	due := time.Duration(s.due.Load())
	return due > 0 && s.now() > due
}

// watch opens the camera and counts until it fails or the context ends.
func (s *Sensor) watch(ctx context.Context) error {
	s.alive(time.Until(s.asked.Due()))
	src, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	overtaken, _ := src.(interface{ Dropped() uint64 })
	if d := s.Camera.Every(); d > 0 && overtaken == nil {
		src = &source.Thinner{Source: src, Every: d}
	}
	before := s.Dropped.Load()
	w, h := src.Size()
	o := s.opts(w, h)
	arena := new(cage.Vault)
	defer arena.Close()
	o.Memory = arena.Bytes
	d, err := s.detector(ctx, w, h, arena)
	if err != nil {
		return err
	}
	defer d.Close()
	if o.Network = d.Net; !s.Camera.Still() {
		o.Share, o.Health = model.CoreShare, s.View.Fresh()
	}
	c, err := vision.New(src, o)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(arena.Locked(), s.memory.Locked()); err != nil {
		s.log.Warn("pictures may be swapped", "err", err)
	}
	s.log.Info("camera open", "width", w, "height", h, "detector", d.Kind, "network", d.Name)
	for {
		s.alive(time.Until(s.asked.Due()))
		step, err := c.Step(ctx)
		if errors.Is(err, camera.ErrSame) {
			s.tally.Watched(s.now())
			s.Watching.Store(true)
			continue
		}
		if source.IsBadPicture(err) {
			if s.Bad.Add(1) == 1 {
				s.log.Warn("bad picture left out; more are only counted", "err", err)
			}
			continue
		}
		if err != nil {
			return err
		}
		if overtaken != nil {
			s.Dropped.Store(before + overtaken.Dropped())
		}
		s.Delay.Add(time.Since(step.At))
		s.Count(step)
		s.notice(d, c.Pace())
	}
}

// limits are the policy's and the sensor's own memory.
func (s *Sensor) limits() camera.Limits {
	l := source.Limits(s.policy.MaxPixels())
	l.Memory = s.memory
	return l
}

// detector is what finds the objects of pictures of w×h on this device.
func (s *Sensor) detector(ctx context.Context, w, h int, arena neural.Arena) (model.Detector, error) {
	looks := model.Sustains(ctx)
	fast := func(net *neural.Net) bool {
		s.alive(0) // it was planned; to try it is another step
		return looks(net)
	}
	if s.Camera.Still() {
		fast = model.Always // there are minutes for each picture
	}
	d, err := model.Choose(s.Camera, w, h, 1, arena, s.read, fast)
	if err == nil && s.Camera.Still() && d.Net == nil {
		err = model.ErrNoNetwork
	}
	return d, err
}

// read is the file of the camera's network, or of one in the binary.
func (s *Sensor) read(name string) (*model.ModelFile, error) {
	s.alive(0) // to plan one is a step of its own
	switch {
	case name != s.Camera.Model:
		return model.ReadModel(name)
	case s.Model != nil:
		return s.Model, nil
	}
	return model.CameraModel(s.Camera)
}

// notice keeps what finds the objects, for those who tell of it. A pace that
// changes a little is no news.
func (s *Sensor) notice(d model.Detector, pace float64) {
	old := s.Sees.Load()
	if d.Net != nil && pace == 0 {
		return // too early to tell
	}
	if old != nil && math.Abs(pace-old.pace) <= 0.25*old.pace {
		return
	}
	s.Sees.Store(&seeing{kind: d.Kind, name: d.Name, pace: pace})
}

// seeing is with what a camera's objects are found, and how many pictures a
// second the network looks at.
type seeing struct {
	kind, name string
	pace       float64
}

func (s *seeing) String() string {
	if s.kind == config.MotionDetector {
		return "objects were found by motion alone"
	}
	return fmt.Sprintf("objects were found by the network %s, %.0f pictures a second, and by motion", s.name, s.pace)
}

func (s *Sensor) Sight() ipc.Sight {
	if now := s.Sees.Load(); now != nil {
		return packSight(*now)
	}
	return ipc.Sight{}
}

func (s *Sensor) opts(w, h int) vision.Opts {
	o := vision.Opts{
		Width: w, Height: h, Masks: append(s.policy.Masks(s.Camera.Name), s.Camera.Masks...),
		Heights: s.Camera.Heights, FollowMax: s.policy.FollowMax(),
	}
	if s.Camera.Still() {
		o.FollowMax = 0 // nobody can be followed, and one picture tells all
	}
	for _, l := range s.Camera.Lines {
		o.Lines = append(o.Lines, l.Line)
	}
	for _, z := range s.Camera.Zones {
		o.Zones = append(o.Zones, z.Zone)
	}
	for c := range counting.Class(counting.Classes) {
		if s.policy.Allows(c) {
			o.Classes = append(o.Classes, c)
		}
	}
	return o
}

func (s *Sensor) Count(step vision.Step) {
	s.Pictures.Add(1)
	s.Watching.Store(true)
	s.View.Note(step.Health, s.log)
	if step.Health.Pauses() { // what is counted now would be a lie
		s.tally.Lost(step.Health.String())
		return
	}
	d := s.tally.Watched(s.now())
	for _, c := range step.Crossings {
		if s.tally.Cross(c) {
			s.Crossings.Add(1)
		}
	}
	for _, z := range step.Zones {
		s.tally.Present(z.Zone, z.Count, d)
	}
}

// packSight is what finds a camera's objects, in numbers.
func packSight(s seeing) ipc.Sight {
	if s.kind != config.NeuralDetector {
		return ipc.Sight{Detector: ipc.Motion}
	}
	p := ipc.Sight{Detector: ipc.Neural, Network: 1, Looks: uint16(min(math.Round(10*s.pace), math.MaxUint16))}
	if i := slices.Index(nets.All(), s.name); i >= 0 {
		p.Network = uint8(2 + i)
	}
	return p
}
