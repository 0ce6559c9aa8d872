package report

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"kerb/agent/admission"
	"kerb/agent/audit"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/state"
	"kerb/agent/status"
	"kerb/agent/statuspage"
)

// PageOpts configures NewPage. The functions are called anew with each request.
type PageOpts struct {
	Check      func() (*policy.Policy, error)              // see ReadStatus
	WriteSheet func(w io.Writer, lang string) error        // writes the acceptance sheet in a language
	LogRefusal func(ctx context.Context, s *status.Status) // records that the policy forbids the page
}

// NewPage returns the status page of a device.
func NewPage(d config.Device, o PageOpts) http.Handler {
	return statuspage.New(statuspage.Opts{
		Status:  func(ctx context.Context) (*status.Status, error) { return ReadStatus(ctx, d, 0, o.Check) },
		History: func(ctx context.Context) (*status.History, error) { return ReadHistory(ctx, d) },
		Windows: func(ctx context.Context, f func(status.Window) error) error {
			_, _, err := ListSpool(ctx, d, f)
			return err
		},
		Sheet: o.WriteSheet, Now: time.Now, LogRefusal: o.LogRefusal,
	})
}

// LogRefusedPage records in the audit log that the policy forbids the status page: by the
// agent where one runs, and else in the file. An error is that of the log.
func LogRefusedPage(ctx context.Context, d config.Device, s *status.Status) error {
	if s.Running {
		c, err := status.Dial(ctx, d.State)
		if err != nil {
			return err
		}
		return errors.Join(c.TellRefusal(), c.Close())
	}
	return state.ActAsOwner(d.State, func(dir string) error {
		log, err := audit.Open(filepath.Join(dir, state.AuditDir), admission.WallClock(clock.Clock{Floor: d.ClockFloor}))
		if err != nil {
			return err
		}
		return errors.Join(log.Append("page_refused", map[string]any{"policy": s.Policy.Hash}), log.Close())
	})
}
