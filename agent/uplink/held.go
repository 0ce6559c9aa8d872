package uplink

// releaseHeld has the scheduler look again for windows that the spool held back and
// holds back no longer (see store.HoldUnsynced). The session calls it with every
// event, at least every beatInterval.
func (s *session) releaseHeld() {
	if s.u.o.Store.TakeReleased() {
		s.scheduler.rescan = true
	}
}
