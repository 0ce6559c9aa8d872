package main

import (
	"context"

	"kerb/agent/admission"
	"kerb/agent/sensor"
)

// sketchCmd is kerb sketch: the process that draws silhouettes of one camera for
// the commissioning page, within the walls of senseCmd. Only kerb aim starts it.
type sketchCmd struct {
	Camera string `arg:"" help:"Its name in site.toml."`
	admission.ChildFlags
}

func (s *sketchCmd) Run(ctx context.Context) error {
	site, d, log, err := startChild(s.ChildFlags)
	if err != nil {
		return err
	}
	return sensor.RunSketch(ctx, site, s.Camera, d.Policy, log)
}
