package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"kerb/agent/ipc"
	"kerb/agent/mistake"
)

// serveReload reads the files anew on each SIGHUP (systemctl reload kerb) until ctx
// ends. Files that kerb check passes end Run with ErrFilesChanged; others stay unread,
// and the log, the audit log and kerb status say why. SIGHUP is ignored afterwards, and
// so from execve(2) until the next Run: its default would end the agent.
func (s *Supervisor) serveReload(ctx context.Context) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Ignore(syscall.SIGHUP)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			s.reload(ctx)
		}
	}
}

// reload checks the files and ends Run where they are good and other than before.
func (s *Supervisor) reload(ctx context.Context) {
	event := &ipc.Reload{}
	fingerprint, err := s.checkFiles(ctx, event)
	text := ""
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		text = err.Error()
		s.log.Error("reload refused: running on under the files as they were", "err", text, "do", "kerb check tells every mistake")
		s.journal.WriteEntry("reload_refused", map[string]any{"why": text})
		s.queueReload(event)
	case fingerprint == s.Fingerprint:
		s.log.Info("reload: both files are as they were")
	default:
		s.log.Info("reload: the files have changed and hold")
		s.journal.WriteEntry("reload", map[string]any{"fingerprint": fingerprint})
		s.queueReload(event)
		s.restart(ErrFilesChanged)
	}
	s.mu.Lock()
	s.reloadRefused = text
	s.mu.Unlock()
}

// queueReload queues the event reload for the uplink.
func (s *Supervisor) queueReload(m *ipc.Reload) {
	s.queue.pushNote(func(n uint64) []ipc.Record {
		m.N = n
		return []ipc.Record{m}
	})
}

// checkTimeout bounds kerb check, which loads networks; chosen by hand.
const checkTimeout = time.Minute

// checkFiles runs kerb check as a process of its own, so that this process parses
// neither file and holds no network. It returns the fingerprint of both files, and of files
// that are refused sets reason and place of event.
func (s *Supervisor) checkFiles(ctx context.Context, event *ipc.Reload) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "check", "--json", "--site", s.Files.Site, "--policy", s.Files.Policy)
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	var r struct {
		OK          bool
		Mistakes    mistake.List
		Reason      string
		Fingerprint string
	}
	switch {
	case json.Unmarshal(out.Bytes(), &r) != nil:
		event.Why = ipc.ReloadNumber("unchecked")
		return "", fmt.Errorf("kerb check did not answer: %w", errors.Join(err, ctx.Err()))
	case len(r.Mistakes) > 0:
		event.Why = ipc.ReloadNumber(r.Reason)
		event.File, event.Line = s.placeOf(r.Mistakes[0])
		return "", mistake.First(r.Mistakes)
	case !r.OK || r.Fingerprint == "":
		event.Why = ipc.ReloadNumber("unchecked")
		return "", fmt.Errorf("kerb check failed: %w", err)
	}
	return r.Fingerprint, nil
}

// placeOf returns file and line of a mistake, as the event reload tells them; 0 where there
// are none.
func (s *Supervisor) placeOf(m mistake.Mistake) (file uint8, line uint32) {
	name := map[string]string{filepath.Base(s.Files.Site): "site", filepath.Base(s.Files.Policy): "policy"}[filepath.Base(m.File)]
	if i := slices.Index(ipc.ReloadFiles(), name); i > 0 && m.Line > 0 {
		return uint8(i), uint32(m.Line)
	}
	return uint8(max(slices.Index(ipc.ReloadFiles(), name), 0)), 0
}
