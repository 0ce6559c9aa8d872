package report

import (
	"context"
	"io"
	"net/http"
	"time"

	"kerb/agent/config"
	"kerb/agent/status"
	"kerb/agent/statuspage"
)

// NewPage returns the status page of a device. check returns why its agent would not
// start, where none runs; writeSheet writes the acceptance sheet in a language. Both are
// called anew with each request.
func NewPage(d config.Device, check func() error, writeSheet func(w io.Writer, lang string) error) http.Handler {
	return statuspage.New(statuspage.Opts{
		Status:  func(ctx context.Context) (*status.Status, error) { return ReadStatus(ctx, d, 0, check) },
		History: func(ctx context.Context) (*status.History, error) { return ReadHistory(ctx, d) },
		Windows: func(ctx context.Context, f func(status.Window) error) error {
			_, _, err := ListSpool(ctx, d, f)
			return err
		},
		Sheet: writeSheet, Now: time.Now,
	})
}
