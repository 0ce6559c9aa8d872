package main

import (
	"bytes"
	"context"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kerb/agent/demo"
	"kerb/agent/logbook"
	"kerb/agent/policy"
)

// A camera that is unplugged for ten minutes is asked every second. The clock of the
// bubble passes them in a moment.
func TestACameraThatIsAwayForTenMinutesFillsNoLog(t *testing.T) {
	const away, maxLines = 10 * time.Minute, 12
	synctest.Test(t, func(t *testing.T) {
		var all, few bytes.Buffer
		begun := time.Now()
		run := func(log *slog.Logger) {
			c := testCamera("north")
			c.Source = parseSource(t, filepath.Join("/dev", "video-that-is-not-there"))
			s, _ := demo.NewLocalCamera(c, policy.Demo(), (*exec.Cmd).Start, func() time.Duration { return time.Since(begun) }, log)
			ctx, cancel := context.WithTimeout(t.Context(), away)
			defer cancel()
			s.Run(ctx)
		}
		run(slog.New(slog.NewTextHandler(logbook.New(&few, time.Now), nil)))
		if n := strings.Count(few.String(), "\n"); n < 1 || n > maxLines || !strings.Contains(few.String(), "no such file") {
			t.Errorf("%d lines:\n%s", n, &few)
		}
		run(slog.New(slog.NewTextHandler(&all, nil)))
		if n := strings.Count(all.String(), "camera lost"); n < 500 {
			t.Errorf("control: the camera was lost %d times only", n)
		}
	})
}
