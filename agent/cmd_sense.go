package main

import (
	"context"
	"os"
	"sync/atomic"

	"kerb/agent/admission"
	"kerb/agent/child"
	"kerb/agent/clock"
	"kerb/agent/handover"
	"kerb/agent/ipc"
	"kerb/agent/model"
	"kerb/agent/sensor"
	"kerb/agent/terminal"
)

// sense is the process that sees one camera. It opens nothing and speaks to
// nobody: windows are asked for on standard input and leave, as numbers, on
// standard output.
type senseCmd struct {
	Camera string `arg:"" optional:"" help:"Its name in site.toml; none: the loops."`
	admission.Inner
}

func (s *senseCmd) Run(ctx context.Context) error {
	site, v, log, err := enter(s.Inner)
	if err != nil {
		return err
	}
	if s.Camera == "" {
		return sensor.Feel(ctx, site, v.Policy, log)
	}
	pol, clk := v.Policy, clock.Clock{Floor: site.Device.ClockFloor}
	c, ok := sensor.Find(site, s.Camera)
	if !ok {
		return terminal.UsageError("no camera of that name")
	}
	h, err := handover.NewHatch(os.NewFile(3, "hatch"))
	if err != nil {
		return err
	}
	log = log.With("camera", c.Name)
	cam := sensor.New(c, pol, h, clock.Mono, log)
	if err := cam.KeepSecrets(); err != nil {
		return err
	}
	if c.Model != "" {
		if cam.Model, err = model.CameraModel(c); err != nil {
			return err
		}
	}
	if _, err := child.Wall(sensor.CageOf(c), site.Device.Strict, log); err != nil {
		return err
	}
	cam.View.Tell = sensor.SendView(os.Stdout)
	hours := sensor.NewShifts(pol, c.Hours, clk.Read)
	var aimed atomic.Bool
	hours.Closed = sensor.WhileAimed(&aimed, hours.Closed)
	go hours.Run(ctx, cam)
	go child.TellAlive(log, cam.Stalled, func() *ipc.Alive {
		return &ipc.Alive{
			Pictures: uint64(cam.Pictures.Load()), Bad: uint64(cam.Bad.Load()),
			Crossings: uint64(cam.Crossings.Load()), Watching: cam.Watching.Load(), Sight: cam.Sight(),
			View: uint8(cam.View.Now()), Dropped: cam.Dropped.Load(), Usual: cam.Delay.At(0.5), Slow: cam.Delay.At(0.95),
		}
	})
	return sensor.Answer(os.Stdin, os.Stdout, cam, pol.Window(), func(on bool) {
		cam.View.Forget.Store(true)
		aimed.Store(on)
	})
}
