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

func (r *run) Run(ctx context.Context, t terminal) error {
	site, pol, err := r.load()
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if r.Quiet {
		level = slog.LevelWarn
	}
	log := slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: level}))
	a, err := newAgent(site, pol, clock.Clock{Floor: site.Device.ClockFloor}, log)
	if err != nil {
		return err
	}
	return a.run(ctx)
}
