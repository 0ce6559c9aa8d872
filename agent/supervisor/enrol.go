package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"time"
)

// enrolInterval is the time between two looks at the device's certificate, and enrolRetry
// that after a failed one. Chosen by hand.
const (
	enrolInterval = time.Hour
	enrolRetry    = 10 * time.Minute
)

// serveEnrol lets kerb enrol get the certificate where there is none, and renew it when
// that is due, until ctx ends. It runs as a process of its own: this one parses nothing
// that comes from outside.
func (s *Supervisor) serveEnrol(ctx context.Context) {
	if s.site.Enrol.Server == nil {
		return
	}
	told := ""
	for {
		wait := enrolInterval
		done, text := s.runEnrol(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case done == "":
			wait = enrolRetry
			if text != told {
				s.log.Warn("the device's certificate", "err", text, "again_in", wait)
			}
			told = text
		case done != "nothing":
			s.log.Info("the device's certificate", "done", done)
			s.journal.WriteEntry("certificate", map[string]any{"done": done})
			told = ""
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// runEnrol runs kerb enrol once. It returns its result, or "" and why it failed.
func (s *Supervisor) runEnrol(ctx context.Context) (done, why string) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "enrol", "--json", "--site", s.Files.Site, "--policy", s.Files.Policy)
	var out, text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &text
	var r struct{ Done string }
	if err := errors.Join(cmd.Run(), json.Unmarshal(out.Bytes(), &r)); err != nil {
		return "", string(bytes.TrimSpace(bytes.TrimPrefix(text.Bytes(), []byte("kerb: "))))
	}
	return r.Done, ""
}
