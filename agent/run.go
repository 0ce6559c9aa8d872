package main

import (
	"context"
	"log/slog"

	"kerb/agent/clock"
)

type run struct {
	files
	Quiet bool `help:"Log warnings only."`
}

// Run is the supervisor; the work is done by processes that it starts.
func (r *run) Run(ctx context.Context, t terminal) error {
	in := inner{files: r.files, Quiet: r.Quiet}
	agreed, err := in.agree()
	if err != nil {
		return err
	}
	in.Agreed = agreed
	site, pol, err := r.load()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: in.level()}))
	s, err := newSupervisor(site, pol, clock.Clock{Floor: site.Device.ClockFloor}, in.args(), t.err, log)
	if err != nil {
		return err
	}
	return s.run(ctx)
}
