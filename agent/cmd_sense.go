package main

import (
	"context"

	"kerb/agent/admission"
	"kerb/agent/sensor"
)

// senseCmd is kerb sense: the process that counts one camera, or the loops. It can
// open no file for writing and has no network. Requests to close windows arrive on
// standard input, and tallies leave on standard output. Only kerb run starts it.
type senseCmd struct {
	Camera string `arg:"" optional:"" help:"Its name in site.toml; none: the loops."`
	admission.ChildFlags
}

func (s *senseCmd) Run(ctx context.Context) error {
	site, d, log, err := startChild(s.ChildFlags)
	if err != nil {
		return err
	}
	if s.Camera == "" {
		return sensor.RunLoops(ctx, site, d.Policy, log)
	}
	return sensor.RunCamera(ctx, site, s.Camera, d.Policy, log)
}
