package uplink

import "time"

// linkTuning adapts the batch size of late windows and the acknowledgement
// timeout to the link, by additive increase and multiplicative decrease. A link
// that cannot carry ten full messages within the timeout gets smaller ones,
// connection by connection, until they pass: 60 windows need 27 kB/s, one
// window 0.5 kB/s.
type linkTuning struct {
	baseTimeout time.Duration // on a link that has not missed an acknowledgement
	timeout     time.Duration
	batch       int // windows in a late message
	ceiling     int // the most that the broker takes in one, as far as is known
	passed      int // late messages in a row that passed at the ceiling
}

// The rules of the adaptation, chosen by hand.
const (
	ackCut   = 2  // a missed acknowledgement halves the batch and doubles the timeout
	ackGrow  = 2  // windows that a fast acknowledgement adds to the batch
	fastPart = 4  // an acknowledgement is fast within a quarter of the base timeout
	ceilUp   = 50 // late messages at the ceiling after which one more window is tried
)

func newLinkTuning(first time.Duration) linkTuning {
	return linkTuning{baseTimeout: first, timeout: first, batch: maxLateWindows, ceiling: maxLateWindows}
}

// onMissedAck makes messages smaller and the timeout longer, up to maxAckTimeout,
// after a connection that ended because an acknowledgement did not come in time.
func (t *linkTuning) onMissedAck() {
	t.timeout = min(ackCut*t.timeout, max(maxAckTimeout, t.baseTimeout))
	t.batch = max(t.batch/ackCut, 1)
}

// onRefusedSize makes messages smaller, after one of so many windows that the broker
// did not take. They grow again slowly, in case it was the network.
func (t *linkTuning) onRefusedSize(windows int) {
	t.ceiling, t.passed = max(windows/ackCut, 1), 0
	t.batch = min(t.batch, t.ceiling)
}

// onAck records how long an acknowledgement took. A fast one restores the base
// timeout, and that of a late message makes these larger.
func (t *linkTuning) onAck(took time.Duration, late bool) {
	if took >= t.baseTimeout/fastPart {
		return
	}
	t.timeout = t.baseTimeout
	if late {
		if t.batch == t.ceiling {
			t.passed++
		}
		if t.passed >= ceilUp {
			t.ceiling, t.passed = min(t.ceiling+1, maxLateWindows), 0
		}
		t.batch = min(t.batch+ackGrow, t.ceiling)
	}
}
