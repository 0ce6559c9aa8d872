package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"kerb/agent/admission"
	"kerb/agent/audit"
	"kerb/agent/child"
	"kerb/agent/clock"
	"kerb/agent/logbook"
	"kerb/agent/state"
	"kerb/agent/supervisor"
	"kerb/agent/terminal"
	"kerb/agent/want"
)

// runCmd is kerb run: the supervisor, which starts the processes that count, store
// and send.
type runCmd struct {
	admission.Files
	Quiet bool `help:"Log warnings only."`
}

// Help is the long help: when the files are read, and what follows a refused policy.
func (r *runCmd) Help() string {
	return `Both files are read at the start, and again on SIGHUP (systemctl reload kerb): files that kerb check passes are taken, and the open window ends then; others change nothing, and the log, the audit log and kerb status say why. What kerb aim changes is read by itself.

A policy that is refused (tampered with, older, not signed as site.toml wants) does not stop a device that had one before: it runs on under that one, and says so in the log, in the state message and in the audit log.`
}

// Run reads both files, opens the journal and runs the supervisor until ctx ends.
// When kerb aim or SIGHUP has changed the files, Run executes this binary anew with the same
// arguments.
func (r *runCmd) Run(ctx context.Context, t terminal.Terminal) error {
	child.ShrinkHeap()
	l, err := want.Load(r.Files, loadOwn)
	if err != nil {
		return err
	}
	dir := l.Site.Device.State
	if err := errors.Join(state.CheckOwner(dir), state.RefuseRoot(dir, "kerb run"), state.MakeDir(dir)); err != nil {
		return err
	}
	l, reverted, err := l.Begin(dir, r.Files, loadOwn)
	if err != nil {
		return err
	}
	site, d := l.Site, l.Decision
	flags := admission.ChildFlags{Files: l.Files, Quiet: r.Quiet}
	if flags.Fingerprint, err = l.Files.ReadFingerprint(d); err != nil {
		return err
	}
	book := logbook.New(t.Err, time.Now)
	log := slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: flags.LogLevel()}))
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	journal, err := admission.OpenJournal(site, d, versionName(), clk, log)
	if errors.Is(err, audit.ErrInUse) {
		return fmt.Errorf("another kerb run, or kerb aim, has %s: %w: systemctl stop kerb, or give this one another [device] state", site.Device.State, err)
	}
	if err != nil {
		return err
	}
	defer journal.Close()
	if flags.Files, err = l.Files.CopyFiles(site.Device.State); err != nil {
		log.Warn("the files are not kept: a process that starts again reads them as they are then", "err", err)
	}
	s, err := supervisor.New(site, d.Policy, clk, flags.Args(), journal, book, log)
	if err != nil {
		return err
	}
	s.Fingerprint, s.Version, s.Files = flags.Fingerprint, versionName(), r.Files
	s.SetWant(l.Record, reverted)
	err = s.Run(ctx)
	if !errors.Is(err, supervisor.ErrFilesChanged) {
		return err
	}
	// execve(2) keeps the process: systemd or a shell notices no end of its child,
	// and seccomp filters and Landlock rules stay in force.
	log.Info("starting anew", "why", err)
	journal.Close()
	return fmt.Errorf("start anew: %w", syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}
