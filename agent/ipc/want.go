package ipc

import "fmt"

// WantReceived tells the supervisor that the uplink has stored a message on …/want.
type WantReceived struct{}

func (*WantReceived) recordKind() byte   { return 28 }
func (*WantReceived) walkFields(*cursor) {}
func (*WantReceived) checkRanges() error { return nil }

// WantResult tells the uplink what became of the files that a platform wanted, for the
// state message and, with N, for the event want.
type WantResult struct {
	N       uint64 // number in the supervisor's queue; 0: for the state message alone
	Version int64  // of the message that was examined last; 0: none
	InForce int64  // of the message whose files are in force; 0: the device's own
	Outcome uint8  // place in want.OutcomeWords
	Reason  uint8  // place in want.Words
	Line    uint32 // of the file that has the mistake; 0: no line
}

func (*WantResult) recordKind() byte { return 29 }

func (m *WantResult) walkFields(p *cursor) {
	walk64(p, &m.N)
	walk64(p, &m.Version, &m.InForce)
	p.walkUint8(&m.Outcome, &m.Reason)
	p.walkUint32(&m.Line)
}

// The numbers of outcomes and reasons of package want.
const (
	maxWantOutcome = 4
	maxWantReason  = 14
)

func (m *WantResult) checkRanges() error {
	if m.Version < 0 || m.InForce < 0 || m.Outcome > maxWantOutcome || m.Reason > maxWantReason {
		return fmt.Errorf("a wanted version %d with outcome %d, reason %d", m.Version, m.Outcome, m.Reason)
	}
	return nil
}
