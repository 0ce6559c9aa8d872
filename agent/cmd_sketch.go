package main

import (
	"context"
	"os"

	"kerb/agent/admission"
	"kerb/agent/aim"
	"kerb/agent/child"
	"kerb/agent/clock"
	"kerb/agent/handover"
	"kerb/agent/model"
	"kerb/agent/sensor"
	"kerb/agent/terminal"
)

// sketch is the process that sees one camera while it is aimed. It stands
// within the walls of sense: it opens nothing and speaks to nobody. What may be
// seen of the picture leaves on standard output as records of a fixed size, and
// where to count comes in on standard input as others. Only kerb aim starts it.
type sketchCmd struct {
	Camera string `arg:"" help:"Its name in site.toml."`
	admission.Inner
}

func (s *sketchCmd) Run(ctx context.Context) error {
	site, v, log, err := enter(s.Inner)
	if err != nil {
		return err
	}
	c, ok := sensor.Find(site, s.Camera)
	if !ok {
		return terminal.UsageError("no camera of that name")
	}
	h, err := handover.NewHatch(os.NewFile(3, "hatch"))
	if err != nil {
		return err
	}
	cam := sensor.New(c, v.Policy, h, clock.Mono, log)
	if err := cam.KeepSecrets(); err != nil {
		return err
	}
	if c.Model != "" {
		if cam.Model, err = model.CameraModel(c); err != nil {
			return err
		}
	}
	report, err := sensor.CageOf(c).Apply()
	if err != nil {
		return err
	}
	if err := report.Strict(); err != nil && site.Device.Strict {
		return child.RefusedError(err.Error())
	}
	a := &sensor.Artist{Sensor: cam, Pen: aim.NewPen(os.Stdout), Log: log}
	gone := make(chan error, 1)
	go func() { gone <- a.Listen() }()
	go a.Work(ctx)
	return <-gone
}
