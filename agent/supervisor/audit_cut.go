package supervisor

import "kerb/agent/ipc"

// queueAuditCut queues an event for the uplink where the audit log lacked entries at this
// start, or at an earlier one whose event was not stored. It is called once, before the
// processes start.
func (s *Supervisor) queueAuditCut() {
	if s.journal == nil || s.journal.Audit == nil {
		return
	}
	if s.auditCut = s.journal.Audit.UntoldCut(); s.auditCut == nil {
		return
	}
	s.log.Error("the audit log lacks entries: see kerb audit", "err", s.auditCut.String())
	s.queue.pushItem(func(n uint64) []ipc.Record {
		s.cutNumber.Store(n)
		return []ipc.Record{&ipc.AuditCut{N: n, Had: s.auditCut.Had, Found: s.auditCut.Found}}
	})
}

// markCutTold remembers that the event of queueAuditCut is stored, where the uplink has
// stored all up to number n.
func (s *Supervisor) markCutTold(n uint64) {
	number := s.cutNumber.Load()
	if number == 0 || n < number || !s.cutNumber.CompareAndSwap(number, 0) {
		return
	}
	if err := s.journal.Audit.MarkCutTold(); err != nil {
		s.log.Warn("the event of the audit log will be sent again at the next start", "err", err)
	}
}
