package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"

	"kerb/agent/admission"
	"kerb/agent/clock"
	"kerb/agent/supervisor"
	"kerb/agent/terminal"
)

type runCmd struct {
	admission.Files
	Quiet bool `help:"Log warnings only."`
}

// Help says what the one-line help cannot.
func (r *runCmd) Help() string {
	return `Both files are read once, at the start: to change one, change it and restart. What kerb aim changes it reads by itself.

A policy that is refused (tampered with, older, not signed as site.toml wants) does not stop a device that had one before: it runs on under that one, and says so in the log, in the state message and in the audit log.`
}

// Run is the supervisor; the work is done by processes that it starts.
func (r *runCmd) Run(ctx context.Context, t terminal.Terminal) error {
	in := admission.ChildFlags{Files: r.Files, Quiet: r.Quiet}
	site, v, err := loadFiles(r.Files)
	if err != nil {
		return err
	}
	if in.Fingerprint, err = r.ReadFingerprint(v); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(t.Err, &slog.HandlerOptions{Level: in.LogLevel()}))
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	keep, err := admission.OpenJournal(site, v, versionName(), clk, log)
	if err != nil {
		return err
	}
	defer keep.Close()
	s, err := supervisor.New(site, v.Policy, clk, in.Args(), keep, t.Err, log)
	if err != nil {
		return err
	}
	s.Fingerprint = in.Fingerprint
	err = s.Run(ctx)
	if !errors.Is(err, supervisor.ErrFilesChanged) {
		return err
	}
	// The same process, from the start: what it is under, systemd or a shell,
	// sees nothing of it, and the walls stay.
	log.Info("starting anew", "why", err)
	keep.Close()
	return fmt.Errorf("start anew: %w", syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}
