package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"kerb/agent/cage"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/parcel"
)

// sense is the process that sees one camera. It opens nothing and speaks to
// nobody: windows are asked for on standard input and leave, as numbers, on
// standard output.
type sense struct {
	Camera string `arg:"" optional:"" help:"Its name in site.toml; none: the loops."`
	inner
}

// senseMemory is how much the process may still grow by once it is caged. A
// picture costs a few megabytes; a bomb meets this bound.
const senseMemory = 768 << 20

func (s *sense) Run(ctx context.Context) error {
	site, v, log, err := s.enter()
	if err != nil {
		return err
	}
	if s.Camera == "" {
		return feel(ctx, site, v.policy, log)
	}
	pol, clk := v.policy, clock.Clock{Floor: site.Device.ClockFloor}
	c, ok := find(site, s.Camera)
	if !ok {
		return usageError("no camera of that name")
	}
	h, err := newHatch(os.NewFile(3, "hatch"))
	if err != nil {
		return err
	}
	log = log.With("camera", c.Name)
	sensor := newSensor(c, pol, clock.Mono, log)
	if err := sensor.handed(h); err != nil {
		return err
	}
	if c.Model != "" {
		if sensor.model, err = cameraModel(c); err != nil {
			return err
		}
	}
	if _, err := wall(cageOf(c), site.Device.Strict, log); err != nil {
		return err
	}
	sensor.view.tell = sendView(os.Stdout)
	hours := newShifts(pol, c.Hours, clk.Read)
	var aimed atomic.Bool
	hours.closed = whileAimed(&aimed, hours.closed)
	go hours.run(ctx, sensor)
	go tellAlive(log, sensor.stalled, func() *parcel.Alive {
		return &parcel.Alive{
			Pictures: uint64(sensor.pictures.Load()), Bad: uint64(sensor.bad.Load()),
			Crossings: uint64(sensor.crossings.Load()), Watching: sensor.watching.Load(), Sight: sensor.sight(),
			View: uint8(sensor.view.now()), Dropped: sensor.dropped.Load(), Usual: sensor.delay.at(0.5), Slow: sensor.delay.at(0.95),
		}
	})
	return answer(os.Stdin, os.Stdout, sensor, pol.Window(), func(on bool) {
		sensor.view.forget.Store(true)
		aimed.Store(on)
	})
}

// cageOf is what a process that sees this camera is held by.
func cageOf(c config.Camera) cage.SenseRole {
	role := cage.Sense().Handover().Memory(senseMemory)
	if c.Feed() == config.DeviceFeed {
		role = role.Video()
	}
	return role
}

// handed makes the sensor ask at a hatch for its camera. The secrets are read
// now, because later there are no files.
func (s *sensor) handed(h hatch) error {
	k, err := readSecrets(s.camera)
	s.open = func(ctx context.Context) (source, error) {
		return feed{s.camera, s.limits(), k, &s.asked, h}.open(ctx, true)
	}
	return err
}

// whileAimed closes a camera that somebody aims.
func whileAimed(aimed *atomic.Bool, closed func() string) func() string {
	return func() string {
		if aimed.Load() {
			return "aiming"
		}
		return closed()
	}
}

func find(site *config.Site, name string) (config.Camera, bool) {
	for _, c := range site.Cameras {
		if c.Name == name {
			return c, true
		}
	}
	return config.Camera{}, false
}

// tellAlive tells the supervisor once a second what was done, as long as
// something is done.
func tellAlive(log *slog.Logger, stalled func() bool, news func() *parcel.Alive) {
	for range time.Tick(time.Second) {
		if stalled() {
			log.Error("the sensor's loop does not move")
			return
		}
		if err := parcel.Write(os.Stdout, news()); err != nil {
			return // the supervisor is gone, and standard input says so
		}
	}
}

// answer closes windows and pauses when it is told to, until nobody tells any
// more.
func answer(in io.Reader, out io.Writer, s counter, whole time.Duration, pause func(bool)) error {
	for {
		m, err := parcel.Read(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if p, ok := m.(*parcel.Pause); ok {
			pause(p.On)
			continue
		}
		c, ok := m.(*parcel.Cut)
		if !ok {
			return fmt.Errorf("told something else than to cut: %T", m)
		}
		if c.Last {
			s.lose("stopped")
		}
		for i, t := range s.end(c.Mono, c.Start.Time(), c.End.Time(), whole) {
			if err := parcel.Write(out, parcel.Pack(c.N, i, t)); err != nil {
				return err
			}
		}
	}
}
