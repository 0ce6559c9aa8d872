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
}

// The rules of the adaptation, chosen by hand.
const (
	ackCut   = 2 // a missed acknowledgement halves the batch and doubles the timeout
	ackGrow  = 2 // windows that a fast acknowledgement adds to the batch
	fastPart = 4 // an acknowledgement is fast within a quarter of the base timeout
)

func newLinkTuning(first time.Duration) linkTuning {
	return linkTuning{baseTimeout: first, timeout: first, batch: maxLateWindows}
}

// onMissedAck makes messages smaller and the timeout longer, up to maxAckTimeout,
// after a connection that ended because an acknowledgement did not come in time.
func (t *linkTuning) onMissedAck() {
	t.timeout = min(ackCut*t.timeout, max(maxAckTimeout, t.baseTimeout))
	t.batch = max(t.batch/ackCut, 1)
}

// onAck records how long an acknowledgement took. A fast one restores the base
// timeout and makes the messages larger.
func (t *linkTuning) onAck(took time.Duration) {
	if took < t.baseTimeout/fastPart {
		t.timeout = t.baseTimeout
		t.batch = min(t.batch+ackGrow, maxLateWindows)
	}
}
