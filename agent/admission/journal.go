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

// A book is the audit log of a running agent, and what the state message says
// of the policy. A log that cannot be written does not stop the counting.
type Journal struct {
	Audit    *audit.Log // nil where none can be written
	Decision Decision
	Log      *slog.Logger
}

// openBook opens the audit log and enters the start: who may sign, which
// policy is in force, and what was refused.
func OpenJournal(site *config.Site, v Decision, version string, clk clock.Clock, log *slog.Logger) (*Journal, error) {
	b := &Journal{Decision: v, Log: log}
	dir := filepath.Join(site.Device.State, state.AuditDir)
	trusted, err := lastEntry(dir, "trust")
	if err != nil {
		log.Error("the audit log does not hold: see kerb audit verify", "err", err)
	}
	b.Audit, err = audit.Open(dir, WallClock(clk))
	if errors.Is(err, audit.ErrInUse) {
		return nil, err
	}
	if err != nil {
		log.Error("nothing is entered into the audit log", "err", err)
	}
	b.Write("start", map[string]any{"kerb": version, "policy": v.Policy.Hash(), "version": v.Policy.Version()})
	if now := trustEntry(v.Trust); string(trusted) != string(now) {
		b.Write("trust", now)
	}
	b.writeDecision(site.Device.State)
	return b, nil
}

// believed is the clock as the audit log reads it.
func WallClock(clk clock.Clock) func() (time.Time, bool) {
	return func() (time.Time, bool) {
		r := clk.ReadAll()
		return r.Wall, r.Synced
	}
}

// writeDecision enters what became of the policy file, and keeps the policy in
// force as the reference for the next one.
func (b *Journal) writeDecision(dir string) {
	v := b.Decision
	if v.lost != nil {
		b.Log.Error("which policy was in force before is not known: an older one would not be noticed", "err", v.lost)
		b.Write("reference_lost", map[string]any{"why": v.lost.Error()})
	}
	if v.Refused != nil {
		b.Log.Error("policy refused: running on under the last one", "err", v.Refused, "version", v.Policy.Version(), "policy", v.Policy.Hash())
		b.Write("policy_refused", map[string]any{"why": v.Refused.Error(), "in_force": v.Policy.Hash(), "version": v.Policy.Version()})
		return
	}
	if v.last != nil && v.last.Hash() == v.Policy.Hash() {
		return
	}
	entry := map[string]any{"policy": v.Policy.Hash(), "version": v.Policy.Version(), "signatures": len(v.Signatures)}
	if v.last != nil {
		entry["previous"] = v.last.Hash()
		entry["looser"] = policy.LooserChanges(v.last, v.Policy)
	}
	if err := v.keepReference(dir); err != nil {
		b.Log.Error("the policy in force cannot be kept: an older one would be taken after a restart", "err", err)
	}
	b.Write("policy_admitted", entry)
}

// write enters what happened.
func (b *Journal) Write(kind string, data any) {
	if b == nil || b.Audit == nil {
		return
	}
	if err := b.Audit.Append(kind, data); err != nil {
		b.Log.Error("not entered into the audit log", "kind", kind, "err", err)
	}
}

// head is the log's last entry as the uplink is told of it; nil if there is none.
func (b *Journal) AuditHead() *ipc.AuditHead {
	if b.Audit == nil {
		return nil
	}
	h := b.Audit.Head()
	m := &ipc.AuditHead{Seq: h.Seq}
	if n, err := hex.Decode(m.Sum[:], []byte(h.Sum)); err != nil || n != len(m.Sum) {
		return nil
	}
	return m
}

func (b *Journal) Close() {
	b.Write("stop", nil)
	if b.Audit != nil {
		if err := b.Audit.Close(); err != nil {
			b.Log.Error("close the audit log", "err", err)
		}
	}
}

// report is what state says of the policy and of the audit log. Whoever keeps
// the heads can tell later whether the log was changed.
func (b *Journal) StateReport() map[string]any {
	if b == nil {
		return nil
	}
	v := b.Decision
	p := map[string]any{"trust": v.Trust.Mode.String(), "version": v.Policy.Version()}
	if v.Refused != nil {
		p["refused"] = v.Refused.Error()
	}
	out := map[string]any{"policy": p}
	if b.Audit != nil && b.Audit.Head().Seq > 0 {
		out["audit"] = b.Audit.Head()
	}
	return out
}
