package main

import (
	"encoding/hex"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"kerb/agent/audit"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/parcel"
	"kerb/agent/policy"
)

// auditDir is the audit log's directory in the state directory.
const auditDir = "audit"

// A book is the audit log of a running agent, and what the state message says
// of the policy. A log that cannot be written does not stop the counting.
type book struct {
	audit   *audit.Log // nil where none can be written
	verdict verdict
	log     *slog.Logger
}

// openBook opens the audit log and enters the start: who may sign, which
// policy is in force, and what was refused.
func openBook(site *config.Site, v verdict, clk clock.Clock, log *slog.Logger) (*book, error) {
	b := &book{verdict: v, log: log}
	dir := filepath.Join(site.Device.State, auditDir)
	trusted, err := lastEntry(dir, "trust")
	if err != nil {
		log.Error("the audit log does not hold: see kerb audit verify", "err", err)
	}
	b.audit, err = audit.Open(dir, believed(clk))
	if errors.Is(err, audit.ErrInUse) {
		return nil, err
	}
	if err != nil {
		log.Error("nothing is entered into the audit log", "err", err)
	}
	b.write("start", map[string]any{"kerb": versionName(), "policy": v.policy.Hash(), "version": v.policy.Version()})
	if now := whom(v.trust); string(trusted) != string(now) {
		b.write("trust", now)
	}
	b.verdicts(site.Device.State)
	return b, nil
}

// believed is the clock as the audit log reads it.
func believed(clk clock.Clock) func() (time.Time, bool) {
	return func() (time.Time, bool) {
		r := clk.Read()
		return r.Wall, r.Synced
	}
}

// verdicts enters what became of the policy file, and keeps the policy in
// force as the reference for the next one.
func (b *book) verdicts(state string) {
	v := b.verdict
	if v.lost != nil {
		b.log.Error("which policy was in force before is not known: an older one would not be noticed", "err", v.lost)
		b.write("reference_lost", map[string]any{"why": v.lost.Error()})
	}
	if v.refused != nil {
		b.log.Error("policy refused: running on under the last one", "err", v.refused, "version", v.policy.Version(), "policy", v.policy.Hash())
		b.write("policy_refused", map[string]any{"why": v.refused.Error(), "in_force": v.policy.Hash(), "version": v.policy.Version()})
		return
	}
	if v.last != nil && v.last.Hash() == v.policy.Hash() {
		return
	}
	entry := map[string]any{"policy": v.policy.Hash(), "version": v.policy.Version(), "signatures": len(v.signatures)}
	if v.last != nil {
		entry["previous"] = v.last.Hash()
		entry["looser"] = policy.Loosens(v.last, v.policy)
	}
	if err := v.remember(state); err != nil {
		b.log.Error("the policy in force cannot be kept: an older one would be taken after a restart", "err", err)
	}
	b.write("policy_admitted", entry)
}

// write enters what happened.
func (b *book) write(kind string, data any) {
	if b == nil || b.audit == nil {
		return
	}
	if err := b.audit.Append(kind, data); err != nil {
		b.log.Error("not entered into the audit log", "kind", kind, "err", err)
	}
}

// head is the log's last entry as the uplink is told of it; nil if there is none.
func (b *book) head() *parcel.Head {
	if b.audit == nil {
		return nil
	}
	h := b.audit.Head()
	m := &parcel.Head{Seq: h.Seq}
	if n, err := hex.Decode(m.Sum[:], []byte(h.Sum)); err != nil || n != len(m.Sum) {
		return nil
	}
	return m
}

func (b *book) close() {
	b.write("stop", nil)
	if b.audit != nil {
		if err := b.audit.Close(); err != nil {
			b.log.Error("close the audit log", "err", err)
		}
	}
}

// report is what state says of the policy and of the audit log. Whoever keeps
// the heads can tell later whether the log was changed.
func (b *book) report() map[string]any {
	if b == nil {
		return nil
	}
	v := b.verdict
	p := map[string]any{"trust": v.trust.Mode.String(), "version": v.policy.Version()}
	if v.refused != nil {
		p["refused"] = v.refused.Error()
	}
	out := map[string]any{"policy": p}
	if b.audit != nil && b.audit.Head().Seq > 0 {
		out["audit"] = b.audit.Head()
	}
	return out
}
