package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"kerb/agent/publisher"
	"kerb/agent/report"
	"kerb/agent/state"
	"kerb/agent/status"
	"kerb/agent/store"
	"kerb/agent/terminal"
	"kerb/agent/uplink"
)

// spoolCmd is kerb spool: it lists the windows in the spool. It asks the running
// agent, or else opens the file read-only and checks it.
type spoolCmd struct {
	Site string `help:"Look at the spool of this site." default:"/etc/kerb/site.toml" placeholder:"F"`
	JSON bool   `help:"One JSON object per window." xor:"form"`
	CSV  bool   `help:"Comma-separated values with a head, one row per number." xor:"form"`
	File string `arg:"" optional:"" name:"FILE" help:"The spool file itself."`
}

// Run prints each window and, as text, one line on the whole; it fails where the file
// is damaged.
func (s *spoolCmd) Run(ctx context.Context, t terminal.Terminal) error {
	show, flush, err := s.openPrinter(t)
	if err != nil {
		return err
	}
	windows := 0
	print := func(w status.Window) error {
		windows++
		return show(w)
	}
	path, address := s.File, uplink.Address{}
	if path == "" {
		d, err := report.FindDevice(s.Site)
		if err != nil {
			return err
		}
		path, address = filepath.Join(d.State, state.SpoolFile), publisher.Address(d)
		switch client, err := status.Dial(ctx, d.State); {
		case err == nil:
			defer client.Close()
			return s.listRunning(t, client, print, flush, &windows)
		case !errors.Is(err, status.ErrNotRunning):
			return err
		}
	}
	db, err := store.OpenReadOnly(path)
	if err != nil {
		return err
	}
	defer db.Close()
	err = db.EachWindow(func(i store.Item) error { return print(publisher.PackWindow(address, i)) })
	if err == nil {
		err = db.CheckFile()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return s.finish(t, flush, fmt.Sprintf("%s: whole; %d windows", path, windows), publisher.PackSpool(db))
}

// listRunning lists the spool of the running agent, which has the file open.
func (s *spoolCmd) listRunning(t terminal.Terminal, c *status.Client, print func(status.Window) error, flush func() error, windows *int) error {
	if err := c.Windows(print); err != nil {
		return err
	}
	st, err := c.Status(0, time.Now())
	if err != nil {
		return err
	}
	if st.Spool == nil {
		return errors.New("the process that stores does not answer")
	}
	return s.finish(t, flush, fmt.Sprintf("kerb runs; %d windows", *windows), st.Spool)
}

// openPrinter returns the functions that print a window and that end the output.
func (s *spoolCmd) openPrinter(t terminal.Terminal) (print func(status.Window) error, flush func() error, err error) {
	nothing := func() error { return nil }
	switch {
	case s.JSON:
		out := json.NewEncoder(t.Out)
		return func(w status.Window) error { return out.Encode(w) }, nothing, nil
	case s.CSV:
		table, err := status.NewCSV(t.Out)
		return table.WriteWindow, table.Flush, err
	}
	return func(w status.Window) error { return status.PrintWindow(t.Out, w) }, nothing, nil
}

// finish ends the output; as text with the ranges that were dropped and a summary.
func (s *spoolCmd) finish(t terminal.Terminal, flush func() error, head string, p *status.Spool) error {
	if err := flush(); err != nil || s.JSON || s.CSV {
		return err
	}
	return p.PrintSummary(t.Out, head)
}
