package main

import (
	"context"
	"encoding/json"
	"fmt"

	"kerb/agent/report"
	"kerb/agent/status"
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
func (s *spoolCmd) Run(ctx context.Context, t terminal.Terminal) (err error) {
	show := func(w status.Window) error { return status.PrintWindow(t.Out, w) }
	flush := func() error { return nil }
	switch {
	case s.JSON:
		out := json.NewEncoder(t.Out)
		show = func(w status.Window) error { return out.Encode(w) }
	case s.CSV:
		table, err := status.NewCSV(t.Out)
		if err != nil {
			return err
		}
		show, flush = table.WriteWindow, table.Flush
	}
	windows := 0
	count := func(w status.Window) error {
		windows++
		return show(w)
	}
	spool, where := (*status.Spool)(nil), s.File+": whole"
	if s.File != "" {
		spool, err = report.ListSpoolFile(s.File, uplink.Address{}, count)
	} else {
		d, ferr := report.FindDevice(s.Site)
		if ferr != nil {
			return ferr
		}
		spool, where, err = report.ListSpool(ctx, d, count)
	}
	if err == nil {
		err = flush()
	}
	if err != nil || s.JSON || s.CSV {
		return err
	}
	return spool.PrintSummary(t.Out, fmt.Sprintf("%s; %d windows", where, windows))
}
