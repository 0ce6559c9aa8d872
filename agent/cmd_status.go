package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"kerb/agent/admission"
	"kerb/agent/ipc"
	"kerb/agent/report"
	"kerb/agent/retry"
	"kerb/agent/status"
	"kerb/agent/terminal"
)

// statusCmd is kerb status: it asks the running agent how it is.
type statusCmd struct {
	admission.Files
	N      int  `help:"How many of the last windows." default:"5"`
	Follow bool `help:"Ask again every two seconds, until stopped."`
	JSON   bool `help:"As one JSON object, schema kerb.status/1; with -follow one a line."`
}

// Help is the long help: who may ask, and what is told.
func (s *statusCmd) Help() string {
	return `Tells what the agent of this device does: its cameras with pictures a second, or why there are none; the broker with the proof that it passes messages on; the windows that wait; clock, disk and lamp; the last windows as they were cleared. What is wrong is told in one line, with what to do.

The exit status is 0 where all is well, and 1 where something is not. Root, the user kerb and the group kerb may ask. Where kerb does not run, the command tells what the spool holds.`
}

// readStatus asks the agent, or reads what the files tell where none runs.
func (s *statusCmd) readStatus(ctx context.Context) (*status.Status, error) {
	d, err := report.FindDevice(s.Site)
	if err != nil {
		return nil, err
	}
	return report.ReadStatus(ctx, d, s.N, func() error {
		_, _, err := loadFiles(&s.Files)
		return err
	})
}

// followInterval is the time between two questions of -follow, chosen by hand.
const followInterval = 2 * time.Second

// errNotWell gives exit status 1; what is wrong was printed.
var errNotWell = errors.New("not well")

// Run prints the status, with -follow again and again.
func (s *statusCmd) Run(ctx context.Context, t terminal.Terminal) error {
	if s.N < 0 || s.N > ipc.MaxQueryCount {
		return terminal.UsageError(fmt.Sprintf("-n %d: must be 0–%d", s.N, ipc.MaxQueryCount))
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
