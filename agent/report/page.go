package report

import (
	"context"
	"net/http"
	"time"

	"kerb/agent/config"
	"kerb/agent/status"
	"kerb/agent/statuspage"
)

// NewPage returns the status page of a device. check returns why its agent would not
// start, where none runs. It is asked anew with each request.
func NewPage(d config.Device, check func() error) http.Handler {
	return statuspage.New(statuspage.Opts{
		Status:  func(ctx context.Context) (*status.Status, error) { return ReadStatus(ctx, d, 0, check) },
		History: func(ctx context.Context) (*status.History, error) { return ReadHistory(ctx, d) },
		Windows: func(ctx context.Context, f func(status.Window) error) error {
			_, _, err := ListSpool(ctx, d, f)
			return err
		},
		Now: time.Now,
	})
}
