package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"kerb/agent/ipc"
	"kerb/agent/want"
	"kerb/counting"
)

// SetWant sets which files of a platform are in force, and tells of a version that was
// reverted at this start. It is called before Run.
func (s *Supervisor) SetWant(r want.Record, reverted bool) {
	s.want = r
	if reverted {
		s.tellWant(r, nil)
	}
}

// judgeTime is the end of a trial in which the device must deliver at one moment: a
// broker or a camera that is away for a moment does not end a trial. Chosen by hand.
const judgeTime = time.Minute

// serveWant examines what the uplink receives on …/want, and ends the trial under
// which this run began, until ctx ends. What arrives within a trial is examined after
// it.
func (s *Supervisor) serveWant(ctx context.Context) {
	if s.want.OnTrial > 0 {
		s.log.Info("on trial: the files that the platform wants", "version", s.want.OnTrial, "for", s.want.TrialTime())
		if !s.endTrial(ctx) {
			return
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wantReceived:
			s.examineWant(ctx)
		}
	}
}

// endTrial waits for the end of the trial and keeps the version if the device delivers
// then; otherwise it ends Run, for a start under the files before. It returns false
// where Run ends.
func (s *Supervisor) endTrial(ctx context.Context) bool {
	end := time.Now().Add(s.want.TrialTime())
	reason := want.NoReason
	for wait := max(s.want.TrialTime()-judgeTime, 0); ; wait = time.Second {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
		if reason = s.judgeTrial(); reason == want.NoReason || !time.Now().Before(end) {
			break
		}
	}
	dir, next := s.site.Device.State, s.want
	var err error
	if reason == want.NoReason {
		next, err = next.Keep(dir)
		s.journal.EndTrial(dir)
	} else {
		next, err = next.Revert(dir, reason, 0)
	}
	s.tellWant(next, err)
	if reason != want.NoReason {
		s.restart(ErrFilesChanged)
	}
	return reason == want.NoReason
}

// judgeTrial returns why the device does not deliver as it did before the trial.
func (s *Supervisor) judgeTrial() want.Reason {
	switch {
	case !s.online.Load():
		return want.NoDelivery
	case s.countDelivering() < min(s.want.Delivering, len(s.slots)):
		return want.SensorsLost
	}
	return want.NoReason
}

// countDelivering counts the sensors that deliver, or need not at this hour.
func (s *Supervisor) countDelivering() (n int) {
	r := s.clock.ReadAll()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.slots {
		if p.aimed || p.isDelivering() || s.policy.ClosedReason(p.hours, r.Wall, r.Synced) != counting.NoReason {
			n++
		}
	}
	return n
}

// examineWant lets kerb want examine the message that was received last. A message that
// may come into force ends Run, for a start under its files.
func (s *Supervisor) examineWant(ctx context.Context) {
	v, err := s.runExaminer(ctx)
	if err != nil {
		s.log.Error("what the platform wants was not examined", "err", err)
		return
	}
	if v.Same {
		return
	}
	dir := s.site.Device.State
	if v.Reason != want.NoReason {
		s.log.Error("the platform wants other files: refused", "version", v.Version, "err", v.Error)
		next, err := s.want.Refuse(dir, v)
		s.tellWant(next, err)
		return
	}
	next, err := s.want.BeginTrial(dir, s.Files, v, s.countDelivering())
	s.tellWant(next, err)
	if err == nil {
		s.restart(ErrFilesChanged)
	}
}

// runExaminer runs kerb want as a process of its own: this process parses neither a
// message nor a file.
func (s *Supervisor) runExaminer(ctx context.Context) (v want.Verdict, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "want", "--site", s.Files.Site, "--policy", s.Files.Policy)
	var out, text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &text
	if err := cmd.Run(); err != nil {
		return v, fmt.Errorf("%w: %s", errors.Join(err, ctx.Err()), bytes.TrimSpace(text.Bytes()))
	}
	return v, json.Unmarshal(out.Bytes(), &v)
}

// tellWant makes next the record, and tells the log, the audit log and the uplink of its
// last result. err is that of writing the record.
func (s *Supervisor) tellWant(next want.Record, err error) {
	if err != nil {
		s.log.Error("what the platform wants cannot be remembered", "err", err)
	}
	s.mu.Lock()
	s.want = next
	s.mu.Unlock()
	r := next.Last
	data := map[string]any{"version": r.Version, "outcome": r.Outcome.String()}
	if r.Reason != want.NoReason {
		data["reason"] = r.Reason.String()
	}
	s.log.Info("files that the platform wants", "version", r.Version, "outcome", r.Outcome.String(), "reason", r.Reason.String())
	s.journal.WriteEntry("want", data)
	s.queue.pushNote(func(n uint64) []ipc.Record {
		m := wantResult(next)
		m.N = n
		return []ipc.Record{m}
	})
}

// wantResult returns the record for the uplink.
func wantResult(r want.Record) *ipc.WantResult {
	return &ipc.WantResult{
		Version: r.Last.Version, InForce: r.Version(), Outcome: uint8(r.Last.Outcome), Reason: uint8(r.Last.Reason), Line: uint32(max(r.Last.Line, 0)),
	}
}

// handleWantReceived wakes serveWant.
func (s *Supervisor) handleWantReceived() {
	select {
	case s.wantReceived <- struct{}{}:
	default: // it is awake
	}
}
