package sensor

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"kerb/agent/cage"
	"kerb/agent/config"
	"kerb/agent/handover"
	"kerb/agent/model"
	"kerb/agent/policy"
	"kerb/agent/source"
	"kerb/counting"
	"kerb/counting/vision"
	"kerb/drivers/camera"
)

// Camera is the Sensor of one camera: it reads pictures, counts in them and keeps
// the open windows.
type Camera struct {
	Config config.Camera
	View   View

	// Open opens the camera's source. New sets it; a test or a demo may replace it.
	Open func(context.Context) (source.Pictures, error)

	// Counts since the start, and the present state. Run writes them; others may
	// read them at any time.
	Pictures    atomic.Int64                 // pictures that were counted in
	BadPictures atomic.Int64                 // pictures that could not be decoded
	Dropped     atomic.Uint64                // pictures that were replaced by newer ones before they were read
	KeysOnly    atomic.Bool                  // this device is too slow for the camera's H.264: only key frames are decoded
	Watching    atomic.Bool                  // the camera delivers
	Detector    atomic.Pointer[DetectorInfo] // nil: not known yet
	Latency     LatencyHistogram             // from the arrival of a picture until it is counted

	policy    *policy.Policy
	tallier   *counting.Tallier
	now       func() time.Duration // monotonic
	deadline  atomic.Int64         // on that clock, of the next progress; 0: none is due
	log       *slog.Logger
	requester handover.Requester
	network   *model.Network   // the file that the site names, read before the walls stand; nil: it is read when it is needed
	pollState camera.PollState // of a polled camera, kept between openings

	// ownProcess says that nothing else runs in this process. Without a network, one thread
	// reads, decodes and counts: to wake another for each step costs more than it saves.
	ownProcess bool

	// memory holds the encoded pictures. It lives as long as the Camera, because a
	// reader that hangs keeps writing to it.
	memory *cage.Vault
}

// NewCamera returns the Sensor of camera c under policy p. requester gives descriptors of
// the open camera, now is the monotonic clock, and log gets the attribute camera.
// The secrets are read at each opening, so that a password can change without a
// restart.
func NewCamera(c config.Camera, p *policy.Policy, requester handover.Requester, now func() time.Duration, log *slog.Logger) *Camera {
	s := &Camera{
		Config: c, policy: p, tallier: counting.NewTallier(c.Streams()), requester: requester, now: now,
		log: log.With("camera", c.Name), memory: new(cage.Vault),
	}
	s.View.OnChange = func(counting.ViewFault, bool) {}
	s.Open = func(ctx context.Context) (source.Pictures, error) {
		k, err := source.ReadSecrets(c)
		if err != nil {
			return nil, err
		}
		return s.openSource(ctx, k)
	}
	return s
}

// keepSecrets reads the secrets now and uses them at each opening. It is for a
// process that cannot read files later.
func (s *Camera) keepSecrets() error {
	k, err := source.ReadSecrets(s.Config)
	s.Open = func(ctx context.Context) (source.Pictures, error) { return s.openSource(ctx, k) }
	return err
}

func (s *Camera) openSource(ctx context.Context, k source.Secrets) (source.Pictures, error) {
	return source.OpenCamera(ctx, source.CameraOpts{
		Camera: s.Config, Limits: s.pictureLimits(), Secrets: k, Poll: &s.pollState, Requester: s.requester,
	})
}

// Streams returns the streams of the camera: its lines, then its zones.
func (s *Camera) Streams() []counting.Stream { return s.Config.Streams() }

// MarkLost records that the camera does not observe from now on, and the reason.
func (s *Camera) MarkLost(reason counting.Reason) { s.tallier.MarkLost(reason) }

// CloseWindow closes the open window of every stream, and reports the faults of the
// view in it.
func (s *Camera) CloseWindow(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally {
	defer s.View.reportChanges()
	return s.tallier.CloseWindows(mono, start, end, whole)
}

// Run counts until ctx ends. It opens a camera that fails again, after a back-off.
func (s *Camera) Run(ctx context.Context) {
	defer s.clearDeadline()
	for b := new(backoff); ctx.Err() == nil; b.wait(ctx) {
		begun := time.Now()
		err := s.countUntilLost(ctx)
		if ctx.Err() != nil {
			return
		}
		delivered := s.Watching.Swap(false)
		s.tallier.MarkLost(counting.ReasonCameraLost)
		s.extendDeadline(b.delayAfter(err, time.Since(begun), delivered))
		b.logLoss(s.log, "camera lost", err)
	}
}

// extendDeadline sets the deadline of the next progress: after wait and the longest
// time that a picture may take.
func (s *Camera) extendDeadline(wait time.Duration) {
	s.deadline.Store(int64(s.now() + max(wait, 0) + handover.PictureTimeout))
}

// clearDeadline removes the deadline of a camera that does not run.
func (s *Camera) clearDeadline() {
	s.Watching.Store(false)
	s.deadline.Store(0)
}

// stalled reports whether the deadline has passed.
func (s *Camera) stalled() bool {
	due := time.Duration(s.deadline.Load())
	return due > 0 && s.now() > due
}

// countUntilLost opens the camera and counts until it fails or the context ends.
func (s *Camera) countUntilLost(ctx context.Context) error {
	s.extendDeadline(time.Until(s.pollState.NextPoll()))
	src, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	if _, newest := src.(newestKeeper); !newest && s.Config.FrameInterval() > 0 {
		src = &source.RateLimiter{Pictures: src, Interval: s.Config.FrameInterval()}
	}
	if s.KeysOnly.Swap(false) {
		s.tallier.SetKeyFramesOnly(false, false)
	}
	w, h := src.Size()
	o := s.buildVisionOpts(w, h)
	arena := new(cage.Vault)
	defer arena.Close()
	o.Memory = arena.Bytes
	d, err := s.chooseDetector(ctx, w, h, arena)
	if err != nil {
		return err
	}
	defer d.Close()
	if d.Net == nil && s.ownProcess {
		runtime.GOMAXPROCS(1)
	}
	if o.Network = d.Net; !s.Config.Polled() {
		o.NetworkShare, o.Health = model.MaxCoreShare, s.View.monitorForOpening()
	}
	c, err := vision.New(src, o)
	if err != nil {
		return err
	}
	if err := errors.Join(arena.LockError(), s.memory.LockError()); err != nil {
		s.log.Warn("pictures may be swapped", "err", err)
	}
	debug.FreeOSMemory() // what choosing the network needed: the tensors of the one that was measured
	s.log.Info("camera open", "width", w, "height", h, "detector", d.Kind, "network", d.Name)
	return s.countSteps(ctx, src, c, d, o)
}

// newestKeeper is a source that keeps the newest picture only.
type newestKeeper interface{ Dropped() uint64 }

// countSteps counts the pictures of src until it fails or ctx ends, and closes c.
func (s *Camera) countSteps(ctx context.Context, src source.Pictures, c *vision.Counter, d model.Detector, o vision.Opts) error {
	defer func() { // c may be replaced, or gone after a failed replacement
		if c != nil {
			c.Close()
		}
	}()
	latest, _ := src.(newestKeeper)
	stream, _ := src.(interface{ KeyFramesOnly() bool })
	before := s.Dropped.Load()
	for {
		s.extendDeadline(time.Until(s.pollState.NextPoll()))
		s.warnOfCaching()
		step, err := c.Step(ctx)
		if errors.Is(err, camera.ErrUnchanged) {
			s.tallier.MarkWatched(s.now())
			s.Watching.Store(true)
			continue
		}
		if source.IsBadPicture(err) {
			if s.BadPictures.Add(1) == 1 {
				s.log.Warn("bad picture left out; more are only counted", "err", err)
			}
			continue
		}
		if err != nil {
			s.addCrossings(c.Finish())
			return err
		}
		if latest != nil {
			s.Dropped.Store(before + latest.Dropped())
		}
		if stream != nil && stream.KeyFramesOnly() && !s.KeysOnly.Swap(true) {
			if c, err = s.countZonesOnly(c, src, o); err != nil {
				return err
			}
		}
		s.Latency.addSample(time.Since(step.At))
		s.countStep(step)
		s.updateDetectorInfo(d, c.NetworkRate())
	}
}

// countZonesOnly returns the counter that takes the place of c when only key frames are
// decoded: too few to follow anything. It counts who is in the zones of each picture;
// without zones or a network, which finds objects in a single picture, nothing counts.
func (s *Camera) countZonesOnly(c *vision.Counter, src source.Pictures, o vision.Opts) (*vision.Counter, error) {
	zones := o.Network != nil && len(o.Zones) > 0
	s.log.Warn("this device is too slow for the camera: only key frames are decoded, lines do not count; set the camera to a smaller picture or fewer pictures a second", "zones_count", zones)
	s.addCrossings(c.Finish())
	s.tallier.SetKeyFramesOnly(true, zones)
	if !zones {
		return c, nil
	}
	c.Close()
	o.Lines, o.FollowMax = nil, 0
	return vision.New(src, o)
}

// addCrossings adds crossings to the open windows, and overwrites them.
func (s *Camera) addCrossings(crossings []counting.Crossing) {
	for _, c := range crossings {
		s.tallier.AddCrossing(c)
	}
	clear(crossings)
}

// warnOfCaching warns once that the caching headers of a polled camera ask for fewer
// requests than the engineer.
func (s *Camera) warnOfCaching() {
	if fresh, ok := s.pollState.TakeStretched(); ok {
		polled, _ := s.Config.Source.(config.SnapshotSource)
		s.log.Warn("caching headers say that a picture stays fresh longer than every: it is asked for at the double of every, no later",
			"every", polled.PollEvery, "fresh_for", fresh)
	}
}

// pictureLimits returns the bounds of one picture, with the policy's cap on pixels
// and the locked memory of the camera.
func (s *Camera) pictureLimits() camera.Limits {
	l := source.Limits(s.policy.MaxPixels())
	l.Memory = s.memory
	return l
}

// buildVisionOpts returns the options of a counter for pictures of w×h pixels.
func (s *Camera) buildVisionOpts(w, h int) vision.Opts {
	o := vision.Opts{
		Width: w, Height: h, Masks: append(s.policy.CameraMasks(s.Config.Name), s.Config.Masks...),
		Heights: s.Config.Heights, Distance: s.Config.Distance, FollowMax: s.policy.FollowMax(),
		Workers: 1, // a look takes a millisecond or two: to wake a second thread would cost more than it saves
	}
	if s.Config.Polled() {
		o.FollowMax = 0 // single pictures: objects are counted, not followed
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

// countStep adds the result of one picture to the open windows. A fault of the view that
// would make counts wrong pauses them until they end.
func (s *Camera) countStep(step vision.Step) {
	s.Pictures.Add(1)
	s.Watching.Store(true)
	s.View.updateFault(step.Health, s.log)
	if step.Health.Pauses() {
		s.tallier.Pause(step.Health.Reason())
		return
	}
	d := s.tallier.MarkWatched(s.now())
	s.addCrossings(step.Crossings)
	for _, z := range step.Zones {
		s.tallier.AddPresence(z.Zone, z.Count, d)
		if z.Followed {
			s.tallier.AddStanding(z.Zone, z.Count, z.Standing, d)
		}
	}
}
