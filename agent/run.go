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

// Help says what the one-line help cannot.
func (r *run) Help() string {
	return `Both files are read once, at the start: to change one, change it and restart.

A policy that is refused (tampered with, older, not signed as site.toml wants) does not stop a device that had one before: it runs on under that one, and says so in the log, in the state message and in the audit log.`
}

func (r *run) Run(ctx context.Context, t terminal) error {
	site, v, err := r.load()
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if r.Quiet {
		level = slog.LevelWarn
	}
	log := slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: level}))
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	keep, err := openBook(site, v, clk, log)
	if err != nil {
		return err
	}
	defer keep.close()
	a, err := newAgent(site, v.policy, clk, keep, log)
	if err != nil {
		return err
	}
	if v.refused != nil {
		a.store.Note("policy_refused", map[string]any{"why": v.refused.Error(), "in_force": v.policy.Hash()})
	}
	return a.run(ctx)
}
