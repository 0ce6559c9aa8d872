package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/counting"
	"kerb/counting/vision"
)

// A sensor is one camera with its counter and its open windows.
type sensor struct {
	camera config.Camera
	policy *policy.Policy
	tally  *counting.Tallier
	now    func() time.Duration // monotonic
	log    *slog.Logger
	open   func(context.Context) (source, error)

	crossings atomic.Int64 // since the start, for the summary of a demo
	pictures  atomic.Int64
	bad       atomic.Int64
}

func (s *sensor) streams() []counting.Stream { return s.camera.Streams() }

func (s *sensor) lose(reason string) { s.tally.Lost(reason) }

func (s *sensor) end(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally {
	return s.tally.End(mono, start, end, whole)
}

func newSensor(c config.Camera, p *policy.Policy, now func() time.Duration, log *slog.Logger) *sensor {
	s := &sensor{camera: c, policy: p, tally: counting.NewTallier(c.Streams()), now: now, log: log.With("camera", c.Name)}
	s.open = func(ctx context.Context) (source, error) { return openCamera(ctx, c, p.MaxPixels(), true) }
	return s
}

// A camera that is gone is tried again after firstRetry, then ever more
// slowly: a rebooting one is back in a minute, a stolen one costs nothing.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// run counts until the context ends. A camera that fails is opened afresh.
func (s *sensor) run(ctx context.Context) {
	for wait := firstRetry; ctx.Err() == nil; wait = min(2*wait, lastRetry) {
		begun := time.Now()
		err := s.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		s.tally.Lost("camera_lost")
		if time.Since(begun) > lastRetry {
			wait = firstRetry
		}
		s.log.Warn("camera lost", "err", err, "again_in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// watch opens the camera and counts until it fails or the context ends.
func (s *sensor) watch(ctx context.Context) error {
	src, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	if d := s.camera.Every(); d > 0 {
		src = &thinner{source: src, every: d}
	}
	w, h := src.Size()
	o := s.opts(w, h)
	if s.camera.Detector == neuralDetector {
		if o.Network, err = loadCameraNetwork(s.camera, w, h); err != nil {
			return err
		}
		defer o.Network.Close()
	}
	c, err := vision.New(src, o)
	if err != nil {
		return err
	}
	defer c.Close()
	s.log.Info("camera open", "width", w, "height", h, "detector", s.camera.Detector)
	for {
		step, err := c.Step(ctx)
		if skipped(err) {
			if s.bad.Add(1) == 1 {
				s.log.Warn("bad picture left out; more are only counted", "err", err)
			}
			continue
		}
		if err != nil {
			return err
		}
		s.count(step)
	}
}

func (s *sensor) opts(w, h int) vision.Opts {
	o := vision.Opts{
		Width: w, Height: h, Masks: append(s.policy.Masks(s.camera.Name), s.camera.Masks...),
		Heights: s.camera.Heights, FollowMax: s.policy.FollowMax(),
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
	d := s.tally.Watched(s.now())
	for _, c := range step.Crossings {
		s.tally.Cross(c)
		s.crossings.Add(1)
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
