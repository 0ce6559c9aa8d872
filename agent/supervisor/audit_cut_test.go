package supervisor

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kerb/agent/admission"
	"kerb/agent/audit"
	"kerb/agent/ipc"
)

// The uplink is told of each finding until it has stored it, and then never again.
func TestTheUplinkIsToldOnceThatTheAuditLogWasCut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	start := func() (*Supervisor, *audit.Log) {
		t.Helper()
		l, err := audit.Open(dir, func() (time.Time, bool) { return time.Unix(1_800_000_000, 0), true })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		s, log := newStatusTest()
		s.journal, s.log = &admission.Journal{Audit: l, Log: log}, log
		s.queueAuditCut()
		s.journal.WriteEntry("start", nil)
		return s, l
	}
	queued := func(s *Supervisor) *ipc.AuditCut {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		item, ok := s.queue.waitAfter(ctx, 0)
		if !ok {
			return nil
		}
		return item.records[0].(*ipc.AuditCut)
	}
	s, l := start()
	if m := queued(s); m != nil || s.auditCut != nil || l.Close() != nil {
		t.Fatalf("a whole log: %+v", m)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s, l = start()
	if m := queued(s); m == nil || m.Had != 1 || m.Found != 0 || l.Close() != nil {
		t.Fatalf("a deleted log: %+v", m)
	}
	s, l = start() // the first ended before the uplink had stored it
	m := queued(s)
	if m == nil || m.Had != 1 {
		t.Fatalf("not told again: %+v", m)
	}
	if err := s.handlePublisherRecord(nil, &ipc.Stored{N: m.N}); err != nil || l.Close() != nil {
		t.Fatal(err)
	}
	if d := s.auditCut; d == nil {
		t.Error("kerb status does not tell it any more in this run")
	}
	s, _ = start()
	if m := queued(s); m != nil {
		t.Errorf("told twice: %+v", m)
	}
}
