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
	"kerb/drivers/camera"
)

// A sensor is one camera with its counter and its open windows.
type Camera struct {
	Config  config.Camera
	policy  *policy.Policy
	tallier *counting.Tallier
	now     func() time.Duration // monotonic
	log     *slog.Logger
	from    handover.Requester
	Open    func(context.Context) (source.Pictures, error)
	Model   *model.Network // the network's file, for one who cannot read it later; nil: it is read when it is needed

	// memory is where the camera's bytes lie. It lives as long as the sensor: a
	// reader that hangs keeps what it reads into.
	memory *cage.Vault

	View View             // how well the camera sees
	poll camera.PollState // of a camera that is seen at instants: what outlives one opening

	Crossings atomic.Int64 // since the start, for the summary of a demo
	Pictures  atomic.Int64
	Bad       atomic.Int64
	Watching  atomic.Bool // the camera delivers
	Detector  atomic.Pointer[detectorInfo]
	deadline  atomic.Int64  // when, on the monotonic clock, there must be another sign of life
	Dropped   atomic.Uint64 // pictures that nobody looked at because newer ones had come
	Latency   latencies     // from a picture's coming until it is counted
}

func (s *Camera) Streams() []counting.Stream { return s.Config.Streams() }

func (s *Camera) MarkLost(reason counting.Reason) { s.tallier.MarkLost(reason) }

func (s *Camera) CloseWindow(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally {
	defer s.View.reportChanges()
	return s.tallier.CloseWindows(mono, start, end, whole)
}

// New returns the sensor of camera c. It gets descriptors of the open camera
// from an opener, and reads the camera's secrets at each opening, so that a
// password can change without a restart. now is the monotonic clock.
func New(c config.Camera, p *policy.Policy, from handover.Requester, now func() time.Duration, log *slog.Logger) *Camera {
	s := &Camera{
		Config: c, policy: p, tallier: counting.NewTallier(c.Streams()), from: from, now: now,
		log: log.With("camera", c.Name), memory: new(cage.Vault),
	}
	s.View.OnChange = func(counting.ViewFault, bool) {}
	s.Open = func(ctx context.Context) (source.Pictures, error) {
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
func (s *Camera) KeepSecrets() error {
	k, err := source.ReadSecrets(s.Config)
	s.Open = func(ctx context.Context) (source.Pictures, error) { return s.openFeed(ctx, k) }
	return err
}

func (s *Camera) openFeed(ctx context.Context, k source.Secrets) (source.Pictures, error) {
	return source.Opener{Camera: s.Config, Limits: s.pictureLimits(), Secrets: k, Poll: &s.poll, Requester: s.from}.Open(ctx, true)
}

// run counts until the context ends. A camera that fails is opened afresh.
func (s *Camera) Run(ctx context.Context) {
	defer s.clearDeadline()
	for again := new(retry); ctx.Err() == nil; again.sleep(ctx) {
		begun := time.Now()
		err := s.countUntilLost(ctx)
		if ctx.Err() != nil {
			return
		}
		stood := s.Watching.Swap(false)
		s.tallier.MarkLost(counting.ReasonCameraLost)
		s.extendDeadline(again.delayAfter(err, time.Since(begun), stood))
		again.logLoss(s.log, "camera lost", err, time.Now())
	}
}

// extendDeadline says that there will be another sign of life within wait and pictureTime.
func (s *Camera) extendDeadline(wait time.Duration) {
	s.deadline.Store(int64(s.now() + max(wait, 0) + handover.PictureTimeout))
}

// clearDeadline says that no sign of life is due: the sensor does not run.
func (s *Camera) clearDeadline() {
	s.Watching.Store(false)
	s.deadline.Store(0)
}

// stalled reports whether that sign of life did not come.
func (s *Camera) Stalled() bool {
	due := time.Duration(s.deadline.Load())
	return due > 0 && s.now() > due
}

// countUntilLost opens the camera and counts until it fails or the context ends.
func (s *Camera) countUntilLost(ctx context.Context) error {
	s.extendDeadline(time.Until(s.poll.NextPoll()))
	src, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	overtaken, _ := src.(interface{ Dropped() uint64 })
	if d := s.Config.FrameInterval(); d > 0 && overtaken == nil {
		src = &source.RateLimiter{Pictures: src, Interval: d}
	}
	before := s.Dropped.Load()
	w, h := src.Size()
	o := s.visionOpts(w, h)
	arena := new(cage.Vault)
	defer arena.Close()
	o.Memory = arena.Bytes
	d, err := s.chooseDetector(ctx, w, h, arena)
	if err != nil {
		return err
	}
	defer d.Close()
	if o.Network = d.Net; !s.Config.Polled() {
		o.NetworkShare, o.Health = model.MaxCoreShare, s.View.watchForOpening()
	}
	c, err := vision.New(src, o)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(arena.LockError(), s.memory.LockError()); err != nil {
		s.log.Warn("pictures may be swapped", "err", err)
	}
	s.log.Info("camera open", "width", w, "height", h, "detector", d.Kind, "network", d.Name)
	for {
		s.extendDeadline(time.Until(s.poll.NextPoll()))
		step, err := c.Step(ctx)
		if errors.Is(err, camera.ErrUnchanged) {
			s.tallier.MarkWatched(s.now())
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
		s.Latency.addSample(time.Since(step.At))
		s.countStep(step)
		s.noteDetector(d, c.NetworkRate())
	}
}

// pictureLimits are the policy's and the sensor's own memory.
func (s *Camera) pictureLimits() camera.Limits {
	l := source.Limits(s.policy.MaxPixels())
	l.Memory = s.memory
	return l
}

// chooseDetector is what finds the objects of pictures of w×h on this device.
func (s *Camera) chooseDetector(ctx context.Context, w, h int, arena neural.Arena) (model.Detector, error) {
	looks := model.MeasureSpeed(ctx)
	fast := func(net *neural.Net) bool {
		s.extendDeadline(0) // it was planned; to try it is another step
		return looks(net)
	}
	if s.Config.Polled() {
		fast = model.AcceptAll // there are minutes for each picture
	}
	d, err := model.Choose(s.Config, w, h, 1, arena, s.readModel, fast)
	if err == nil && s.Config.Polled() && d.Net == nil {
		err = model.ErrNoNetwork
	}
	return d, err
}

// readModel is the file of the camera's network, or of one in the binary.
func (s *Camera) readModel(name string) (*model.Network, error) {
	s.extendDeadline(0) // to plan one is a step of its own
	switch {
	case name != s.Config.Model:
		return model.ReadNetwork(name)
	case s.Model != nil:
		return s.Model, nil
	}
	return model.ReadCameraNetwork(s.Config)
}

// noteDetector keeps what finds the objects, for those who tell of it. A pace that
// changes a little is no news.
func (s *Camera) noteDetector(d model.Detector, pace float64) {
	old := s.Detector.Load()
	if d.Net != nil && pace == 0 {
		return // too early to tell
	}
	if old != nil && math.Abs(pace-old.pace) <= 0.25*old.pace {
		return
	}
	s.Detector.Store(&detectorInfo{kind: d.Kind, name: d.Name, pace: pace})
}

// detectorInfo is with what a camera's objects are found, and how many pictures a
// second the network looks at.
type detectorInfo struct {
	kind, name string
	pace       float64
}

func (s *detectorInfo) String() string {
	if s.kind == config.MotionDetector {
		return "objects were found by motion alone"
	}
	return fmt.Sprintf("objects were found by the network %s, %.0f pictures a second, and by motion", s.name, s.pace)
}

func (s *Camera) Detection() ipc.Detection {
	if now := s.Detector.Load(); now != nil {
		return packDetection(*now)
	}
	return ipc.Detection{}
}

func (s *Camera) visionOpts(w, h int) vision.Opts {
	o := vision.Opts{
		Width: w, Height: h, Masks: append(s.policy.CameraMasks(s.Config.Name), s.Config.Masks...),
		Heights: s.Config.Heights, FollowMax: s.policy.FollowMax(),
	}
	if s.Config.Polled() {
		o.FollowMax = 0 // nobody can be followed, and one picture tells all
	}
	for _, l := range s.Config.Lines {
		o.Lines = append(o.Lines, l.Line)
	}
	for _, z := range s.Config.Zones {
		o.Zones = append(o.Zones, z.Zone)
	}
	for c := range counting.Class(counting.Classes) {
		if s.policy.AllowsClass(c) {
			o.Classes = append(o.Classes, c)
		}
	}
	return o
}

func (s *Camera) countStep(step vision.Step) {
	s.Pictures.Add(1)
	s.Watching.Store(true)
	s.View.setFault(step.Health, s.log)
	if step.Health.Pauses() { // what is counted now would be a lie
		s.tallier.MarkLost(step.Health.Reason())
		return
	}
	d := s.tallier.MarkWatched(s.now())
	for _, c := range step.Crossings {
		if s.tallier.AddCrossing(c) {
			s.Crossings.Add(1)
		}
	}
	for _, z := range step.Zones {
		s.tallier.AddPresence(z.Zone, z.Count, d)
	}
}

// packDetection is what finds a camera's objects, in numbers.
func packDetection(s detectorInfo) ipc.Detection {
	if s.kind != config.NeuralDetector {
		return ipc.Detection{Detector: ipc.MotionDetector}
	}
	p := ipc.Detection{Detector: ipc.NeuralDetector, Network: 1, Looks: uint16(min(math.Round(10*s.pace), math.MaxUint16))}
	if i := slices.Index(nets.Names(), s.name); i >= 0 {
		p.Network = uint8(2 + i)
	}
	return p
}
