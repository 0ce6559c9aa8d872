package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"

	"kerb/agent/clock"
)

type run struct {
	files
	Quiet bool `help:"Log warnings only."`
}

// Help says what the one-line help cannot.
func (r *run) Help() string {
	return `Both files are read once, at the start: to change one, change it and restart. What kerb aim changes it reads by itself.

A policy that is refused (tampered with, older, not signed as site.toml wants) does not stop a device that had one before: it runs on under that one, and says so in the log, in the state message and in the audit log.`
}

// Run is the supervisor; the work is done by processes that it starts.
func (r *run) Run(ctx context.Context, t terminal) error {
	in := inner{files: r.files, Quiet: r.Quiet}
	site, v, err := r.load()
	if err != nil {
		return err
	}
	if in.Agreed, err = r.agree(v); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: in.level()}))
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	keep, err := openBook(site, v, clk, log)
	if err != nil {
		return err
	}
	defer keep.close()
	s, err := newSupervisor(site, v.policy, clk, in.args(), keep, t.err, log)
	if err != nil {
		return err
	}
	s.agreed = in.Agreed
	err = s.run(ctx)
	if !errors.Is(err, errChanged) {
		return err
	}
	// The same process, from the start: what it is under, systemd or a shell,
	// sees nothing of it, and the walls stay.
	log.Info("starting anew", "why", err)
	keep.close()
	return fmt.Errorf("start anew: %w", syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}
