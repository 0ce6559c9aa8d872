package uplink

import "time"

// tempo is what was learnt about the way to the broker: how many late windows
// to put in a message, and how long an acknowledgement may take. A link that
// cannot carry ten full messages in time gets smaller ones, connection by
// connection, until they pass: 60 windows need 27 kB/s, one needs 0.5.
type tempo struct {
	first    time.Duration // patience on a link of which nothing bad is known
	patience time.Duration
	late     int
}

func newTempo(first time.Duration) tempo {
	return tempo{first: first, patience: first, late: lateWindows}
}

// missed is called when a connection ended for want of an acknowledgement.
func (t *tempo) missed() {
	t.patience = min(2*t.patience, max(ackLimit, t.first))
	t.late = max(t.late/2, 1)
}

// acked is called with the time that an acknowledgement took.
func (t *tempo) acked(took time.Duration) {
	if took < t.first/4 {
		t.patience = t.first
		t.late = min(t.late+2, lateWindows)
	}
}
