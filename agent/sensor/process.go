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

// MaxGrowth bounds the address space, in bytes, that a sensing process may add to
// its own once its walls stand (RLIMIT_AS). A picture takes a few megabytes; a
// decompression bomb meets this bound. Chosen by hand.
const MaxGrowth = 768 << 20

// cameraRole returns the walls of a process that reads this camera. Those of a V4L2
// device allow its ioctls.
func cameraRole(c config.Camera) cage.SenseRole {
	role := cage.Sense().Handover().Memory(MaxGrowth)
	if _, ok := c.Source.(config.DeviceSource); ok {
		role = role.Video()
	}
	return role
}

// pauseWhileAimed returns closed, but with the reason aiming while aimed is set.
func pauseWhileAimed(aimed *atomic.Bool, closed func() counting.Reason) func() counting.Reason {
	return func() counting.Reason {
		if aimed.Load() {
			return counting.ReasonAiming
		}
		return closed()
	}
}

// ServeWindows reads requests from in until its end. On CloseWindow it closes the
// windows of s, each of length whole, and writes their tallies to out; on Pause it
// calls pause. Every other record is an error.
func ServeWindows(in io.Reader, out io.Writer, s Sensor, whole time.Duration, pause func(bool)) error {
	for {
		m, err := ipc.ReadRecord(in)
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
		ipc.WithoutTraces(func() {
			err = sendTallies(out, c.N, s.CloseWindow(c.Mono, c.Start.Time(), c.End.Time(), whole))
		})
		if err != nil {
			return err
		}
	}
}

// sendTallies writes the tallies of window n to out, and overwrites them: exact counts do
// not stay in memory until a later window takes their place.
func sendTallies(out io.Writer, n uint64, tallies []counting.Tally) (err error) {
	defer clear(tallies)
	for i := range tallies {
		m := ipc.PackTally(n, i, tallies[i])
		err = ipc.WriteRecord(out, m)
		*m = ipc.Tally{}
		if err != nil {
			return err
		}
	}
	return nil
}

// handoverFD is the descriptor of a child's end of the handover: the first one
// after standard error.
const handoverFD = 3

// newCagedCamera returns the camera of that name for its own process: descriptors
// come over the handover, and the secrets and the network's file are read now,
// because the walls allow no file later.
func newCagedCamera(site *config.Site, name string, pol *policy.Policy, log *slog.Logger) (*Camera, error) {
	conf, ok := site.FindCamera(name)
	if !ok {
		return nil, errors.New("no camera of that name")
	}
	conn, err := handover.NewConn(os.NewFile(handoverFD, "handover"))
	if err != nil {
		return nil, err
	}
	c := NewCamera(conf, pol, conn, clock.SinceBoot, log)
	c.ownProcess = true
	if err := c.keepSecrets(); err != nil {
		return nil, err
	}
	if conf.Model != "" {
		if c.network, err = model.ReadCameraNetwork(conf); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// RunCamera is the process kerb sense NAME. It raises the walls, then counts in the
// hours of the camera and serves the supervisor until standard input ends. The error
// is a child.RefusedError where a wall does not hold and the site is strict.
func RunCamera(ctx context.Context, site *config.Site, name string, pol *policy.Policy, log *slog.Logger) error {
	c, err := newCagedCamera(site, name, pol, log)
	if err != nil {
		return err
	}
	if _, err := child.RaiseWalls(cameraRole(c.Config), site.Device.Strict, c.log); err != nil {
		return err
	}
	c.View.OnChange = SendCameraFaults(os.Stdout)
	hours := NewSchedule(pol, c.Config.Hours, clock.Clock{Floor: site.Device.ClockFloor}.ReadAll)
	var aimed atomic.Bool
	hours.closedReason = pauseWhileAimed(&aimed, hours.closedReason)
	go hours.Run(ctx, c)
	go child.SendHeartbeats(c.log, c.stalled, c.Heartbeat)
	return ServeWindows(os.Stdin, os.Stdout, c, pol.Window(), func(on bool) {
		c.View.resetAtOpening.Store(true)
		aimed.Store(on)
	})
}

// Heartbeat returns the counts since the start as a record.
func (c *Camera) Heartbeat() *ipc.Heartbeat {
	return &ipc.Heartbeat{
		Pictures: uint64(c.Pictures.Load()), Undecoded: uint64(c.BadPictures.Load()),
		Delivering: c.Watching.Load(), Detection: c.Detection(),
		ViewFault: uint8(c.View.Fault()), Dropped: c.Dropped.Load(),
		KeysOnly: c.KeysOnly.Load(), LatencyP50: c.Latency.Quantile(0.5), LatencyP95: c.Latency.Quantile(0.95),
	}
}

// RunSketch is the process kerb sketch NAME, which reads a camera while it is aimed.
// It has the walls of kerb sense. Layouts arrive on standard input; reports with
// silhouettes and counts leave on standard output: both are records of package
// aim/record, of fixed size. It ends when standard input ends.
func RunSketch(ctx context.Context, site *config.Site, name string, pol *policy.Policy, log *slog.Logger) error {
	c, err := newCagedCamera(site, name, pol, log)
	if err != nil {
		return err
	}
	report, err := cameraRole(c.Config).Apply()
	if err != nil {
		return err
	}
	if err := report.Strict(); err != nil && site.Device.Strict {
		return child.RefusedError(err.Error())
	}
	s := &sketcher{camera: c, out: record.NewWriter(os.Stdout), log: log}
	gone := make(chan error, 1)
	go func() { gone <- s.readLayouts() }()
	go s.run(ctx)
	return <-gone
}
