package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"kerb/agent/admission"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/report"
	"kerb/agent/retry"
	"kerb/agent/status"
	"kerb/agent/statuspage"
	"kerb/agent/terminal"
)

// statusCmd is kerb status: it asks the running agent how it is.
type statusCmd struct {
	admission.Files
	N      int    `help:"How many of the last windows." default:"5"`
	Follow bool   `help:"Ask again every two seconds, until stopped."`
	JSON   bool   `help:"As one JSON object, schema kerb.status/1; with -follow one a line." xor:"form"`
	Serve  bool   `help:"As a page for a browser on this device, with the last 72 hours, until stopped." xor:"form"`
	Listen string `help:"Loopback address and port of the page." default:"127.0.0.1:8081" placeholder:"ADDR"`
}

// Help is the long help: the askers that are allowed, and the content of the answer.
func (s *statusCmd) Help() string {
	return `Tells what the agent of this device does: its cameras with pictures a second, or why there are none; the broker with the proof that it passes messages on; the windows that wait; clock, disk and lamp; the last windows as they were cleared. What is wrong is told in one line, with what to do.

The exit status is 0 where all is well, and 1 where something is not. Root, the user kerb and the group kerb may ask. Where kerb does not run, the command tells what the spool holds.

With -serve the same is a page, with the released numbers of the last 72 hours as drawings and as CSV; it has no picture and changes nothing. From a laptop: ssh -L 8081:127.0.0.1:8081, then the address that is printed. kerb aim has the same page, behind its code.`
}

// readStatus asks the agent, or reads what the files tell where none runs.
func (s *statusCmd) readStatus(ctx context.Context) (*status.Status, error) {
	d, err := report.FindDevice(s.Site)
	if err != nil {
		return nil, err
	}
	return report.ReadStatus(ctx, d, s.N, s.checkFiles)
}

// checkFiles returns the policy of the files, nil where it cannot be read, and why an
// agent would not start with them.
func (s *statusCmd) checkFiles() (*policy.Policy, error) {
	f := s.Files // requests for the page come at the same time
	_, d, err := loadFiles(&f)
	if d.Policy == nil {
		d.Policy, _ = policy.Load(f.Policy) // err has its mistakes
	}
	return d.Policy, err
}

// writeSheet writes the acceptance sheet of the files as they are now.
func (s *statusCmd) writeSheet(w io.Writer, lang string) error {
	return (&acceptanceCmd{Files: s.Files, Lang: lang}).write(w)
}

// servePage serves the page until it is stopped. It returns an error before it listens,
// where this user may not ask the agent, or where the policy forbids the page.
func (s *statusCmd) servePage(ctx context.Context, t terminal.Terminal) error {
	st, err := s.readStatus(ctx)
	if err != nil {
		return err
	}
	d, err := report.FindDevice(s.Site)
	if err != nil {
		return err
	}
	logRefusal := func(ctx context.Context, st *status.Status) {
		if err := report.LogRefusedPage(ctx, d, st); err != nil {
			fmt.Fprintf(t.Err, "kerb: the refusal is not in the audit log: %v\n", err)
		}
	}
	if st.Policy != nil && st.Policy.NoPage {
		logRefusal(ctx, st)
		return fmt.Errorf("the policy (%s, version %d) forbids the status page: status.page = false; kerb status tells how the device is", st.Policy.Title, st.Policy.Version)
	}
	l, err := statuspage.Listen(s.Listen)
	if err != nil {
		return terminal.UsageError(fmt.Sprintf("-listen %s: %v", s.Listen, err))
	}
	return statuspage.Serve(ctx, l, report.NewPage(d, report.PageOpts{Check: s.checkFiles, WriteSheet: s.writeSheet, LogRefusal: logRefusal}), func(address string) {
		fmt.Fprintf(t.Out, "page  %s\n", address)
	})
}

// followInterval is the time between two questions of -follow, chosen by hand.
const followInterval = 2 * time.Second

// errNotWell gives exit status 1; the faults were printed.
var errNotWell = errors.New("not well")

// Run prints the status, with -follow again and again.
func (s *statusCmd) Run(ctx context.Context, t terminal.Terminal) error {
	if s.N < 0 || s.N > ipc.MaxQueryCount {
		return terminal.UsageError(fmt.Sprintf("-n %d: must be 0–%d", s.N, ipc.MaxQueryCount))
	}
	if s.Serve {
		return s.servePage(ctx, t)
	}
	for {
		st, err := s.readStatus(ctx)
		if err != nil {
			return err
		}
		if s.JSON {
			err = json.NewEncoder(t.Out).Encode(st)
		} else {
			err = st.Print(t.Out)
		}
		switch {
		case err != nil:
			return err
		case s.Follow && retry.Sleep(ctx, followInterval):
			fmt.Fprintln(t.Out)
		case st.Well:
			return nil
		default:
			return errNotWell
		}
	}
}
