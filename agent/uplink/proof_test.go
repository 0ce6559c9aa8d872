package uplink

import (
	"testing"
	"time"
)

func TestMessagesDeniedTogetherAreOneTry(t *testing.T) {
	u := testUplink(t, nil)
	p := newProof(u)
	topic, now := u.base+"ack", time.Now()
	for range 30 {
		p.onDenied(&deniedError{topic, whyNotGivenBack}, now)
	}
	longest := func(failures int) time.Time { return now.Add(u.proofDelay(failures) + time.Millisecond) }
	if next := p.topics[topic].retryAt; next.After(longest(0)) {
		t.Errorf("tried again %s after 30 messages of one try, want at most %s", next.Sub(now), u.proofDelay(0))
	}
	if due := p.due(longest(0)); len(due) != 1 {
		t.Fatalf("due: %q", due)
	}
	p.onDenied(&deniedError{topic, whyNotGivenBack}, now)
	if next := p.topics[topic].retryAt; !next.After(now.Add(u.proofDelay(1)/2 - time.Millisecond)) {
		t.Errorf("the next try was denied, and the one after it comes %s later, want the double", next.Sub(now))
	}
}
