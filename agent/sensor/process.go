package sensor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"kerb/agent/aim/record"
	"kerb/agent/cage"
	"kerb/agent/child"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/handover"
	"kerb/agent/ipc"
	"kerb/agent/model"
	"kerb/agent/policy"
	"kerb/counting"
)

// senseMemory is how much the process may still grow by once it is caged. A
// picture costs a few megabytes; a bomb meets this bound.
const MaxGrowth = 768 << 20

// cageOf is what a process that sees this camera is held by.
func CameraRole(c config.Camera) cage.SenseRole {
	role := cage.Sense().Handover().Memory(MaxGrowth)
	if _, ok := c.Source.(config.DeviceSource); ok {
		role = role.Video()
	}
	return role
}

// whileAimed closes a camera that somebody aims.
func PauseWhileAimed(aimed *atomic.Bool, closed func() counting.Reason) func() counting.Reason {
	return func() counting.Reason {
		if aimed.Load() {
			return counting.ReasonAiming
		}
		return closed()
	}
}

func findCamera(site *config.Site, name string) (config.Camera, bool) {
	for _, c := range site.Cameras {
		if c.Name == name {
			return c, true
		}
	}
	return config.Camera{}, false
}

// answer closes windows and pauses when it is told to, until nobody tells any
// more.
func ServeWindows(in io.Reader, out io.Writer, s Sensor, whole time.Duration, pause func(bool)) error {
	for {
		m, err := ipc.Read(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if p, ok := m.(*ipc.Pause); ok {
			pause(p.On)
			continue
		}
		c, ok := m.(*ipc.CloseWindow)
		if !ok {
			return fmt.Errorf("told something else than to cut: %T", m)
		}
		if c.Last {
			s.MarkLost(counting.ReasonStopped)
		}
		for i, t := range s.CloseWindow(c.Mono, c.Start.Time(), c.End.Time(), whole) {
			if err := ipc.Write(out, ipc.Pack(c.N, i, t)); err != nil {
				return err
			}
		}
	}
}

// handoverFD is the descriptor at which a child finds its end of the handover.
const handoverFD = 3

// newCagedCamera returns the camera of that name as its own process needs it:
// descriptors come over the handover, and the secrets and the network's file are
// read now, because the walls allow no file later.
func newCagedCamera(site *config.Site, name string, pol *policy.Policy, log *slog.Logger) (*Camera, error) {
	conf, ok := findCamera(site, name)
	if !ok {
		return nil, errors.New("no camera of that name")
	}
	conn, err := handover.NewConn(os.NewFile(handoverFD, "hatch"))
	if err != nil {
		return nil, err
	}
	c := New(conf, pol, conn, clock.SinceBoot, log)
	if err := c.KeepSecrets(); err != nil {
		return nil, err
	}
	if conf.Model != "" {
		if c.Model, err = model.ReadCameraNetwork(conf); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// RunCamera is the process kerb sense NAME. It raises the walls, then counts
// the camera and answers the supervisor until standard input ends.
func RunCamera(ctx context.Context, site *config.Site, name string, pol *policy.Policy, log *slog.Logger) error {
	c, err := newCagedCamera(site, name, pol, log)
	if err != nil {
		return err
	}
	if _, err := child.RaiseWalls(CameraRole(c.Config), site.Device.Strict, c.log); err != nil {
		return err
	}
	c.View.OnChange = SendCameraFaults(os.Stdout)
	hours := NewSchedule(pol, c.Config.Hours, clock.Clock{Floor: site.Device.ClockFloor}.ReadAll)
	var aimed atomic.Bool
	hours.Closed = PauseWhileAimed(&aimed, hours.Closed)
	go hours.Run(ctx, c)
	go child.SendHeartbeats(c.log, c.Stalled, c.heartbeat)
	return ServeWindows(os.Stdin, os.Stdout, c, pol.Window(), func(on bool) {
		c.View.Forget.Store(true)
		aimed.Store(on)
	})
}

func (c *Camera) heartbeat() *ipc.Heartbeat {
	return &ipc.Heartbeat{
		Pictures: uint64(c.Pictures.Load()), Bad: uint64(c.Bad.Load()),
		Crossings: uint64(c.Crossings.Load()), Watching: c.Watching.Load(), Detection: c.Detection(),
		View: uint8(c.View.Fault()), Dropped: c.Dropped.Load(),
		LatencyP50: c.Latency.Quantile(0.5), LatencyP95: c.Latency.Quantile(0.95),
	}
}

// RunSketch is the process kerb sketch NAME, which reads a camera while it is
// aimed. It works within the walls of kerb sense: layouts arrive on standard
// input, and silhouettes and counts leave on standard output, both as records of
// fixed size.
func RunSketch(ctx context.Context, site *config.Site, name string, pol *policy.Policy, log *slog.Logger) error {
	c, err := newCagedCamera(site, name, pol, log)
	if err != nil {
		return err
	}
	report, err := CameraRole(c.Config).Apply()
	if err != nil {
		return err
	}
	if err := report.Strict(); err != nil && site.Device.Strict {
		return child.RefusedError(err.Error())
	}
	s := &Sketcher{Sensor: c, Pen: record.NewWriter(os.Stdout), Log: log}
	gone := make(chan error, 1)
	go func() { gone <- s.ReadLayouts() }()
	go s.Run(ctx)
	return <-gone
}
