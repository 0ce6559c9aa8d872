package admission

import (
	"encoding/hex"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"kerb/agent/audit"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/state"
)

// Journal writes the audit log of a running agent and reports the policy for the
// state message. An audit log that cannot be written is logged and does not stop
// the counting. A nil Journal has no entries and an empty report: the
// demonstration needs none.
type Journal struct {
	Audit    *audit.Log // nil: it cannot be written
	Decision Decision   // of this start
	Log      *slog.Logger
}

// OpenJournal opens the audit log in the state directory and writes the entries
// of a start: "start" with version, the program's; "trust" if mode or keys
// changed; and the admission or refusal of the policy. It returns only
// audit.ErrInUse, when another process writes the log; other errors are logged.
func OpenJournal(site *config.Site, d Decision, version string, clk clock.Clock, log *slog.Logger) (*Journal, error) {
	j := &Journal{Decision: d, Log: log}
	dir := filepath.Join(site.Device.State, state.AuditDir)
	trusted, err := lastEntry(dir, "trust")
	if err != nil {
		log.Error("the audit log does not hold: see kerb audit verify", "err", err)
	}
	j.Audit, err = audit.Open(dir, WallClock(clk))
	if errors.Is(err, audit.ErrInUse) {
		return nil, err
	}
	if err != nil {
		log.Error("nothing is entered into the audit log", "err", err)
	}
	j.WriteEntry("start", map[string]any{"kerb": version, "policy": d.Policy.Hash(), "version": d.Policy.Version()})
	if entry := trustEntry(d.Trust); string(trusted) != string(entry) {
		j.WriteEntry("trust", entry)
	}
	j.writeDecision(site.Device.State)
	return j, nil
}

// WallClock returns the clock as audit.Open needs it: the wall-clock time, and
// whether it is synced.
func WallClock(clk clock.Clock) func() (time.Time, bool) {
	return func() (time.Time, bool) {
		r := clk.ReadAll()
		return r.Wall, r.Synced
	}
}

// writeDecision writes the admission or refusal of the policy file, and keeps a
// newly admitted policy in dir as the reference for the next start.
func (j *Journal) writeDecision(dir string) {
	d := j.Decision
	if d.referenceErr != nil {
		j.Log.Error("which policy was in force before is not known: an older one would not be noticed", "err", d.referenceErr)
		j.WriteEntry("reference_lost", map[string]any{"why": d.referenceErr.Error()})
	}
	if d.Refused != nil {
		j.Log.Error("policy refused: running on under the last one", "err", d.Refused, "version", d.Policy.Version(), "policy", d.Policy.Hash())
		j.WriteEntry("policy_refused", map[string]any{"why": d.Refused.Error(), "in_force": d.Policy.Hash(), "version": d.Policy.Version()})
		return
	}
	if d.previous != nil && d.previous.Hash() == d.Policy.Hash() {
		return
	}
	entry := map[string]any{"policy": d.Policy.Hash(), "version": d.Policy.Version(), "signatures": len(d.signatures)}
	if d.previous != nil {
		entry["previous"] = d.previous.Hash()
		entry["looser"] = policy.LooserChanges(d.previous, d.Policy)
	}
	if d.OnTrial {
		j.WriteEntry("policy_on_trial", entry)
		return
	}
	if err := d.keepReference(dir); err != nil {
		j.Log.Error("the policy in force cannot be kept: an older one would be taken after a restart", "err", err)
	}
	j.WriteEntry("policy_admitted", entry)
}

// EndTrial enters a policy that was on trial as admitted, and keeps it in dir as the
// reference for the next start.
func (j *Journal) EndTrial(dir string) {
	if j.Decision.OnTrial {
		j.Decision.OnTrial = false
		j.writeDecision(dir)
	}
}

// WriteEntry appends an entry to the audit log. kind is a word of a–z and _; data is
// any value that JSON can encode, or nil. An error is logged.
func (j *Journal) WriteEntry(kind string, data any) {
	if j == nil || j.Audit == nil {
		return
	}
	if err := j.Audit.Append(kind, data); err != nil {
		j.Log.Error("not entered into the audit log", "kind", kind, "err", err)
	}
}

// AuditHead returns the number and sum of the log's last entry as the record for
// the uplink process; nil without a log or without an entry.
func (j *Journal) AuditHead() *ipc.AuditHead {
	if j.Audit == nil {
		return nil
	}
	h := j.Audit.Head()
	m := &ipc.AuditHead{Seq: h.Seq}
	if n, err := hex.Decode(m.Sum[:], []byte(h.Sum)); err != nil || n != len(m.Sum) {
		return nil
	}
	return m
}

// Close writes the entry "stop" and closes the audit log. An error is logged.
func (j *Journal) Close() {
	j.WriteEntry("stop", nil)
	if j.Audit != nil {
		if err := j.Audit.Close(); err != nil {
			j.Log.Error("close the audit log", "err", err)
		}
	}
}

// StateReport returns the member "agent" of the state message: "policy" with
// trust mode, version and any refusal, and "audit" with the head of the log. A
// platform that stores the heads can prove later whether the log was changed.
func (j *Journal) StateReport() map[string]any {
	if j == nil {
		return nil
	}
	d := j.Decision
	p := map[string]any{"trust": d.Trust.Mode.String(), "version": d.Policy.Version()}
	if d.Refused != nil {
		p["refused"] = d.Refused.Error()
	}
	out := map[string]any{"policy": p}
	if j.Audit != nil && j.Audit.Head().Seq > 0 {
		out["audit"] = j.Audit.Head()
	}
	return out
}
